"""Rows cut into blocks that see themselves and the edges of the blocks beside them.

The pairs of positions at most W places apart lie in a band along the diagonal of [L, L]. With rows
in G blocks of C positions, W <= C < 2W, it lies within G rectangles of C queries and C + 2W keys:
what is computed for them grows with L. A row shorter than 2W is one block, and all its pairs.

Beside the letters of `bert_tf.layers`: G blocks in a row, C positions in a block, S positions that
a block sees, C + 2W or, of one block, C.
"""

import dataclasses

from keras import ops


@dataclasses.dataclass(frozen=True, eq=False)
class Bands:
    """How rows are cut, and which pairs may attend.

    Attributes:
      length: int or integer scalar, L.
      count, size: int or integer scalar, G and C; the last block is filled up.
      reach: int or integer scalar, how much a block sees of each beside it: W, or 0 of one block.
      mask: bool [B, 1, G, C, S], True may attend.
    """

    length: object
    count: object
    size: object
    reach: object
    mask: object = None


def make_bands(groups, window):
    """The Bands of a batch.

    Args:
      groups: int [B, L], 0 or more; positions of equal number see each other.
      window: int, W, 0 or more: how far they see to either side.
    Returns:
      Bands.
    """
    length = ops.shape(groups)[1]
    count = _larger(1, length // max(window, 1))
    size = -(-length // count)
    bands = Bands(length, count, size, window * _smaller(1, count - 1))
    # From 1: what blocks are filled up with, and what lies beyond a row, sees itself alone.
    groups_B1GC1 = blocks_of(groups[:, None, :, None] + 1, bands)
    seen_B1G1S = ops.swapaxes(with_neighbours(groups_B1GC1, bands), -1, -2)
    same = ops.equal(groups_B1GC1, seen_B1G1S)
    places, seen = ops.arange(size), ops.arange(size + 2 * bands.reach) - bands.reach
    near = ops.abs(places[:, None] - seen[None, :]) <= window
    return dataclasses.replace(bands, mask=ops.logical_and(same, near))


def blocks_of(x_BNLH, bands):
    """float [B, N, L, H] -> [B, N, G, C, H], the last block filled up with zeros."""
    batch, heads, length, width = ops.shape(x_BNLH)
    missing = bands.count * bands.size - length
    if not isinstance(missing, int) or missing:
        x_BNLH = ops.pad(x_BNLH, [(0, 0), (0, 0), (0, missing), (0, 0)])
    return ops.reshape(x_BNLH, (batch, heads, bands.count, bands.size, width))


def with_neighbours(x_BNGCH, bands):
    """[B, N, G, C, H] -> [B, N, G, S, H]: each block with the edges of those beside it, zeros where
    there is none."""
    reach, size = bands.reach, bands.size
    if isinstance(reach, int) and not reach:
        return x_BNGCH
    ends, starts = x_BNGCH[:, :, :, size - reach :], x_BNGCH[:, :, :, :reach]
    none = ops.zeros_like(starts[:, :, :1])
    before = ops.concatenate([none, ends[:, :, :-1]], axis=2)
    after = ops.concatenate([starts[:, :, 1:], none], axis=2)
    return ops.concatenate([before, x_BNGCH, after], axis=3)


def rows_of(x_BNGCH, bands):
    """[B, N, G, C, H] -> [B, N, L, H], without what the last block was filled up with."""
    batch, heads, _, _, width = ops.shape(x_BNGCH)
    flat = ops.reshape(x_BNGCH, (batch, heads, bands.count * bands.size, width))
    return flat[:, :, : bands.length]


def all_pairs(probs_BNGCS, bands):
    """What blocks see as what rows see: [B, N, G, C, S] -> [B, N, L, L], zeros outside the band."""
    flat = rows_of(probs_BNGCS, bands)
    batch, heads, length, seen = ops.shape(flat)
    query, key = ops.arange(length)[:, None], ops.arange(length)[None, :]
    places_FT = key - query // bands.size * bands.size + bands.reach
    there_FT = ops.logical_and(places_FT >= 0, places_FT < seen)
    places_FT = ops.clip(places_FT, 0, seen - 1)
    places = ops.broadcast_to(places_FT, (batch, heads, length, length))
    return ops.take_along_axis(flat, places, axis=-1) * ops.cast(there_FT, flat.dtype)


def _larger(one, other):
    return max(one, other) if isinstance(other, int) else ops.maximum(one, other)


def _smaller(one, other):
    return min(one, other) if isinstance(other, int) else ops.minimum(one, other)
