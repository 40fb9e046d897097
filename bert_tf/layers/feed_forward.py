"""The position-wise feed-forward layer and its activations."""

import math

import keras
from keras import ops

from bert_tf.layers.linear import linear


def gelu(x):
    """The exact GELU, with the error function (Hendrycks & Gimpel 2016, eq. 2)."""
    return ops.gelu(x, approximate=False)


def tanh_gelu(x):
    """Its tanh approximation, of Google's code since 2019-02."""
    return ops.gelu(x, approximate=True)


def quick_gelu(x):
    """The GELU's sigmoid form (Hendrycks & Gimpel 2016, section 2)."""
    return x * ops.sigmoid(1.702 * x)


def mish(x):
    """x tanh(softplus(x)) (Misra 2020, eq. 1)."""
    return x * ops.tanh(ops.softplus(x))


# The names of `hidden_act` in every bert_config.json, and transformers' other names for the same;
# what it has besides has weights of its own.
ACTIVATIONS = {
    "relu": ops.relu,
    "gelu": gelu,
    "gelu_python": gelu,
    "gelu_new": tanh_gelu,
    "gelu_pytorch_tanh": tanh_gelu,
    "gelu_python_tanh": tanh_gelu,
    "gelu_fast": tanh_gelu,
    "gelu_accurate": tanh_gelu,
    "gelu_10": lambda x: ops.clip(gelu(x), -10.0, 10.0),
    "quick_gelu": quick_gelu,
    "swish": ops.silu,
    "silu": ops.silu,
    "mish": mish,
    "hardswish": ops.hard_silu,
    "relu2": lambda x: ops.square(ops.relu(x)),
    "relu6": ops.relu6,
    "leaky_relu": lambda x: ops.leaky_relu(x, negative_slope=0.01),
    "sigmoid": ops.sigmoid,
    "tanh": ops.tanh,
    "linear": lambda x: x,
}


class FeedForward(keras.layers.Layer):
    """`contract(activation(expand(x)))` (Vaswani et al. 2017, eq. 2).

    Args:
      inner_width: int, M.
      activation: a key of ACTIVATIONS.
      initializer: of the kernels.
      output_initializer: of the last kernel, where it is another one.
      rank: int, as in MultiHeadAttention.
    """

    def __init__(
        self,
        inner_width,
        activation="gelu",
        initializer=None,
        output_initializer=None,
        rank=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.inner_width = inner_width
        self.rank = rank
        self.activation = ACTIVATIONS[activation]
        self.initializer = initializer
        self.output_initializer = output_initializer or initializer

    def build(self, shape):
        how = (True, self.rank, self.dtype_policy)
        self.expand = linear(self.inner_width, self.initializer, *how)
        self.expand.build((None, shape[-1]))
        self.contract = linear(shape[-1], self.output_initializer, *how)
        self.contract.build((None, self.inner_width))

    def call(self, x, training=False):
        """float [X, D] -> float [X, D]."""
        quick = training and self.activation is gelu
        return self.contract(
            self.expand(x, activation=gelu_in_training if quick else self.activation)
        )


def gelu_in_training(x):
    """The exact GELU with its gradient written out: a third of the passes of the automatic one.

    Outside training the plain form is the better one: it melts into the product before it.

    Args:
      x: float tensor.
    Returns:
      A tensor like `x`, x Phi(x), whose gradient is Phi(x) + x phi(x) (Hendrycks & Gimpel 2016,
      eq. 2; Phi and phi the distribution and the density of a standard normal).
    """

    @ops.custom_gradient
    def gelu(x):
        scaled = x * -math.sqrt(0.5)
        share = ops.erfc(scaled) * 0.5

        def gradient(*args, upstream=None):
            upstream = args[0] if upstream is None else upstream
            density = ops.exp(-ops.square(scaled)) * (1.0 / math.sqrt(2.0 * math.pi))
            return upstream * (share + x * density)

        return x * share, gradient

    return gelu(x)
