"""Pretraining records -> batches: masked, perhaps noisy, perhaps packed.

A batch is a pure function of (seed, step): which rows it has, as in pipeline.training_batches, and
what is masked in each, which the row's number tells apart. So a run goes on at any step as if it
had never stopped.
"""

import numpy as np
import tensorflow as tf

from bert_tf.data import order
from bert_tf.data.packing import PackedOrder, pack_rows
from bert_tf.data.pipeline import PARALLEL, of_length, until
from bert_tf.errors import ConfigError
from bert_tf.pretraining_data.corpus import cloze
from bert_tf.pretraining_data.hidden import LABELS, hide
from bert_tf.pretraining_data.noise import add_noise

# Google's names -> the names that models read.
_INPUTS = {
    "input_ids": "input_ids",
    "input_mask": "attention_mask",
    "segment_ids": "token_type_ids",
}
_MASKS = {
    "masked_lm_positions": "masked_positions",
    "masked_lm_ids": "masked_ids",
    "masked_lm_weights": "masked_weights",
}
_BOUNDARY = "token_boundary"
_NO_LABEL = -1
# The mask of an evaluation row is that of no step of a run.
_EVALUATION = 2**62


@tf.autograph.experimental.do_not_convert
def pretraining_batches(
    table,
    masking,
    vocabulary,
    *,
    batch_size,
    seed,
    start_step=0,
    stop_step=None,
    length_multiple=1,
    noise=None,
    packing=None,
    extra="labels",
    words="masked_lm",
):
    """The batches of the steps start_step, start_step + 1, ..., the same wherever the run starts.

    Args:
      table: RecordTable.
      masking: config.Masking, Neighbours or Denoising, for rows without masks; None for rows that
        have them.
      vocabulary: what `hidden.known_of` gives.
      batch_size: int. Rows a batch; every batch is full.
      seed: int >= 0. With a step's number it decides all there is to draw.
      start_step, stop_step, length_multiple: as in pipeline.training_batches; packed rows are
        always of the table's max_length.
      noise: noise.Noise, or None for none.
      packing: packing.Packing, or None for an example a row. It reads the lengths of all rows
        first.
      extra: "labels", or "rows" to get the numbers of the examples in their place.
      words: str, which words are asked; see `hidden.hide`.
    Returns:
      tf.data.Dataset of (inputs, labels); the batch dimension B is static. inputs: dict of int32
      [B, L] input_ids, attention_mask, token_type_ids, and masked_positions int32 [B, P], or what
      `hidden.hide` gives in their place; packed rows add what packing.pack_rows says. labels: dict
      of masked_ids int32 [B, P] and masked_weights float32 [B, P], or those of
      `skip_gram.skip_gram_rows`; next_sentence_labels int32 [B], if there are; and what further
      labels the records hold, [B] or [B, n]. Packed, those of examples are [B, S] or [B, S, n], and
      sentence_weights float32 [B, S] is with them.
      A cloze question NAME has among the inputs NAME_positions int32 [B], the blank, and
      NAME_candidates int32 [B, n, p], ids of the pieces and -1 for none; packed they are [B, S]
      and [B, S, n, p].
    Raises:
      ConfigError: the records have masks and masking is given, or neither.
    """
    examples = _examples_of(table, masking, vocabulary, noise, words)
    if packing is None:
        plan = order.TrainingOrder(len(table), batch_size, seed)
        dataset = _training_windows(table, examples, plan, start_step, length_multiple)
    else:
        plan = packed_order(table, batch_size, seed, packing)
        dataset = _packed(table, examples, plan, start_step)
    dataset = dataset.map(
        lambda inputs, labels, rows: (inputs, rows if extra == "rows" else labels)
    ).prefetch(2)
    return until(dataset, start_step, stop_step)


def rows_of_step(table, masking, vocabulary, step, **arguments):
    """The numbers of the examples in one training batch, int64 [batch_size] or, packed, [E].

    Args:
      step: int, counted from 0 over all epochs.
      table, masking, vocabulary, **arguments: what `pretraining_batches` was given.
    """
    steps = dict(start_step=step, stop_step=step + 1, extra="rows")
    dataset = pretraining_batches(table, masking, vocabulary, **arguments, **steps)
    return next(iter(dataset))[1].numpy()


def epoch_steps(table, batch_size, packing=None):
    """How many batches hold every record once."""
    if packing is None:
        return -(-len(table) // batch_size)
    return packed_order(table, batch_size, 0, packing).epoch_steps


def packed_order(table, batch_size, seed, packing):
    """Which examples share a row, packing.PackedOrder; arguments as in pretraining_batches."""
    return PackedOrder(table.lengths(), table.max_length, batch_size, seed, packing)


@tf.autograph.experimental.do_not_convert
def evaluation_batches(
    table, masking, vocabulary, *, batch_size, seed=0, length_multiple=1, words="masked_lm"
):
    """Every record once, for metrics, each with the same mask whenever and with whom it is read.

    Args:
      seed: int >= 0. Decides the masks, together with a row's number.
      table, masking, vocabulary, batch_size, length_multiple, words: as in pretraining_batches.
    Returns:
      tf.data.Dataset of (inputs, labels), by length within each 64 batches of the table; the last
      batch may be short.
    """
    examples = _examples_of(table, masking, vocabulary, None, words)
    plan = order.FileOrder(len(table), batch_size)

    def window(number):
        rows, batches = plan.window(number)
        return rows, batches, np.full(len(batches), _EVALUATION)

    numbers = tf.data.Dataset.range(plan.epoch_windows)
    batches = _window_batches(
        table, examples, seed, numbers, window, batch_size, length_multiple, full=False
    )
    batches = batches.map(lambda inputs, labels, rows: (inputs, labels)).prefetch(2)
    return of_length(batches, plan.epoch_steps)


def _training_windows(table, examples, plan, start_step, length_multiple):
    """Endless batches of (inputs, labels, rows) from a step on, read 64 at a time."""
    first, skipped = plan.locate(start_step)

    def window(number):
        rows, batches = plan.window(number)
        epoch, within = divmod(number, plan.epoch_windows)
        steps = epoch * plan.epoch_steps + within * order.WINDOW_BATCHES + np.arange(len(batches))
        begin = skipped if number == first else 0
        return rows, batches[begin:], steps[begin:]

    numbers = tf.data.Dataset.range(first, np.iinfo(np.int64).max)
    return _window_batches(
        table, examples, plan.seed, numbers, window, plan.batch_size, length_multiple, full=True
    )


def _window_batches(table, examples, seed, numbers, window, batch_size, length_multiple, full):
    """Batches of (inputs, labels, rows) of like lengths.

    Args:
      examples: function that `_examples_of` gives.
      numbers: dataset of window numbers, int64.
      window: function from such a number to (rows, order of the batches, their steps), int64.
      full: bool, there are no short batches.
    """

    def read(number):
        rows, batches, steps = window(number)
        return _serialized(table, rows), rows, batches, steps

    def parsed(number):
        kinds = (tf.string, tf.int64, tf.int64, tf.int64)
        serialized, rows, batches, steps = tf.numpy_function(read, [number], kinds)
        for vector in (serialized, rows, batches, steps):
            vector.set_shape([None])
        features = table.parse(serialized)
        lengths = tf.math.count_nonzero(features["input_mask"], axis=1, dtype=tf.int32)
        return features, lengths, rows, batches, steps

    def batches_of(features, lengths, rows, batches, steps):
        ranks = tf.argsort(lengths, stable=True)

        def cut(batch, step):
            chosen = ranks[batch * batch_size : (batch + 1) * batch_size]
            chosen = tf.ensure_shape(chosen, [batch_size if full else None])
            width = tf.reduce_max(tf.gather(lengths, chosen))
            width = tf.minimum(-(-width // length_multiple) * length_multiple, table.max_length)
            part = {name: tf.gather(values, chosen) for name, values in features.items()}
            for name in _of_tokens(table):
                part[name] = part[name][:, :width]
            numbers = tf.gather(rows, chosen)
            inputs, labels = examples(part, numbers, _key(seed, step))
            if length_multiple == 1 and "masked_positions" in inputs:
                inputs, labels = _without_empty_columns(inputs, labels)
            return inputs, labels, numbers

        return tf.data.Dataset.from_tensor_slices((batches, steps)).map(
            cut, num_parallel_calls=PARALLEL, deterministic=True
        )

    return numbers.map(parsed).prefetch(1).flat_map(batches_of)


def _packed(table, examples, plan, start_step):
    """Endless batches of (inputs, labels, rows) of packed rows from a step on."""
    labels_of_examples = set(table.parsed_features) - {*_of_tokens(table), *_MASKS}
    questions = [each for name in _questions(table) for each in _question_inputs(name)]

    def read(step):
        chosen, rows = plan.batch(step)
        return _serialized(table, chosen), chosen, rows

    def batch(step):
        kinds = (tf.string, tf.int64, tf.int64)
        serialized, chosen, rows = tf.numpy_function(read, [step], kinds)
        for vector in (serialized, chosen, rows):
            vector.set_shape([None])
        features = table.parse(serialized)
        # Noise may not make an example longer than the place that was planned for it.
        lengths = tf.math.count_nonzero(features["input_mask"], axis=1, dtype=tf.int32)
        inputs, labels = examples(features, chosen, _key(plan.seed, step), lengths)
        height, width = plan.batch_size, plan.width
        labels |= {name: inputs.pop(name) for name in questions}
        inputs, labels = pack_rows(inputs, labels, rows, height, width, plan.packing)
        inputs |= {name: labels.pop(name) for name in questions}
        for position, _ in map(_question_inputs, _questions(table)):
            inputs[position] = tf.maximum(inputs[position], 0) + inputs["sentence_positions"]
        if labels_of_examples:
            labels["sentence_weights"] = inputs["sentence_weights"]
        else:
            del inputs["sentence_positions"], inputs["sentence_weights"]
        return inputs, labels, chosen

    steps = tf.data.Dataset.range(start_step, np.iinfo(np.int64).max)
    return steps.map(batch, num_parallel_calls=PARALLEL, deterministic=True)


def _examples_of(table, masking, vocabulary, noise, words):
    """What makes inputs and labels of parsed records: (features, rows, key, most) -> both."""
    fixed = table.max_predictions is not None
    if fixed == (masking is not None):
        raise ConfigError(
            "masking: the records have masks already, which cannot be drawn again"
            if fixed
            else "masking is None, and the records have no masks of their own"
        )
    of_tokens = [name for name in _of_tokens(table) if name != _BOUNDARY]
    labels_of_tokens = [name for name in of_tokens if name not in _INPUTS]

    def examples(features, rows, key, most=None):
        features = dict(features)
        boundary = features.pop(_BOUNDARY, None)
        tokens = {_INPUTS.get(name, name): features.pop(name) for name in of_tokens}
        if fixed:
            masks = {ours: features.pop(theirs) for theirs, ours in _MASKS.items()}
        else:
            ids, mask = tokens["input_ids"], tokens["attention_mask"]
            tokens |= hide(words, ids, mask, masking, vocabulary, key, boundary, rows)
            asked = ("masked_positions", *LABELS)
            masks = {name: tokens.pop(name) for name in asked if name in tokens}
        if noise is not None:
            stay = masks["masked_positions"], masks["masked_weights"]
            fill = dict.fromkeys(labels_of_tokens, _NO_LABEL)
            tokens, masks["masked_positions"] = add_noise(
                tokens, noise, vocabulary, key, rows, *stay, most, fill
            )
        labels = {name: tokens.pop(name) for name in labels_of_tokens}
        for name, values in features.items():
            labels[name] = values[:, 0] if values.shape[1] == 1 else values
        places = ("masked_positions",) if "masked_positions" in masks else ()
        inputs = {**tokens, **{name: masks.pop(name) for name in places}}
        for name, label in _questions(table).items():
            (position, candidates), (blank, ids) = _question_inputs(name), cloze.columns(name)
            # Without a question it is the first token, whose label is none.
            inputs[position] = tf.argmax(labels.pop(blank), axis=1, output_type=tf.int32)
            shape = [-1, label["candidates"], label["pieces"]]
            inputs[candidates] = tf.reshape(labels.pop(ids), shape)
        return inputs, {**masks, **labels}

    return examples


def _of_tokens(table):
    """The names, as `table.parse` gives them, of features with a value for each token."""
    widths = {name: length for name, (length, _) in table.parsed_features.items()}
    others = {*_MASKS, *(cloze.columns(name)[1] for name in _questions(table))}
    return [name for name in widths if widths[name] == table.max_length and name not in others]


def _questions(table):
    """The cloze questions among the labels of a table, dict as its own."""
    return {name: label for name, label in table.labels.items() if label["of"] == "cloze"}


def _question_inputs(name):
    """What a model reads of a cloze question: where its blank is, and its candidates."""
    return f"{name}_positions", f"{name}_candidates"


def _without_empty_columns(inputs, labels):
    """The predictions without the columns in which no row has one, except the first."""
    most = tf.math.count_nonzero(labels["masked_weights"], axis=1, dtype=tf.int32)
    most = tf.maximum(tf.reduce_max(most), 1)
    inputs["masked_positions"] = inputs["masked_positions"][:, :most]
    for name in ("masked_ids", "masked_weights"):
        labels[name] = labels[name][:, :most]
    return inputs, labels


def _key(seed, step):
    return tf.stack([tf.constant(seed % 2**63, tf.int64), step])


def _serialized(table, rows):
    """Records as an object array, which keeps bytes as they are."""
    serialized = np.empty(len(rows), object)
    serialized[:] = table.read(rows)
    return serialized
