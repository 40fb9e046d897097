"""The one train step, and the one test step.

`model.fit` and the commands run these very functions, on one replica or on many. The order
is always the same: sum the weights of all losses over micro-batches and replicas, divide each
loss once by its total, sum the gradients, clip by the norm of the sum, apply once.
"""

import keras
import tensorflow as tf


def train_step(model, data):
    """One update of a task model's weights.

    Args:
      model: a compiled TaskModel.
      data: (inputs, labels) or (inputs, labels, sample_weight), or a dict of inputs that
        holds `labels`; this replica's share of the batch.
    Returns:
      dict of float32 scalars, the streaming means since they were last reset.
    """
    inputs, labels, sample_weight = unpack(data)
    replicas = tf.distribute.get_replica_context()

    def total(tensors):
        return replicas.all_reduce(tf.distribute.ReduceOp.SUM, tensors)

    weights = total(model.loss_weights(labels, sample_weight))
    variables = model.trainable_variables

    def part(index):
        rows = tf.nest.map_structure(
            lambda x: _micro_batch(x, index, model.accumulate), (inputs, labels, sample_weight)
        )
        key = model.step_key(model.optimizer.iterations, replicas.replica_id_in_sync_group, index)
        return _gradients(model, variables, rows, weights, key)

    gradients, sums = _sum_over(part, model.accumulate)
    gradients, sums = total(gradients), total(sums)
    norm = apply_gradients(model, gradients, variables)
    model.update_losses(sums, weights)
    return {**model.running_means(), "gradient_norm": norm}


def test_step(model, data):
    """One batch of evaluation; arguments and result as `train_step`."""
    inputs, labels, sample_weight = unpack(data)
    outputs = model(inputs, training=False)
    terms = model.loss_terms(outputs, labels, sample_weight)
    model.update_losses(*({name: term[i] for name, term in terms.items()} for i in (0, 1)))
    model.update_quality(outputs, labels, sample_weight)
    return model.running_means()


def unpack(data):
    """(inputs, labels, sample_weight or None) of what a dataset yields."""
    if isinstance(data, dict):
        inputs = dict(data)
        labels, weight = inputs.pop("labels"), inputs.pop("sample_weight", None)
        return inputs, labels, weight
    return keras.utils.unpack_x_y_sample_weight(data)


def apply_gradients(model, gradients, variables):
    """Clips summed gradients by their global norm and applies them.

    Args:
      model: a compiled TaskModel.
      gradients: dense tensors, already summed over replicas; under float16 still times the
        loss scale.
      variables: the variables they belong to.
    Returns:
      float32 scalar, the global norm before clipping.
    """
    optimizer = model.optimizer
    scale = _loss_scale(optimizer)
    norm = tf.linalg.global_norm(gradients) / scale
    # Keras sums over replicas once more when it applies (base_optimizer.apply).
    factor = 1.0 / tf.distribute.get_replica_context().num_replicas_in_sync
    if model.clip_norm is not None:
        factor *= model.clip_norm / tf.maximum(norm, model.clip_norm)
    if not (isinstance(factor, float) and factor == 1.0):
        gradients = [gradient * tf.cast(factor, gradient.dtype) for gradient in gradients]
    optimizer.apply(gradients, variables)
    return norm


def _gradients(model, variables, rows, weights, key):
    """Dense gradients of one micro-batch's share of the loss, and the sums of its losses."""
    inputs, labels, sample_weight = rows
    with tf.GradientTape() as tape:
        outputs = model(inputs, training=True, key=key)
        terms = model.loss_terms(outputs, labels, sample_weight)
        sums = {name: term[0] for name, term in terms.items()}
        shares = [
            model.loss_factors.get(name, 1.0) * tf.math.divide_no_nan(sums[name], weights[name])
            for name in sums
        ]
        loss = tf.add_n(shares) * _loss_scale(model.optimizer)
    gradients = tape.gradient(loss, variables)
    for variable, gradient in zip(variables, gradients, strict=True):
        if gradient is None:
            raise ValueError(
                f"{variable.path} takes no part in the loss; freeze it or leave it out"
            )
    model.update_quality(outputs, labels, sample_weight)
    return [tf.convert_to_tensor(gradient) for gradient in gradients], sums


def _sum_over(part, count):
    """The sum of part(0), ..., part(count - 1), one after the other so that memory stays flat."""
    total = part(0)
    if count == 1:
        return total

    def add(index, total):
        return index + 1, tf.nest.map_structure(tf.add, total, part(index))

    _, total = tf.while_loop(
        lambda index, _: index < count, add, (tf.constant(1), total), parallel_iterations=1
    )
    return total


def _micro_batch(x, index, count):
    """Rows of micro-batch `index` of `count`; the last ones may be smaller, or empty."""
    if count == 1 or x is None:
        return x
    size = -(-tf.shape(x)[0] // count)
    return x[index * size : (index + 1) * size]


def _loss_scale(optimizer):
    """The factor that keeps float16 gradients from vanishing; 1 under other precisions."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return tf.convert_to_tensor(optimizer.scale_loss(1.0))
    return 1.0
