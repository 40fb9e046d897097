"""Prediction: texts in, one JSON object a line out, in constant memory."""

import contextlib
import itertools
import json
import sys

import numpy as np

from bert_tf.data import columns, formats
from bert_tf.errors import InputError
from bert_tf.export import answer_with, is_export, load_export, load_model
from bert_tf.recipes.output import whole_file, writing_to

# Texts are read a window at a time, and within it those of like length go through together.
WINDOW_ROWS, BATCH_ROWS = 1024, 32


def predict(model_directory, input_file, output=None):
    """Answers every text of a file.

    The input holds plain lines, each a text (of a model of pairs: two texts with a tab between
    them), or JSON lines with the keys the model was trained on. It is taken for JSON lines when its
    name ends in .jsonl or .json, or when it begins with "{". Blank lines are left out.

    Args:
      model_directory: str, a model directory or an export.
      input_file: str, a file in UTF-8; "-" is the standard input.
      output: str, the file to write; None is the standard output, where each window appears as
        soon as it is answered.
    Raises:
      InputError: a file or the model cannot be read, a line is no text, or the disk is full.
    """
    with contextlib.ExitStack() as stack:
        if input_file == "-":
            file, name = sys.stdin.buffer, "standard input"
        else:
            file, name = stack.enter_context(formats.open_for_reading(input_file)), input_file
        rows = _rows(file, name)
        answer = _answerer(model_directory)
        out = sys.stdout if output is None else stack.enter_context(whole_file(output))
        answered = 0
        for window in _windows(rows(answer.settings)):
            lines = _answered(answer, window)
            answered += len(lines)
            with writing_to(output) if output is not None else contextlib.nullcontext():
                out.writelines(lines)
                out.flush()
        if not answered:
            raise InputError(f"{name}: is empty")


def _answerer(directory):
    if is_export(directory):
        return load_export(directory)
    return answer_with(*load_model(directory))


def _rows(file, name):
    """A function from a model's settings to an iterator of (text, partner or None)."""
    first = file.readline()
    begins = first.removeprefix(b"\xef\xbb\xbf").lstrip()
    format = "jsonl" if name.endswith((".jsonl", ".json")) or begins[:1] == b"{" else "tsv"
    records = formats.scan(itertools.chain([first] if first else [], file), name, format)

    def rows(settings):
        paired = settings["text_pair"] is not None
        if format == "tsv":
            return (_plain(record, paired, name) for record in records)
        keys = columns.Columns(
            _key(settings["text"], "text"),
            _key(settings["text_pair"], "text_pair") if paired else None,
            None,
        )
        return (_keyed(record, keys, name) for record in records)

    return rows


def _key(column, default):
    """The key in JSON lines: the column's name, unless the training file had numbers."""
    return column if isinstance(column, str) else default


def _plain(record, paired, name):
    if not paired:
        return "\t".join(record.cells), None
    if len(record.cells) != 2:
        raise InputError(
            f"{name}, line {record.line}: has {len(record.cells)} texts, wanted two with a tab "
            "between them, for the model takes pairs"
        )
    return tuple(record.cells)


def _keyed(record, keys, name):
    keys.checked_label(record.cells, name, record.line)
    return keys.texts(record.cells)


def _windows(rows):
    while window := list(itertools.islice(rows, WINDOW_ROWS)):
        yield window


def _answered(answer, window):
    """The lines for a window of (text, partner) rows, in their order."""
    order = sorted(range(len(window)), key=lambda row: sum(len(text or "") for text in window[row]))
    lines = [None] * len(window)
    for start in range(0, len(order), BATCH_ROWS):
        batch = order[start : start + BATCH_ROWS]
        texts, pairs = zip(*(window[row] for row in batch), strict=True)
        outputs = answer(texts, None if answer.settings["text_pair"] is None else pairs)
        _check_finite(outputs)
        for place, row in enumerate(batch):
            lines[row] = _line(outputs, place, *window[row])
    return lines


def _line(outputs, place, text, text_pair):
    """label and probabilities (or score) of one answer, and what was asked."""
    told = {}
    for name in ("label", "score", "probabilities"):
        if name in outputs:
            value = outputs[name][place]
            told[name] = str(value) if name == "label" else _numbers(value)
    told["text"] = text
    if text_pair is not None:
        told["text_pair"] = text_pair
    return json.dumps(told, ensure_ascii=False) + "\n"


def _check_finite(outputs):
    numbers = outputs["score" if "score" in outputs else "probabilities"]
    if not np.isfinite(numbers).all():
        raise InputError("the model's answers are not finite numbers; its weights are damaged")


def _numbers(value):
    """float32 or an array of them as Python floats, with the digits that tell them apart."""
    return float(str(value)) if value.ndim == 0 else [_numbers(each) for each in value]
