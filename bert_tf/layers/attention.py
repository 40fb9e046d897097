"""Scaled dot-product attention and the layer of many heads around it."""

import keras
from keras import ops

from bert_tf.layers.dropout import dropout, fold_in
from bert_tf.layers.linear import Linear

# Added to the score of a pair that must not see each other. After the softmax in
# float32 it leaves exactly zero, whatever the scores.
HIDDEN = -1e9


def attend(query_BNFH, key_BNTH, value_BNTH, mask_BNFT=None, dropout_rate=0.0, dropout_key=None):
    """Scaled dot-product attention (Vaswani et al. 2017, eq. 1).

    Args:
      query_BNFH: float. F positions that look.
      key_BNTH, value_BNTH: float. T positions looked at.
      mask_BNFT: bool, broadcastable; True may attend. A row with no True yields zeros, not NaN.
      dropout_rate: float, the share of attention probabilities dropped while there is a key.
      dropout_key: integer [2] or None, see `bert_tf.layers.dropout`.
    Returns:
      context_BNFH and probs_BNFT (float32, before dropout).
    """
    width = query_BNFH.shape[-1]
    scores_BNFT = ops.matmul(query_BNFH * width**-0.5, ops.swapaxes(key_BNTH, -1, -2))
    scores_BNFT = ops.cast(scores_BNFT, "float32")
    if mask_BNFT is None:
        probs_BNFT = ops.softmax(scores_BNFT)
    else:
        seen_BNFT = ops.cast(mask_BNFT, "float32")
        probs_BNFT = ops.softmax(scores_BNFT + (1.0 - seen_BNFT) * HIDDEN)
        some_BNF1 = ops.any(mask_BNFT, axis=-1, keepdims=True)
        probs_BNFT = probs_BNFT * ops.cast(some_BNF1, "float32")
    dropped_BNFT = dropout(probs_BNFT, dropout_rate, dropout_key)
    return ops.matmul(ops.cast(dropped_BNFT, value_BNTH.dtype), value_BNTH), probs_BNFT


class MultiHeadAttention(keras.layers.Layer):
    """Self-attention of N heads (Vaswani et al. 2017, section 3.2.2).

    Query, key and value come from one product with a [D, 3D] kernel.

    Args:
      num_heads: int, divides the width D.
      dropout_rate: float, on the attention probabilities.
      initializer: of the kernels.
    """

    def __init__(self, num_heads, dropout_rate=0.0, initializer=None, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.dropout_rate = dropout_rate
        self.initializer = initializer

    def build(self, shape):
        width = shape[-1]
        self.qkv = Linear(3 * width, self.initializer, dtype=self.dtype_policy)
        self.qkv.build((None, width))
        self.projection = Linear(width, self.initializer, dtype=self.dtype_policy)
        self.projection.build((None, width))

    def call(self, x, mask, key=None):
        """One round of looking.

        Args:
          x: float [X, D], the tokens of B rows one after the other.
          mask: bool [B, 1, F, L] from `visibility`; the first F positions of each row look,
            all of them or (F = 1) the first alone.
          key: integer [2] or None, for dropout.
        Returns:
          float [B * F, D] and the probabilities, float32 [B, N, F, L].
        """
        batch, length = ops.shape(mask)[0], ops.shape(mask)[-1]
        heads, width = self.num_heads, x.shape[-1]
        qkv_BL3NH = ops.reshape(self.qkv(x), (batch, length, 3, heads, width // heads))
        query_BNFH, key_BNTH, value_BNTH = ops.unstack(
            ops.transpose(qkv_BL3NH, (2, 0, 3, 1, 4)), 3, axis=0
        )
        if mask.shape[-2] == 1:
            query_BNFH = query_BNFH[:, :, :1]
        context_BNFH, probs_BNFT = attend(
            query_BNFH, key_BNTH, value_BNTH, mask, self.dropout_rate, fold_in(key, 0)
        )
        context_XD = ops.reshape(ops.transpose(context_BNFH, (0, 2, 1, 3)), (-1, width))
        return self.projection(context_XD), probs_BNFT
