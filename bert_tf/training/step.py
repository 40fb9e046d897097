"""The one train step, and the one test step.

`model.fit` and the commands run these very functions, on one replica or on many. The order
is always the same: sum the weights of all losses over micro-batches and replicas, divide each
loss once by its total, sum the gradients, clip by the norm of the sum, apply once. A loss that
looks at all rows of a batch at once is computed of the whole batch, micro-batches or not.
"""

import keras
import tensorflow as tf

from bert_tf.training.written_gradients import kept_by_graph


@kept_by_graph()
def train_step(model, data):
    """One update of a task model's weights, in replica context.

    An update whose loss or gradient is not finite, or whose loss is above `model.max_loss`, is not
    applied: weights, optimizer and its count of iterations stay as they are.

    Args:
      model: a compiled TaskModel.
      data: (inputs, labels) or (inputs, labels, sample_weight), or a dict of inputs that
        holds `labels`; this replica's share of the batch.
    Returns:
      dict of float32 scalars: the streaming means since they were last reset, and of this step
      `gradient_norm` (before clipping) and `applied` (1 or 0).
    """
    inputs, labels, sample_weight = unpack(data)
    labels = model.complete_labels(inputs, labels)
    rows = (inputs, labels, sample_weight)
    replicas = tf.distribute.get_replica_context()
    replica, alone = replicas.replica_id_in_sync_group, replicas.num_replicas_in_sync == 1
    sparse = alone and model.accumulate == 1 and not model.jit_compile  # XLA counts the rows
    sparse = sparse and getattr(model.optimizer, "sparse_gradients", False)

    def total(tensors):
        return tensors if alone else replicas.all_reduce(tf.distribute.ReduceOp.SUM, tensors)

    weights = total(loss_weights(model, labels, sample_weight))
    variables = model.trainable_variables
    step = (model, variables, weights, sparse, model.optimizer.iterations, replica)
    if model.accumulate == 1:
        gradients, terms = loss_and_gradients(*step, rows, 0)
    else:
        count = _divisor(rows, model.accumulate) if model.jit_compile else model.accumulate
        gradients, terms = (_cached if model.in_batch else _accumulated)(step, rows, count)
    gradients, terms = total(gradients), total(terms)
    loss = total_loss(model, {name: terms[name][0] for name in weights}, weights)
    norm, applied = apply_gradients(model, gradients, variables, loss)
    model.update_means({name: _only_if(applied, term) for name, term in terms.items()})
    told = {"gradient_norm": norm, "applied": tf.cast(applied, tf.float32)}
    return {**model.running_means(), **told}


def test_step(model, data):
    """One batch of evaluation; arguments as `train_step`, the streaming means returned."""
    inputs, labels, sample_weight = unpack(data)
    labels = model.complete_labels(inputs, labels)
    outputs = model(inputs, training=False)
    model.update_means(model.terms(outputs, labels, sample_weight))
    return model.running_means()


def unpack(data):
    """(inputs, labels, sample_weight or None) of what a dataset yields."""
    if isinstance(data, dict):
        inputs = dict(data)
        labels, weight = inputs.pop("labels"), inputs.pop("sample_weight", None)
        return inputs, labels, weight
    return keras.utils.unpack_x_y_sample_weight(data)


def loss_weights(model, labels, sample_weight):
    """What every loss of training is divided by, dict of name -> float32 scalar."""
    of_added = {each.name: each.weight(labels, sample_weight) for each in model.added_losses}
    return {**model.loss_weights(labels, sample_weight), **of_added}


def loss_terms(model, inputs, outputs, labels, sample_weight):
    """The losses of training, the task's own and the added ones, dict of name -> (sum, weight)."""
    terms = dict(model.loss_terms(outputs, labels, sample_weight))
    for added in model.added_losses:
        total = added.total(inputs, outputs, labels, sample_weight)
        terms[added.name] = (total, added.weight(labels, sample_weight))
    return terms


def total_loss(model, sums, weights):
    """The loss a step descends: each loss's sum over its total weight, times its factor."""
    names = model.training_loss_names
    means = [tf.math.divide_no_nan(sums[name], weights[name]) for name in names]
    return tf.add_n([model.factor(name) * mean for name, mean in zip(names, means, strict=True)])


def apply_gradients(model, gradients, variables, loss):
    """Clips summed gradients by their global norm and applies them, if they are sound.

    Args:
      model: a compiled TaskModel.
      gradients: dense tensors, already summed over replicas, or for an optimizer that takes rows
        tf.IndexedSlices; under float16 still times the loss scale.
      variables: the variables they belong to.
      loss: float32 scalar, over all replicas.
    Returns:
      The global norm before clipping, float32 scalar, and whether they were applied, bool scalar.
    """
    optimizer = model.optimizer
    norm = tf.linalg.global_norm(gradients) / _loss_scale(optimizer)
    sound = tf.math.is_finite(loss)
    if model.max_loss is not None:
        sound &= loss <= model.max_loss
    factor = 1.0
    if model.clip_norm is not None:
        factor = model.clip_norm / tf.maximum(norm, model.clip_norm)
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        # It must see a gradient that overflowed, to lower its scale; it does not apply it.
        _apply_if(sound, optimizer, gradients, variables, factor)
        return norm, sound & tf.math.is_finite(norm)
    sound &= tf.math.is_finite(norm)
    _apply_if(sound, optimizer, gradients, variables, factor)
    return norm, sound


def _apply_if(sound, optimizer, gradients, variables, factor):
    """`_apply` under a condition, wherever the strategy allows a condition to stand."""
    if tf.__internal__.distribute.strategy_supports_no_merge_call():
        tf.cond(sound, lambda: _apply(optimizer, gradients, variables, factor), lambda: False)
        return

    def across_replicas(strategy, gradients, factor, sound):
        sound = strategy.experimental_local_results(sound)[0]
        each = strategy.extended.call_for_each_replica

        def apply():
            each(
                lambda gradients, factor: _apply(optimizer, gradients, variables, factor),
                args=(gradients, factor),
            )
            return True

        tf.cond(sound, apply, lambda: False)

    tf.distribute.get_replica_context().merge_call(across_replicas, (gradients, factor, sound))


def _apply(optimizer, gradients, variables, factor):
    """`optimizer.apply` of gradients times a factor, scaled by the optimizer if it can do that."""
    if hasattr(optimizer, "apply_scaled"):
        optimizer.apply_scaled(gradients, variables, factor)
    else:
        # Keras sums over replicas once more when it applies (TFOptimizer._backend_update_step).
        factor /= tf.distribute.get_replica_context().num_replicas_in_sync
        scaled = [gradient * tf.cast(factor, gradient.dtype) for gradient in gradients]
        optimizer.apply(scaled, variables)
    return True


def loss_and_gradients(
    model, variables, weights, sparse, update, replica, rows, micro_batch, shift=None
):
    """The gradients of one micro-batch's share of the loss, and the sums of its terms.

    With `model.adversarial` they are those of the loss and of the loss where the words' vectors are
    moved so far along its gradient (Miyato et al. 2017, arXiv 1605.07725, eq. 6 and 7; their
    vectors are normalized first, ours are after all three are summed). The examples of a packed row
    share one length of the move.

    Args:
      model, variables: a compiled TaskModel and its trainable variables.
      weights: dict of loss name -> float32 scalar, over the whole batch.
      sparse: bool, whether a table of words may have a gradient of the rows it was read at alone.
      update, replica, micro_batch: integer scalars, which the dropout key is made of.
      rows: (inputs, labels, sample_weight) of the micro-batch.
      shift: float32 [B, L, E], added to the words' vectors: the second pass of an adversarial step.
    Returns:
      list of tensors or, where `sparse` allows it, tf.IndexedSlices without repeated rows; and
      dict of name -> (sum, weight).
    """
    inputs, labels, sample_weight = rows
    moved = shift
    if model.adversarial is not None and shift is None:
        shape = tf.shape(inputs["input_ids"])
        moved = tf.zeros([*tf.unstack(shape), model.encoder.embeddings.width])
    if moved is not None:
        inputs = {**inputs, "embedding_shift": moved}
    with tf.GradientTape() as tape:
        tape.watch([] if moved is None else moved)
        key = model.step_key(update, replica, micro_batch)
        # Not model(...), which asks for texts first: one call less to the attention scores.
        outputs = keras.Model.__call__(model, inputs, training=True, key=key)
        terms = loss_terms(model, inputs, outputs, labels, sample_weight)
        loss = total_loss(model, {name: term[0] for name, term in terms.items()}, weights)
        loss *= _loss_scale(model.optimizer)
    gradients, slope = tape.gradient(loss, (variables, [] if moved is None else moved))
    _require_used(variables, gradients)
    terms |= model.metric_terms(outputs, labels, sample_weight)
    if model.adversarial is not None and shift is None:
        of_row = list(range(1, slope.shape.rank))
        steepness = tf.sqrt(tf.reduce_sum(tf.square(slope), axis=of_row, keepdims=True))
        shift = model.adversarial * tf.math.divide_no_nan(slope, steepness)
        step = (model, variables, weights, False, update, replica)
        others, _ = loss_and_gradients(*step, rows, micro_batch, shift)
        gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
        gradients = [one + other for one, other in zip(gradients, others, strict=True)]
    if sparse:
        return [_without_repeats(gradient) for gradient in gradients], terms
    return [tf.convert_to_tensor(gradient) for gradient in gradients], terms


def _require_used(variables, gradients):
    for variable, gradient in zip(variables, gradients, strict=True):
        if gradient is None:
            raise ValueError(
                f"{variable.path} takes no part in the loss; freeze it or leave it out"
            )


def _without_repeats(gradient):
    """A gradient as it is, or, of a tf.IndexedSlices, every row once: its sum."""
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    rows, places = tf.unique(gradient.indices)
    values = tf.math.unsorted_segment_sum(gradient.values, places, tf.size(rows))
    return tf.IndexedSlices(values, rows, gradient.dense_shape)


def _accumulated(step, rows, count):
    """The sum over micro-batches, one after the other so that memory stays flat.

    Args:
      step: the first arguments of `loss_and_gradients`.
      rows: the whole batch.
      count: int, of micro-batches, or an integer scalar that divides the rows: XLA wants all equal.
    """

    def add(index, total):
        part = loss_and_gradients(*step, _micro_batch(rows, index, count), index)
        return index + 1, tf.nest.map_structure(tf.add, total, part)

    first = loss_and_gradients(*step, _micro_batch(rows, 0, count), 0)
    return _counted(count, add, first, 1)


def _cached(step, rows, count):
    """The gradients of a loss over a whole batch, a micro-batch in memory at a time (Gao et al.
    2021, arXiv 2101.06983, section 3.2): all outputs first, without what a gradient needs; the
    loss's gradient to them; then every micro-batch again, under the same dropout masks, and what
    its own outputs' gradient makes of the weights.

    Args and Returns: as `_accumulated`, of a model whose outputs are one tensor.
    """
    model, variables, weights, _, update, replica = step
    inputs, labels, sample_weight = rows
    if model.adversarial is not None:
        raise ValueError("adversarial and accumulate: wanted one of them, the loss is of the batch")

    def outputs_of(index):
        key = model.step_key(update, replica, index)
        return model(_micro_batch(inputs, index, count), training=True, key=key)

    shapes = []  # of a part as it is traced; the array forgets them

    def write(index, parts):
        part = outputs_of(index)
        shapes.append(part.shape)
        return index + 1, parts.write(index, part)

    parts = tf.TensorArray(tf.float32, count, infer_shape=False)
    parts = _counted(count, write, parts)
    outputs = tf.ensure_shape(parts.concat(), [None, *shapes[0][1:]])
    with tf.GradientTape() as tape:
        tape.watch(outputs)
        terms = loss_terms(model, inputs, outputs, labels, sample_weight)
        loss = total_loss(model, {name: term[0] for name, term in terms.items()}, weights)
        loss *= _loss_scale(model.optimizer)
    slope = tape.gradient(loss, outputs)

    def add(index, total):
        with tf.GradientTape() as tape:
            share = tf.reduce_sum(outputs_of(index) * _micro_batch(slope, index, count))
        gradients = tape.gradient(share, variables)
        _require_used(variables, gradients)
        return index + 1, [one + more for one, more in zip(total, gradients, strict=True)]

    gradients = _counted(count, add, [tf.zeros(x.shape, x.dtype) for x in variables])
    return gradients, terms | model.metric_terms(outputs, labels, sample_weight)


def _counted(count, body, state, first=0):
    """What `body` makes of (index, state) for index `first` to count - 1, one after the other."""
    start = (tf.constant(first), state)
    return tf.while_loop(lambda index, _: index < count, body, start, parallel_iterations=1)[1]


def _micro_batch(rows, index, count):
    """Rows of micro-batch `index` of `count`; the last ones may be smaller, or empty."""

    def cut(x):
        size = -(-tf.shape(x)[0] // count)
        if tf.is_tensor(count):  # of equal ones XLA knows the shape
            parts = tf.reshape(x, tf.concat([[count, size], tf.shape(x)[1:]], axis=0))
            return tf.ensure_shape(tf.gather(parts, index), [None, *x.shape[1:]])
        return x[index * size : (index + 1) * size]

    return tf.nest.map_structure(lambda x: None if x is None else cut(x), rows)


def _divisor(rows, least):
    """The smallest count from `least` on that divides a batch's rows, or all; integer scalar."""
    sizes = tf.stack([tf.shape(x)[0] for x in tf.nest.flatten(rows[0])])  # of several tasks, some 0
    most = tf.maximum(tf.reduce_max(sizes), 1)
    counts = tf.range(1, most + 1)
    even = tf.reduce_all(sizes % counts[:, None] == 0, axis=1)
    return tf.reduce_min(tf.where(even & (counts >= least), counts, most))


def _only_if(applied, term):
    """A term (sum, weight), or nothing at all for a step that was not applied."""
    return tuple(tf.where(applied, x, tf.zeros_like(x)) for x in term)


def _loss_scale(optimizer):
    """The factor that keeps float16 gradients from vanishing; 1 under other precisions."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return tf.convert_to_tensor(optimizer.scale_loss(1.0))
    return 1.0
