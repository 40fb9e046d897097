"""The encoder block."""

import keras
from keras import ops

from bert_tf.layers.attention import MultiHeadAttention
from bert_tf.layers.dropout import dropout, fold_in
from bert_tf.layers.feed_forward import FeedForward
from bert_tf.layers.normalization import LayerNorm


def post_norm(norm):
    """norm(x + part(x)) (Vaswani et al. 2017, section 3.1).

    Args:
      norm: LayerNorm.
    Returns:
      Two functions of float [X, D]: what the part reads of x, and what becomes of the sum.
    """
    return _as_it_is, norm


def pre_norm(norm):
    """x + part(norm(x)) (Xiong et al. 2020, table 1); else as `post_norm`.

    The sum is never normalized: an encoder of such blocks needs one more norm behind the last.
    """
    return norm, _as_it_is


def _as_it_is(x):
    return x


# The values of `norm` in a config.
NORMS = {"post": post_norm, "pre": pre_norm}


class EncoderBlock(keras.layers.Layer):
    """Attention, then feed-forward, each added to its input and normalized.

    Args:
      attention: the attention layer, e.g. `MultiHeadAttention`.
      feed_forward: the feed-forward layer.
      dropout_rate: float, on the output of each of the two.
      epsilon: float, of both normalizations.
      arrangement: `post_norm` or `pre_norm`, where the normalizations stand.
    """

    def __init__(
        self,
        attention,
        feed_forward,
        dropout_rate=0.0,
        epsilon=1e-12,
        arrangement=post_norm,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.arrangement = arrangement
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

        A pure function of its arguments, so that it may be computed a second time.

        Args:
          x: float [X, D].
          mask: bool [B, 1, F, L]; the first F positions of each row go on, all or (F = 1) one.
          key: integer [2] or None, for dropout.
        Returns:
          float [B * F, D] and the attention probabilities, float32 [B, N, F, L].
        """
        read, settle = self.arrangement(self.attention_norm)
        looked, probs = self.attention(read(x), mask, key=key)
        x = _going_on(x, mask) + dropout(looked, self.dropout_rate, fold_in(key, 1))
        x = settle(x)
        read, settle = self.arrangement(self.feed_forward_norm)
        thought = self.feed_forward(read(x), training=key is not None)
        x = settle(x + dropout(thought, self.dropout_rate, fold_in(key, 2)))
        return x, probs

    def skip(self, x, mask):
        """What stands in for the block where it is skipped: x itself, and zero probabilities."""
        shape = ops.shape(mask)
        probs = ops.zeros((shape[0], self.attention.num_heads, shape[2], shape[3]), "float32")
        return _going_on(x, mask), probs

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
            NORMS[config.norm],
            dtype=dtype,
        )


def _going_on(x, mask):
    """Of x [X, D] the positions that go on: all, or the first of each row where F is 1."""
    if mask.shape[-2] != 1:
        return x
    return ops.reshape(x, (-1, ops.shape(mask)[-1], x.shape[-1]))[:, 0]
