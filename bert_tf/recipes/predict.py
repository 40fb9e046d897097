"""Prediction: texts in, one JSON object a line out, in constant memory."""

import contextlib
import itertools
import json
import sys
import typing

import numpy as np

from bert_tf.atomic import new_file
from bert_tf.conversion.contents import opened
from bert_tf.data import columns, formats
from bert_tf.errors import ConfigError, InputError
from bert_tf.export import answer_with, is_export, load_export, load_model
from bert_tf.loading import load_task
from bert_tf.recipes.fill_mask import FillMask, Perplexity
from bert_tf.text import Tokenizer

# Texts are read a window at a time, and within it those of like length go through together.
WINDOW_ROWS, BATCH_ROWS = 1024, 32
# Tasks that predict masked words.
MASKED = ("MaskedLM", "Pretraining")


class Row(typing.NamedTuple):
    """A text, its partner or None, and the line of the file where they stand."""

    text: str
    text_pair: str | None
    line: int


def predict(model_directory, input_file, output=None, top=None, perplexity=False):
    """Answers every text of a file.

    A classifier gives labels and probabilities, or a score. A model of masked words gives words for
    each [MASK], or the perplexity of each text.

    The input holds plain lines, each a text (of a model of pairs: two texts with a tab between
    them), or JSON lines with the keys the model was trained on. It is taken for JSON lines when its
    name ends in .jsonl or .json, or when it begins with "{". Blank lines are left out.

    Args:
      model_directory: str, a model directory or an export.
      input_file: str, a file in UTF-8; "-" is the standard input.
      output: str, the file to write; None is the standard output, where each window appears as
        soon as it is answered.
      top: int, how many words for each [MASK]; None: 5.
      perplexity: bool, of a model of masked words: how likely it finds each text.
    Raises:
      InputError: a file or the model cannot be read, a line is no text, or the disk is full.
      ConfigError: `top` or `perplexity` is given, and the model predicts no masked words.
    """
    with contextlib.ExitStack() as stack:
        if input_file == "-":
            file, name = sys.stdin.buffer, "standard input"
        else:
            file, name = stack.enter_context(formats.open_for_reading(input_file)), input_file
        rows = _rows(file, name)
        asked = _asked(model_directory, name, top, perplexity)
        out = sys.stdout if output is None else stack.enter_context(new_file(output))
        answered = 0
        for window in _windows(rows(asked.settings)):
            lines = _answered(asked, window)
            answered += len(lines)
            out.writelines(lines)
            out.flush()
        if not answered:
            raise InputError(f"{name}: is empty")


def _asked(directory, name, top, perplexity):
    """What has `settings` and answers a batch of rows: `tell(rows)` gives a list of dict."""
    if not is_export(directory):
        with opened(directory) as contents:
            task = contents.task
        if task in MASKED:
            model, tokenizer = load_task(directory), Tokenizer.from_pretrained(directory)
            if perplexity:
                return Perplexity(model, tokenizer, name)
            return FillMask(model, tokenizer, name, top or 5)
        if task == "ElectraPretraining":
            raise InputError(
                f"{directory}: holds a model that finds replaced tokens, wanted one of labels or "
                "masked words; its generator, where the folder has one, fills masks in"
            )
    if perplexity or top is not None:
        wanted = "perplexity" if perplexity else "top"
        raise ConfigError(f"--{wanted}: {directory} predicts no masked words")
    if is_export(directory):
        return _Labels(load_export(directory))
    return _Labels(answer_with(*load_model(directory)))


class _Labels:
    """A classifier, or a regression, that is asked."""

    def __init__(self, answer):
        self.answer, self.settings = answer, answer.settings

    def tell(self, rows):
        paired = self.settings["text_pair"] is not None
        outputs = self.answer(
            [row.text for row in rows], [row.text_pair for row in rows] if paired else None
        )
        _check_finite(outputs)
        return [_told(outputs, place, row) for place, row in enumerate(rows)]


def _rows(file, name):
    """A function from a model's settings to an iterator of Row."""
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
        return Row("\t".join(record.cells), None, record.line)
    if len(record.cells) != 2:
        raise InputError(
            f"{name}, line {record.line}: has {len(record.cells)} texts, wanted two with a tab "
            "between them, for the model takes pairs"
        )
    return Row(*record.cells, record.line)


def _keyed(record, keys, name):
    keys.checked_label(record.cells, name, record.line)
    return Row(*keys.texts(record.cells), record.line)


def _windows(rows):
    while window := list(itertools.islice(rows, WINDOW_ROWS)):
        yield window


def _answered(asked, window):
    """The lines for a window of rows, in their order."""
    order = sorted(range(len(window)), key=lambda row: sum(map(len, filter(None, window[row][:2]))))
    lines = [None] * len(window)
    for start in range(0, len(order), BATCH_ROWS):
        batch = order[start : start + BATCH_ROWS]
        answers = asked.tell([window[row] for row in batch])
        for row, told in zip(batch, answers, strict=True):
            lines[row] = json.dumps(told, ensure_ascii=False) + "\n"
    return lines


def _told(outputs, place, row):
    """label and probabilities (or score) of one answer, and what was asked; a dict."""
    told = {}
    for name in ("label", "score", "probabilities"):
        if name in outputs:
            value = outputs[name][place]
            told[name] = str(value) if name == "label" else _numbers(value)
    told["text"] = row.text
    if row.text_pair is not None:
        told["text_pair"] = row.text_pair
    return told


def _check_finite(outputs):
    numbers = outputs["score" if "score" in outputs else "probabilities"]
    if not np.isfinite(numbers).all():
        raise InputError("the model's answers are not finite numbers; its weights are damaged")


def _numbers(value):
    """float32 or an array of them as Python floats, with the digits that tell them apart."""
    return float(str(value)) if value.ndim == 0 else [_numbers(each) for each in value]
