"""Attention to what stands before, with the keys and values of earlier calls kept."""

from keras import ops

from bert_tf.layers.attention import MultiHeadAttention, attend
from bert_tf.layers.dropout import fold_in


def causal_mask(queries, keys, first=None):
    """Which keys stand no later than which queries.

    Args:
      queries: int or integer scalar, F.
      keys: int or integer scalar, T.
      first: int or integer scalar, the place of the first query among the keys; None: the queries
        are the last F of them.
    Returns:
      bool [1, 1, F, T].
    """
    places = ops.arange(queries) + (keys - queries if first is None else first)
    return (ops.arange(keys)[None, :] <= places[:, None])[None, None]


class CausalAttention(MultiHeadAttention):
    """Attention to no later position (Radford et al. 2019, code: `attn`).

    Args:
      num_heads, dropout_rate, initializer, output_initializer: as MultiHeadAttention.
      scale: float, a factor of the scaled scores.
      upcast: bool, whether the scores are computed in float32 under every precision.
    """

    def __init__(
        self,
        num_heads,
        dropout_rate=0.0,
        initializer=None,
        output_initializer=None,
        scale=1.0,
        upcast=False,
        **kwargs,
    ):
        super().__init__(num_heads, dropout_rate, initializer, output_initializer, **kwargs)
        self.scale = scale
        self.upcast = upcast

    def call(self, x, context, key=None):
        """As MultiHeadAttention.

        With a `cache` in the context, () or the tuple that the call before gave, x are the
        positions behind it; then a tuple stands in the place of the probabilities: the keys and the
        values of all positions so far, float [B, N, T, H] each.
        """
        query_BNFH, *new = self.heads(x, context)
        if self.scale != 1:
            query_BNFH = query_BNFH * self.scale
        kept = context.cache
        if kept:
            new = [ops.concatenate(pair, axis=2) for pair in zip(kept, new, strict=True)]
        key_BNTH, value_BNTH = new
        if context.first_only:
            query_BNFH = query_BNFH[:, :, :1]
        queries, keys = ops.shape(query_BNFH)[2], ops.shape(key_BNTH)[2]
        seen_BNFT = causal_mask(queries, keys, 0 if context.first_only else None)
        if context.mask is not None:
            seen_BNFT = ops.logical_and(context.mask, seen_BNFT)
        if self.upcast:
            query_BNFH, key_BNTH = (ops.cast(each, "float32") for each in (query_BNFH, key_BNTH))
        attended_BNFH, probs_BNFT = attend(
            query_BNFH,
            key_BNTH,
            value_BNTH,
            seen_BNFT,
            context.bias,
            self.dropout_rate,
            fold_in(key, 0),
        )
        return self.merge(attended_BNFH), probs_BNFT if kept is None else tuple(new)
