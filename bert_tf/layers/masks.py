"""Who may look at whom."""

from keras import ops


def visibility(attention_mask):
    """The pairs of positions that see each other.

    Positions with equal numbers do: real tokens (1) see real tokens, packed examples (1, 2, 3, ...)
    see themselves, and padding (0) sees padding only, so that no row is left without a
    position to look at and nothing real ever depends on padding.

    Args:
      attention_mask: int [B, L].
    Returns:
      bool [B, 1, L, L], True where the position of axis 2 may look at that of axis 3.
    """
    mask_BL = attention_mask
    return ops.equal(mask_BL[:, None, :, None], mask_BL[:, None, None, :])
