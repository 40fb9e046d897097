"""The blocks that encoders are stacks of."""

import keras
from keras import ops

from bert_tf.layers.attention import MultiHeadAttention
from bert_tf.layers.dropout import dropout, fold_in
from bert_tf.layers.feed_forward import FeedForward
from bert_tf.layers.normalization import LayerNorm


class EncoderBlock(keras.layers.Layer):
    """Attention, then feed-forward: norm(x + layer(x)) (Vaswani et al. 2017, section 3.1).

    Args:
      attention: the attention layer, e.g. `MultiHeadAttention`.
      feed_forward: the feed-forward layer.
      dropout_rate: float, on the output of each of the two.
      epsilon: float, of both normalizations.
    """

    def __init__(self, attention, feed_forward, dropout_rate=0.0, epsilon=1e-12, **kwargs):
        super().__init__(**kwargs)
        self.attention = attention
        self.feed_forward = feed_forward
        self.dropout_rate = dropout_rate
        self.attention_norm = LayerNorm(epsilon, dtype=self.dtype_policy)
        self.feed_forward_norm = LayerNorm(epsilon, dtype=self.dtype_policy)

    def build(self, shape):
        for part in (
            self.attention,
            self.attention_norm,
            self.feed_forward,
            self.feed_forward_norm,
        ):
            part.build(shape)

    def call(self, x, context, key=None):
        """One block; a pure function of its arguments, so that it may be computed a second time.

        Args:
          x: float [B * F, D].
          context: Context.
          key: integer [2] or None, for dropout.
        Returns:
          float [B * F, D], or [B, D] where the first position alone goes on; and what the
          attention returns beside its output: its probabilities, float32 [B, N, F, T].
        """
        attended, probs = self.attention(x, context=context, key=key)
        attended = dropout(attended, self.dropout_rate, fold_in(key, 1))
        x = self.attention_norm(context.going_on(x) + attended)
        fed_forward = self.feed_forward(x, training=key is not None)
        fed_forward = dropout(fed_forward, self.dropout_rate, fold_in(key, 2))
        return self.feed_forward_norm(x + fed_forward), probs

    def skip(self, x, context):
        """What stands in for the block where it is skipped: x itself, and zero probabilities."""
        batch, length = context.batch, context.length
        queries = 1 if context.first_only else length
        probs = ops.zeros((batch, self.attention.num_heads, queries, length), "float32")
        return context.going_on(x), probs

    @classmethod
    def of(cls, config, dtype=None):
        """A block of the sizes in an encoder's config."""
        initial = keras.initializers.TruncatedNormal(stddev=config.initializer_range)
        return cls(
            MultiHeadAttention(
                config.num_attention_heads,
                config.attention_probs_dropout_prob,
                initial,
                head_width=config.attention_head_size,
                rank=config.linear_rank,
                dtype=dtype,
            ),
            FeedForward(
                config.intermediate_size,
                config.hidden_act,
                initial,
                rank=config.linear_rank,
                dtype=dtype,
            ),
            config.hidden_dropout_prob,
            config.layer_norm_eps,
            dtype=dtype,
        )


class PreNormBlock(EncoderBlock):
    """The same layers as x + layer(norm(x)) (Xiong et al. 2020, table 1).

    The sum is never normalized: an encoder of such blocks needs one more norm behind the last.
    """

    def call(self, x, context, key=None):
        """One block, as `EncoderBlock.call`."""
        attended, probs = self.attention(self.attention_norm(x), context=context, key=key)
        x = context.going_on(x) + dropout(attended, self.dropout_rate, fold_in(key, 1))
        fed_forward = self.feed_forward(self.feed_forward_norm(x), training=key is not None)
        return x + dropout(fed_forward, self.dropout_rate, fold_in(key, 2)), probs
