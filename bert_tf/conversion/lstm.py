"""The names of LSTMs and of their decoder in our own format; no other package has the family."""

from bert_tf.conversion.family import Family, Layout, own_layout
from bert_tf.conversion.table import Row

_WORDS = "embeddings.word_embeddings"
_CELL = ("input_gates.kernel", "input_gates.bias", "recurrent")
_DECODER = ("bridge.kernel", "bridge.bias", "combine.kernel", "feed.kernel")
_PATHS = (
    _WORDS,
    *(f"blocks.{{i}}.cell.{name}" for name in _CELL),
    *(f"blocks.{{i}}.cells.{{j}}.{name}" for name in _CELL),
    *(f"blocks.{{i}}.{name}" for name in (*_DECODER, "score_kernel", "score_vector")),
)

LSTM = Family(
    encoder_class="LstmModel",
    classes={},
    pooled=(),
    layouts={"bert_tf": own_layout(Layout(tuple(Row(path, path) for path in _PATHS), {}, ""))},
    sizes={"vocab_size": (_WORDS, 0), "hidden_size": (_WORDS, 1)},
)
