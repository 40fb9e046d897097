"""MobileBERT's block: narrow inside and wide outside, with several feed-forward layers
(Sun et al. 2020, arXiv 2004.02984, section 3.1 and figure 1)."""

import dataclasses

import keras
from keras import ops

from bert_tf.layers.attention import attend
from bert_tf.layers.dropout import dropout, fold_in
from bert_tf.layers.feed_forward import FeedForward
from bert_tf.layers.linear import Linear


@dataclasses.dataclass(frozen=True)
class BottleneckPlan:
    """What the parts of a MobileBERT's block are.

    Attributes:
      num_heads: int, N; divides `inner_width`.
      inner_width: int, the width of attention and feed-forward.
      bottleneck: bool, whether linear layers lead from D to `inner_width` and back; without them
        the two are equal.
      narrow_queries: bool, whether a bottleneck of its own leads to queries and keys.
      narrow_values: bool, whether all that attention reads comes from the residual's bottleneck;
        then that of queries and keys has weights that nothing reads.
      feed_forwards: int, 1 or more.
      feed_forward_width: int, M.
      activation: a key of ACTIVATIONS.
      dropout_rate, attention_dropout_rate: float.
      norm: function of (epsilon or None for PyTorch's, dtype) -> a layer that normalizes.
      epsilon: float.
      initializer: of the kernels.
    """

    num_heads: int
    inner_width: int
    bottleneck: bool
    narrow_queries: bool
    narrow_values: bool
    feed_forwards: int
    feed_forward_width: int
    activation: str
    dropout_rate: float
    attention_dropout_rate: float
    norm: object
    epsilon: float
    initializer: object


class NormedLinear(keras.layers.Layer):
    """A linear layer, a residual if there is one, and a norm.

    Args:
      width: int.
      norm: layer.
      dropout_rate: float, behind the linear layer.
      initializer: of the kernel.
    """

    def __init__(self, width, norm, dropout_rate=0.0, initializer=None, **kwargs):
        super().__init__(**kwargs)
        self.dense = Linear(width, initializer, dtype=self.dtype_policy)
        self.norm = norm
        self.dropout_rate = dropout_rate

    def build(self, shape):
        self.dense.build(shape)
        self.norm.build((None, self.dense.width))

    def call(self, x, residual=None, key=None):
        """float [X, width in], float [X, width] or None -> float [X, width]."""
        x = dropout(self.dense(x), self.dropout_rate, key)
        return self.norm(x if residual is None else x + residual)


class NormedFeedForward(FeedForward):
    """A feed-forward layer, its input added, and a norm.

    Args:
      norm: layer.
      dropout_rate: float, before the sum.
      Others as in FeedForward.
    """

    def __init__(self, *args, norm, dropout_rate=0.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.norm = norm
        self.dropout_rate = dropout_rate

    def build(self, shape):
        super().build(shape)
        self.norm.build(shape)

    def call(self, x, training=False, key=None):
        """float [X, D] -> float [X, D]."""
        fed_forward = dropout(super().call(x, training=training), self.dropout_rate, key)
        return self.norm(x + fed_forward)


class TwoSourceAttention(keras.layers.Layer):
    """Self-attention whose queries and keys are made of one input, its values of another.

    Args:
      num_heads: int, divides the width.
      width: int, of queries, keys and values together with all heads, and of the result.
      dropout_rate: float, on the attention probabilities.
      initializer: of the kernels.
    """

    def __init__(self, num_heads, width, dropout_rate=0.0, initializer=None, **kwargs):
        super().__init__(**kwargs)
        self.num_heads, self.width = num_heads, width
        self.dropout_rate = dropout_rate
        self.query_key = Linear(2 * width, initializer, dtype=self.dtype_policy)
        self.value = Linear(width, initializer, dtype=self.dtype_policy)
        self.projection = Linear(width, initializer, dtype=self.dtype_policy)

    def build(self, of_queries, of_values):
        self.query_key.build(of_queries)
        self.value.build(of_values)
        self.projection.build((None, self.width))
        self.built = True

    def call(self, x, values_from, context, key=None):
        """As `MultiHeadAttention.call`.

        Args:
          x: float [B * F, width in], what queries and keys are made of.
          values_from: float [B * F, width in], what values are made of.
          context, key: as there.
        """
        heads, width = self.num_heads, self.width // self.num_heads
        places = (context.batch, context.length)
        split = ops.reshape(self.query_key(x), (*places, 2, heads, width))
        query_BNFH, key_BNTH = ops.unstack(ops.transpose(split, (2, 0, 3, 1, 4)), 2, axis=0)
        values = ops.reshape(self.value(values_from), (*places, heads, width))
        attended_BNFH, probs_BNFT = attend(
            query_BNFH[:, :, :1] if context.first_only else query_BNFH,
            key_BNTH,
            ops.transpose(values, (0, 2, 1, 3)),
            context.mask,
            context.bias,
            self.dropout_rate,
            fold_in(key, 0),
        )
        attended = ops.reshape(ops.transpose(attended_BNFH, (0, 2, 1, 3)), (-1, self.width))
        return self.projection(attended), probs_BNFT


class BottleneckBlock(keras.layers.Layer):
    """One block of a MobileBERT, called as `EncoderBlock`.

    Args:
      width: int, D.
      plan: BottleneckPlan.
    """

    def __init__(self, width, plan, **kwargs):
        super().__init__(**kwargs)
        self.width, self.plan = width, plan
        policy, inner, initial = self.dtype_policy, plan.inner_width, plan.initializer
        dropped = 0.0 if plan.bottleneck else plan.dropout_rate  # the wide layer alone has it

        def normed_linear(width, rate=0.0):
            norm = plan.norm(plan.epsilon, policy)
            return NormedLinear(width, norm, rate, initial, dtype=policy)

        def feed_forward(epsilon, rate=0.0):
            shape = (plan.feed_forward_width, plan.activation, initial)
            norm = plan.norm(epsilon, policy)
            return NormedFeedForward(*shape, norm=norm, dropout_rate=rate, dtype=policy)

        self.narrow = normed_linear(inner) if plan.bottleneck else None
        self.narrow_queries = None
        if plan.bottleneck and plan.narrow_queries:
            self.narrow_queries = normed_linear(inner)
        self.attention = TwoSourceAttention(
            plan.num_heads, inner, plan.attention_dropout_rate, initial, dtype=policy
        )
        self.attention_norm = plan.norm(plan.epsilon, policy)
        self.attention_dropout_rate = dropped
        self.feed_forwards = [feed_forward(plan.epsilon) for _ in range(plan.feed_forwards - 1)]
        self.feed_forward = feed_forward(None, dropped)
        self.widen = normed_linear(self.width, plan.dropout_rate) if plan.bottleneck else None

    def build(self, shape):
        wide, inner, plan = (None, self.width), (None, self.plan.inner_width), self.plan
        for part, input_shape in (
            (self.narrow, wide),
            (self.narrow_queries, wide),
            (self.attention_norm, inner),
            *((layer, inner) for layer in (*self.feed_forwards, self.feed_forward)),
            (self.widen, inner),
        ):
            if part is not None:
                part.build(input_shape)
        self.attention.build(inner, inner if plan.narrow_values else wide)

    def call(self, x, context, key=None):
        """As `EncoderBlock.call`."""
        inner = x if self.narrow is None else self.narrow(x)
        of_queries = of_values = inner if self.plan.narrow_values else x
        if self.narrow_queries is not None and not self.plan.narrow_values:
            of_queries = self.narrow_queries(x)
        attended, probs = self.attention(of_queries, of_values, context=context, key=key)
        attended = dropout(attended, self.attention_dropout_rate, fold_in(key, 1))
        inner = self.attention_norm(context.going_on(inner) + attended)
        for layer in self.feed_forwards:
            inner = layer(inner, training=key is not None)
        inner = self.feed_forward(inner, training=key is not None, key=fold_in(key, 2))
        if self.widen is None:
            return inner, probs
        return self.widen(inner, context.going_on(x), key=fold_in(key, 2)), probs

    def skip(self, x, context):
        """As `EncoderBlock.skip`."""
        queries = 1 if context.first_only else context.length
        shape = (context.batch, self.attention.num_heads, queries, context.length)
        return context.going_on(x), ops.zeros(shape, "float32")
