"""Random numbers that are a function of where they are used: (seed, row, place, stream).

A row draws the same numbers in whatever batch it stands and however wide that batch is, which no
generator that fills a tensor from one seed can promise. Integer operations alone decide, so no
version of TensorFlow changes them.
"""

import tensorflow as tf

_WEYL = 0x9E3779B97F4A7C15


def row_keys(seed, rows):
    """The key of each row.

    Args:
      seed: integer [2], such as the seed of a run and the number of a step.
      rows: integer [B]. What tells the rows apart.
    Returns:
      uint64 [B].
    """
    seed = tf.cast(tf.convert_to_tensor(seed, dtype_hint=tf.int64), tf.uint64)
    return _mixed(_mixed(_mixed(seed[0]) + seed[1]) + tf.cast(rows, tf.uint64))


def random_bits(keys, places, stream):
    """64 random bits for each place of each row.

    Args:
      keys: uint64 [B], see row_keys.
      places: integer [L] or [B, L]. Equal numbers of a row draw equally.
      stream: int >= 0. Another number for each use.
    Returns:
      uint64 [B, L].
    """
    streams = _mixed(keys + tf.constant(_WEYL * (stream + 1) % 2**64, tf.uint64))
    return _mixed(streams[:, None] + tf.cast(places, tf.uint64))


def uniform(keys, places, stream):
    """Numbers from 0 to below 1: float32 [B, L]; the arguments are those of `random_bits`."""
    bits = tf.bitwise.right_shift(random_bits(keys, places, stream), tf.constant(40, tf.uint64))
    return tf.cast(tf.cast(bits, tf.int32), tf.float32) * 2.0**-24


def priorities(keys, places, stream):
    """Whole numbers to sort by: int32 [B, L] from 0; the arguments are those of `random_bits`."""
    bits = tf.bitwise.right_shift(random_bits(keys, places, stream), tf.constant(33, tf.uint64))
    return tf.cast(bits, tf.int32)


def below(count, keys, places, stream):
    """Whole numbers from 0 to below count (int < 2**31), int32 [B, L]; else as `random_bits`."""
    half = tf.constant(32, tf.uint64)
    bits = tf.bitwise.right_shift(random_bits(keys, places, stream), half)
    return tf.cast(tf.bitwise.right_shift(bits * tf.cast(count, tf.uint64), half), tf.int32)


def _mixed(bits):
    """SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators",
    figure 16): add the golden ratio, then Stafford's variant 13 of the MurmurHash3 finalizer."""
    bits += tf.constant(_WEYL, tf.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        bits = tf.bitwise.bitwise_xor(
            bits, tf.bitwise.right_shift(bits, tf.constant(shift, tf.uint64))
        )
        bits *= tf.constant(factor, tf.uint64)
    return bits
