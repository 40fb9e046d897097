"""Attention to another sequence, and the blocks of decoders that have it."""

import dataclasses

import keras
from keras import ops

from bert_tf.layers.attention import attend
from bert_tf.layers.blocks import EncoderBlock, PreNormBlock
from bert_tf.layers.dropout import dropout, fold_in
from bert_tf.layers.linear import Linear
from bert_tf.layers.normalization import LayerNorm


class CrossAttention(keras.layers.Layer):
    """Attention of N heads to the vectors that an encoder gave (Vaswani et al. 2017, 3.2.3).

    Args:
      num_heads: int, divides the width D.
      dropout_rate: float, on the attention probabilities.
      initializer: of the kernels; output_initializer: of the last one, where it is another.
      scale: float, a factor of the scaled scores.
    """

    def __init__(
        self,
        num_heads,
        dropout_rate=0.0,
        initializer=None,
        output_initializer=None,
        scale=1.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_heads, self.dropout_rate, self.scale = num_heads, dropout_rate, scale
        self.initializer = initializer
        self.output_initializer = output_initializer or initializer

    def build(self, shape):
        width = shape[-1]
        self.query = Linear(width, self.initializer, dtype=self.dtype_policy)
        self.key_value = Linear(2 * width, self.initializer, dtype=self.dtype_policy)
        self.projection = Linear(width, self.output_initializer, dtype=self.dtype_policy)
        for part in (self.query, self.key_value, self.projection):
            part.build((None, width))

    def call(self, x, context, key=None):
        """Every position attends to what the context has as `memory`.

        Args:
          x: float [B * F, D].
          context: Context; with a `cache`, () or the tuple that the call before gave.
          key: integer [2] or None, for dropout.
        Returns:
          float [B * F, D], and the probabilities, float32 [B, N, F, S], or with a cache in their
          place keys and values, float [B, N, S, H] each, and the mask, bool [B, 1, 1, S].
        """
        heads, width = self.num_heads, x.shape[-1]
        shape = (context.batch, context.length, heads, width // heads)
        query_BNFH = ops.transpose(ops.reshape(self.query(x), shape), (0, 2, 1, 3)) * self.scale
        kept = context.cache or self.told(context.memory, context.memory_mask)
        key_BNSH, value_BNSH, mask_B11S = kept
        attended_BNFH, probs_BNFS = attend(
            query_BNFH, key_BNSH, value_BNSH, mask_B11S, None, self.dropout_rate, fold_in(key, 0)
        )
        attended_XD = ops.reshape(ops.transpose(attended_BNFH, (0, 2, 1, 3)), (-1, width))
        return self.projection(attended_XD), probs_BNFS if context.cache is None else kept

    def told(self, memory_BSD, mask_BS):
        """Keys, values and mask of a memory."""
        batch, length = ops.shape(memory_BSD)[0], ops.shape(memory_BSD)[1]
        heads, width = self.num_heads, memory_BSD.shape[-1]
        flat = self.key_value(ops.reshape(memory_BSD, (-1, width)))
        both = ops.reshape(flat, (batch, length, 2, heads, width // heads))
        key_BNSH, value_BNSH = ops.unstack(ops.transpose(both, (2, 0, 3, 1, 4)), 2, axis=0)
        return key_BNSH, value_BNSH, (mask_BS > 0)[:, None, None, :]


class _AttendsToMemory:
    """What a block of a decoder has besides an encoder's: attention to a memory, and its norm."""

    def __init__(self, attention, feed_forward, cross_attention, epsilon=1e-12, **kwargs):
        super().__init__(attention, feed_forward, epsilon=epsilon, **kwargs)
        self.cross_attention = cross_attention
        self.cross_norm = LayerNorm(epsilon, dtype=self.dtype_policy)

    def build(self, shape):
        super().build(shape)
        self.cross_norm.build(shape)
        self.cross_attention.build(shape)


class DecoderBlock(_AttendsToMemory, PreNormBlock):
    """A pre-norm block that attends to its own sequence, then to an encoder's.

    Without a memory in the context it is a PreNormBlock.

    Args:
      attention, feed_forward, dropout_rate, epsilon: as EncoderBlock.
      cross_attention: CrossAttention.
    """

    def call(self, x, context, key=None):
        """One block, as `EncoderBlock.call`; the cache of the own sequence comes first.

        Where there is a memory and somebody reads the probabilities, they are a pair: to the own
        sequence, and to the memory, float32 [B, N, F, S].
        """
        own, told = _contexts(context)
        attended, probs = self.attention(self.attention_norm(x), context=own, key=key)
        x = context.going_on(x) + dropout(attended, self.dropout_rate, fold_in(key, 1))
        if context.memory is not None or told.cache:
            crossed, kept = self.cross_attention(
                self.cross_norm(x), context=told, key=fold_in(key, 4)
            )
            x = x + dropout(crossed, self.dropout_rate, fold_in(key, 5))
            probs = _both(probs, kept, context)
        fed_forward = self.feed_forward(self.feed_forward_norm(x), training=key is not None)
        return x + dropout(fed_forward, self.dropout_rate, fold_in(key, 2)), probs


class PostNormDecoderBlock(_AttendsToMemory, EncoderBlock):
    """The same with each norm behind its sum (Vaswani et al. 2017, section 3.1).

    Args: as DecoderBlock.
    """

    def call(self, x, context, key=None):
        """One block, as `DecoderBlock.call`."""
        own, told = _contexts(context)
        attended, probs = self.attention(x, context=own, key=key)
        attended = dropout(attended, self.dropout_rate, fold_in(key, 1))
        x = self.attention_norm(context.going_on(x) + attended)
        if context.memory is not None or told.cache:
            crossed, kept = self.cross_attention(x, context=told, key=fold_in(key, 4))
            x = self.cross_norm(x + dropout(crossed, self.dropout_rate, fold_in(key, 5)))
            probs = _both(probs, kept, context)
        fed_forward = self.feed_forward(x, training=key is not None)
        fed_forward = dropout(fed_forward, self.dropout_rate, fold_in(key, 2))
        return self.feed_forward_norm(x + fed_forward), probs


def _contexts(context):
    """What a block's two attentions are told: each has its part of the cache."""
    if context.cache is None:
        return context, context
    own, told = context.cache[:2], context.cache[2:]
    return dataclasses.replace(context, cache=own), dataclasses.replace(context, cache=told)


def _both(own, told, context):
    """What the two attentions gave beside their outputs: their caches, or their probabilities."""
    if context.cache is not None:
        return (*own, *told)
    return (own, told) if context.wants_probs else own
