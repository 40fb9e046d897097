"""Scaled dot-product attention and the layer of many heads around it."""

import keras
from keras import ops

from bert_tf.layers.dropout import dropout, fold_in
from bert_tf.layers.linear import linear
from bert_tf.layers.masks import as_bias


def attend(
    query_BNFH,
    key_BNTH,
    value_BNTH,
    mask_BNFT=None,
    bias_BNFT=None,
    dropout_rate=0.0,
    dropout_key=None,
):
    """Scaled dot-product attention (Vaswani et al. 2017, eq. 1).

    Args:
      query_BNFH: float, F positions that attend.
      key_BNTH, value_BNTH: float, T positions attended to.
      mask_BNFT: bool, broadcastable; True may attend. A row with no True yields zeros, not NaN.
      bias_BNFT: float, broadcastable, added to the scaled scores in float32; None adds nothing.
      dropout_rate: float, the share of attention probabilities dropped while there is a key.
      dropout_key: integer [2] or None, see `bert_tf.layers.dropout`.
    Returns:
      context_BNFH and probs_BNFT (float32, before dropout).
    """
    width = query_BNFH.shape[-1]
    scores_BNFT = ops.matmul(query_BNFH * width**-0.5, ops.swapaxes(key_BNTH, -1, -2))
    scores_BNFT = ops.cast(scores_BNFT, "float32")
    if bias_BNFT is not None:
        scores_BNFT = scores_BNFT + ops.cast(bias_BNFT, "float32")
    if mask_BNFT is None:
        probs_BNFT = _shares(scores_BNFT)
    else:
        probs_BNFT = _shares(scores_BNFT + as_bias(mask_BNFT))
        some_BNF1 = ops.any(mask_BNFT, axis=-1, keepdims=True)
        probs_BNFT = probs_BNFT * ops.cast(some_BNF1, "float32")
    dropped_BNFT = dropout(probs_BNFT, dropout_rate, dropout_key)
    return ops.matmul(ops.cast(dropped_BNFT, value_BNTH.dtype), value_BNTH), probs_BNFT


def _shares(scores_BNFT):
    """The softmax over the keys; of a single key, over which Keras warns of it, 1."""
    single = scores_BNFT.shape[-1] == 1
    return ops.ones_like(scores_BNFT) if single else ops.softmax(scores_BNFT)


class MultiHeadAttention(keras.layers.Layer):
    """Self-attention of N heads (Vaswani et al. 2017, section 3.2.2).

    Query, key and value come from one product with a [D, 3D] kernel. Another kind of attention is
    another layer with the same `call`; it may build on `heads` and `merge`.

    Args:
      num_heads: int, divides the width D.
      dropout_rate: float, on the attention probabilities.
      initializer: of the kernels.
      output_initializer: of the last kernel, where it is another one.
      use_bias: bool, whether the linear layers have one.
      head_width: int, H; None: D / N.
      rank: int, of the linear layers' kernels, which are products of two then; None: they are not.
    """

    def __init__(
        self,
        num_heads,
        dropout_rate=0.0,
        initializer=None,
        output_initializer=None,
        use_bias=True,
        head_width=None,
        rank=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.head_width = head_width
        self.rank = rank
        self.dropout_rate = dropout_rate
        self.initializer = initializer
        self.output_initializer = output_initializer or initializer
        self.use_bias = use_bias

    def build(self, shape):
        width, how = shape[-1], (self.use_bias, self.rank, self.dtype_policy)
        inner = width if self.head_width is None else self.num_heads * self.head_width
        self.qkv = linear(3 * inner, self.initializer, *how)
        self.qkv.build((None, width))
        self.projection = linear(width, self.output_initializer, *how)
        self.projection.build((None, inner))

    def call(self, x, context, key=None):
        """Every position attends to those the context lets it.

        Args:
          x: float [B * F, D], the tokens of B rows one after the other, or [R, D] of those that
            the context says are real.
          context: Context.
          key: integer [2] or None, for dropout.
        Returns:
          float like x, or [B, D] where the first position alone goes on, and the probabilities,
          float32 [B, N, F, T]. With a `cache` in the context, () or the tuple that the call before
          gave, x are the positions behind it, and a tuple stands in the place of the probabilities:
          the keys and values of all so far, float [B, N, T, H] each.
        """
        query_BNFH, *new = self.heads(x, context)
        if context.cache:
            new = [ops.concatenate(pair, axis=2) for pair in zip(context.cache, new, strict=True)]
        key_BNTH, value_BNTH = new
        if context.first_only:
            query_BNFH = query_BNFH[:, :, :1]
        attended_BNFH, probs_BNFT = attend(
            query_BNFH,
            key_BNTH,
            value_BNTH,
            context.mask,
            context.bias,
            self.dropout_rate,
            fold_in(key, 0),
        )
        real = None if context.first_only else context.real
        kept = probs_BNFT if context.cache is None else tuple(new)
        return self.merge(attended_BNFH, real), kept

    def heads(self, x, context):
        """Query, key and value of x [B * F, D] or [R, D], each float [B, N, F, H]."""
        heads, width = self.num_heads, self.qkv.width // 3
        if context.real is not None:
            return context.real.split(self.qkv(x), 3, heads)
        shape = (context.batch, context.length, 3, heads, width // heads)
        qkv_3BNFH = ops.transpose(ops.reshape(self.qkv(x), shape), (2, 0, 3, 1, 4))
        return ops.unstack(qkv_3BNFH, 3, axis=0)

    def merge(self, attended_BNFH, real=None):
        """The heads side by side, projected: float [B, N, F, H] -> [B * F, D], or [R, D] of the
        RealTokens."""
        if real is not None:
            return self.projection(real.joined(attended_BNFH))
        width = self.num_heads * attended_BNFH.shape[-1]
        attended_XD = ops.reshape(ops.transpose(attended_BNFH, (0, 2, 1, 3)), (-1, width))
        return self.projection(attended_XD)
