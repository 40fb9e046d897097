"""Rows of the layers every family has, as Hugging Face and as Google name them."""

from bert_tf.conversion.table import TRANSPOSED, Row


def joined(template, parts=("query", "key", "value")):
    """The names of the tensors that one variable of ours joins.

    Args:
      template: str with `{}` for the part; `{i}` and `{j}` stay for layer numbers.
      parts: tuple of str, in the order in which they are joined.
    Returns:
      tuple of str.
    """
    return tuple(template.replace("{}", part) for part in parts)


def hf_dense(theirs, ours):
    """A dense layer of Hugging Face, two rows: the weight is [out, in].

    Args:
      theirs: str, or tuple of str to be joined; ours: str.
    Returns:
      tuple of Row.
    """
    names = (theirs,) if isinstance(theirs, str) else theirs
    return (
        Row(tuple(f"{name}.weight" for name in names), f"{ours}.kernel", TRANSPOSED),
        Row(tuple(f"{name}.bias" for name in names), f"{ours}.bias"),
    )


def hf_norm(theirs, ours):
    """A layer normalization of Hugging Face, as `hf_dense`."""
    return Row(f"{theirs}.weight", f"{ours}.gamma"), Row(f"{theirs}.bias", f"{ours}.beta")


def google_dense(theirs, ours):
    """A dense layer of Google, as `hf_dense`: the kernel is [in, out], as ours."""
    names = (theirs,) if isinstance(theirs, str) else theirs
    return (
        Row(tuple(f"{name}/kernel" for name in names), f"{ours}.kernel"),
        Row(tuple(f"{name}/bias" for name in names), f"{ours}.bias"),
    )


def google_norm(theirs, ours):
    """A layer normalization of Google, as `hf_dense`."""
    return Row(f"{theirs}/gamma", f"{ours}.gamma"), Row(f"{theirs}/beta", f"{ours}.beta")


def google_output(theirs, ours):
    """An output layer of Google, as `hf_dense`: its weights are [labels, in]."""
    return (
        Row(f"{theirs}output_weights", f"{ours}.kernel", TRANSPOSED),
        Row(f"{theirs}output_bias", f"{ours}.bias"),
    )


def sizes(blocks, **more):
    """The keys of a config that the shapes tell, as `Family.sizes`.

    Args:
      blocks: str, our path to a block.
      **more: what the family has besides.
    """
    return {
        "vocab_size": ("embeddings.word_embeddings", 0),
        "max_position_embeddings": ("embeddings.position_embeddings", 0),
        "type_vocab_size": ("embeddings.token_type_embeddings", 0),
        "num_languages": ("embeddings.language_embeddings", 0),
        "hidden_size": (f"{blocks}.attention_norm.gamma", 0),
        "intermediate_size": (f"{blocks}.feed_forward.expand.bias", 0),
        **more,
    }


def next_sentence(kind):
    """transformers' class for the next sentence alone, a classifier by two logits of the pooler's
    vector, as `Family.read_as`; label 0 follows.

    Args:
      kind: str, what the names of the family's classes begin with.
    """
    starts = (("cls.seq_relationship.", "classifier."),)
    known = (f"{kind}ForSequenceClassification", starts, ("next", "random"))
    return {f"{kind}ForNextSentencePrediction": known}


def huggingface_embeddings():
    """The three tables and their norm, as BERT, ALBERT and ELECTRA have them at Hugging Face."""
    tables = ("word_embeddings", "position_embeddings", "token_type_embeddings")
    rows = tuple(Row(f"embeddings.{name}.weight", f"embeddings.{name}") for name in tables)
    return (*rows, *hf_norm("embeddings.LayerNorm", "embeddings.norm"))


def huggingface_blocks():
    """The blocks of BERT and ELECTRA at Hugging Face."""
    theirs, ours = "encoder.layer.{i}", "blocks.{i}"
    return (
        *hf_dense(joined(f"{theirs}.attention.self.{{}}"), f"{ours}.attention.qkv"),
        *hf_dense(f"{theirs}.attention.output.dense", f"{ours}.attention.projection"),
        *hf_norm(f"{theirs}.attention.output.LayerNorm", f"{ours}.attention_norm"),
        *hf_dense(f"{theirs}.intermediate.dense", f"{ours}.feed_forward.expand"),
        *hf_dense(f"{theirs}.output.dense", f"{ours}.feed_forward.contract"),
        *hf_norm(f"{theirs}.output.LayerNorm", f"{ours}.feed_forward_norm"),
    )


def huggingface_cross(theirs, ours):
    """What a BERT's block has for attention to an encoder, at Hugging Face.

    Args:
      theirs, ours: str, the names of the block.
    """
    cross, own = f"{theirs}.crossattention", f"{ours}.cross_attention"
    return (
        *hf_dense(f"{cross}.self.query", f"{own}.query"),
        *hf_dense(joined(f"{cross}.self.{{}}", ("key", "value")), f"{own}.key_value"),
        *hf_dense(f"{cross}.output.dense", f"{own}.projection"),
        *hf_norm(f"{cross}.output.LayerNorm", f"{ours}.cross_norm"),
    )


def google_embeddings(root):
    """The three tables and their norm, below Google's scope `root`."""
    tables = ("word_embeddings", "position_embeddings", "token_type_embeddings")
    rows = tuple(Row(f"{root}/embeddings/{name}", f"embeddings.{name}") for name in tables)
    return (*rows, *google_norm(f"{root}/embeddings/LayerNorm", "embeddings.norm"))


def google_blocks(root, encoder=""):
    """The blocks of BERT and ELECTRA, below Google's scope `root`.

    Args:
      root: str, `bert`.
      encoder: str, our path to the encoder with a dot behind it.
    """
    theirs, ours = f"{root}/encoder/layer_{{i}}", f"{encoder}blocks.{{i}}"
    return (
        *google_dense(joined(f"{theirs}/attention/self/{{}}"), f"{ours}.attention.qkv"),
        *google_dense(f"{theirs}/attention/output/dense", f"{ours}.attention.projection"),
        *google_norm(f"{theirs}/attention/output/LayerNorm", f"{ours}.attention_norm"),
        *google_dense(f"{theirs}/intermediate/dense", f"{ours}.feed_forward.expand"),
        *google_dense(f"{theirs}/output/dense", f"{ours}.feed_forward.contract"),
        *google_norm(f"{theirs}/output/LayerNorm", f"{ours}.feed_forward_norm"),
    )


def google_masked_lm():
    """The masked-LM head of BERT and ALBERT at Google."""
    return (
        *google_dense("cls/predictions/transform/dense", "masked_lm_head.dense"),
        *google_norm("cls/predictions/transform/LayerNorm", "masked_lm_head.norm"),
        Row("cls/predictions/output_bias", "masked_lm_head.output_bias"),
    )


def untied(decoder, has_idle_bias=True):
    """The rows of an output matrix that is not the words' table.

    Args:
      decoder: str, Hugging Face's name of it.
      has_idle_bias: bool, as in the head; else its bias stands among the head's rows.
    Returns:
      tuple of Row.
    """
    matrix = Row(f"{decoder}.weight", "masked_lm_head.output_embeddings")
    bias = Row(f"{decoder}.bias", "masked_lm_head.decoder_bias")
    return (matrix, bias) if has_idle_bias else (matrix,)


# Names of files from before 2019, and buffers that carry nothing.
OLD_NORMS = ((r"LayerNorm\.gamma$", "LayerNorm.weight"), (r"LayerNorm\.beta$", "LayerNorm.bias"))
BUFFERS = (
    (
        r"(^|\.)embeddings\.(position_ids|token_type_ids)$",
        "a buffer of older files: 0, 1, 2, ... or zeros",
    ),
)
# The paths of our options that no foreign format has, for `own_layout`.
OWN_ENCODER = ("final_norm.gamma", "final_norm.beta", "embeddings.language_embeddings")
# Keys of config.json that would make another model of one of these families.
REQUIRED = {
    "position_embedding_type": "absolute",
    # Heads that were taken out of single layers.
    "pruned_heads": {},
}
# A decoder's file, of a family that has none here.
NO_DECODER = {"is_decoder": False, "add_cross_attention": False}
# Choices of our family `transformer`, which Hugging Face's classes do not follow. `layer_drop_rate`
# is not among them: it changes nothing but training, so what they load and compute is right, and
# the key is kept for us.
EXPRESSIBLE = {
    "position_embedding": "learned",
    "norm": "post",
    "word_embedding": "normed",
    "num_languages": None,
    **NO_DECODER,
}
