"""Which positions may attend to which."""

from keras import ops

# Added to the score of a pair that must not attend. After the softmax in float32 it leaves exactly
# zero, whatever the scores.
MASKED_SCORE = -1e9
# Stands in for -inf where a maximum is taken; within the range of float16.
LOWEST = -6e4


def make_attention_mask(attention_mask):
    """The pairs of positions that attend to each other.

    Positions with equal numbers do: real tokens (1) attend to real tokens, packed examples (1, 2,
    3, ...) to themselves, and padding (0) to padding only, so that no query is left without a key
    and nothing real ever depends on padding.

    Args:
      attention_mask: int [B, L].
    Returns:
      bool [B, 1, L, L], True where the query of axis 2 may attend to the key of axis 3.
    """
    mask_BL = attention_mask
    return ops.equal(mask_BL[:, None, :, None], mask_BL[:, None, None, :])
