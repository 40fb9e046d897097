"""TensorFlow's own operations for steps of the layers: fewer and larger ones, for answers alone."""

import dataclasses
import functools

import tensorflow as tf

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


def layer_norm_by_rows(x, gamma, beta, epsilon):
    """`layer_norm`, and of few rows the plain operations: their thread does them itself.

    oneDNN hands 15 rows to another thread, which takes longer than to normalize them.

    Args, Returns: as `layer_norm`.
    """
    gamma, beta = tf.convert_to_tensor(gamma), tf.convert_to_tensor(beta)

    def plain():
        return standardize(x, epsilon) * gamma + beta

    whole = functools.partial(layer_norm, x, gamma, beta, epsilon)
    return tf.cond(tf.shape(x)[0] <= FEW[1], plain, whole)


def bfloat16_linear(x, kernel, bias, activation):
    """A linear layer whose product, bias and activation are in bfloat16, its kernel a constant.

    oneDNN packs a constant once, and a variable in every call (tensorflow,
    core/kernels/mkl/mkl_matmul_op_fused.cc). Sums are float32 within a product; the result is
    float32 again unless an activation follows, whose result goes into the next product.

    Args:
      x: float [X, width in].
      kernel, bias: variables float32 [width in, width], [width] or None; their values now.
      activation: function or None.
    Returns:
      [X, width], float32, or bfloat16 where there is an activation.
    """
    product = tf.matmul(tf.cast(x, tf.bfloat16), _constant(kernel))
    product = product if bias is None else tf.nn.bias_add(product, _constant(bias))
    return tf.cast(product, tf.float32) if activation is None else activation(product)


def _constant(variable):
    with tf.init_scope():
        value = tf.cast(tf.convert_to_tensor(variable), tf.bfloat16).numpy()
    return tf.constant(value)


# Which numbers of tokens are few. Those for which oneDNN packs kernels in one way: it keeps one
# packed form for each operation, and fewer and more tokens have another (measured, both inclusive).
FEW = (8, 64)
# `keras.ops.take` also takes places from the end, which are counted anew in every call.
_FLOAT32 = Steps(rows=lambda x, places: tf.gather(x, places), layer_norm=layer_norm)
# Precision of an export -> how it does its steps. The kernels of bfloat16 are constants that are
# packed in one form: there few and many tokens share the operations, but for the norms.
STEPS = {
    "float32": _FLOAT32,
    "bfloat16": dataclasses.replace(
        _FLOAT32, linear=bfloat16_linear, layer_norm=layer_norm_by_rows
    ),
}
# The same where few tokens have operations of their own.
FEW_STEPS = {"float32": dataclasses.replace(_FLOAT32, layer_norm=None)}
