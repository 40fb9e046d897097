"""ModernBERT (Warner et al. 2024, arXiv 2412.13663): rotary positions, attention that is local in
most layers, gated feed-forward layers, hardly a bias."""

import dataclasses
import math

from bert_tf.encoders.checks import check_choice
from bert_tf.encoders.config import EncoderConfig
from bert_tf.encoders.family import Family, Published
from bert_tf.errors import InputError, shown
from bert_tf.layers import (
    ACTIVATIONS_OF_HEADS,
    GatedBlock,
    GatedFeedForward,
    HeadLayer,
    LayerNorm,
    LocalAttention,
    RotaryAttention,
    RotaryPositions,
    WordEmbeddings,
    WordHead,
    truncated_normal,
)

WHOLE, LOCAL = "full_attention", "sliding_attention"
# Keys of files: layer type -> the field that holds its `rope_theta`.
_THETAS = {WHOLE: "global_rope_theta", LOCAL: "local_rope_theta"}


@dataclasses.dataclass(frozen=True)
class ModernBertConfig(EncoderConfig):
    """The sizes of a ModernBERT, by default base's; files have other names for some of them.

    `hidden_dropout_prob`: behind the embeddings; `attention_probs_dropout_prob`: on the attention's
    probabilities and behind it; `mlp_dropout`: within the feed-forward layer.
    `local_attention`: how many positions a local layer sees, half of them to each side.
    `global_attn_every_n_layers`: layers 0, n, 2n, ... see the whole row.
    `layer_types`: where that is no rule, "full_attention" or "sliding_attention" for each layer;
    None: by the rule. What it has beyond `num_hidden_layers` is left aside.
    `global_rope_theta`, `local_rope_theta`: of the rotary positions, see `rotary_table`.
    `classifier_pooling`: "cls" or "mean".
    `initializer_cutoff_factor` is kept for others: fresh weights are cut at two deviations here.
    """

    vocab_size: int = 50368
    num_hidden_layers: int = 22
    intermediate_size: int = 1152
    hidden_dropout_prob: float = 0.0
    attention_probs_dropout_prob: float = 0.0
    max_position_embeddings: int = 8192
    type_vocab_size: int = 0
    layer_norm_eps: float = 1e-5
    pad_token_id: int | None = 50283
    bos_token_id: int | None = 50281
    eos_token_id: int | None = 50282
    cls_token_id: int | None = 50281
    sep_token_id: int | None = 50282
    classifier_dropout: float = 0.0
    mlp_dropout: float = 0.0
    initializer_cutoff_factor: float = 2.0
    local_attention: int = 128
    global_attn_every_n_layers: int = 3
    layer_types: tuple | None = None
    global_rope_theta: float = 160000.0
    local_rope_theta: float = 10000.0
    classifier_pooling: str = "cls"
    classifier_activation: str = "gelu"
    norm_bias: bool = False
    attention_bias: bool = False
    mlp_bias: bool = False
    classifier_bias: bool = False
    decoder_bias: bool = True

    model_type = "modernbert"
    unseen = (
        *(*EncoderConfig.unseen, "mlp_dropout", "classifier_dropout", "max_position_embeddings"),
        *("local_attention", "global_attn_every_n_layers", *_THETAS.values()),
        *("classifier_pooling", "classifier_activation"),
    )
    nulls = ("local_rope_theta",)
    names_in_files = {
        "hidden_act": "hidden_activation",
        "layer_norm_eps": "norm_eps",
        "hidden_dropout_prob": "embedding_dropout",
        "attention_probs_dropout_prob": "attention_dropout",
    }

    def __post_init__(self):
        super().__post_init__()
        _check_numbers(self)
        check_choice(self, "classifier_pooling", ("cls", "mean"))
        check_choice(self, "classifier_activation", ACTIVATIONS_OF_HEADS)
        if self.type_vocab_size:
            raise InputError(f"type_vocab_size: {self.type_vocab_size}, wanted 0: there are none")
        if self.hidden_size // self.num_attention_heads % 2:
            raise InputError(
                f"hidden_size: {self.hidden_size}, wanted an even number for each of "
                f"{self.num_attention_heads} num_attention_heads"
            )
        if self.layer_types is not None:
            object.__setattr__(self, "layer_types", tuple(self.layer_types))
            _check_layer_types(self.layer_types, self.num_hidden_layers)

    @property
    def kinds(self):
        """tuple of WHOLE and LOCAL, one for each layer."""
        if self.layer_types is not None:
            return self.layer_types[: self.num_hidden_layers]
        return _by_rule(self.num_hidden_layers, self.global_attn_every_n_layers)

    @classmethod
    def told(cls, values):
        """As EncoderConfig; a config of transformers 4 or 5.

        The published files hold names of BERT's besides that no ModernBERT reads, such as
        `layer_norm_eps`, which are left aside.
        """
        strays = {*cls.names_in_files, "type_vocab_size"}
        values = {name: value for name, value in values.items() if name not in strays}
        vocabulary = values.get("vocab_size")
        for name in ("pad", "bos", "eos", "cls", "sep"):
            key = f"{name}_token_id"
            # Said to be null; the default would not be in a smaller vocabulary.
            if key not in values and isinstance(vocabulary, int):
                default = getattr(cls, key)
                values[key] = default if default < vocabulary else None
        values |= _thetas(values.get("rope_parameters"))
        if values.get("local_rope_theta", 0) is None:  # to transformers 4: the global one
            values["local_rope_theta"] = values.get("global_rope_theta", cls.global_rope_theta)
        values |= _rule(values)
        if values.get("layer_types") is not None:  # which go before the rule
            values.setdefault("global_attn_every_n_layers", cls.global_attn_every_n_layers)
        return super().told(values)

    def to_dict(self):
        """As EncoderConfig; the keys of transformers 4 and of 5."""
        values = {name: x for name, x in super().to_dict().items() if name != "type_vocab_size"}
        values["layer_types"] = list(self.kinds)
        if self.layer_types is not None:
            del values["global_attn_every_n_layers"]
        values["rope_parameters"] = {
            kind: {"rope_type": "default", "rope_theta": getattr(self, field)}
            for kind, field in _THETAS.items()
        }
        return values


def _by_rule(layers, every):
    return tuple(LOCAL if layer % every else WHOLE for layer in range(layers))


def _rule(values):
    """The rule that the layer types of a file follow, dict of fields; empty where they are none."""
    kinds, every = values.get("layer_types"), values.get("global_attn_every_n_layers", 3)
    if not isinstance(kinds, list) or not isinstance(every, int) or every < 1:
        return {}
    if len(kinds) != values.get("num_hidden_layers", ModernBertConfig.num_hidden_layers):
        raise InputError(
            f"layer_types: {len(kinds)} entries, wanted one for each of num_hidden_layers: "
            f"{values.get('num_hidden_layers')}"
        )
    for rule in (every, *range(1, len(kinds) + 1)):
        if tuple(kinds) == _by_rule(len(kinds), rule):
            return {"layer_types": None, "global_attn_every_n_layers": rule}
    return {"layer_types": tuple(kinds)}


def _thetas(rope):
    """The fields in a file's `rope_parameters`."""
    if rope is None:
        return {}
    if not isinstance(rope, dict):
        raise InputError(f"rope_parameters: {shown(rope)}, wanted an object for each layer type")
    found = {}
    for kind, field in _THETAS.items():
        said = rope.get(kind) or {}
        if not isinstance(said, dict):
            raise InputError(f"rope_parameters.{kind}: {shown(said)}, wanted an object")
        way = said.get("rope_type", said.get("type", "default"))
        if way != "default":
            raise InputError(f"rope_parameters.{kind}.rope_type: {shown(way)}, here only 'default'")
        if said.get("rope_theta") is not None:
            found[field] = said["rope_theta"]
    return found


def _check_numbers(config):
    limits = {"mlp_dropout": (0, 1), "classifier_dropout": (0, 1)}
    limits |= dict.fromkeys((*_THETAS.values(), "initializer_cutoff_factor"), (1e-6, 1e12))
    for name, (least, most) in limits.items():
        value = getattr(config, name)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not least <= value < most:
            raise InputError(f"{name}: {shown(value)}, wanted a number from {least:g} to {most:g}")


def _check_layer_types(kinds, layers):
    if len(kinds) < layers:
        raise InputError(f"layer_types: {len(kinds)} entries, wanted num_hidden_layers: {layers}")
    for kind in kinds:
        if kind not in (WHOLE, LOCAL):
            raise InputError(f"layer_types: {shown(kind)}, wanted {WHOLE} or {LOCAL}")


# Both published models (Warner et al. 2024, table 4), under the names of the Hugging Face hub.
SIZES = {
    "modernbert-base": ModernBertConfig(classifier_pooling="mean"),
    "modernbert-large": ModernBertConfig(
        hidden_size=1024,
        num_hidden_layers=28,
        num_attention_heads=16,
        intermediate_size=2624,
        classifier_pooling="mean",
    ),
}


def _norm(config, dtype):
    return LayerNorm(config.layer_norm_eps, config.norm_bias, dtype=dtype)


def _head_layer(config):
    """The dense layer of every head (transformers, `ModernBertPredictionHead`)."""
    return HeadLayer(
        config.hidden_size,
        config.classifier_activation,
        config.layer_norm_eps,
        use_bias=config.classifier_bias,
        center=config.norm_bias,
        dropout_rate=0.0,
    )


def _published(config):
    layers = (_head_layer(config),)
    return Published(
        has_pooler=False,
        pooling=config.classifier_pooling,
        head_layers=layers,
        token_head_layers=layers,
        sentence_objective=None,
    )


def _embeddings(config, dtype):
    return WordEmbeddings(
        config.vocab_size,
        config.hidden_size,
        _norm(config, dtype),
        config.hidden_dropout_prob,
        truncated_normal(config.initializer_range),
        dtype=dtype,
    )


def _positions(config, dtype):
    return RotaryPositions(
        config.hidden_size // config.num_attention_heads,
        config.global_rope_theta,
        config.local_rope_theta,
        config.local_attention // 2,
        dtype=dtype,
    )


def _blocks(config, dtype):
    return [_block(config, layer, dtype) for layer in range(config.num_hidden_layers)]


def _block(config, layer, dtype):
    """Kernels behind which a sum is taken begin smaller, by the root of how many such there are.
    The first block's input is normalized by the embeddings."""
    initial, sums = config.initializer_range, 2 * config.num_hidden_layers
    kernels = (truncated_normal(initial), truncated_normal(initial / math.sqrt(sums)))
    options = {"use_bias": config.attention_bias, "dtype": dtype}
    if config.kinds[layer] == LOCAL:
        kind, options = LocalAttention, options | {"window": config.local_attention // 2}
    else:
        kind = RotaryAttention
    rate = config.attention_probs_dropout_prob
    return GatedBlock(
        kind(config.num_attention_heads, rate, *kernels, **options),
        GatedFeedForward(
            config.intermediate_size,
            config.hidden_act,
            config.mlp_dropout,
            *kernels,
            use_bias=config.mlp_bias,
            dtype=dtype,
        ),
        _norm(config, dtype) if layer else None,
        _norm(config, dtype),
        rate,
        dtype=dtype,
    )


def _masked_lm_head(config, width, dtype):
    return WordHead(
        _head_layer(config),
        config.vocab_size,
        config.decoder_bias,
        config.tie_word_embeddings,
        truncated_normal(config.initializer_range),
        dtype=dtype,
    )


MODERNBERT = Family(
    config=ModernBertConfig,
    sizes=SIZES,
    published=_published,
    embeddings=_embeddings,
    positions=_positions,
    blocks=_blocks,
    final_norm=_norm,
    masked_lm_head=_masked_lm_head,
)
