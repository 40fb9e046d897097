"""Positions that need no table, and rows of a table that begins with the padding's."""

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


def rows_from_padding(input_ids, position_ids, padding_id):
    """The rows of a table of positions whose row `padding_id` is the padding's, the first token's
    the one after it (facebookresearch/fairseq, `make_positions`).

    Args:
      input_ids: int [B, L].
      position_ids: int [B, L], counted from 0; None counts the tokens that are no padding.
      padding_id: int.
    Returns:
      int [B, L].
    """
    if position_ids is not None:
        return position_ids + (padding_id + 1)
    real_BL = ops.cast(ops.not_equal(input_ids, padding_id), "int32")
    return ops.cumsum(real_BL, axis=1) * real_BL + padding_id
