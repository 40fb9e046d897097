"""Losses as sums: those of rows, and those that training adds to a task's own."""

import typing
from collections.abc import Callable

from keras import ops


class AddedLoss(typing.NamedTuple):
    """A loss that training descends beside a task's own, or in the place of one of its name.

    Attributes:
      name: str.
      factor: float, what it counts for in the total.
      total: function (inputs, outputs, labels, sample_weight) -> float32 scalar, a sum over rows.
    """

    name: str
    factor: float
    total: Callable

    def weight(self, labels, sample_weight=None):
        """What the sum is divided by: the rows, or the sum of their weights."""
        return weight_of_rows(labels, sample_weight)


def mean_there(losses, there=None):
    """The mean of each row's losses over the places that count.

    Args:
      losses: float32 [B, ...]. Those of other places may be anything.
      there: bool [B, ...], which places count; None: all.
    Returns:
      float32 [B], 0 for a row without such a place.
    """
    axes = tuple(range(1, len(losses.shape)))
    if there is None:
        return ops.mean(losses, axis=axes) if axes else losses
    count = ops.sum(ops.cast(there, "float32"), axis=axes)
    return ops.sum(ops.where(there, losses, 0.0), axis=axes) / ops.maximum(count, 1)


def weighted_sum(losses, sample_weight):
    """Sum of per-row losses [B] under row weights [B] or None; a float32 scalar."""
    losses = ops.cast(losses, "float32")
    if sample_weight is not None:
        losses = losses * ops.cast(sample_weight, "float32")
    return ops.sum(losses)


def weight_of_rows(labels, sample_weight):
    """The number of rows, or the sum of their weights; a float32 scalar."""
    if sample_weight is not None:
        return ops.sum(ops.cast(sample_weight, "float32"))
    first = next(iter(labels.values())) if isinstance(labels, dict) else labels
    return ops.cast(ops.shape(first)[0], "float32")
