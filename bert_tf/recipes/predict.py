"""Prediction: texts in, one JSON object a line out, in constant memory."""

import contextlib
import itertools
import json
import sys

from bert_tf.atomic import new_file, require_another_file
from bert_tf.errors import ConfigError, InputError
from bert_tf.export import answer_with, is_export, load_export
from bert_tf.loading import load_with_tokenizer
from bert_tf.recipes.perplexity import Perplexity
from bert_tf.recipes.prediction_rows import open_rows

# Texts are read, and their answers written, a window at a time.
WINDOW_ROWS = 1024


def predict(
    model_directory,
    input_file,
    output=None,
    top=None,
    perplexity=False,
    text=None,
    text_pair=None,
):
    """Answers every text of a file.

    A classifier gives labels and probabilities, or a score. A model of masked words gives words for
    each [MASK], or the perplexity of each text.

    Args:
      model_directory: str, a model directory or an export.
      input_file: str, a file in UTF-8, see `prediction_rows.open_rows`; "-" is the standard input.
      output: str, the file to write; None is the standard output, where each window appears as
        soon as it is answered.
      top: int, how many words for each [MASK]; None: 5.
      perplexity: bool, of a model of masked words: how likely it finds each text.
      text, text_pair: str or int, the columns of a table or the keys of JSON lines; None: those the
        model was trained with. `text_pair` makes a model that was saved elsewhere take pairs.
    Raises:
      InputError: a file or the model cannot be read, a line is no text, or the disk is full.
      ConfigError: an option is given that the model's task does not have, or the output is the
        input.
    """
    require_another_file(output, input_file)
    with contextlib.ExitStack() as stack:
        rows = open_rows(input_file, stack)
        answerer = _answerer(
            model_directory, top, perplexity, {"text": text, "text_pair": text_pair}
        )
        out = sys.stdout if output is None else stack.enter_context(new_file(output))
        answered = 0
        for window in _windows(rows.read(answerer)):
            lines = _answered(answerer, window, rows.name)
            answered += len(lines)
            out.writelines(lines)
            out.flush()
        if not answered:
            raise InputError(f"{rows.name}: is empty")


def _answerer(directory, top, perplexity, places):
    """What has `columns`, `settings` and answers rows: an Answer or Perplexity."""
    places = {name: place for name, place in places.items() if place is not None}
    if is_export(directory):
        if perplexity or top is not None:
            wanted = "perplexity" if perplexity else "top"
            raise ConfigError(f"--{wanted}: {directory} is an export, whose answers are settled")
        answer = load_export(directory)
        for name in places:
            if name not in answer.columns:
                takes = " and ".join(answer.columns)
                raise ConfigError(f"--{name}: {directory} is an export that takes {takes} alone")
        answer.settings["columns"] |= places
        return answer
    model, tokenizer = load_with_tokenizer(directory)
    for name in places:
        if name not in model.columns:
            reads = " and ".join(name for name, x in model.columns.items() if not x.target)
            raise ConfigError(
                f"--{name}: {directory} holds a {type(model).__name__}: takes {reads}"
            )
    model.data_settings = {**model.data_settings, **places}
    if perplexity:
        if not hasattr(model, "masked_lm_logits"):
            raise ConfigError(f"--perplexity: {directory} predicts no masked words")
        return Perplexity(model, tokenizer)
    if top is not None and "top" not in model.answer_options:
        raise ConfigError(f"--top: {directory} predicts no masked words")
    try:
        return answer_with(model, tokenizer, top=top)
    except InputError as error:
        raise InputError(f"{directory}: {error}") from None


def _windows(rows):
    while window := list(itertools.islice(rows, WINDOW_ROWS)):
        yield window


def _answered(answerer, window, name):
    """The lines for a window of rows, in their order."""
    columns = zip(*(row.cells for row in window), strict=True)
    try:
        records = answerer.records(*map(list, columns))
    except InputError as error:
        if getattr(error, "row", None) is None:
            raise
        raise InputError(f"{name}, line {window[error.row].line}: {error}") from None
    cells = (dict(zip(answerer.columns, row.cells, strict=True)) for row in window)
    return [
        json.dumps({**record, **row}, ensure_ascii=False) + "\n"
        for record, row in zip(records, cells, strict=True)
    ]
