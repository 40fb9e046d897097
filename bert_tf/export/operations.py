"""TensorFlow's own operations for steps of the layers: fewer and larger ones, for answers alone."""

import functools

import tensorflow as tf

from bert_tf.errors import ConfigError, shown
from bert_tf.layers import Steps
from bert_tf.layers.normalization import standardize


def layer_norm(x, gamma, beta, epsilon):
    """Layer normalization in a form that TensorFlow runs as one operation.

    A batch normalization in training mode whose channels are the rows: its remapper knows it as a
    layer normalization and, where it has oneDNN, puts `_MklLayerNorm` there (tensorflow,
    core/grappler/optimizers/remapper.cc, FindMklLayerNorm). Without oneDNN it runs as it is.

    Args:
      x: float32 [X, D].
      gamma, beta: float32 [D].
      epsilon: float.
    Returns:
      float32 [X, D]. It is not for training.
    """
    rows, width = tf.shape(x)[0], gamma.shape[0]
    unit, *_ = tf.raw_ops.FusedBatchNormV3(
        x=tf.reshape(x, [1, rows, width, 1]),
        scale=tf.fill([rows], 1.0),
        offset=tf.fill([rows], 0.0),
        mean=tf.constant([], tf.float32),
        variance=tf.constant([], tf.float32),
        epsilon=epsilon,
        data_format="NCHW",
        is_training=True,
    )
    return tf.reshape(unit, [rows, width]) * gamma + beta


class Weights:
    """A model's weights as the operations of an export take them.

    Args:
      precision: str, a key of FEW: in which kernels are kept and multiplied.
      frozen: bool; biases, scales and shifts are constants of the graph then, which has fewer
        operations. What the model learns later does not reach them, nor kernels in bfloat16.

    Attributes:
      precision: str.
      variables: list of those that the model has not.
    Raises:
      ConfigError: there is no such precision.
    """

    def __init__(self, precision="float32", frozen=False):
        if precision not in FEW:
            raise ConfigError(f"precision is {shown(precision)}, wanted one of {', '.join(FEW)}")
        self.precision = precision
        self.frozen = frozen
        self._rounded = {}  # id of a kernel -> it, which keeps the id its own, and ours
        self._zeros = {}  # (width, dtype) -> zeros

    @property
    def variables(self):
        return [*(ours for _, ours in self._rounded.values()), *self._zeros.values()]

    def linear(self, x, kernel, bias, activation, few=False):
        """A linear layer, see Steps.

        In bfloat16 sums are float32 within a product. What it gives is float32 again, unless an
        activation follows, whose result goes into the next product.
        """
        rounded = self.precision == "bfloat16"
        if rounded:
            product = tf.matmul(_in_bfloat16(x), self._rounded_kernel(kernel))
        else:
            product = tf.matmul(x, kernel)
        if bias is not None:
            product = tf.nn.bias_add(product, self._vector(bias, product.dtype))
        elif few or rounded:  # TensorFlow packs the kernels of products that have a bias, alone
            product = tf.nn.bias_add(product, self._zero(product))
        return tf.cast(product, x.dtype) if activation is None else activation(product)

    def whole_norm(self, x, gamma, beta, epsilon):
        """Layer normalization as one operation; see Steps."""
        return layer_norm(x, self._vector(gamma), self._vector(beta), epsilon)

    def plain_norm(self, x, gamma, beta, epsilon):
        """The same of plain operations, which their thread does itself."""
        return standardize(x, epsilon) * self._vector(gamma) + self._vector(beta)

    def steps(self, few=False):
        """Steps with these weights, for few tokens or for many.

        oneDNN hands the rows of a layer norm to another thread, which takes longer than to
        normalize 15 of them.
        """
        norm = self.plain_norm if few else self.whole_norm
        linear = functools.partial(self.linear, few=few)
        return Steps(rows=_rows, layer_norm=norm, linear=linear)

    def _vector(self, variable, dtype=tf.float32):
        """A bias, a scale or a shift as a tensor."""
        if not self.frozen:
            return tf.cast(tf.convert_to_tensor(variable), dtype)
        with tf.init_scope():
            value = tf.cast(tf.convert_to_tensor(variable), dtype).numpy()
        return tf.constant(value)

    def _zero(self, product):
        """A bias of zeros, in a variable: a constant would be taken out of the graph."""
        kind = product.shape[-1], product.dtype
        if kind not in self._zeros:
            with tf.init_scope():
                value = tf.zeros(kind[:1], product.dtype)
                self._zeros[kind] = tf.Variable(value, trainable=False, name="zeros")
        return tf.convert_to_tensor(self._zeros[kind])

    def _rounded_kernel(self, kernel):
        """A kernel as a tensor of bfloat16.

        It is read from a variable. A constant stands in every copy of the graph that TensorFlow
        makes while it loads one: kernels of 170 MB took 8 GB (measured).
        """
        if id(kernel) not in self._rounded:
            with tf.init_scope():
                value = tf.cast(tf.convert_to_tensor(kernel), tf.bfloat16)
                ours = tf.Variable(value, trainable=False, name=kernel.name)
            self._rounded[id(kernel)] = kernel, ours
        return tf.convert_to_tensor(self._rounded[id(kernel)][1])


def _rows(x, places):
    # `keras.ops.take` also takes places from the end, which are counted anew in every call.
    return tf.gather(x, places)


def _in_bfloat16(x):
    """x in bfloat16; as it was where it was so before Keras cast it for a layer."""
    made = getattr(x, "op", None)
    if made is not None and made.type == "Cast" and made.inputs[0].dtype == tf.bfloat16:
        return made.inputs[0]
    return tf.cast(x, tf.bfloat16)


# Precision -> which numbers of tokens are few, both inclusive. In float32 those for which oneDNN
# packs kernels in one way: it keeps one packed form for each operation, and fewer and more tokens
# have another (measured). In bfloat16 there is one form.
FEW = {"float32": (8, 64), "bfloat16": (1, 64)}
