"""KerasHub's backbones, and which variable of theirs is which of ours.

Their classes fix the activation and the epsilon. Source: keras_hub 0.32
`src/models/*/*_backbone.py`, `src/layers/modeling`.
"""

import typing


class Backbone(typing.NamedTuple):
    """One of KerasHub's backbones.

    Attributes:
      module: str, where its class is, below `keras_hub.src.models`.
      hidden_act, layer_norm_eps: what the class fixes, under our names.
      block: str, what Keras calls its blocks in the file.
      joined: bool, whether tokens and positions are in one layer.
      types: bool, whether there are token types.
      projected: bool, whether the embeddings may be narrower than the blocks.
      pooler: bool, whether it has one.
      last_norm: bool, whether a norm follows the blocks, and none the embeddings.
      relative: bool, whether distances have vectors, and positions none.
      fixed: tuple of (key of our config, value) that the class fixes besides.
    """

    module: str
    hidden_act: str
    layer_norm_eps: float
    block: str = "transformer_encoder"
    joined: bool = False
    types: bool = True
    projected: bool = False
    pooler: bool = True
    last_norm: bool = False
    relative: bool = False
    fixed: tuple[tuple[str, object], ...] = ()


_JOINED = dict(joined=True, types=False, pooler=False)
BACKBONES = {  # model_type: (class, Backbone)
    "bert": ("BertBackbone", Backbone("bert.bert_backbone", "gelu_new", 1e-12)),
    "albert": (
        "AlbertBackbone",
        Backbone("albert.albert_backbone", "gelu_new", 1e-12, projected=True),
    ),
    "electra": (
        "ElectraBackbone",
        Backbone("electra.electra_backbone", "gelu_new", 1e-12, projected=True),
    ),
    "roberta": ("RobertaBackbone", Backbone("roberta.roberta_backbone", "gelu", 1e-5, **_JOINED)),
    "xlm-roberta": (
        "XLMRobertaBackbone",
        Backbone("xlm_roberta.xlm_roberta_backbone", "gelu", 1e-5, **_JOINED),
    ),
    "distilbert": (
        "DistilBertBackbone",
        Backbone("distil_bert.distil_bert_backbone", "gelu", 1e-12, **_JOINED),
    ),
    "gpt2": (
        "GPT2Backbone",
        Backbone(
            "gpt2.gpt2_backbone", "gelu_new", 1e-5, "transformer_decoder",
            types=False, pooler=False, last_norm=True,
            fixed=(("scale_attn_weights", True), ("scale_attn_by_inverse_layer_idx", False)),
        ),
    ),
    "deberta-v2": (
        "DebertaV3Backbone",
        Backbone(
            "deberta_v3.deberta_v3_backbone", "gelu", 1e-7, "disentangled_attention_encoder",
            types=False, pooler=False, relative=True,
            fixed=(
                ("relative_attention", True), ("pos_att_type", ("c2p", "p2c")),
                ("share_att_key", True), ("norm_rel_ebd", "layer_norm"), ("type_vocab_size", 0),
                ("position_biased_input", False), ("conv_kernel_size", 0),
                ("max_relative_positions", -1),
            ),
        ),
    ),
}  # fmt: skip
# Keys of their config -> of ours.
KEYS = {
    "vocabulary_size": "vocab_size",
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "hidden_dim": "hidden_size",
    "intermediate_dim": "intermediate_size",
    "max_sequence_length": "max_position_embeddings",
    "num_segments": "type_vocab_size",
    "embedding_dim": "embedding_size",
    "num_groups": "num_hidden_groups",
    "num_inner_repetitions": "inner_group_num",
    "bucket_size": "position_buckets",
}
_BLOCK = {
    "attention.qkv": "_self_attention_layer/{}_dense",
    "attention.projection": "_self_attention_layer/output_dense",
    "attention_norm": "_self_attention_layer_norm",
    "feed_forward.expand": "_feedforward_intermediate_dense",
    "feed_forward.contract": "_feedforward_output_dense",
    "feed_forward_norm": "_feedforward_layer_norm",
}


def places(name, config):
    """Where the variables of an encoder are in model.weights.h5.

    Args:
      name: str, a key of BACKBONES.
      config: dict with our keys.
    Returns:
      dict of our attribute path to tuple of str, three for query, key and value.
    """
    kind = BACKBONES[name][1]
    pairs = {"kernel": 0, "bias": 1, "gamma": 0, "beta": 1}
    tables = {
        "word_embeddings": "reversible_embedding",
        "position_embeddings": "position_embedding",
    }
    if kind.joined:
        at = "token_and_position_embedding"
        tables = {f"{table}_embeddings": f"{at}/{theirs}_embedding" for table, theirs in
                  (("word", "token"), ("position", "position"))}  # fmt: skip
    if kind.relative:
        del tables["position_embeddings"]
    if kind.types:
        tables["token_type_embeddings"] = "embedding"
    found = {f"embeddings.{table}": (f"layers/{at}/vars/0",) for table, at in tables.items()}

    def layer(ours, at, words):
        for word in words:
            found[f"{ours}.{word}"] = tuple(
                f"layers/{part}/vars/{pairs[word]}"
                for part in (
                    [at.format(part) for part in ("query", "key", "value")] if "{}" in at else [at]
                )
            )

    layer("final_norm" if kind.last_norm else "embeddings.norm", "layer_normalization",
          ("gamma", "beta"))  # fmt: skip
    if kind.relative:
        found["positions.vectors"] = ("layers/relative_embedding/vars/0",)
        layer("positions.norm", "relative_embedding/layer_norm", ("gamma", "beta"))
    dense = ["embeddings_projection"] if kind.projected and _is_narrow(name, config) else []
    dense += ["pooler.dense"] if kind.pooler else []
    for number, ours in enumerate(dense):
        layer(ours, _numbered("dense", number), ("kernel", "bias"))
    for number, ours in enumerate(_blocks(config)):
        for part, at in _BLOCK.items():
            words = ("gamma", "beta") if part.endswith("norm") else ("kernel", "bias")
            at = at.replace("_layer/", "_layer/_") if kind.relative else at
            layer(f"{ours}.{part}", f"{_numbered(kind.block, number)}/{at}", words)
    return found


def _is_narrow(name, config):
    """ALBERT's backbone projects its embeddings always, ELECTRA's where the widths differ."""
    return name == "albert" or config.get("embedding_size") != config["hidden_size"]


def _blocks(config):
    """Our path to each block, in their order."""
    groups, inner = config.get("num_hidden_groups"), config.get("inner_group_num") or 1
    if groups:
        return [f"groups.{group}.{at}" for group in range(groups) for at in range(inner)]
    return [f"blocks.{number}" for number in range(config["num_hidden_layers"])]


def _numbered(name, number):
    """How Keras tells the layers of one class in a model apart."""
    return f"{name}_{number}" if number else name


def rows_added(name):
    """What RoBERTa's config has besides KerasHub's.

    Args:
      name: str, a key of BACKBONES.
    Returns:
      dict: one token type, an id of padding, and as `_rows` the rows of positions that no token
      of a text has; of another family nothing.
    """
    if not name.endswith("roberta"):
        return {}
    return {"_rows": 2, "pad_token_id": 1, "type_vocab_size": 1}
