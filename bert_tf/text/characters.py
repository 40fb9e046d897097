"""Texts as flat code points with the raw characters each stands for, and tables over code points."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

# What an added token becomes in a text. WordPiece's matcher splits at this character, which
# normalization replaces wherever a text holds it; elsewhere `Characters.token` tells them apart.
PLACEHOLDER = 0x2B820


class CodePointTable(tf.Module):
    """An int32 for every code point, in blocks of 256 of which equal ones are kept once."""

    def __init__(self, values):
        super().__init__()
        number = {}  # a block's bytes -> its place among the different ones
        block_of = [number.setdefault(x.tobytes(), len(number)) for x in values.reshape(-1, 256)]
        with tf.device("CPU"):
            self._starts = tf.constant(np.array(block_of) * 256, tf.int32)
            self._values = tf.constant(np.frombuffer(b"".join(number), values.dtype), tf.int32)

    def __call__(self, code_points):
        """Look up int32 code points of any shape; int32 of the same shape."""
        starts = tf.gather(self._starts, tf.bitwise.right_shift(code_points, 8))
        return tf.gather(self._values, starts + tf.bitwise.bitwise_and(code_points, 255))


class Characters(NamedTuple):
    """The characters of a batch of texts, one after another.

    values: int32 [C] code points. first, last: int32 [C], the flat raw characters each stands for,
    both inclusive. splits: int64 [N + 1], where each text begins, and the end. token: int32 [C],
    the id of the added token that a character stands for, or -1; None where none are looked for.
    """

    values: tf.Tensor
    first: tf.Tensor
    last: tf.Tensor
    splits: tf.Tensor
    token: tf.Tensor | None = None

    def take(self, order, splits):
        """The characters at int [D] `order`, under new int64 [N + 1] `splits`."""
        values, first, last = (tf.gather(x, order) for x in self[:3])
        token = None if self.token is None else tf.gather(self.token, order)
        return Characters(values, first, last, splits, token)

    def encode(self):
        """The texts, string [N]."""
        rows = tf.RaggedTensor.from_row_splits(self.values, self.splits, validate=False)
        return tf.strings.unicode_encode(rows, "UTF-8")


def exclusive_sums(counts):
    """[0, a, a + b, ...] of int [C]: int [C + 1]."""
    return tf.concat([[tf.zeros([], counts.dtype)], tf.cumsum(counts)], 0)
