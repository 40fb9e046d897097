"""The position-wise feed-forward layer and its activations."""

import keras
from keras import ops

from bert_tf.layers.linear import Linear

# The names of `hidden_act` in every bert_config.json. "gelu" is the exact form with the
# error function (Hendrycks & Gimpel 2016, eq. 2), "gelu_new" its tanh approximation.
ACTIVATIONS = {
    "relu": ops.relu,
    "gelu": lambda x: ops.gelu(x, approximate=False),
    "gelu_new": lambda x: ops.gelu(x, approximate=True),
    "swish": ops.silu,
}


class FeedForward(keras.layers.Layer):
    """`contract(activation(expand(x)))` (Vaswani et al. 2017, eq. 2).

    Args:
      inner_width: int, M.
      activation: a key of ACTIVATIONS.
      initializer: of the kernels.
    """

    def __init__(self, inner_width, activation="gelu", initializer=None, **kwargs):
        super().__init__(**kwargs)
        self.inner_width = inner_width
        self.activation = ACTIVATIONS[activation]
        self.initializer = initializer

    def build(self, shape):
        self.expand = Linear(self.inner_width, self.initializer, dtype=self.dtype_policy)
        self.expand.build((None, shape[-1]))
        self.contract = Linear(shape[-1], self.initializer, dtype=self.dtype_policy)
        self.contract.build((None, self.inner_width))

    def call(self, x):
        """float [X, D] -> float [X, D]."""
        return self.contract(self.activation(self.expand(x)))
