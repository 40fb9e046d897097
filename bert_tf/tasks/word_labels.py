"""From texts and spans to the pieces that words begin with, and their labels; in TensorFlow."""

from bert_tf.tags import IGNORED
from bert_tf.tasks.features import window_settings

# Above every place in a text: a row and a place in it are one number.
_ROW = 1 << 32


def word_inputs(cells, tokenizer, settings):
    """The windows of texts, and the labels of their pieces.

    Args:
      cells: dict of `text` string [N]; perhaps `window` int [N], the one window wanted of each;
        perhaps `label`, a dict as data.spans.restore gives it.
      tokenizer, settings: as in `features.features_of`.
    Returns:
      (inputs, labels). inputs: dict of int32 `input_ids`, `attention_mask`, `token_type_ids` [W,
      L]; `owned` [W, L], 1 at the first piece of each word that is this window's; `offsets` [W, L,
      2], at these pieces the whole word's; `rows` [W], the text of each window, unless one is
      wanted. labels: int32 [W, L], IGNORED where there is none; None without `label`.
    """
    import tensorflow as tf

    inputs = tokenizer.windows(
        cells["text"],
        number=cells.get("window"),
        padding=settings["padding"],
        **window_settings(settings),
    )
    rows = inputs["rows"] if "window" not in cells else inputs.pop("rows")
    offsets = inputs["offsets"]
    inside = inputs["attention_mask"] > 0
    none = tf.zeros_like(inside[:, :1])
    real = tf.concat([none, inside[:, 2:], none], axis=1)  # without [CLS] and [SEP]
    begins = real & ~tokenizer.continuing(inputs["input_ids"])
    marks = cells.get("label")
    if marks is not None:
        begins, given = _words(marks["words"], rows, offsets, real, begins)
    ends = _of_words(tf.math.unsorted_segment_max, offsets[..., 1], real, begins)
    places = tf.stack([offsets[..., 0], ends], axis=-1)
    if marks is not None:
        places = tf.where(tf.reduce_any(given > 0, axis=-1, keepdims=True), given, places)
    words = tf.where(begins[..., None], places, offsets)
    owned = inputs["owned"] * tf.cast(begins, tf.int32)
    labels = None
    if marks is not None:
        learned = inputs["owned"] > 0 if settings.get("label_all_pieces") else owned > 0
        at = real if settings.get("label_all_pieces") else begins
        labels = tf.where(learned & real, _labels(marks, rows, words, offsets, at), IGNORED)
    return {**inputs, "offsets": words, "owned": owned}, labels


def _words(words, rows, offsets, real, begins):
    """Where the words of a file begin, bool [W, L], and what they span, int32 [W, L, 2].

    A piece may cover several words, such as the digits of a number in a file of characters; it
    spans them all. Texts whose file has no words keep `begins`, and span 0 to 0.
    """
    import tensorflow as tf

    flat = tf.concat([words.flat_values, [[0, 0]]], axis=0)  # never empty
    row_of, rows = words.value_rowids() * _ROW, tf.cast(rows, tf.int64)
    keys = tf.cast(words.flat_values, tf.int64) + row_of[:, None]
    places = tf.cast(offsets, tf.int64) + (rows * _ROW)[:, None, None]
    first = _search(keys[:, 1], places[..., 0], "right")  # the first that ends behind its start
    last = _search(keys[:, 0], places[..., 1], "left") - 1  # the last that starts before its end
    before = tf.where(real, first, -1)
    before = tf.concat([tf.fill(tf.shape(first[:, :1]), -1), before[:, :-1]], axis=1)
    there = tf.gather(words.row_lengths() > 0, rows)[:, None]
    spans = tf.stack(
        [tf.gather(flat[:, 0], first), tf.gather(flat[:, 1], tf.maximum(last, 0))], axis=-1
    )
    spans = tf.where((there & real)[..., None], spans, 0)
    return tf.where(there, real & (first != before), begins), spans


def _labels(marks, rows, words, offsets, at):
    """The tag of each place `at` (bool [W, L]) by the span that it is in or touches."""
    import tensorflow as tf

    spans, rows = marks["spans"], tf.cast(rows, tf.int64)
    flat = tf.concat([spans.flat_values, tf.zeros([1, 6], tf.int32)], axis=0)  # never empty
    keys = tf.cast(spans.flat_values[:, 0], tf.int64) + spans.value_rowids() * _ROW
    ends = tf.cast(words[..., 1], tf.int64) + (rows * _ROW)[:, None]
    number = _search(keys, ends, "left") - 1  # the last that starts before the word ends
    span = tf.gather(flat, tf.maximum(number, 0))
    mine = tf.cast(number, tf.int64) >= tf.gather(spans.row_starts(), rows)[:, None]
    within = mine & (span[..., 1] > words[..., 0])
    before = tf.concat([tf.zeros_like(offsets[:, :1, 1]), offsets[:, :-1, 1]], axis=1)
    starts = tf.where(at, words[..., 0], tf.int32.max)
    behind = _of_words(tf.math.unsorted_segment_min, starts, at, at, shift=1)
    is_first, is_last = before <= span[..., 0], behind >= span[..., 1]
    tag = tf.where(
        is_first,
        tf.where(is_last, span[..., 5], span[..., 2]),
        tf.where(is_last, span[..., 4], span[..., 3]),
    )
    return tf.where(within, tag, tf.gather(marks["outside"], rows)[:, None])


def _of_words(reduce, values, there, begins, shift=0):
    """A reduction of values [W, L] over the pieces of each word, at each of its pieces; with
    `shift` that of a word further on."""
    import tensorflow as tf

    shape = tf.shape(values)
    width = shape[1] + 1 + shift
    number = tf.cumsum(tf.cast(begins, tf.int32), axis=1) + (tf.range(shape[0]) * width)[:, None]
    segments = tf.where(there, number, -1)
    found = reduce(tf.reshape(values, [-1]), tf.reshape(segments, [-1]), shape[0] * width)
    return tf.gather(found, number + shift)


def _search(keys, values, side):
    """Where values [W, L] stand among sorted keys; int32 [W, L]."""
    import tensorflow as tf

    found = tf.searchsorted(keys, tf.reshape(values, [-1]), side=side)
    return tf.reshape(found, tf.shape(values))
