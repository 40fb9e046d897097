"""SavedModels in numbered version folders: none is overwritten, and none appears unchecked."""

import contextlib
import json
import os
import shutil
import uuid

import numpy as np
import tensorflow as tf
from absl import logging

from bert_tf.atomic import sync_tree
from bert_tf.errors import InputError, shown
from bert_tf.export.answer import Answer
from bert_tf.export.opening import SETTINGS_FILE, first_line, load_export
from bert_tf.export.operations import Weights
from bert_tf.export.text_model import DEFAULT, TextModel, text_settings
from bert_tf.export.warmup import sample_columns, write_warmup_requests
from bert_tf.tasks.features import features_of

# How far the export may be from the model, for logits of size 1 and in proportion above.
_TOLERANCE = {"float32": 1e-5, "bfloat16": 3e-2, "float16": 3e-3}


def export_saved_model(
    model, tokenizer, directory, max_length=None, portable=False, precision="float32"
):
    """Writes a model and its tokenizer as a SavedModel: text in, answer out.

    It is written beside its final place, asked the same texts as the model, and renamed only when
    the answers agree: numbers with the model's as far as their precision allows; labels, places and
    texts exactly, at least with those of the program that was written. TensorFlow Serving may watch
    the directory meanwhile.

    Args:
      model: a TaskModel that answers texts; of several tasks each has a signature of its name, and
        `serving_default` is that of the first.
      tokenizer: Tokenizer, the one the model was trained with.
      directory: str, made if absent; holds the versions 1, 2, ...
      max_length: int, tokens a row; None takes what the model was trained with.
      portable: bool; texts are cut by TensorFlow's core operations alone, so that it loads where
        there is no TensorFlow Text, or an old one. Answers are the same; WordPiece takes longer.
      precision: "float32", or "bfloat16": kernels and products of linear layers are in bfloat16,
        half the size and quicker where the CPU has it; sums and normalizations in float32.
    Returns:
      str, the new version folder.
    Raises:
      InputError: the model cannot be exported (see text_settings), the place cannot be written, or
        the export answers otherwise than the model. Nothing is left of it then.
      ConfigError: there is no such precision, or the model computes in another already.
    """
    weights = Weights(precision, frozen=True)
    tokenizer = tokenizer.portable() if portable else tokenizer
    several = getattr(model, "parts", None)
    parts = {DEFAULT: model} if several is None else several
    settings = {name: text_settings(x, tokenizer, max_length) for name, x in parts.items()}
    told = settings[DEFAULT] if several is None else {"tasks": settings}
    directory = os.fspath(directory)
    unfinished = os.path.join(directory, f".unfinished-{uuid.uuid4().hex}")
    was_there = os.path.isdir(directory)
    try:
        os.makedirs(unfinished)
        programs = {
            name: TextModel(part, tokenizer, settings[name], weights)
            for name, part in parts.items()
        }
        first = next(iter(parts))
        _write(programs, told, unfinished)
        write_warmup_requests(unfinished, settings[first], parts[first].columns)
        answer = load_export(unfinished)
        for name, part in parts.items():
            own = answer.tasks.get(name, answer)
            _check(own, programs[name], part, tokenizer, settings[name], weights)
        for name, part in parts.items():
            if part.reads_words:
                logging.info(
                    "%s: takes words with a space between any two, and cuts no text into words: "
                    "texts of a language without spaces are cut before they are sent",
                    *(name,),
                )
        sync_tree(unfinished)
        return _publish(unfinished, directory)
    except OSError as error:
        reason = error.strerror or first_line(error)
        raise InputError(f"{directory}: cannot be written: {reason}") from error
    except tf.errors.OpError as error:
        raise InputError(f"{directory}: cannot be written: {first_line(error)}") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
        if not was_there:
            with contextlib.suppress(OSError):  # it is not empty, as it should be
                os.rmdir(directory)


def _write(programs, told, directory):
    whole = next(iter(programs.values()))
    signatures = {name: program.answer for name, program in programs.items()}
    if len(programs) > 1:
        whole = tf.Module(name="text_models")
        whole.programs = list(programs.values())
    signatures = {DEFAULT: next(iter(signatures.values())), **signatures}
    tf.saved_model.save(whole, directory, signatures=signatures)
    os.makedirs(os.path.join(directory, "assets.extra"))
    with open(os.path.join(directory, SETTINGS_FILE), "w", encoding="utf-8") as file:
        json.dump(told, file, ensure_ascii=False, indent=2)


def _check(answer, program, model, tokenizer, settings, weights):
    """Raises InputError unless the export answers as the model, texts of many kinds.

    What is rounded, weights or all that a model computes, may decide otherwise between labels that
    are nearly as likely, and find other spans: what has as many entries as there were found is
    compared with the program in memory then. So are strings and whole numbers that are not the
    model's, such as labels and places: the graph of the file rounds as that program does.
    """
    columns = sample_columns(settings, model.columns)
    cells = {
        name: tf.ragged.constant(column) if isinstance(column[0], list) else tf.constant(column)
        for name, column in zip(settings["columns"], columns, strict=True)
    }
    inputs, _ = features_of(model, tokenizer, settings, padding="longest")(cells)
    expected = model.answer(model(inputs, training=False), inputs, cells, tokenizer)
    in_memory = Answer(lambda **asked: program.answer(*asked.values()), type(model), settings, None)
    found, expected = answer(*columns), {name: values.numpy() for name, values in expected.items()}
    as_computed = _TOLERANCE[model.compute_dtype]
    near = max(as_computed, _TOLERANCE[weights.precision])
    if near > _TOLERANCE["float32"]:
        specs = program.answer.get_concrete_function().structured_outputs
        for name in [name for name, x in specs.items() if x.shape[1:].is_fully_defined()]:
            _require_near(found[name], expected[name], name, near)
        expected = in_memory(*columns)
    for name, values in expected.items():
        _require_near(found[name], values, name, as_computed)
    alike = all(_other_row(found[name], values) is None for name, values in expected.items())
    exact = expected if alike or near > _TOLERANCE["float32"] else in_memory(*columns)
    for name, values in exact.items():
        _require_equal(found[name], values, name)


def _require_near(found, values, name, most):
    """Raises InputError unless answers are as many as the model's and floats no further from its
    than `most` allows."""
    if values.shape != found.shape:
        shapes = f"{list(found.shape)}, the model's {list(values.shape)}"
        raise InputError(f"the export's {name} has shape {shapes}; nothing was exported")
    if values.dtype.kind != "f":
        return
    allowed = most * max(1.0, np.abs(values).max(initial=0.0))
    difference = np.abs(found - values).max(initial=0.0)
    if not difference <= allowed:
        raise InputError(
            f"the export's answers differ from the model's by {difference:.1e} in {name}, "
            f"allowed {allowed:.1e}; nothing was exported"
        )


def _require_equal(found, values, name):
    """Raises InputError unless strings or whole numbers are those of the program in memory."""
    row = _other_row(found, values)
    if row is not None:
        theirs, ours = (shown(x[row].tolist()) for x in (found, values))
        raise InputError(
            f"the export's {name} of text {row} is {theirs}, the model's {ours}; nothing was "
            "exported"
        )


def _other_row(found, values):
    """The first row whose strings or whole numbers differ, int; None: they are equal, or floats."""
    if values.dtype.kind == "f":
        return None
    rows = enumerate(zip(found, values, strict=True))
    return next((row for row, pair in rows if not np.array_equal(*pair)), None)


def _publish(unfinished, directory):
    """Renames to the next free number; whoever else exports at this moment gets another."""
    taken = [int(name) for name in os.listdir(directory) if name.isascii() and name.isdigit()]
    version = max(taken, default=0) + 1
    while True:
        folder = os.path.join(directory, str(version))
        try:
            os.rename(unfinished, folder)
            return folder
        except OSError:
            if not os.path.lexists(folder):
                raise
            version += 1
