"""Rows of a table -> padded batches of token ids, in tf.data.

A window of 64 batches is read and tokenized at once, its rows are sorted by length and cut into
batches, each padded to its own longest row. Python runs once a window; all else is TensorFlow.
"""

import math

import numpy as np
import tensorflow as tf

from bert_tf.data import order
from bert_tf.data.readers import read_table


@tf.autograph.experimental.do_not_convert
def read_dataset(
    file,
    tokenizer,
    batch_size=32,
    max_length=128,
    text="text",
    text_pair=None,
    label="label",
    shuffle_seed=None,
    format=None,
    problem_type=None,
    like=None,
):
    """Read a file of texts and labels as a dataset for `fit`, `evaluate` or `predict`.

    Args:
      file: str. A TSV, CSV or JSON lines file.
      tokenizer: Tokenizer.
      batch_size: int. Rows a batch.
      max_length: int. The longest row in tokens; longer texts are cut.
      text, text_pair, label, format, problem_type, like: as in `read_table`; for a validation file
        give `like` the training dataset, or the model, so that both number the labels alike.
      shuffle_seed: int or None. With a seed this is a training set: after a full pass the next
        `iter()` is the next epoch, from 0 on, each in the order of `bert-tf finetune` under the
        same seed; all batches are full, the last one with rows of the epoch's beginning. With None
        rows come in file order, except that, if there are labels, each 64 batches are sorted by
        length; the last batch may be short.
    Returns:
      tf.data.Dataset of (inputs, labels), or of inputs alone when `label` is None. inputs: dict of
      int32 [batch, length] `input_ids`, `attention_mask`, `token_type_ids`; labels: int32 [batch],
      or float32 [batch, classes] multi-hot, or float32 [batch] ratings. It carries `label_names`
      and `problem_type`, which datasets derived from it do not.
    Raises:
      InputError, ConfigError: as `read_table`.
    """
    table = read_table(file, text, text_pair, label, format, problem_type, like)
    if shuffle_seed is None:
        plan = order.FileOrder(len(table), batch_size)
        windows = tf.data.Dataset.range(plan.epoch_windows)
    else:
        plan = order.TrainingOrder(len(table), batch_size, shuffle_seed)
        epochs = _Epochs(plan)
        windows = epochs.windows()
    by_length = shuffle_seed is not None or label is not None
    windows = _tokenized(windows, plan.window, table, tokenizer, max_length, "labels", by_length)
    dataset = _batches(windows, batch_size, max_length, full=shuffle_seed is not None)
    if shuffle_seed is not None:
        dataset = epochs.counted(dataset)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(plan.epoch_steps))
    dataset.label_names, dataset.problem_type = table.label_names, table.problem_type
    return dataset


def epoch_steps(table, batch_size):
    """How many batches hold every row of a table once."""
    return math.ceil(len(table) / batch_size)


@tf.autograph.experimental.do_not_convert
def training_batches(
    table,
    tokenizer,
    *,
    batch_size,
    max_length,
    seed,
    start_step=0,
    stop_step=None,
    length_multiple=1,
    extra="labels",
):
    """The batches of the steps start_step, start_step + 1, ..., the same wherever the run starts.

    Args:
      table: Table with labels.
      tokenizer: Tokenizer.
      batch_size: int. Rows a batch; every batch is full.
      max_length: int. The longest row in tokens.
      seed: int >= 0. With a step's number it decides the step's rows.
      start_step: int. The first step, counted from 0 over all epochs; nothing before it is read
        but what shares its window of 64 batches.
      stop_step: int or None. The step before which to end; None goes on for ever.
      length_multiple: int. Batch lengths are rounded up to a multiple of it, as far as max_length
        allows. 1 pads least, and is right wherever a new shape is free; under XLA every length is
        compiled anew, so that few lengths, 32 apart or more, are worth their padding.
      extra: "labels", or "rows" to get the numbers of the rows in their place.
    Returns:
      tf.data.Dataset of (inputs, labels), as read_dataset gives; the batch dimension is static.
    """
    plan = order.TrainingOrder(len(table), batch_size, seed)
    first, skipped = plan.locate(start_step)

    def window(number):
        rows, batches = plan.window(number)
        return rows, batches[skipped:] if number == first else batches

    windows = tf.data.Dataset.range(first, np.iinfo(np.int64).max)
    windows = _tokenized(windows, window, table, tokenizer, max_length, extra)
    dataset = _batches(windows, batch_size, max_length, length_multiple, full=True)
    return until(dataset, start_step, stop_step)


def until(batches, start_step, stop_step):
    """Endless batches from start_step on, up to the one before stop_step or, where that is None,
    for ever; the dataset knows how many they are."""
    count = tf.data.INFINITE_CARDINALITY
    if stop_step is not None:
        count = max(0, stop_step - start_step)
        batches = batches.take(count)
    return batches.apply(tf.data.experimental.assert_cardinality(count))


def rows_of_step(table, tokenizer, step, **arguments):
    """The numbers of the rows in one training batch, int64 [batch_size], to look into.

    Args:
      step: int, counted from 0 over all epochs.
      table, tokenizer, **arguments: what `training_batches` was given.
    """
    dataset = training_batches(
        table, tokenizer, **arguments, start_step=step, stop_step=step + 1, extra="rows"
    )
    return next(iter(dataset))[1].numpy()


def evaluation_batches(table, tokenizer, *, batch_size, max_length, length_multiple=1):
    """Every row once, for metrics: (inputs, labels), by length within each 64 batches of the file.

    Args and Returns: as training_batches; the last batch may be short.
    """
    return _once(table, tokenizer, batch_size, max_length, length_multiple, "labels")


def prediction_batches(table, tokenizer, *, batch_size, max_length, length_multiple=1):
    """Every row once, with its number: (inputs, rows), rows int64 [batch] counted from 0.

    The order is by length within each 64 batches: put a result where its row's number says.

    Args and Returns: else as evaluation_batches; `table` may be a TextList.
    """
    return _once(table, tokenizer, batch_size, max_length, length_multiple, "rows")


def padding_share(attention_mask):
    """The share of a batch's positions that are padding.

    Args:
      attention_mask: int [batch, length], 0 where padding is.
    Returns:
      float32 scalar, 0 to 1.
    """
    return tf.reduce_mean(tf.cast(tf.equal(attention_mask, 0), tf.float32))


def overlong_share(table, tokenizer, max_length, sample=1000):
    """About which share of a table's rows `max_length` cuts, from a fixed sample of the rows.

    Args:
      table: Table or TextList.
      tokenizer: Tokenizer.
      max_length: int, in tokens.
      sample: int. How many rows to look at, at most.
    Returns:
      float, 0 to 1.
    """
    rows = order.shuffled(len(table), 0, order.SAMPLE)[:sample]
    texts, pairs = table.texts(rows)
    tokens = tokenizer(texts, pairs, max_length=max_length + 1)
    lengths = tf.math.count_nonzero(tokens["attention_mask"], axis=1)
    return float(np.mean(lengths.numpy() > max_length))


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
def _once(table, tokenizer, batch_size, max_length, length_multiple, beside):
    plan = order.FileOrder(len(table), batch_size)
    windows = tf.data.Dataset.range(plan.epoch_windows)
    windows = _tokenized(windows, plan.window, table, tokenizer, max_length, beside)
    dataset = _batches(windows, batch_size, max_length, length_multiple)
    return dataset.apply(tf.data.experimental.assert_cardinality(plan.epoch_steps))


def _tokenized(windows, plan, table, tokenizer, max_length, beside, by_length=True):
    """Read and tokenize windows; what comes of one depends on its number alone.

    Args:
      windows: dataset of int64 window numbers.
      plan: function from such a number to (rows, order of the batches), both int64 arrays.
      beside: "labels" or "rows": what accompanies the tokens; labels of a table without any are
        left out.
      by_length: bool. Whether to sort the rows by their length in tokens.
    Returns:
      Dataset of (tokens: dict of int32 [rows, max_length], lengths: int64 [rows], batches: int64
      [batches]) and, unless it is left out, what is beside.
    """
    fetch = table.labels if beside == "labels" else np.asarray
    paired, example = table.texts(np.arange(1))[1] is not None, fetch(np.arange(1))
    beside_kind = () if example is None else (tf.as_dtype(example.dtype),)

    def read(number):
        rows, batches = plan(number)
        texts, pairs = table.texts(rows)
        beside = () if example is None else (fetch(rows),)
        return as_bytes(texts), as_bytes(pairs or []), batches, *beside

    def tokenize(number):
        kinds = (tf.string, tf.string, tf.int64, *beside_kind)
        texts, pairs, batches, *beside = tf.numpy_function(read, [number], kinds)
        for vector in (texts, pairs, batches):
            vector.set_shape([None])
        for values in beside:
            values.set_shape([None, *example.shape[1:]])
        tokens = tokenizer(
            texts, pairs if paired else None, max_length=max_length, padding="max_length"
        )
        lengths = tf.math.count_nonzero(tokens["attention_mask"], axis=1)
        rows = (tokens, lengths, *beside)
        if by_length:
            ranks = tf.argsort(lengths, stable=True)
            rows = tf.nest.map_structure(lambda values: tf.gather(values, ranks), rows)
        tokens, lengths, *beside = rows
        return tokens, lengths, batches, *beside

    return windows.map(tokenize, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def _batches(windows, batch_size, max_length, length_multiple=1, full=False):
    """Cut tokenized windows into batches, each as long as its own longest row; `full` says that
    there are no short ones."""
    height = batch_size if full else None

    def cut(batch, tokens, lengths, *beside):
        rows = slice(batch * batch_size, (batch + 1) * batch_size)
        length = tf.reduce_max(lengths[rows])
        length = tf.minimum(-(-length // length_multiple) * length_multiple, max_length)
        inputs = {
            name: tf.ensure_shape(ids[rows, :length], [height, None])
            for name, ids in tokens.items()
        }
        beside = [tf.ensure_shape(values[rows], [height, *values.shape[1:]]) for values in beside]
        return (inputs, *beside) if beside else inputs

    def batches_of(tokens, lengths, batches, *beside):
        numbers = tf.data.Dataset.from_tensor_slices(batches)
        return numbers.map(lambda batch: cut(batch, tokens, lengths, *beside))

    return windows.flat_map(batches_of).prefetch(tf.data.AUTOTUNE)


def as_bytes(texts):
    """Texts as UTF-8 in an object array, which tf.numpy_function takes as strings of any length."""
    encoded = np.empty(len(texts), object)
    encoded[:] = [text.encode() for text in texts]
    return encoded
