"""How much of the pieces of texts a row has room for: longest-first truncation."""

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
