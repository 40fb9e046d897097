"""Attention over long rows, a part of the queries at a time: not all scores exist at once."""

from keras import ops

from bert_tf.layers.attention import attend

# So many pairs of one head and row are scored at a time, at most: rows of 1,448 tokens are whole.
PAIRS = 2**21


def attend_by_parts(query_BNFH, key_BNTH, value_BNTH, groups):
    """As `attend` without dropout and without probabilities: memory grows with the length of the
    rows, the work still with its square (Rabe & Staats 2021, arXiv 2112.05682, section 3).

    Args:
      query_BNFH, key_BNTH, value_BNTH: float, as in `attend`; F is T.
      groups: int [B, T], 0 or more; positions of equal number see each other.
    Returns:
      float [B, N, F, H].
    """
    batch, heads, length, width = ops.shape(query_BNFH)
    if isinstance(length, int):
        size = max(1, min(length, PAIRS // max(length, 1)))
        if size >= length:
            mask = ops.equal(groups[:, None, :, None], groups[:, None, None, :])
            return attend(query_BNFH, key_BNTH, value_BNTH, mask)[0]
    else:
        size = ops.maximum(1, ops.minimum(length, PAIRS // length))
    count = -(-length // size)
    missing = count * size - length
    query_BNFH = ops.pad(query_BNFH, [(0, 0), (0, 0), (0, missing), (0, 0)])
    query_BNGCH = ops.reshape(query_BNFH, (batch, heads, count, size, width))
    # What the last part is filled up with sees nothing.
    numbers_BF = ops.pad(groups, [(0, 0), (0, missing)], constant_values=-1)
    numbers_BGC = ops.reshape(numbers_BF, (batch, count, size))

    def attended(part):
        query_BNCH, numbers_BC = part
        mask_B1CT = ops.equal(numbers_BC[:, None, :, None], groups[:, None, None, :])
        return attend(query_BNCH, key_BNTH, value_BNTH, mask_B1CT)[0]

    parts = (ops.transpose(query_BNGCH, (2, 0, 1, 3, 4)), ops.transpose(numbers_BGC, (1, 0, 2)))
    attended_BNGCH = ops.transpose(ops.map(attended, parts), (1, 2, 0, 3, 4))
    attended_BNFH = ops.reshape(attended_BNGCH, (batch, heads, count * size, width))
    return attended_BNFH[:, :, :length]
