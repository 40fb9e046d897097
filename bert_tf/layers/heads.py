"""The pieces that stand between an encoder and a task."""

from typing import NamedTuple

import keras
from keras import ops

from bert_tf.layers.dropout import dropout, fold_in
from bert_tf.layers.feed_forward import ACTIVATIONS
from bert_tf.layers.linear import Linear
from bert_tf.layers.masks import LOWEST
from bert_tf.layers.normalization import LayerNorm


class Pooler(keras.layers.Layer):
    """Dense and tanh over the first token (Devlin et al. 2019, code: `BertModel`).

    Args:
      initializer: of the kernel.
      activated: bool; False leaves the first token as it is, and there are no weights.
    """

    def __init__(self, initializer=None, activated=True, **kwargs):
        super().__init__(**kwargs)
        self.initializer = initializer
        self.activated = activated

    def build(self, shape):
        if self.activated:
            self.dense = Linear(shape[-1], self.initializer, dtype=self.dtype_policy)
            self.dense.build((None, shape[-1]))

    def call(self, first_BD):
        """float [B, D] -> float [B, D], each entry in (-1, 1) if it is activated."""
        return ops.tanh(self.dense(first_BD)) if self.activated else first_BD


def pool_firsts(pooler, sequence_BLD, firsts_BS):
    """A Pooler over the first token of every row; or, where int [B, S] tells their places, over
    that of every example packed into it: float [B, D] or [B, S, D]."""
    if firsts_BS is None:
        return pooler(sequence_BLD[:, 0])
    first_BSD = ops.take_along_axis(sequence_BLD, firsts_BS[:, :, None], axis=1)
    pooled_XD = pooler(ops.reshape(first_BSD, (-1, first_BSD.shape[-1])))
    return ops.reshape(pooled_XD, ops.shape(first_BSD))


def pool(sequence_output, attention_mask, how):
    """One vector for a row of token vectors.

    Args:
      sequence_output: float [B, L, D].
      attention_mask: int [B, L]; 0 is padding; None: there is none.
      how: "cls" (the first token), "last" (the last real one), "mean" or "max" over the real
        tokens; "weighted", their mean with the weights 1, 2, 3, ... of their places (Muennighoff
        2022, arXiv 2202.08904, eq. 2).
    Returns:
      float [B, D]; zeros for a row that is all padding, but under "cls".
    """
    if how == "cls":
        return sequence_output[:, 0]
    if attention_mask is None:
        attention_mask = ops.ones(ops.shape(sequence_output)[:2], "int32")
    if how == "last":
        real_BL = ops.cast(attention_mask > 0, "int32")
        places_BL = real_BL * ops.arange(1, ops.shape(real_BL)[1] + 1)
        last_BL = (places_BL == ops.max(places_BL, axis=1, keepdims=True)) & (places_BL > 0)
        return ops.sum(sequence_output * ops.cast(last_BL, sequence_output.dtype)[..., None], 1)
    real_BL1 = ops.cast(attention_mask > 0, sequence_output.dtype)[:, :, None]
    if how in ("mean", "weighted"):
        # In float32: a sum over a long row leaves the range of float16.
        real_BL1, sequence_BLD = (ops.cast(x, "float32") for x in (real_BL1, sequence_output))
        if how == "weighted":
            real_BL1 = real_BL1 * ops.cumsum(real_BL1, axis=1)
        count = ops.maximum(ops.sum(real_BL1, axis=1), 1)
        mean_BD = ops.sum(sequence_BLD * real_BL1, axis=1) / count
        return ops.cast(mean_BD, sequence_output.dtype)
    if how == "max":
        lowest = ops.where(real_BL1 > 0, sequence_output, LOWEST)
        # `initial`: without it Keras refuses a batch of no rows.
        some_BD = ops.any(real_BL1 > 0, axis=1)
        return ops.max(lowest, axis=1, initial=LOWEST) * ops.cast(some_BD, lowest.dtype)
    raise ValueError(f"pooling: {how!r}, wanted one of cls, mean, max, last, weighted")


def pool_examples(sequence_output, attention_mask, sentence_positions, how):
    """One vector for each example of packed rows, as `pool` gives it of the example alone.

    Args:
      sequence_output: float [B, L, D].
      attention_mask: int [B, L]; 1, 2, ... for the tokens of a row's examples.
      sentence_positions: int [B, S], where each example begins.
      how: as in `pool`.
    Returns:
      float [B, S, D]; of no meaning where a row has fewer than S examples.
    """
    if how == "cls":
        return ops.take_along_axis(sequence_output, sentence_positions[:, :, None], axis=1)
    numbers = range(1, sentence_positions.shape[1] + 1)
    alone = [ops.cast(attention_mask == number, "int32") for number in numbers]
    return ops.stack([pool(sequence_output, mask, how) for mask in alone], axis=1)


class HeadLayer(NamedTuple):
    """A dense layer of a head.

    Attributes:
      width: int.
      activation: a key of ACTIVATIONS_OF_HEADS.
      epsilon: float, of a normalization behind it; None: there is none.
      use_bias: bool, whether the dense layer has one.
      center: bool, whether the normalization has a shift.
      dropout_rate: float, before the dense layer; None: that of the head.
    """

    width: int
    activation: str
    epsilon: float | None = None
    use_bias: bool = True
    center: bool = True
    dropout_rate: float | None = None


class ProjectionHead(keras.layers.Layer):
    """Optional dense layers, then a projection to K logits, each behind dropout.

    Args:
      num_labels: int, K.
      hidden: HeadLayer or (width, activation) for each dense layer before the projection.
      dropout_rate: float.
      initializer: of the kernels.
      use_bias: bool, whether the projection has one.
    """

    def __init__(
        self, num_labels, hidden=(), dropout_rate=0.0, initializer=None, use_bias=True, **kwargs
    ):
        super().__init__(**kwargs)
        self.dropout_rate = dropout_rate
        self.plans, policy = [HeadLayer(*layer) for layer in hidden], self.dtype_policy
        self.hidden = [
            Linear(layer.width, initializer, layer.use_bias, dtype=policy) for layer in self.plans
        ]
        self.norms = [
            None if layer.epsilon is None else LayerNorm(layer.epsilon, layer.center, dtype=policy)
            for layer in self.plans
        ]
        self.projection = Linear(num_labels, initializer, use_bias, dtype=policy)

    def build(self, shape):
        width = shape[-1]
        for layer, norm in zip((*self.hidden, self.projection), (*self.norms, None), strict=True):
            layer.build((None, width))
            width = layer.width
            if norm is not None:
                norm.build((None, width))

    def call(self, x, key=None):
        """float [..., D] -> logits, float32 [..., K]."""
        shape = ops.shape(x)
        x = ops.reshape(x, (-1, shape[-1]))
        for place, layer in enumerate(self.hidden):
            plan, norm = self.plans[place], self.norms[place]
            rate = self.dropout_rate if plan.dropout_rate is None else plan.dropout_rate
            x = dropout(x, rate, fold_in(key, place))
            x = ACTIVATIONS_OF_HEADS[plan.activation](layer(x))
            x = x if norm is None else norm(x)
        x = dropout(x, self.dropout_rate, fold_in(key, len(self.hidden)))
        logits = ops.cast(self.projection(x), "float32")
        return ops.reshape(logits, (*shape[:-1], self.projection.width))


ACTIVATIONS_OF_HEADS = ACTIVATIONS
