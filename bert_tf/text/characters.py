"""Texts as flat code points with the raw characters each stands for; tables over code points."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from bert_tf.text.tracked import Tracked

# What an added token becomes in a text. WordPiece's matcher splits at this character, which
# normalization replaces wherever a text holds it; elsewhere `Characters.token` tells them apart.
PLACEHOLDER = 0x2B820


class CodePointTable(Tracked):
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

    def repeated(self, counts):
        """Each character int32 [C] `counts` times, none, once or more.

        Returns:
          Characters; int32 [D], which of the old ones each is; int32 [D], which copy of it, from 0.
        """
        ends = exclusive_sums(counts)
        source = tf.repeat(tf.range(tf.size(counts)), counts)
        within = tf.range(tf.size(source)) - tf.gather(ends, source)
        splits = tf.cast(tf.gather(ends, self.splits), tf.int64)
        return self.take(source, splits), source, within

    def kept(self, flags):
        """Those with a true one among bool [C] `flags`."""
        splits = tf.gather(exclusive_sums(tf.cast(flags, tf.int64)), self.splits)
        return self.take(tf.where(flags)[:, 0], splits)

    def rows(self):
        """int32 [C], the text each is in."""
        return tf.ragged.row_splits_to_segment_ids(self.splits, out_type=tf.int32)

    def segments(self):
        """bool [C], where a stretch of text begins: a row, an added token, or what is behind it."""
        if self.token is None:
            rows = self.rows()
            return before(rows, -1) != rows
        rows, added = self.rows(), self.token >= 0
        return (before(rows, -1) != rows) | added | before(added, False)

    def encode(self):
        """The texts, string [N]."""
        rows = tf.RaggedTensor.from_row_splits(self.values, self.splits, validate=False)
        return tf.strings.unicode_encode(rows, "UTF-8")


def flags_of(code_points):
    """int32 for every code point, 1 for members of a set."""
    flags = np.zeros(0x110000, np.int32)
    flags[np.array(sorted(code_points), np.int64)] = 1
    return flags


def exclusive_sums(counts):
    """[0, a, a + b, ...] of int [C]: int [C + 1]."""
    return tf.concat([[tf.zeros([], counts.dtype)], tf.cumsum(counts)], 0)


def before(values, first):
    """For each of [C] values the one before it, `first` for the first."""
    return tf.concat([tf.fill([1], tf.cast(first, values.dtype)), values], 0)[:-1]


def behind(values, last):
    """For each of [C] values the one behind it, `last` for the last."""
    return tf.concat([values, tf.fill([1], tf.cast(last, values.dtype))], 0)[1:]
