"""From pieces to model inputs: longest-first truncation, special tokens and padding."""

import tensorflow as tf


def longest_first(first, second, budget):
    """How much of each text of a pair is kept, as `tokenizers` counts (utils/truncation.rs).

    The shorter text stays whole if the longer one can be cut to no less than its length; otherwise
    both get half, and an odd one goes to the longer, or to the second when they are equally long.

    Args:
      first, second: int64 [N], pieces in each text. budget: int64, pieces allowed in both.
    Returns:
      Two int64 [N].
    """
    shorter, longer = tf.minimum(first, second), tf.maximum(first, second)
    half = budget // 2
    fits = first + second <= budget
    keep_shorter = tf.where(fits, shorter, tf.minimum(shorter, half))
    keep_longer = tf.where(fits, longer, budget - keep_shorter)
    swapped = first > second
    keep_first = tf.where(swapped, keep_longer, keep_shorter)
    keep_second = tf.where(swapped, keep_shorter, keep_longer)
    return keep_first, keep_second


def trim(ragged, keep):
    """The first int64 [N] `keep` items of each row of a ragged [N, (items), ...]."""

    def cut():
        rows = ragged.value_rowids()
        place = tf.range(tf.size(rows, tf.int64)) - tf.gather(ragged.row_splits, rows)
        values = tf.boolean_mask(ragged.flat_values, place < tf.gather(keep, rows))
        return tf.RaggedTensor.from_row_lengths(values, keep, validate=False)

    return tf.cond(tf.reduce_all(keep == ragged.row_lengths()), lambda: ragged, cut)


def assemble(parts, begin, end, pad, length):
    """Put each row's parts between special tokens: begin, part, end (, part, end), padding.

    Args:
      parts: one or two ragged [N, (pieces), ...] of int32.
      begin, end, pad: int32 scalars, or [2] for offsets.
      length: int, or int64 scalar tensor: columns of the result.
    Returns:
      int32 [N, length, ...].
    """
    rows = parts[0].nrows()

    def column(value):
        value = tf.convert_to_tensor(value, tf.int32)
        return tf.RaggedTensor.from_uniform_row_length(
            tf.repeat(value[None], rows, axis=0), 1, nrows=rows
        )

    pieces = [column(begin)]
    for part in parts:
        pieces += [part, column(end)]
    inner = parts[0].flat_values.shape[1:].as_list()
    shape = tf.stack([-1, length, *inner]) if tf.is_tensor(length) else [None, length, *inner]
    return tf.concat(pieces, 1).to_tensor(pad, shape=shape)
