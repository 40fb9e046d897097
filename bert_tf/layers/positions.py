"""Positions that need no table."""

import math

from keras import ops


def sinusoidal(position_ids, width):
    """Sines and cosines of falling frequency (Vaswani et al. 2017, section 3.5).

    Entry 2i of position p is sin(p / 10000^(2i / width)), entry 2i + 1 the cosine of the same.

    Args:
      position_ids: int [...], counted from 0.
      width: int.
    Returns:
      float32 [..., width].
    """
    pairs = -(-width // 2)
    rates = ops.exp(ops.arange(pairs, dtype="float32") * (-2.0 * math.log(10000.0) / width))
    angles = ops.cast(position_ids, "float32")[..., None] * rates
    both = ops.stack([ops.sin(angles), ops.cos(angles)], axis=-1)
    return ops.reshape(both, (*ops.shape(position_ids), 2 * pairs))[..., :width]
