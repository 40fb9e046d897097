"""A block whose output a convolution of its input is added to."""

import keras
from keras import ops

from bert_tf.layers.blocks import EncoderBlock
from bert_tf.layers.dropout import dropout, fold_in
from bert_tf.layers.feed_forward import ACTIVATIONS
from bert_tf.layers.linear import with_own_seed
from bert_tf.layers.normalization import LayerNorm


class RowConvolution(keras.layers.Layer):
    """A convolution over the tokens of an example: of padding, and of other examples in the row,
    nothing is seen (microsoft/DeBERTa, `ConvLayer`).

    Args:
      taps: int, odd, the tokens it sees.
      initializer: of the kernel.
    """

    def __init__(self, taps, initializer=None, **kwargs):
        super().__init__(**kwargs)
        self.taps = taps
        self.initializer = with_own_seed(initializer)

    def build(self, shape):
        width = shape[-1]
        self.kernel = self.add_weight(
            name="kernel", shape=(self.taps, width, width), initializer=self.initializer
        )
        self.bias = self.add_weight(name="bias", shape=(width,), initializer="zeros")

    def call(self, x_BLD, groups):
        """float [B, L, D], int [B, L] numbers of examples, 0 for padding -> float [B * L, D]."""
        side, width = self.taps // 2, x_BLD.shape[-1]
        length = ops.shape(x_BLD)[1]
        padded = ops.pad(x_BLD, [(0, 0), (side, side), (0, 0)])
        around = ops.pad(groups, [(0, 0), (side, side)])
        seen = []
        for tap in range(self.taps):
            same_BL = ops.equal(around[:, tap : tap + length], groups) & (groups > 0)
            there_BL1 = ops.cast(same_BL, x_BLD.dtype)[:, :, None]
            seen.append(padded[:, tap : tap + length] * there_BL1)
        seen_XD = ops.reshape(ops.concatenate(seen, axis=-1), (-1, self.taps * width))
        return ops.matmul(seen_XD, ops.reshape(self.kernel, (-1, width))) + self.bias


class ConvolvedBlock(EncoderBlock):
    """A block, then norm(its output + activation(convolution(its input))).

    Args:
      convolution: RowConvolution.
      activation: a key of ACTIVATIONS.
      Others as in EncoderBlock.
    """

    def __init__(self, *args, convolution, activation, **kwargs):
        super().__init__(*args, **kwargs)
        self.convolution = convolution
        self.activation = ACTIVATIONS[activation]
        self.convolution_norm = LayerNorm(self.attention_norm.epsilon, dtype=self.dtype_policy)

    def build(self, shape):
        super().build(shape)
        self.convolution.build(shape)
        self.convolution_norm.build(shape)

    def call(self, x, context, key=None):
        """As `EncoderBlock.call`; the Context's positions have the `groups` of its rows."""
        y, probs = super().call(x, context, key)
        groups = context.positions.groups
        x_BLD = ops.reshape(x, (context.batch, context.length, x.shape[-1]))
        convolved = dropout(self.convolution(x_BLD, groups), self.dropout_rate, fold_in(key, 5))
        convolved = self.activation(convolved) * self._real(groups, x.dtype)
        return self.convolution_norm(y + context.going_on(convolved)), probs

    @staticmethod
    def _real(groups, dtype):
        """1 for tokens, 0 for padding, [B * L, 1]."""
        return ops.cast(ops.reshape(groups > 0, (-1, 1)), dtype)
