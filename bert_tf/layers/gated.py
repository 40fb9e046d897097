"""Blocks with a gated feed-forward layer, normalized before each layer, mostly without biases."""

import keras
from keras import ops

from bert_tf.layers.dropout import dropout, fold_in
from bert_tf.layers.feed_forward import ACTIVATIONS, gelu, gelu_in_training
from bert_tf.layers.linear import Linear


class GatedFeedForward(keras.layers.Layer):
    """`contract(activation(a) * b)`, a and b the halves of `expand(x)` (Shazeer 2020, arXiv
    2002.05202, eq. 6).

    Args:
      inner_width: int, M, of each half.
      activation: a key of ACTIVATIONS.
      dropout_rate: float, before the last product.
      initializer: of the first kernel.
      output_initializer: of the last one; None: `initializer`.
      use_bias: bool, whether the linear layers have one.
    """

    def __init__(
        self,
        inner_width,
        activation="gelu",
        dropout_rate=0.0,
        initializer=None,
        output_initializer=None,
        use_bias=True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.inner_width = inner_width
        self.activation = ACTIVATIONS[activation]
        self.dropout_rate = dropout_rate
        self.initializers = (initializer, output_initializer or initializer)
        self.use_bias = use_bias

    def build(self, shape):
        (first, last), inner, bias = self.initializers, self.inner_width, self.use_bias
        self.expand = Linear(2 * inner, first, bias, dtype=self.dtype_policy)
        self.expand.build((None, shape[-1]))
        self.contract = Linear(shape[-1], last, bias, dtype=self.dtype_policy)
        self.contract.build((None, inner))

    def call(self, x, key=None):
        """float [X, D] -> float [X, D]; `key` integer [2] or None, for dropout."""
        inner_XM, gate_XM = ops.split(self.expand(x), 2, axis=-1)
        if key is not None and self.activation is gelu:
            inner_XM = gelu_in_training(inner_XM)
        else:
            inner_XM = self.activation(inner_XM)
        return self.contract(dropout(inner_XM * gate_XM, self.dropout_rate, key))


class GatedBlock(keras.layers.Layer):
    """x + attention(norm(x)), then x + feed_forward(norm(x)) (Warner et al. 2024, arXiv 2412.13663,
    section 2.1).

    Args:
      attention: the attention layer, e.g. `RotaryAttention`.
      feed_forward: the feed-forward layer, e.g. `GatedFeedForward`.
      attention_norm, feed_forward_norm: layers; the first may be None, where x is normalized
        already.
      dropout_rate: float, on the output of the attention.
    """

    def __init__(
        self,
        attention,
        feed_forward,
        attention_norm,
        feed_forward_norm,
        dropout_rate=0.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.attention, self.feed_forward = attention, feed_forward
        self.attention_norm, self.feed_forward_norm = attention_norm, feed_forward_norm
        self.dropout_rate = dropout_rate

    def build(self, shape):
        parts = (self.attention_norm, self.attention, self.feed_forward_norm, self.feed_forward)
        for part in parts:
            if part is not None:
                part.build(shape)

    def call(self, x, context, key=None):
        """One block, as `EncoderBlock.call`."""
        normed = x if self.attention_norm is None else self.attention_norm(x)
        attended, probs = self.attention(normed, context=context, key=key)
        x = context.going_on(x) + dropout(attended, self.dropout_rate, fold_in(key, 1))
        return x + self.feed_forward(self.feed_forward_norm(x), key=fold_in(key, 2)), probs

    def skip(self, x, context):
        """As `EncoderBlock.skip`; no probabilities where the Context does not want them."""
        if not context.wants_probs:
            return context.going_on(x), None
        queries = 1 if context.first_only else context.length
        shape = (context.batch, self.attention.num_heads, queries, context.length)
        return context.going_on(x), ops.zeros(shape, "float32")
