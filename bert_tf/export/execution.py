"""How an export runs its model: no work for padding, rows of like lengths together, few at once."""

import tensorflow as tf

from bert_tf.errors import ConfigError
from bert_tf.export.operations import FEW
from bert_tf.layers import done_by

# Windows of long texts that go through a model together.
_ROWS_AT_ONCE = 32


def running(model, weights):
    """A model as a function of inputs, as an export runs it.

    Args:
      model: TaskModel.
      weights: operations.Weights.
    Returns:
      function of inputs, dict of tensors, to outputs.
    Raises:
      ConfigError: the model computes in another precision than float32 or the weights'.
    """
    if weights.precision != "float32" and model.compute_dtype != "float32":
        said = f"precision: {weights.precision}, and the model is in {model.compute_dtype}"
        raise ConfigError(said)

    def compiled(steps):
        run = without_padding(model, steps)
        return tf.function(run, autograph=False, reduce_retracing=True)

    part, short = compiled(weights.steps()), compiled(weights.steps(few=True))
    run = in_parts(part) if model.windowed else by_length(part)
    return by_tokens(short, run, *FEW[weights.precision])


def without_padding(model, steps):
    """A model as a function of inputs, which does no work for padding where its encoder can.

    Args:
      model: TaskModel.
      steps: Steps.
    Returns:
      function of inputs, dict of tensors, to outputs.
    """

    def run(inputs):
        with done_by(steps):
            return model(model.encoder.without_padding(inputs), training=False)

    return run


def by_tokens(short, run, least, most):
    """A model as a function of any number of rows, to which few tokens go another way.

    A sentence alone waits for what is done a call, not for what is done a token; and where
    TensorFlow takes variables for constants (`TF_ONEDNN_ASSUME_FROZEN_WEIGHTS=1`), each way has its
    kernels packed as its products want them.

    Args:
      short, run: functions of inputs, dict of tensors, to the same outputs; `short` is taken
        where all rows together have from `least` to `most` tokens.
      least, most: int.
    Returns:
      function of such inputs to outputs.
    """

    def either(inputs):
        tokens = tf.math.count_nonzero(inputs["attention_mask"], dtype=tf.int32)
        few = tf.logical_and(tokens >= least, tokens <= most)
        return tf.cond(few, lambda: short(_of_model(inputs)), lambda: run(inputs))

    return either


def by_length(few):
    """A model as a function of any number of rows, which runs those of like lengths together.

    Attention takes the square of the longest row of a part, and not of all rows. A model whose
    outputs have an entry a token runs all rows at once.

    Args:
      few: tf.function of inputs, dict of tensors with one entry a row, to outputs.
    Returns:
      function of such inputs to outputs.
    """
    parts = in_parts(few, trimmed=True)

    def run(inputs):
        outputs = tf.nest.flatten(few.get_concrete_function(inputs).structured_outputs)
        if not all(x.shape[1:].is_fully_defined() for x in outputs):
            return few(inputs)
        order = tf.argsort(_lengths(inputs["attention_mask"]))
        outputs = parts({name: tf.gather(x, order) for name, x in inputs.items()})
        back = tf.math.invert_permutation(order)
        return tf.nest.map_structure(lambda x: tf.gather(x, back), outputs)

    return run


def in_parts(few, trimmed=False):
    """A model as a function of any number of rows, which runs them a few at a time.

    All windows of a long text, or all texts of a large request, may not fit into memory. The model
    stands in the graph once, as the body of a loop: each place where it stands has its own kernels.

    Args:
      few: as in `by_length`; what has an entry a token has one for each token of the inputs.
      trimmed: bool, whether a part's rows end with the longest of them.
    Returns:
      function of such inputs to outputs.
    """

    def taken(inputs, begin):
        part = {name: x[begin : begin + _ROWS_AT_ONCE] for name, x in inputs.items()}
        if not trimmed:
            return part
        mask = part["attention_mask"]
        longest, axes = tf.reduce_max(_lengths(mask)), mask.shape.rank
        return {x: y[..., :longest] if y.shape.rank == axes else y for x, y in part.items()}

    def run(inputs):
        inputs = _of_model(inputs)
        outputs = few.get_concrete_function(inputs).structured_outputs
        sizes = tf.shape(inputs["input_ids"])
        count, length = sizes[0], sizes[-1]

        def none(x):
            shape = [length if size is None else size for size in x.shape[1:]]
            return tf.zeros([0, *shape], x.dtype)

        def more(begin, *before):
            found = tf.nest.flatten(few(taken(inputs, begin)))
            both = zip(before, found, strict=True)
            return begin + _ROWS_AT_ONCE, *(tf.concat(pair, axis=0) for pair in both)

        flat = tf.nest.flatten(outputs)
        grown = [tf.TensorShape([None, *x.shape[1:]]) for x in flat]
        _, *flat = tf.while_loop(
            lambda begin, *_: begin < count,
            more,
            [tf.constant(0), *(none(x) for x in flat)],
            shape_invariants=[tf.TensorShape([]), *grown],
            parallel_iterations=1,
        )
        return tf.nest.pack_sequence_as(outputs, flat)

    return run


def _of_model(inputs):
    """Without the number of each window's text, which an answer reads and no model."""
    return {name: x for name, x in inputs.items() if name != "rows"}


def _lengths(mask):
    """The tokens of each row, or of its longest text or window: [N, ..., L] -> int32 [N]."""
    tokens = tf.reduce_sum(tf.cast(mask > 0, tf.int32), axis=-1)
    return tf.reduce_max(tokens, axis=list(range(1, tokens.shape.rank)))
