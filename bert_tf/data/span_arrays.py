"""Marked spans of many texts as arrays, and these as tensors again."""

import numpy as np
import tensorflow as tf

# As `cells.Kind` wants them: many cells as arrays, and these as tensors again.
TYPES = (tf.int32, tf.int32, tf.int64, tf.int32, tf.int64)


def flatten(cells):
    """The arrays of a list of Marked: outside, spans and their number a row, words and theirs."""

    def part(name, width):
        rows = [getattr(cell, name) for cell in cells]
        flat = np.array([x for row in rows for x in row], np.int32).reshape(-1, width)
        return flat, np.array([len(row) for row in rows], np.int64)

    outside = np.array([cell.outside for cell in cells], np.int32)
    return (outside, *part("spans", 6), *part("words", 2))


def restore(outside, spans, span_counts, words, word_counts):
    """dict: `outside` int32 [N]; `spans` ragged [N, (spans), 6], `words` ragged [N, (words), 2]."""

    def ragged(flat, counts, width):
        flat, counts = tf.ensure_shape(flat, [None, width]), tf.ensure_shape(counts, [None])
        return tf.RaggedTensor.from_row_lengths(flat, counts)

    return {
        "outside": tf.ensure_shape(outside, [None]),
        "spans": ragged(spans, span_counts, 6),
        "words": ragged(words, word_counts, 2),
    }
