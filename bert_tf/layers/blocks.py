"""The encoder block."""

import keras
from keras import ops

from bert_tf.layers.attention import MultiHeadAttention
from bert_tf.layers.dropout import dropout, fold_in
from bert_tf.layers.feed_forward import FeedForward
from bert_tf.layers.normalization import LayerNorm


class EncoderBlock(keras.layers.Layer):
    """Attention, then feed-forward, each added to its input and normalized after (post-norm).

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

    def call(self, x, mask, key=None):
        """One block (Vaswani et al. 2017, section 3.1; figure 1, left).

        Args:
          x: float [X, D].
          mask: bool [B, 1, F, L]; the first F positions of each row go on, all or (F = 1) one.
          key: integer [2] or None, for dropout.
        Returns:
          float [B * F, D] and the attention probabilities, float32 [B, N, F, L].
        """
        looked, probs = self.attention(x, mask, key=key)
        if mask.shape[-2] == 1:
            x = ops.reshape(x, (-1, ops.shape(mask)[-1], x.shape[-1]))[:, 0]
        x = self.attention_norm(x + dropout(looked, self.dropout_rate, fold_in(key, 1)))
        thought = self.feed_forward(x)
        x = self.feed_forward_norm(x + dropout(thought, self.dropout_rate, fold_in(key, 2)))
        return x, probs

    @classmethod
    def of(cls, config, dtype=None):
        """A block of the sizes in a BERT-like config."""
        initial = keras.initializers.TruncatedNormal(stddev=config.initializer_range)
        return cls(
            MultiHeadAttention(
                config.num_attention_heads,
                config.attention_probs_dropout_prob,
                initial,
                dtype=dtype,
            ),
            FeedForward(config.intermediate_size, config.hidden_act, initial, dtype=dtype),
            config.hidden_dropout_prob,
            config.layer_norm_eps,
            dtype=dtype,
        )
