"""Blank infilling (Du et al. 2022, "GLM", arXiv 2103.10360, section 2.1): spans are told word by
word, each behind the text with blanks and the spans told before it."""

import tensorflow as tf

from bert_tf.pretraining_data import random_numbers

# Token types stand for the second positions, those within a span; longer spans share the last.
SPAN_PLACES = 32
# Beside the streams of `masking`, under the same keys.
_ORDER = 5


def blank_rows(input_ids, attention_mask, masked, vocabulary, seed, rows=None):
    """Rows of a text with one [MASK] for each hidden span, and the spans behind it.

    A span is told from [CLS] on, and ends with [SEP]; the spans come in random order. Both parts
    read all of the text; a span's words read those before them, too.

    Args:
      input_ids: int32 [B, L], before anything is hidden.
      attention_mask: int [B, L], 0 where padding is.
      masked: dict, what `masking.mask_rows` gives; its positions are hidden, neighbours as one
        span.
      vocabulary: masking.MaskingVocabulary.
      seed, rows: as in `masking.mask_rows`.
    Returns:
      dict of [B, A + S]: int32 input_ids, attention_mask, position_ids (of a span's words that of
      its [MASK]), token_type_ids (0 in the text, 1, 2, ... in a span), reading_order (0 in the
      text, 1, 2, ... behind it: a word reads what has no higher number); and of [B, S]
      masked_positions and masked_ids int32, masked_weights float32, 0 for filling, which comes
      last.
    """
    with tf.device("CPU"):
        height, width = tf.shape(input_ids)[0], tf.shape(input_ids)[1]
        hidden = _marked(masked["masked_positions"], masked["masked_weights"], width)
        begins = hidden & ~tf.pad(hidden[:, :-1], [[0, 0], [1, 0]])
        kept = (attention_mask > 0) & (~hidden | begins)
        places = tf.cumsum(tf.cast(kept, tf.int32), axis=1) - 1
        text_ids = tf.where(begins, vocabulary.mask_id, input_ids)
        text = gathered(~kept, kept, {"input_ids": text_ids, "position_ids": places})

        # Two cells for each token: where its span begins, and itself.
        span = tf.cumsum(tf.cast(begins, tf.int32), axis=1)
        first = tf.range(width) * tf.cast(begins, tf.int32)
        within = tf.range(width) - _last_of(first, span, width)
        goes_on = tf.pad(hidden[:, 1:], [[0, 0], [0, 1]])
        following = tf.pad(input_ids[:, 1:], [[0, 0], [0, 1]])
        keys = random_numbers.row_keys(seed, tf.range(height) if rows is None else rows)
        order = random_numbers.priorities(keys, span, _ORDER)
        cells = {
            "input_ids": _two(tf.fill(tf.shape(input_ids), vocabulary.start_id), input_ids),
            "masked_ids": _two(input_ids, tf.where(goes_on, following, vocabulary.end_id)),
            "position_ids": _two(places, places),
            "token_type_ids": tf.minimum(_two(within + 1, within + 2), SPAN_PLACES - 1),
        }
        there = _two(begins, hidden)
        ranks = tf.cast(_two(order, order), tf.int64) * 2 * tf.cast(width, tf.int64)
        ranks += tf.range(2 * tf.cast(width, tf.int64))
        spans = gathered(tf.where(there, ranks, tf.int64.max), there, cells)
        return _side_by_side(text, spans)


def _marked(positions, weights, width):
    """bool [B, width], True at the positions that count."""
    places = tf.one_hot(tf.where(weights > 0, positions, -1), width, True, False, dtype=tf.bool)
    return tf.reduce_any(places, axis=1)


def _last_of(first, span, width):
    """The place where the span of each token begins: the largest `first` among its number."""
    height = tf.shape(first)[0]
    cells = span + tf.range(height)[:, None] * (width + 1)
    most = tf.math.unsorted_segment_max(
        tf.reshape(first, [-1]), tf.reshape(cells, [-1]), height * (width + 1)
    )
    return tf.gather(most, cells)


def _two(one, other):
    """Values [B, L] of two cells for each token, [B, 2 L]."""
    return tf.reshape(tf.stack([one, other], axis=2), [tf.shape(one)[0], -1])


def gathered(ranks, there, values):
    """What is there, in the order of its ranks, without columns that no row fills."""
    order = tf.argsort(tf.cast(ranks, tf.int64), axis=1, stable=True)
    count = tf.math.count_nonzero(there, axis=1, dtype=tf.int32)
    order = order[:, : tf.maximum(tf.reduce_max(count), 1)]
    mask = tf.sequence_mask(count, tf.shape(order)[1], tf.int32)
    found = {name: tf.gather(x, order, batch_dims=1) * mask for name, x in values.items()}
    return {**found, "attention_mask": mask}


def _side_by_side(text, spans):
    """Both parts in one row, and what is asked of the second."""
    asked, begin = spans["attention_mask"], tf.shape(text["input_ids"])[1]
    places = tf.range(tf.shape(asked)[1])
    text |= {
        "token_type_ids": tf.zeros_like(text["input_ids"]),
        "reading_order": tf.zeros_like(text["input_ids"]),
    }
    spans["reading_order"] = (places + 1) * asked
    names = ("input_ids", "attention_mask", "token_type_ids", "position_ids", "reading_order")
    return {
        **{name: tf.concat([text[name], spans[name]], axis=1) for name in names},
        "masked_positions": (begin + places) * asked,
        "masked_ids": spans["masked_ids"],
        "masked_weights": tf.cast(asked, tf.float32),
    }
