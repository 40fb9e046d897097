"""TensorFlow's own operations for steps of the layers: fewer and larger ones, for answers alone."""

import tensorflow as tf

from bert_tf.layers import Steps


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


# `keras.ops.take` also takes places from the end, which are counted anew in every call.
STEPS = Steps(rows=lambda x, places: tf.gather(x, places), layer_norm=layer_norm)
