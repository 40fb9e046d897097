"""Rows of a table -> padded batches of a task's inputs and labels, in tf.data.

A window of 64 batches is read and made into features at once, its rows are sorted by length and cut
into batches, each padded to its own longest row. Python runs once a window; all else is TensorFlow.
"""

import math
import os

import numpy as np
import tensorflow as tf

from bert_tf.data import order
from bert_tf.data.cells import cell_tensors, cell_types, flat_cells

# Windows that are made at a time, or batches where each is made alone.
PARALLEL = min(os.cpu_count() or 1, 8)


@tf.autograph.experimental.do_not_convert
def repeated_epochs(table, features, *, batch_size, seed):
    """A training set for `fit`: after a full pass the next `iter()` is the next epoch.

    Args:
      table, features, batch_size, seed: as in `training_batches`.
    Returns:
      tf.data.Dataset of (inputs, labels), the epochs from 0 on in the order of `training_batches`.
    """
    plan = order.TrainingOrder(len(table), batch_size, seed)
    epochs = _Epochs(plan)
    windows = _windows(epochs.windows(), plan.window, table, features, ("labels",))
    dataset = epochs.counted(_batches(windows, features, batch_size, full=True))
    return of_length(dataset, plan.epoch_steps)


def epoch_steps(table, batch_size):
    """How many batches hold every row of a table once."""
    return math.ceil(len(table) / batch_size)


@tf.autograph.experimental.do_not_convert
def training_batches(
    table,
    features,
    *,
    batch_size,
    seed,
    start_step=0,
    stop_step=None,
    length_multiple=1,
    extra="labels",
):
    """The batches of the steps start_step, start_step + 1, ..., the same wherever the run starts.

    Args:
      table: Table with labels.
      features: a task's features, see tasks.features.Features: a function of cells with
        `token_axes` and `max_length`.
      batch_size: int. Rows a batch; every batch is full.
      seed: int >= 0. With a step's number it decides the step's rows.
      start_step: int. The first step, counted from 0 over all epochs; nothing before it is read
        but what shares its window of 64 batches.
      stop_step: int or None. The step before which to end; None goes on for ever.
      length_multiple: int. Batch lengths are rounded up to a multiple of it, as far as max_length
        allows. 1 pads least, and is right wherever a new shape is free; under XLA every length is
        compiled anew, so that few lengths, 32 apart or more, are worth their padding.
      extra: "labels", or "rows" to get the numbers of the rows in their place, or a tuple of both.
    Returns:
      tf.data.Dataset of (inputs, labels), as the features are; the batch dimension is static.
    """
    plan = order.TrainingOrder(len(table), batch_size, seed)
    first, skipped = plan.locate(start_step)

    def window(number):
        rows, batches = plan.window(number)
        return rows, batches[skipped:] if number == first else batches

    windows = tf.data.Dataset.range(first, np.iinfo(np.int64).max)
    beside = extra if isinstance(extra, tuple) else (extra,)
    windows = _windows(windows, window, table, features, beside)
    dataset = _batches(windows, features, batch_size, length_multiple, full=True)
    return until(dataset, start_step, stop_step)


def until(batches, start_step, stop_step):
    """Endless batches from start_step on, up to the one before stop_step or, where that is None,
    for ever; the dataset knows how many they are."""
    count = tf.data.INFINITE_CARDINALITY
    if stop_step is not None:
        count = max(0, stop_step - start_step)
        batches = batches.take(count)
    return of_length(batches, count)


def of_length(batches, count):
    """The same batches as a dataset that knows how many they are.

    tf.data's own tuning is off, which has nothing to find here: its thread sleeps between two looks
    at an iterator, up to a second in runs that are short, and the iterator ends when it wakes.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return batches.apply(tf.data.experimental.assert_cardinality(count)).with_options(options)


def rows_of_step(table, features, step, **arguments):
    """The numbers of the rows in one training batch, int64 [batch_size], to look into.

    Args:
      step: int, counted from 0 over all epochs.
      table, features, **arguments: what `training_batches` was given.
    """
    dataset = training_batches(
        table, features, **arguments, start_step=step, stop_step=step + 1, extra="rows"
    )
    return next(iter(dataset))[1].numpy()


def evaluation_batches(
    table, features, *, batch_size, length_multiple=1, by_length=True, numbered=False
):
    """Every row once, for metrics: (inputs, labels), by length within each 64 batches of the file.

    Args and Returns: as training_batches; the last batch may be short. With `by_length` False rows
    come in file order. With `numbered` (inputs, labels, rows), as prediction_batches has the rows.
    Of a table without labels the inputs alone.
    """
    beside = ("labels", "rows") if numbered else ("labels",)
    return _once(table, features, batch_size, length_multiple, beside, by_length)


def prediction_batches(table, features, *, batch_size, length_multiple=1):
    """Every row once, with its number: (inputs, rows), rows int64 [batch] counted from 0.

    The order is by length within each 64 batches: put a result where its row's number says.

    Args and Returns: else as evaluation_batches.
    """
    return _once(table, features, batch_size, length_multiple, ("rows",))


def padding_share(attention_mask):
    """The share of a batch's positions that are padding.

    Args:
      attention_mask: int [batch, length], 0 where padding is.
    Returns:
      float32 scalar, 0 to 1.
    """
    return tf.reduce_mean(tf.cast(tf.equal(attention_mask, 0), tf.float32))


def overlong_share(table, features, sample=1000):
    """About which share of a table's rows `max_length` cuts, from a fixed sample of the rows.

    Args:
      table: Table.
      features: as in `training_batches`, with one more token a row than those that are trained on.
      sample: int. How many rows to look at, at most.
    Returns:
      float, 0 to 1.
    """
    rows = order.shuffled(len(table), 0, order.SAMPLE)[:sample]
    arrays = flat_cells(table.kinds, table.cells(rows))
    inputs, _ = features(cell_tensors(table.kinds, list(map(tf.constant, arrays))))
    return float(np.mean(_sizes(inputs)[1].numpy() >= features.max_length))


class _Epochs:
    """The epochs of a dataset that is iterated over and over: each `iter()` has the present one.

    It is over when its last batch is taken; a pass broken off, such as a look at the first batch,
    or the one with which Keras builds a model under a strategy, does not count.
    """

    def __init__(self, plan):
        self._plan, self._present = plan, 0

    def windows(self):
        """The window numbers of the present epoch."""
        count = self._plan.epoch_windows

        def first_window(_):
            return tf.numpy_function(lambda: np.int64(self._present * count), [], tf.int64)

        first = tf.data.Dataset.range(1).map(first_window)
        return first.flat_map(lambda number: tf.data.Dataset.range(number, number + count))

    def counted(self, batches):
        """The batches as they are, while the last one moves the present epoch on."""

        def count(number):
            self._present += int(number + 1 == self._plan.epoch_steps)
            return number

        def counting(number, batch):
            with tf.control_dependencies([tf.numpy_function(count, [number], tf.int64)]):
                return tf.nest.map_structure(tf.identity, batch)

        return batches.enumerate().map(counting)


@tf.autograph.experimental.do_not_convert
def _once(table, features, batch_size, length_multiple, beside, by_length=True):
    plan = order.FileOrder(len(table), batch_size)
    windows = tf.data.Dataset.range(plan.epoch_windows)
    windows = _windows(windows, plan.window, table, features, beside, by_length)
    dataset = _batches(windows, features, batch_size, length_multiple)
    return of_length(dataset, plan.epoch_steps)


def _sizes(inputs):
    """How large each row is: the place of its last text, from 1, and the tokens of its longest one.

    Args:
      inputs: dict with `attention_mask` [rows, length], or [rows, texts, length] of rows that are
        several texts, such as choices or windows; [rows, T, texts, length] of T such groups a row.
    Returns:
      int64 [rows] each; the first is 1 where a row is one text.
    """
    lengths = tf.math.count_nonzero(inputs["attention_mask"], axis=-1)
    if "decoder_attention_mask" in inputs:  # a text to write beside that to read
        written = tf.math.count_nonzero(inputs["decoder_attention_mask"], axis=-1)
        lengths = tf.maximum(lengths, written)
    if lengths.shape.rank == 1:
        return tf.ones_like(lengths), lengths
    places = tf.range(1, tf.shape(lengths, tf.int64)[-1] + 1)
    axes = list(range(1, lengths.shape.rank))
    last = tf.reduce_max(tf.where(lengths > 0, places, 1), axis=axes)
    return last, tf.reduce_max(lengths, axis=axes)


def _windows(windows, plan, table, features, beside, by_length=True):
    """Read windows and make features of them; what comes of one depends on its number alone.

    Args:
      windows: dataset of int64 window numbers.
      plan: function from such a number to (rows, order of the batches), both int64 arrays.
      beside: tuple of "labels" and "rows": what accompanies the inputs; labels of a table without
        any are left out.
      by_length: bool. Whether to sort the rows by their length in tokens.
    Returns:
      Dataset of (rows, sizes, batches). rows: dict of `inputs`, `labels` and `rows`; sizes: what
      `_sizes` gives; batches: int64 [batches].
    """
    example = table.labels(np.arange(1))

    def read(number):
        rows, batches = plan(number)
        labels = None if example is None else table.labels(rows)
        return rows, batches, *flat_cells(table.kinds, table.cells(rows), labels)

    def window(number):
        types = (tf.int64, tf.int64, *cell_types(table.kinds, example))
        numbers, batches, *arrays = tf.numpy_function(read, [number], types)
        numbers, batches = (tf.ensure_shape(x, [None]) for x in (numbers, batches))
        inputs, labels = features(cell_tensors(table.kinds, arrays, example, table.label))
        sizes = _sizes(inputs)
        rows = {"inputs": inputs, "labels": labels, "rows": numbers}
        rows = {x: rows[x] for x in ("inputs", *beside) if rows[x] is not None}
        if by_length:
            texts, lengths = sizes
            ranks = tf.argsort(texts * (features.max_length + 1) + lengths, stable=True)
            rows, sizes = tf.nest.map_structure(lambda x: tf.gather(x, ranks), (rows, sizes))
        return rows, sizes, batches

    return windows.map(window, num_parallel_calls=PARALLEL, deterministic=True)


def _batches(windows, features, batch_size, length_multiple=1, full=False):
    """Cut windows into batches, each as long as its own longest row, and with as many texts a row
    as its largest one; `full` says that there are no short ones."""
    height = batch_size if full else None

    def cut(values, name, rows, texts, length):
        values, axis = values[rows], features.token_axes.get(name)
        shape = [height, *values.shape[1:]]
        if axis is not None:
            shape[axis] = None
            values = values[(slice(None),) * axis + (slice(length),)]
        if axis is not None and axis >= 2:
            shape[axis - 1] = None
            values = values[(slice(None),) * (axis - 1) + (slice(texts),)]
        return tf.ensure_shape(values, shape)

    def batch_of(batch, rows, sizes):
        chosen = slice(batch * batch_size, (batch + 1) * batch_size)
        texts, length = (tf.reduce_max(size[chosen]) for size in sizes)
        length = tf.minimum(-(-length // length_multiple) * length_multiple, features.max_length)
        parts = []
        for name, part in rows.items():
            if isinstance(part, dict):
                some = {name: cut(x, name, chosen, texts, length) for name, x in part.items()}
                parts.append(some)
            else:
                parts.append(cut(part, name, chosen, texts, length))
        return tuple(parts) if len(parts) > 1 else parts[0]

    def batches_of(rows, sizes, batches):
        numbers = tf.data.Dataset.from_tensor_slices(batches)
        return numbers.map(lambda batch: batch_of(batch, rows, sizes))

    return windows.flat_map(batches_of).prefetch(2)
