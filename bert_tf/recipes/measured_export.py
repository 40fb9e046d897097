"""Exports that are measured beside the model: lower precision, and for engines."""

import contextlib
import itertools
import math
import types

import numpy as np
import tensorflow as tf
from absl import logging

from bert_tf.errors import ConfigError, InputError
from bert_tf.export import Weights, engines, export_saved_model, running
from bert_tf.export.engines.agreement import agreement, at_tokens
from bert_tf.export.engines.ids import expected, input_names, require_equal, sample_batches
from bert_tf.export.text_model import text_settings
from bert_tf.export.warmup import sample_columns
from bert_tf.loading import load_with_tokenizer
from bert_tf.recipes.evaluate import BATCH_ROWS, labelled_batches
from bert_tf.recipes.output_files import check_output_folder
from bert_tf.recipes.prediction_rows import open_rows
from bert_tf.tasks.features import features_of
from bert_tf.training import evaluation

# More calibration texts than these move no range that matters, and fewer may miss some.
_MOST_TEXTS, _FEWEST_TEXTS = 1000, 100
# The share of a model's answers that an engine in lower precision has to give, or their concordance
# or mean cosine; see `agreement`.
LEAST_AGREEMENT = 0.95
# A loss below it is none: what is more than that is more by per cent of this.
_NO_LOSS = 1e-6
# How far the text that a sample has behind it stands from it: 100 texts.
_SHIFTS = range(10)


def export_for_engine(
    model_directory,
    output,
    format,
    quantize=None,
    calibration=None,
    data=None,
    columns=None,
    max_drop=0.5,
    force=False,
):
    """Exports a model directory for an engine; see `export.engines.export_for_engine`.

    Args:
      model_directory, output: str.
      format, quantize: as there.
      calibration: str, a file of a few hundred real texts, as `bert-tf predict` reads them.
      data: str, a file with labels: the engine is measured on it beside the model.
      columns: dict of name -> str or int, where its columns are; None as in training.
      max_drop: float, the points that the task's first figure may be lower then, out of 100; of a
        loss, or what else is better when lower, the per cent that it may be higher.
      force: bool, whether it may be lower, or agree less, than that all the same.
    Returns:
      dict, ready for JSON: as there; with `data` also what `compared` gives, and
      `largest_difference_on_data`; of an engine in lower precision without `data` what
      `agreement` gives, of the calibration texts or of sample texts.
    Raises:
      InputError: as there; a file cannot be read, the calibration file has no text, the labels are
        of several rows of tokens together, or the drop or the agreement is not allowed.
      ConfigError: as there.
    """
    engines.require_packages(format, quantize, calibration)
    model, tokenizer = load_with_tokenizer(model_directory)
    texts = calibration and calibration_rows(model, tokenizer, calibration)
    accept = None
    if data is not None:
        table, batches = labelled_batches(model, tokenizer, data, **columns or {})
        require_single_rows(model, batches, data)
        tolerance = engines.TOLERANCE if quantize is None else math.inf

        def accept(answers):
            asked = [inputs for inputs, *_ in batches]
            rows = [as_rows(model, inputs) for inputs in asked]
            found = answers(rows)
            wanted = (at_tokens(expected(model, each), each) for each in rows)
            at = map(at_tokens, found, rows)  # engines pad to other lengths than ours
            difference = require_equal(at, wanted, tolerance, f"{data}: {format}")
            outputs = (outputs_of(model, *each) for each in zip(found, asked, strict=True))
            report = compared(model, table, batches, outputs)
            report["largest_difference_on_data"] = difference
            return require_small_drop(report, max_drop, force)

    elif quantize is not None:

        def accept(answers):
            batches = in_batches(texts or sample_rows(model, tokenizer))
            wanted = [expected(model, batch) for batch in batches]
            kind = {name: getattr(model, name, None) for name in ("problem_type", "thresholds")}
            kind["outside"] = model.tags.outside if hasattr(model, "tags") else None
            return require_agreement(agreement(answers(batches), wanted, batches, **kind), force)

    options = {"quantize": quantize, "calibration": texts, "accept": accept}
    return engines.export_for_engine(model, tokenizer, output, format, **options)


def export_for_serving(
    model_directory,
    output,
    portable=False,
    adapters=None,
    precision="float32",
    data=None,
    columns=None,
    max_drop=0.5,
    force=False,
):
    """Exports a model directory as a SavedModel; see `export.export_saved_model`.

    Args:
      model_directory, output: str.
      portable, precision: as there.
      adapters: dict of name -> directory, of adapters that are exported beside the model.
      data, columns, max_drop, force: as in `export_for_engine`.
    Returns:
      (str, the new version folder; dict as `compared` gives it, or None without `data`).
    Raises:
      InputError, ConfigError: as there and in `export_for_engine`; several tasks and `data`; the
        output cannot be a folder.
    """
    check_output_folder(output)
    model, tokenizer = load_with_tokenizer(model_directory, adapters or {})
    report = None
    if data is not None:
        if model.parts is not None:
            raise ConfigError("data: is of one task, and the model has several; wanted none")
        table, batches = labelled_batches(model, tokenizer, data, **columns or {})
        run = tf.function(
            running(model, Weights(precision)), autograph=False, reduce_retracing=True
        )
        report = compared(model, table, batches, (run(inputs) for inputs, *_ in batches))
        require_small_drop(report, max_drop, force)
    options = {"portable": portable, "precision": precision}
    return export_saved_model(model, tokenizer, output, **options), report


def calibration_rows(model, tokenizer, file):
    """The texts of a file as rows of tokens, without padding.

    Args:
      model: TaskModel.
      tokenizer: Tokenizer.
      file: str.
    Returns:
      list of dict of int64 [1, L].
    Raises:
      InputError: it cannot be read, or has no text.
    """
    settings = text_settings(model, tokenizer)
    names = tuple(settings["columns"])
    asked = types.SimpleNamespace(columns=names, settings=settings, task=type(model))
    with contextlib.ExitStack() as stack:
        rows = itertools.islice(open_rows(file, stack).read(asked), _MOST_TEXTS)
        cells = [row.cells for row in rows]
    if not any(isinstance(cell, str) and cell.strip() for row in cells for cell in row):
        raise InputError(f"{file}: has no text, calibration wants a few hundred real ones")
    if len(cells) < _FEWEST_TEXTS:
        logging.warning("%s: %d texts, calibration wants a few hundred", file, len(cells))
    return _tokenized(model, tokenizer, settings, list(map(list, zip(*cells, strict=True))))


def sample_rows(model, tokenizer):
    """As `calibration_rows`, of the texts of `export.warmup`, each with some other behind it."""
    settings, cells = text_settings(model, tokenizer), []
    for column in sample_columns(settings, model.columns):
        cells.append([_joined(x, y) for shift in _SHIFTS for x, y in _turned(column, shift)])
    return _tokenized(model, tokenizer, settings, cells)


def _turned(column, shift):
    return zip(column, column[shift:] + column[:shift], strict=True)


def _joined(first, second):
    """A text, or each of several, with another behind it."""
    if isinstance(first, list):
        return [_joined(x, y) for x, y in zip(first, second, strict=True)]
    return f"{first} {second}"


def _tokenized(model, tokenizer, settings, cells):
    """Columns of cells as rows of tokens without padding, list of dict of int64 [1, L]."""
    names = settings["columns"]
    columns = [
        tf.ragged.constant(x).to_tensor("") if isinstance(x[0], list) else tf.constant(x)
        for x in cells
    ]
    features = features_of(model, tokenizer, settings, padding="longest")
    inputs, _ = features(dict(zip(names, columns, strict=True)))
    ids = as_rows(model, inputs)
    lengths = ids["attention_mask"].sum(axis=1)
    return [
        {name: x[row : row + 1, :length] for name, x in ids.items()}
        for row, length in enumerate(lengths)
        if length
    ]


def in_batches(rows):
    """Rows of tokens as batches with padding, those of like lengths together.

    Args:
      rows: list of dict of int64 [1, L].
    Returns:
      list of dict of int64 [B, L].
    """
    rows, found = sorted(rows, key=lambda row: row["input_ids"].shape[1]), []
    for start in range(0, len(rows), BATCH_ROWS):
        some = rows[start : start + BATCH_ROWS]
        longest = some[-1]["input_ids"].shape[1]
        batch = {name: np.zeros((len(some), longest), np.int64) for name in some[0]}
        for place, row in enumerate(some):
            for name, x in row.items():
                batch[name][place, : x.shape[1]] = x
        found.append(batch)
    return found


def as_rows(model, inputs):
    """The inputs of a task as those of an engine: dict of int64 [rows, L]."""
    arrays = {name: np.asarray(inputs[name], np.int64) for name in input_names(model)}
    return {name: x.reshape(-1, x.shape[-1]) for name, x in arrays.items()}


def compared(model, table, batches, outputs):
    """The first figure of a task by the model, and by other outputs in the place of its own.

    Args:
      model: TaskModel.
      table, batches: of `labelled_batches`.
      outputs: iterator of what the model's `call` gives, of each of the batches.
    Returns:
      dict, ready for JSON: `figure`, its name; `model` and `engine`, its values; `drop`, how much
      worse the engine's is, and `drop_in`: "points" that it is lower, out of 100, or "%" that it is
      higher, of a figure that is better when lower.
    """
    ours = evaluation.evaluate(model, batches, table)
    own = model.evaluated

    def evaluated(inputs, labels):
        found = next(outputs)
        terms = model.terms(found, model.complete_labels(inputs, labels))
        return terms, model.predictions(found, inputs)

    try:
        vars(model)["evaluated"] = evaluated
        theirs = evaluation.evaluate(model, batches, table)
    finally:
        vars(model)["evaluated"] = own
    name, own_value = evaluation.first_figure(model, ours)
    unit, drop = "points", (own_value - theirs[name]) * 100 / model.full_mark
    if not model.higher_is_better(name):
        unit, drop = "%", (theirs[name] - own_value) * 100 / max(abs(own_value), _NO_LOSS)
    figures = {"figure": name, "model": own_value, "engine": theirs[name]}
    return {**figures, "drop": drop, "drop_in": unit}


def require_small_drop(report, most, force):
    """A report as `compared` gives it; InputError, or with `force` a warning, where the engine's
    figure is worse by more than `most`, points or per cent."""
    if not report["drop"] <= most:
        worse = "points less" if report["drop_in"] == "points" else "% more"
        said = (
            f"{report['figure']} {report['engine']:.4f}, the model's is {report['model']:.4f}: "
            f"{report['drop']:.2f} {worse}, allowed {most:g} (max_drop)"
        )
        if not force:
            raise InputError(f"{said}; nothing was exported, force exports it all the same")
        logging.warning("%s", said)
    return report


def require_agreement(report, force):
    """A report as `agreement` gives it, with a warning that no labels were read; InputError, or
    with `force` a warning, where it is below LEAST_AGREEMENT."""
    said = f"agreement with the model {report['agreement']:.4f} ({report['agreement_of']})"
    if not report["agreement"] >= LEAST_AGREEMENT:
        said = f"{said}, wanted {LEAST_AGREEMENT}"
        if not force:
            raise InputError(f"{said}; nothing was exported, force exports it all the same")
    told = "not measured on labelled rows, --data=FILE does that"
    logging.warning("%s of %d rows; %s", said, report["rows"], told)
    return report


def require_single_rows(model, batches, data):
    """Raises InputError where labels are not of single rows of tokens, which an engine answers, nor
    of texts that are a row each; such as those of long texts in windows.

    Args:
      model: TaskModel.
      batches: of `labelled_batches`.
      data: str, the file.
    """
    axes = batches.element_spec[0]["input_ids"].shape.rank
    of_texts = axes == 3 and "sentence_embedding" in sample_batches(model, 5, [(1, 5)])[1][0]
    if axes > 2 + of_texts:
        windows = model.data_settings.get("windows")
        whose = "" if windows is None else f" with windows: {windows}"
        raise InputError(
            f"data: {data}: a {type(model).__name__}{whose} has labels of several rows of tokens "
            "together, and an engine answers single ones; wanted none"
        )


def outputs_of(model, found, inputs):
    """What an engine gives of a batch as the model's `call` gives it."""
    if "sentence_embedding" in found:
        shape = inputs["attention_mask"].shape[:-1]
        there = tf.reduce_any(inputs["attention_mask"] > 0, axis=-1)
        vectors = tf.reshape(found["sentence_embedding"], [*shape, -1])
        return vectors * tf.cast(there, tf.float32)[..., None]
    if list(found) == ["logits"]:
        return tf.constant(found["logits"])
    return {name: tf.constant(x) for name, x in found.items()}
