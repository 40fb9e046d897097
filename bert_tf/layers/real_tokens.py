"""Rows without their padding: which tokens go through linear layers, and where each stands.

Linear layers, normalizations and activations work on each token alone, so that those of padding
need not be computed at all (Zhai et al. 2022, arXiv 2210.03052, section III-D). Attention alone
wants rows of one length: the gather that splits heads puts the tokens into such rows, and the one
that joins heads takes them out again.
"""

import dataclasses

from keras import ops

from bert_tf.layers.steps import steps


def real_places(attention_mask):
    """Where the tokens of padded rows stand, and the first place of every row, real or not.

    How many there are depends on the values: not for a program that is compiled for one shape.

    Args:
      attention_mask: int [B, L], 0 is padding.
    Returns:
      int32 [R], b * L + l, ascending.
    """
    kept_BL = _kept(attention_mask)
    return ops.cast(ops.nonzero(ops.reshape(kept_BL, (-1,)))[0], "int32")


def _kept(attention_mask):
    """bool [B, L]. A row without a token keeps a place, so that there is something to compute."""
    return ops.logical_or(attention_mask > 0, ops.arange(ops.shape(attention_mask)[1]) == 0)


@dataclasses.dataclass(frozen=True, eq=False)
class RealTokens:
    """The R tokens of B rows of L places that are no padding, one row after the other.

    Attributes:
      places: int32 [R], see `real_places`.
      numbers: int32 [B, L], the number of the token in each place; of padding that of another
        token, so that what stands there means nothing.
    """

    places: object
    numbers: object

    @classmethod
    def of(cls, places, attention_mask):
        """Those of an `attention_mask` int [B, L] whose `real_places` are known."""
        kept_X = ops.cast(ops.reshape(_kept(attention_mask), (-1,)), "int32")
        return cls(places, ops.reshape(ops.cumsum(kept_X) - 1, ops.shape(attention_mask)))

    def taken_out(self, x):
        """float [B * L, D] -> [R, D], the tokens without padding."""
        return steps().rows(x, self.places)

    def put_back(self, x):
        """float [R, D] -> [B * L, D]."""
        return steps().rows(x, ops.reshape(self.numbers, (-1,)))

    def firsts(self, x):
        """float [R, D] -> [B, D], the first token of every row."""
        return steps().rows(x, self.numbers[:, 0])

    def split(self, x, parts, heads):
        """float [R, P * N * H] -> P tensors [B, N, L, H], such as query, key and value."""
        width = x.shape[-1] // (parts * heads)
        part_PN = ops.reshape(ops.arange(parts * heads, dtype="int32"), (parts, 1, heads, 1))
        rows_PBNL = self.numbers[None, :, None, :] * (parts * heads) + part_PN
        split_PBNLH = steps().rows(ops.reshape(x, (-1, width)), rows_PBNL)
        return ops.unstack(split_PBNLH, parts, axis=0)

    def joined(self, x):
        """float [B, N, L, H] -> [R, N * H], the heads of every token side by side."""
        heads, width = x.shape[1], x.shape[3]
        length = ops.shape(self.numbers)[1]
        row_R, place_R = self.places // length, self.places % length
        part_N = ops.arange(heads, dtype="int32") * length
        rows_RN = (row_R * (heads * length) + place_R)[:, None] + part_N
        joined_RNH = steps().rows(ops.reshape(x, (-1, width)), rows_RN)
        return ops.reshape(joined_RNH, (-1, heads * width))
