"""Which positions may attend to which."""

from keras import ops

# Added to the score of a pair that must not attend. After the softmax in float32 it leaves exactly
# zero, whatever the scores.
MASKED_SCORE = -1e9
# Stands in for -inf where a maximum is taken; within the range of float16.
LOWEST = -6e4


def make_attention_mask(attention_mask, queries=None, order=None):
    """The pairs of positions that attend to each other.

    Positions with equal numbers do: real tokens (1) attend to real tokens, packed examples (1, 2,
    3, ...) to themselves, and padding (0) to padding only, so that no query is left without a key
    and nothing real ever depends on padding.

    Args:
      attention_mask: int [B, L].
      queries: int or integer scalar, F: only the last F positions attend; None: all do.
      order: int [B, L], a position attends to none with a higher number; None: to any.
    Returns:
      bool [B, 1, F, L], True where the query of axis 2 may attend to the key of axis 3.
    """
    mask_BL = mask_BF = attention_mask
    if queries is not None:
        mask_BF = mask_BL[:, ops.shape(mask_BL)[1] - queries :]
    seen_B1FL = ops.equal(mask_BF[:, None, :, None], mask_BL[:, None, None, :])
    if order is None:
        return seen_B1FL
    before_B1LL = order[:, None, None, :] <= order[:, None, :, None]
    return ops.logical_and(seen_B1FL, before_B1LL)


def as_bias(mask):
    """What a mask, bool [...], adds to scores: float32 [...], 0 or MASKED_SCORE."""
    return (1.0 - ops.cast(mask, "float32")) * MASKED_SCORE


def goes_on(groups):
    """Whether a position follows the one before in the same example, bool [B, L].

    Args:
      groups: int [B, L], the encoder's `attention_mask`, which numbers packed examples.
    """
    same = ops.equal(groups[:, 1:], groups[:, :-1])
    return ops.concatenate([ops.zeros_like(groups[:, :1], dtype="bool"), same], axis=1)
