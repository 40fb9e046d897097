"""Prediction: texts in, one JSON object a line out, in constant memory."""

import contextlib
import itertools
import json
import sys

from bert_tf.atomic import new_file, require_another_file
from bert_tf.errors import ConfigError, InputError
from bert_tf.export import answer_with, is_export, load_export
from bert_tf.export.text_model import answer_options
from bert_tf.export.zero_shot import ZeroShot
from bert_tf.loading import load_with_tokenizer
from bert_tf.recipes.perplexity import NextWordPerplexity, Perplexity
from bert_tf.recipes.prediction_rows import open_rows
from bert_tf.tasks.generation.asking import settings_of
from bert_tf.tasks.multi_task import part_of

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
    format="jsonl",
    choices=None,
    labels=None,
    template=None,
    task=None,
    generation=None,
    segmenter=None,
    several=False,
    na_probs=None,
):
    """Answers every text of a file.

    A classifier gives labels and probabilities, or a score. A model of masked words gives words for
    each [MASK], or the perplexity of each text.

    Args:
      model_directory: str, a model directory or an export.
      input_file: str, a file in UTF-8, see `prediction_rows.open_rows`; "-" is the standard input.
      output: str, the file to write; None is the standard output, where each window appears as
        soon as it is answered.
      top: int, how many words for each [MASK], or how many spans for each question; None: 5 and 1.
      perplexity: bool, of a model of masked words: how likely it finds each text.
      text, text_pair: str or int, the columns of a table or the keys of JSON lines; None: those the
        model was trained with. `text_pair` makes a model that was saved elsewhere take pairs.
      format: "jsonl", or "squad": one JSON object of question id -> answer, as the scorers of
        SQuAD and CMRC read it; the records need an `id`.
      choices: str, the key of a cloze question's choices; a model of masked words then says which
        is the likeliest in the place of [MASK] or ___.
      labels: list of str, of which each text gets one, whatever the model was trained with, as far
        as its task can (see `export.zero_shot`); template: str with {} for a label; several: bool,
        whether any number of them may fit.
      task: str, which of several tasks is asked; None: the first.
      generation: dict, how texts are written, see `tasks.generation.settings.Generation`; what is
        not there is as the model was saved with.
      segmenter: str, of a model that reads words: what cuts texts into these, see `Answer.cut_by`.
      na_probs: str, with the format squad a second file to write: question id -> how likely it has
        no answer, which `squad_score(na_probs=)` and the official scorer of SQuAD 2.0 take.
    Raises:
      InputError: a file or the model cannot be read, a line is no text, or the disk is full.
      ConfigError: an option is given that the model's task does not have, or cannot have so, or the
        output is the input.
    """
    require_another_file(output, input_file)
    require_another_file(na_probs, input_file, "na_probs")
    with contextlib.ExitStack() as stack:
        rows = open_rows(input_file, stack)
        places = {"text": text, "text_pair": text_pair, "choices": choices}
        options = {"top": top, "generation": generation or {}}
        answerer = _answerer(model_directory, options, perplexity, places, task)
        if segmenter is not None:
            answerer.cut_by(segmenter)
        if labels is not None:
            with _of_flags():
                answerer = ZeroShot(answerer, labels, template, several)
        out = sys.stdout if output is None else stack.enter_context(new_file(output))
        answered, named, ids, nothing = 0, {}, set(), {}
        for window in _windows(rows.read(answerer)):
            if format == "squad":
                _require_ids(window, rows, ids)
            records = _answered(answerer, window, rows)
            answered += len(records)
            if format == "squad":
                named |= _named(records, window)
                nothing |= {} if na_probs is None else _na_probs(records, window, model_directory)
            else:
                out.writelines(_lines(records, window, answerer.columns))
                out.flush()
        if not answered:
            raise InputError(f"{rows.name}: has no rows")
        if format == "squad":
            out.write(json.dumps(named, ensure_ascii=False) + "\n")
        if na_probs is not None:
            file = stack.enter_context(new_file(na_probs))
            file.write(json.dumps(nothing, ensure_ascii=False) + "\n")


def _answerer(directory, options, perplexity, places, task):
    """What has `columns`, `settings` and answers rows: an Answer or Perplexity."""
    places = {name: place for name, place in places.items() if place is not None}
    top, generation = options["top"], options["generation"]
    if is_export(directory):
        given = [f"generation={name}" for name, x in generation.items() if x is not None]
        given = ["perplexity"] * bool(perplexity) + ["top"] * (top is not None) + given
        if given:
            raise ConfigError(f"--{given[0]}: {directory} is an export, whose answers are settled")
        answer = load_export(directory).of(task)
        for name in places:
            if name not in answer.columns:
                takes = " and ".join(answer.columns)
                raise ConfigError(f"--{name}: {directory} is an export that takes {takes} alone")
        answer.settings["columns"] |= places
        return answer
    model, tokenizer = load_with_tokenizer(directory)
    model = part_of(model, task)
    for name in places:
        if name not in model.columns:
            reads = " and ".join(name for name, x in model.columns.items() if not x.target)
            raise ConfigError(
                f"--{name}: {directory} holds a {type(model).__name__}: takes {reads}"
            )
    model.data_settings = {**model.data_settings, **places}
    if perplexity:
        if "causal_lm" in model.loss_names:
            return NextWordPerplexity(model, tokenizer)
        if getattr(model, "masked_lm_logits", None) is None:
            raise ConfigError(f"--perplexity: {directory} predicts neither masked nor next words")
        return Perplexity(model, tokenizer)
    if top is not None and "top" not in model.answer_options:
        raise ConfigError(f"--top: {directory} answers with neither words for [MASK] nor spans")
    generation = _generation(model, generation, directory)
    try:
        return answer_with(model, tokenizer, top=top, **generation)
    except ConfigError:
        raise
    except InputError as error:
        raise InputError(f"{directory}: {error}") from None


def _generation(model, given, directory):
    """How a model is to write texts, dict without what is not given.

    Raises:
      ConfigError: it writes none, or not so.
    """
    if not given:
        return {}
    if not hasattr(model, "written_positions"):
        named = type(model).__name__
        raise ConfigError(f"--generation: {directory} holds a {named}, which writes no texts")
    try:
        given = answer_options(model, given)
        settings_of(model, given)
    except InputError as error:
        raise ConfigError(f"--generation: {error}") from None
    return given


@contextlib.contextmanager
def _of_flags():
    """Within it labels that cannot be asked for are a ConfigError, which names their flag."""
    try:
        yield
    except InputError as error:
        if not str(error).startswith(("labels: ", "several: ", "template: ")):
            raise
        raise ConfigError(f"--{error}") from None


def _windows(rows):
    while window := list(itertools.islice(rows, WINDOW_ROWS)):
        yield window


def _answered(answerer, window, rows):
    """The records for a window of `rows`, in their order."""
    columns = zip(*(row.cells for row in window), strict=True)
    try:
        with _of_flags():
            return answerer.records(*map(list, columns))
    except InputError as error:
        if getattr(error, "row", None) is None:
            raise
        raise InputError(f"{rows.place(window[error.row])}: {error}") from None


def _lines(records, window, columns):
    """Answers as lines of JSON, with what was asked."""
    for record, row in zip(records, window, strict=True):
        asked = dict(zip(columns, row.cells, strict=True))
        named = {} if row.id is None else {"id": row.id}
        yield json.dumps({**record, **named, **asked}, ensure_ascii=False) + "\n"


def _require_ids(window, rows, taken):
    """Raises InputError unless each row has an `id` that is not among those `taken`; adds them."""
    for row in window:
        there = isinstance(row.id, str | int)
        if not there or str(row.id) in taken:
            said = "stands twice" if there else "is missing"
            raise InputError(f"{rows.place(row)}: `id` {said}, and --format=squad names by it")
        taken.add(str(row.id))


def _named(records, window):
    """Answers as a dict of question id -> answer."""
    if "answer" not in records[0]:
        raise ConfigError("--format=squad: the model answers no questions with parts of a text")
    return {str(row.id): record["answer"] for record, row in zip(records, window, strict=True)}


def _na_probs(records, window, directory):
    """The probabilities that there is no answer, dict of question id -> float."""
    if "no_answer" not in records[0]:
        raise ConfigError(
            f"--na_probs: {directory} was trained with answers to all questions, and knows of none "
            "without"
        )
    return {str(row.id): record["no_answer"] for record, row in zip(records, window, strict=True)}
