"""Batches of several tables in one run: which table each step takes, and one dataset of them all.

Each batch is of one table. So its rows are of like lengths, as law 6 wants, and all that a table's
own order promises still holds: its batches come as they would alone, at other steps.
"""

import numpy as np
import tensorflow as tf

from bert_tf.data import order
from bert_tf.data.pipeline import until

# How many batches a table gets in an epoch: by the power of those that it has.
SAMPLINGS = ("proportional", "square_root", "annealed")


class MixedOrder:
    """Which table every step takes its batch from: a function of (seed, step).

    An epoch has as many steps as the tables have batches. They are dealt out in proportion to the
    number of batches to the power of alpha: 1 for "proportional", 1/2 for "square_root", and for
    "annealed" 1 - 0.8 (e - 1) / (E - 1) in epoch e of E (Stickland & Murray 2019, section 3.3).
    There each step draws its task; here the shares are kept exactly, and the order is shuffled.

    Args:
      sizes: list of int, the batches of each table.
      sampling: one of SAMPLINGS.
      epochs: int, in the whole run.
      seed: int >= 0.

    Attributes:
      epoch_steps: int.
    """

    def __init__(self, sizes, sampling, epochs, seed):
        self._sizes, self._sampling = np.asarray(sizes, np.float64), sampling
        self._epochs, self._seed = epochs, seed
        self.epoch_steps = int(sum(sizes))

    def shares(self, epoch):
        """The steps of an epoch, from 0, by table: int64 [tables]."""
        last = max(1, self._epochs - 1)
        annealed = 1 - 0.8 * min(epoch, last) / last
        power = {"proportional": 1.0, "square_root": 0.5, "annealed": annealed}[self._sampling]
        exact = self._sizes**power
        exact *= self.epoch_steps / exact.sum()
        steps = np.floor(exact + 1e-9).astype(np.int64)
        ranks = np.argsort(steps - exact, kind="stable")
        steps[ranks[: self.epoch_steps - steps.sum()]] += 1
        return steps

    def _tables(self, epoch):
        """The table of each step of an epoch, int64 [epoch_steps]."""
        dealt = np.repeat(np.arange(len(self._sizes)), self.shares(epoch))
        return dealt[order.shuffled(self.epoch_steps, self._seed, order.MIXING, epoch)]

    def tables(self, start, stop):
        """The table of each step from `start` to the one before `stop`, int64 [stop - start]."""
        epochs = range(start // self.epoch_steps, -(-stop // self.epoch_steps))
        found = [self._tables(epoch) for epoch in epochs]
        first = start - start // self.epoch_steps * self.epoch_steps
        return np.concatenate([*found, np.zeros(0, np.int64)])[first : first + stop - start]

    def counts(self, step):
        """How many of the steps before `step` took each table, int64 [tables]."""
        epoch, within = divmod(step, self.epoch_steps)
        whole = sum(self.shares(number) for number in range(epoch))
        begun = self._tables(epoch)[:within] if within else np.zeros(0, np.int64)
        return whole + np.bincount(begun, minlength=len(self._sizes))

    def locate(self, step):
        """The table of a step, and which of the table's own steps it is; int both."""
        table = int(self.tables(step, step + 1)[0])
        return table, int(self.counts(step)[table])


@tf.autograph.experimental.do_not_convert
def mixed_batches(sources, plan, start_step, stop_step):
    """The batches of the steps start_step to the one before stop_step, each of one table.

    Args:
      sources: dict of name -> function (start, stop) -> dataset of (inputs, labels), of packed
        rows of (inputs, labels, sample_weight), for the steps of one table alone.
      plan: MixedOrder of these tables, in their order.
      start_step, stop_step: int.
    Returns:
      tf.data.Dataset of (inputs, labels), dicts of name -> those of the table; all tables but one
      have no rows in a batch. Where some are packed, the third is a dict of their sample_weight.
    """
    starts, stops = plan.counts(start_step), plan.counts(stop_step)
    parts = [
        source(int(start), int(stop))
        for source, start, stop in zip(sources.values(), starts, stops, strict=True)
    ]
    nothing = {
        name: tf.nest.map_structure(_no_rows, part.element_spec)
        for name, part in zip(sources, parts, strict=True)
    }

    def among_all(name):
        def place(*parts):
            own = {**nothing, name: parts}
            sides = range(max(map(len, own.values())))
            return tuple({x: y[side] for x, y in own.items() if side < len(y)} for side in sides)

        return place

    parts = [
        part.map(among_all(name), num_parallel_calls=1, deterministic=True)
        for name, part in zip(sources, parts, strict=True)
    ]
    tables = tf.data.Dataset.from_tensor_slices(plan.tables(start_step, stop_step))
    batches = tf.data.Dataset.choose_from_datasets(parts, tables)
    return until(batches, start_step, stop_step)


def _no_rows(spec):
    """A tensor without rows that goes with a spec; where that leaves a size open, it is 1."""
    return tf.zeros([0, *(size or 1 for size in spec.shape[1:])], spec.dtype)
