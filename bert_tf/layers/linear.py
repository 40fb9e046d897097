"""The linear layer: one matrix product over flat tokens, plus a bias."""

import contextlib
import contextvars

import keras
from keras import ops

from bert_tf.layers.steps import steps


def truncated_normal(stddev=0.02):
    """BERT's initializer: a normal cut at two standard deviations (Devlin et al. 2019, code)."""
    return keras.initializers.TruncatedNormal(stddev=stddev)


def with_own_seed(initializer):
    """The same initializer with a seed of its own.

    One object gives every tensor the same numbers from the front on, which would make word i and
    position i the same vector at the start.

    Args:
      initializer: as Keras takes it.
    Returns:
      A Keras initializer, or None for None.
    """
    initializer = keras.initializers.get(initializer)
    return initializer.clone() if hasattr(initializer, "clone") else initializer


_UPDATES = contextvars.ContextVar("updates", default=None)


@contextlib.contextmanager
def updated(updates):
    """Within it linear layers add to their products what other layers make of the same rows.

    Args:
      updates: dict, id of a Linear -> layer, float [X, width in] -> float [X, width].
    """
    token = _UPDATES.set(updates)
    try:
        yield
    finally:
        _UPDATES.reset(token)


class Linear(keras.layers.Layer):
    """`x @ kernel + bias` on a matrix of rows.

    Rows are tokens, never [batch, length, width]: on a CPU the product, the bias
    and a following activation then run as one oneDNN call, which the three-axis form of
    `keras.layers.Dense` prevents.

    Args:
      width: int. Columns of the result.
      initializer: of the kernel; the bias starts at zero.
      use_bias: bool; without one `bias` is None.
    """

    def __init__(self, width, initializer="glorot_uniform", use_bias=True, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.initializer = with_own_seed(initializer)
        self.use_bias = use_bias
        self.bias = None

    def build(self, shape):
        self.kernel = self.add_weight(
            name="kernel", shape=(shape[-1], self.width), initializer=self.initializer
        )
        if self.use_bias:
            self.bias = self.add_weight(name="bias", shape=(self.width,), initializer="zeros")

    def call(self, x, activation=None):
        """float [X, width in] -> float [X, width], activated where there is a function for it."""
        update, whole = self._update(), steps().linear
        if whole is not None and update is None:
            return whole(x, self.kernel, self.bias, activation)
        product = ops.matmul(x, self.kernel)
        product = product if update is None else product + update(x)
        product = product if self.bias is None else ops.add(product, self.bias)
        return product if activation is None else activation(product)

    def columns(self, x, some):
        """Some columns of the result, a slice of them, without the work for the others."""
        product, update = ops.matmul(x, self.kernel[:, some]), self._update()
        product = product if update is None else product + update(x)[:, some]
        return product if self.bias is None else product + self.bias[some]

    def _update(self):
        return (_UPDATES.get() or {}).get(id(self))


class FactoredLinear(Linear):
    """The same with a product of two matrices, `down` and `up`, in the place of the kernel.

    Args:
      width: int.
      rank: int, columns of the first, r.
      Others as in Linear.
    """

    def __init__(self, width, rank, *args, **kwargs):
        super().__init__(width, *args, **kwargs)
        self.rank = rank
        self.kernel = None

    def build(self, shape):
        own = with_own_seed(self.initializer)
        self.down = self.add_weight(
            name="down", shape=(shape[-1], self.rank), initializer=self.initializer
        )
        self.up = self.add_weight(name="up", shape=(self.rank, self.width), initializer=own)
        if self.use_bias:
            self.bias = self.add_weight(name="bias", shape=(self.width,), initializer="zeros")

    def call(self, x, activation=None):
        """As Linear."""
        if (whole := steps().linear) is not None:
            return whole(whole(x, self.down, None, None), self.up, self.bias, activation)
        product = ops.matmul(ops.matmul(x, self.down), self.up)
        product = product if self.bias is None else ops.add(product, self.bias)
        return product if activation is None else activation(product)


def linear(width, initializer, use_bias=True, rank=None, dtype=None):
    """A Linear, or with a rank a FactoredLinear."""
    if rank is None:
        return Linear(width, initializer, use_bias, dtype=dtype)
    return FactoredLinear(width, rank, initializer, use_bias, dtype=dtype)
