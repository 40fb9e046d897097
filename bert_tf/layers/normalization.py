"""Layer normalization."""

import keras
from keras import ops

from bert_tf.layers.steps import steps


class LayerNorm(keras.layers.Layer):
    """Normalizes each row to mean 0 and variance 1, then scales and shifts (Ba et al. 2016, eq. 4).

    The statistics are computed in float32 under every precision, and the gradient is written
    out: two reductions a row, instead of the chain that automatic differentiation builds.

    Args:
      epsilon: float, added to the variance; 1e-12 in Google's BERT.
      center: bool, whether there is a shift; without one `beta` is None.
    """

    def __init__(self, epsilon=1e-12, center=True, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon
        self.center = center
        self.beta = None

    def build(self, shape):
        kept = {"shape": (shape[-1],), "dtype": "float32", "autocast": False}
        self.gamma = self.add_weight(name="gamma", initializer="ones", **kept)
        if self.center:
            self.beta = self.add_weight(name="beta", initializer="zeros", **kept)

    def call(self, x):
        """float [X, D] -> float [X, D]."""
        x, whole = ops.cast(x, "float32"), steps().layer_norm
        if whole is not None and self.beta is not None and len(x.shape) == 2:
            normed = whole(x, self.gamma, self.beta, self.epsilon)
            return ops.cast(normed, self.compute_dtype)
        scaled = standardize(x, self.epsilon) * self.gamma
        shifted = scaled if self.beta is None else scaled + self.beta
        return ops.cast(shifted, self.compute_dtype)


class ScaleShift(keras.layers.Layer):
    """A scale and a shift in a normalization's place (Sun et al. 2020, section 3.3, eq. 1)."""

    def build(self, shape):
        shape = (shape[-1],)
        self.gamma = self.add_weight(name="gamma", shape=shape, initializer="ones")
        self.beta = self.add_weight(name="beta", shape=shape, initializer="zeros")

    def call(self, x):
        """float [X, D] -> float [X, D]."""
        return x * self.gamma + self.beta


def standardize(x, epsilon):
    """Each row brought to mean 0 and variance 1, with the gradient written out.

    Args:
      x: float32 [X, D].
      epsilon: float, added to the variance.
    Returns:
      float32 [X, D].
    """

    @ops.custom_gradient
    def unit_of(x):
        centred = x - ops.mean(x, axis=-1, keepdims=True)
        variance = ops.mean(ops.square(centred), axis=-1, keepdims=True)
        inverse = ops.rsqrt(variance + epsilon)
        unit = centred * inverse

        def gradient(*args, upstream=None):
            upstream = args[0] if upstream is None else upstream
            along_mean = ops.mean(upstream, axis=-1, keepdims=True)
            along_unit = ops.mean(upstream * unit, axis=-1, keepdims=True)
            return (upstream - along_mean - unit * along_unit) * inverse

        return unit, gradient

    return unit_of(x)
