"""A task model as a program of token ids: what engines run that get their tokens from elsewhere."""

import math

import numpy as np
import tensorflow as tf

from bert_tf.errors import InputError
from bert_tf.tasks.languages import SETTING

_NAMES = ("input_ids", "attention_mask", "token_type_ids")
# Rows and columns of the batches that an export is asked.
SHAPES = ((1, 5), (3, 17), (2, 512))
# What a file of Protocol Buffers or FlatBuffers may hold.
_LIMIT = 2**31


def input_names(model):
    """The inputs of a model's program, tuple of str, as transformers names them: token types only
    where the model tells any apart. InputError of a model that is told each text's language."""
    if model.data_settings.get(SETTING):
        raise InputError("language: an engine that gets ids alone is not told that of a text")
    types = getattr(model.encoder.config, "type_vocab_size", 0)
    return _NAMES if types > 1 else _NAMES[:2]


def ids_program(model, rows=None, length=None, dtype=tf.int64):
    """A model as a function of token ids.

    Args:
      model: TaskModel.
      rows, length: int, or None: any number.
      dtype: tf.DType of the ids.
    Returns:
      tf.function of integers [rows, length], one for each of `input_names`, to a dict of float32,
      see `TaskModel.outputs_of_ids`.
    """
    names = input_names(model)

    def run(*ids):
        inputs = {name: tf.cast(x, tf.int32) for name, x in zip(names, ids, strict=True)}
        outputs = model.outputs_of_ids(inputs)
        return {name: tf.cast(value, tf.float32) for name, value in outputs.items()}

    signature = [tf.TensorSpec([rows, length], dtype, name) for name in names]
    return tf.function(run, input_signature=signature, autograph=False)


def check_size(model, path, kind):
    """Raises InputError where a model's weights in float32 are more than a file may hold.

    Args:
      model: TaskModel.
      path: pathlib.Path of the file.
      kind: str, what it is, such as "an ONNX file".
    """
    size = sum(math.prod(x.shape) for x in model.weights) * 4
    if size >= _LIMIT:
        raise InputError(f"{path.name}: {size} bytes of weights, {kind} holds {_LIMIT}")


def sample_batches(model, length, shapes=SHAPES):
    """Batches of several shapes with padding behind some rows, and what the model says of them.

    Args:
      model: TaskModel.
      length: int, the longest row.
      shapes: pairs of int, rows and columns.
    Returns:
      (list of dict of int64 [B, L], list of dict of float32).
    """
    draw, config = np.random.default_rng(0), model.encoder.config
    batches = []
    for rows, columns in shapes:
        columns = min(columns, length)
        ids = draw.integers(0, config.vocab_size, (rows, columns))
        kept = columns - np.arange(rows) * columns // 4
        mask = np.arange(columns) < kept[:, None]
        types = mask & (np.arange(columns) >= columns // 2)
        values = (np.where(mask, ids, 0), mask, types)
        batch = {name: x.astype(np.int64) for name, x in zip(_NAMES, values, strict=True)}
        batches.append({name: batch[name] for name in input_names(model)})
    return batches, [expected(model, batch) for batch in batches]


def expected(model, batch):
    """What a model says of a batch of ids, dict of float32 arrays."""
    inputs = {name: tf.constant(x, tf.int32) for name, x in batch.items()}
    return {name: np.asarray(x, np.float32) for name, x in model.outputs_of_ids(inputs).items()}


def require_equal(found, wanted, tolerance, said):
    """Raises InputError unless an engine's outputs are the model's.

    Args:
      found, wanted: iterables of dict of arrays, a batch each.
      tolerance: float, for outputs of size 1, and in proportion above.
      said: str, what the error names, such as "ONNX Runtime".
    Returns:
      float, the largest difference, in proportion.
    """
    worst = 0.0
    for theirs, ours in zip(found, wanted, strict=True):
        if set(theirs) != set(ours):
            names = f"{', '.join(sorted(theirs))}, the model's are {', '.join(sorted(ours))}"
            raise InputError(f"{said}: the outputs are {names}; nothing was exported")
        for name, values in ours.items():
            got = theirs[name]
            if got.shape != values.shape:
                shapes = f"{list(got.shape)}, the model's {list(values.shape)}"
                raise InputError(f"{said}: {name} has shape {shapes}; nothing was exported")
            if not np.isfinite(got).all():
                raise InputError(f"{said}: {name} holds no finite numbers; nothing was exported")
            size = max(1.0, np.abs(values).max(initial=0.0))
            difference = float(np.abs(got - values).max(initial=0.0) / size)
            if not difference <= tolerance:
                raise InputError(
                    f"{said}: {name} differs from the model's by {difference:.1e}, allowed "
                    f"{tolerance:.1e}; nothing was exported"
                )
            worst = max(worst, difference)
    return worst
