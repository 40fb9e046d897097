"""ELMo's names, in our own format alone: the published one spells words by a network of its own."""

from bert_tf.conversion.family import Family, Layout, own_layout
from bert_tf.conversion.table import Row

_BLOCK = ("input_kernel", "recurrent_kernel", "projection", "bias")
_PATHS = (
    "embeddings.word_embeddings",
    *(f"blocks.{{i}}.{name}" for name in _BLOCK),
    "mix.scores",
    "mix.gamma",
)

ELMO = Family(
    encoder_class="ElmoModel",
    classes={},
    pooled=(),
    layouts={"bert_tf": own_layout(Layout(tuple(Row(path, path) for path in _PATHS), {}, ""))},
    sizes={
        "vocab_size": ("embeddings.word_embeddings", 0),
        "embedding_size": ("embeddings.word_embeddings", 1),
        "intermediate_size": ("blocks.{i}.projection", 1),
        "num_hidden_layers": ("blocks.{i}.projection", "i"),
    },
)
