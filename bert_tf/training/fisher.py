"""The Fisher information of a model's weights, for elastic weight consolidation."""

import tensorflow as tf


def empirical_fisher(loss, variables, examples):
    """The diagonal of the empirical Fisher information: the mean squared gradient of single rows.

    The labels are those of the data, not drawn from the model: an approximation of the Fisher
    information proper (Kirkpatrick et al. 2017, eq. 3) that takes one gradient a row.

    Args:
      loss: function (inputs, labels) -> float32 scalar, the negative log-likelihood of one row.
      variables: list of tf.Variable.
      examples: tf.data.Dataset of (inputs, labels), one row a batch.
    Returns:
      list of float32 tensors, one for each variable, in its shape.
    """
    sums = [tf.Variable(tf.zeros(variable.shape), trainable=False) for variable in variables]

    @tf.function(autograph=False, reduce_retracing=True)
    def add(inputs, labels):
        with tf.GradientTape() as tape:
            value = loss(inputs, labels)
        gradients = tape.gradient(value, variables)
        for total, gradient in zip(sums, gradients, strict=True):
            total.assign_add(tf.square(tf.convert_to_tensor(gradient)))

    count = 0
    for inputs, labels in examples:
        add(inputs, labels)
        count += 1
    return [total / count for total in sums]
