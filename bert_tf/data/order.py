"""The order of the examples: a pure function of (seed, epoch), so any step can be the first one.

An epoch has ceil(rows / batch size) batches. Its rows are shuffled, and the last batch is filled up
from the beginning of the same shuffle: all batches are full and every row is seen. The shuffle is
cut into windows of 64 batches. Whoever sorts the rows of a window by length gets batches of like
lengths; the order of a window's batches is shuffled too, so they do not run from short to long.

Only Philox' raw bits are used, and sorting them, which no version of NumPy changes.
"""

import functools

import numpy as np

WINDOW_BATCHES = 64

# The second half of a Philox key: an epoch's number, or what else is shuffled under the same seed.
SPLIT, SAMPLE, MIXING = 2**64 - 1, 2**64 - 2, 2**64 - 3
AUGMENTED = 2**63  # and those before it, one for each column


def shuffled(count, seed, stream, place=0):
    """The numbers 0 .. count - 1 in an order that (seed, stream, place) alone decides.

    Args:
      count: int. How many.
      seed: int >= 0. Of the run.
      stream: int >= 0. An epoch, SPLIT or SAMPLE.
      place: int >= 0. What is shuffled within the stream.
    Returns:
      int64 [count].
    """
    return np.argsort(random_bits(count, seed, stream, place), kind="stable")


def random_bits(count, seed, stream, place=0):
    """64 random bits for each of so many numbers: uint64 [count].

    Args:
      count: int. How many.
      seed, stream: int, 0 to 2**64 - 1, the key. place: int, 0 to 2**64 - 1. No two (seed, stream,
        place) share their bits: the counter begins with zeros that no stream is long enough to use
        up.
    Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3" (Philox 4x64).
    """
    # int: a NumPy integer would silently lose these shifts, and with them the epoch.
    key, counter = int(seed) + (int(stream) << 64), int(place) << 192
    return np.random.Philox(key=key, counter=counter).random_raw(count)


class TrainingOrder:
    """Which rows every window of an endless training run holds, and in which order its batches go.

    Windows are numbered through all epochs from 0, and so are steps; a step takes one batch.

    Args:
      rows: int. How many rows there are.
      batch_size: int.
      seed: int >= 0.
    """

    def __init__(self, rows, batch_size, seed):
        self.rows, self.batch_size, self.seed = rows, batch_size, seed
        self.epoch_steps = -(-rows // batch_size)
        self.epoch_windows = -(-self.epoch_steps // WINDOW_BATCHES)
        self._epoch_rows = functools.lru_cache(maxsize=2)(self._shuffled_rows)

    def _shuffled_rows(self, epoch):
        return np.resize(shuffled(self.rows, self.seed, epoch), self.epoch_steps * self.batch_size)

    def locate(self, step):
        """Where a step falls: (window, how many of that window's batches come before it)."""
        epoch, batch = divmod(step, self.epoch_steps)
        return epoch * self.epoch_windows + batch // WINDOW_BATCHES, batch % WINDOW_BATCHES

    def window(self, number):
        """The rows of a window, int64 [batches x batch_size], and its batches' order, int64."""
        epoch, within = divmod(number, self.epoch_windows)
        size = WINDOW_BATCHES * self.batch_size
        rows = self._epoch_rows(epoch)[within * size : (within + 1) * size]
        return rows, shuffled(len(rows) // self.batch_size, self.seed, epoch, within + 1)


class FileOrder:
    """The rows of a file one after the other, in windows like those of TrainingOrder."""

    def __init__(self, rows, batch_size):
        self.rows, self.batch_size = rows, batch_size
        self.epoch_steps = -(-rows // batch_size)
        self.epoch_windows = -(-self.epoch_steps // WINDOW_BATCHES)

    def window(self, number):
        """The rows of a window, int64, the very last batch perhaps short; its batches in order."""
        size = WINDOW_BATCHES * self.batch_size
        rows = np.arange(number * size, min((number + 1) * size, self.rows))
        return rows, np.arange(-(-len(rows) // self.batch_size))
