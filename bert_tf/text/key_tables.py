"""Sorted tables of int64 keys, and runs of numbers hashed to one key each; in the graph."""

import numpy as np
import tensorflow as tf

from bert_tf.text.tracked import Tracked

LONGEST_HASHED = 4096  # a longer run has a key that no other has
_LAST = np.iinfo(np.int64).max


class KeyTable(Tracked):
    """Where keys stand in a sorted table.

    Args:
      keys: int64 [K], numpy, no two equal, below the largest int64.
      *columns: numpy [K] each, what is known of every key; kept in the order of the sorted keys.
    """

    def __init__(self, keys, *columns):
        super().__init__()
        order = np.argsort(keys)
        with tf.device("CPU"):
            self._keys = tf.constant(np.append(np.asarray(keys, np.int64)[order], _LAST))
            self.columns = [
                tf.constant(np.append(column[order], np.zeros(1, column.dtype)))
                for column in map(np.asarray, columns)
            ]

    def __call__(self, keys):
        """int32 place of each int64 key among the sorted ones, and bool whether it is there."""
        place = tf.searchsorted(self._keys, keys)
        return place, tf.gather(self._keys, place) == keys


class RunKeys(Tracked):
    """An int64 for a run of ids: a polynomial of random numbers, one for each id.

    Two different runs have the same key once in 2^64 times.

    Args:
      size: int, ids are below it.
    """

    def __init__(self, size):
        super().__init__()
        numbers = np.random.default_rng(20180819)
        limits = np.iinfo(np.int64)
        self._random = numbers.integers(limits.min, limits.max, size + 1, np.int64) | 1
        factor = int(numbers.integers(1 << 62)) | 1
        powers = [1]
        for _ in range(LONGEST_HASHED - 1):
            powers.append(powers[-1] * factor % (1 << 64))
        self._powers = np.array(powers, np.uint64).astype(np.int64)
        with tf.device("CPU"):
            self._table, self._power_table = tf.constant(self._random), tf.constant(self._powers)

    def of_numpy(self, runs):
        """int64 [N] of a list of lists of ids, none longer than LONGEST_HASHED."""
        sizes = np.array([len(run) for run in runs], np.int64)
        flat = np.array([each for run in runs for each in run], np.int64)
        starts = np.cumsum(sizes) - sizes
        place = np.arange(len(flat)) - np.repeat(starts, sizes)
        with np.errstate(over="ignore"):
            terms = self._random[flat] * self._powers[place]
            sums = np.concatenate([[0], np.cumsum(terms)])
            return sums[starts + sizes] - sums[starts]

    def __call__(self, ids, run, place, sizes):
        """Keys of runs.

        Args:
          ids: int32 [S], flat. run: int32 [S], sorted, the run each is in, from 0 on, none empty.
          place: int32 [S], the place of each within its run. sizes: int32 [R], how long runs are.
        Returns:
          int64 [R].
        """
        power = tf.gather(self._power_table, tf.minimum(place, LONGEST_HASHED - 1))
        keys = tf.math.segment_sum(tf.gather(self._table, ids) * power, run)
        own = -1 - tf.range(tf.size(keys, tf.int64))
        return tf.where(sizes > LONGEST_HASHED, own, keys)
