"""Asking a model: texts in, numpy out, whether it lies in an export or in memory."""

import re

import numpy as np
import tensorflow as tf
from absl import logging

try:
    import tensorflow_text  # noqa: F401 registers the operations in our exports
except ImportError:  # those that are portable need none
    pass

from bert_tf.errors import ConfigError, InputError, nearest, shown
from bert_tf.export.text_model import (
    DEFAULT,
    TextModel,
    answer_options,
    text_settings,
)
from bert_tf.tasks import languages
from bert_tf.tasks.features import text_cut_at_half, told_of_cut
from bert_tf.text.segmentation import SEGMENTERS, spaced

# Texts of like lengths that go through a model together.
BATCH_ROWS = 32

# So many Chinese characters without a space are no word.
_UNCUT = re.compile("[\u3400-\u9fff]{8}")


class Answer:
    """Answers texts; one call is one batch.

    Args:
      function: takes string tensors by the names of the columns, gives a dict of tensors.
      task: TaskModel class.
      settings: dict, see `text_model.text_settings`.
      kept: whatever has to live as long as the function.
      cut: function of string [N], whether texts are cut at half a row; None where it is not known.

    Attributes:
      columns: tuple of str, what a call takes, such as ("text", "text_pair").
      tasks: of a model of several tasks, dict of name -> Answer; this one answers as the first.
    """

    def __init__(self, function, task, settings, kept, cut=None):
        self._function, self._kept, self._cut = function, kept, cut
        self.task, self.settings = task, settings
        self.columns, self.tasks = tuple(settings["columns"]), {}
        self._segment = None

    def of(self, name):
        """The Answer of one task; None: this one.

        Raises:
          ConfigError: there is no such task.
        """
        if name is None:
            return self
        if name not in self.tasks:
            near = nearest(name, self.tasks)
            hint = f"; did you mean {near}?" if near else ""
            known = f"wanted one of {', '.join(self.tasks)}" if self.tasks else "the model has one"
            raise ConfigError(f"task {shown(name)}: {known}{hint}")
        return self.tasks[name]

    def cut_by(self, name):
        """Has `records` cut texts into words first, for a model that reads words.

        Args:
          name: str, a key of `text.segmentation.SEGMENTERS`.
        Returns:
          This Answer.
        Raises:
          ConfigError: there is no such segmenter, or the model reads texts as they are.
          InputError: the package it needs is not installed.
        """
        if not self.task.reads_words:
            raise ConfigError(f"segmenter: a {self.task.__name__} reads texts as they are")
        if name not in SEGMENTERS:
            raise ConfigError(f"segmenter: {shown(name)}, wanted {' or '.join(SEGMENTERS)}")
        self._segment = SEGMENTERS[name]()
        return self

    def __call__(self, *columns):
        """Answers N rows.

        Args:
          *columns: for each of `columns` a list of N str, or of N lists of str (None stands for a
            column that is not given).
        Returns:
          dict of numpy arrays, see the task's `answer`; strings are str.
        Raises:
          InputError: a column is missing or not wanted, or the arguments are no lists of str.
        """
        given = [column for column in columns if column is not None]
        if len(given) != len(self.columns):
            names = " and ".join(self.columns)
            raise InputError(f"the model takes {names}, got {len(given)} lists of texts")
        inputs = {}
        for name, texts in zip(self.columns, given, strict=True):
            inputs[name] = _tensor(texts, name, self.task.columns[name].kind)
            if len(texts) != len(given[0]):
                first = self.columns[0]
                raise InputError(f"{name} has {len(texts)} texts, {first} has {len(given[0])}")
        outputs = self._function(**inputs)
        return {name: _as_numpy(value) for name, value in outputs.items()}

    def records(self, *columns):
        """Answers any number of rows for people, in batches of like lengths.

        Args:
          *columns: as in a call.
        Returns:
          list of a dict for each row, ready for JSON, see the task's `record`.
        Raises:
          InputError: as a call; or a row cannot be answered, or an answer is no finite number. Its
            attribute `row` is the row's number, from 0.
        """
        columns = [column for column in columns if column is not None]
        fit = len(columns) == len(self.columns) and len(set(map(len, columns))) == 1
        if not fit or any(isinstance(column, str | bytes) for column in columns):
            self(*columns)  # raises, and says why
        self._check_languages(columns)
        columns = [self._words(column) for column in columns]
        self._warn_of_cut(columns)
        sizes = [sum(map(_size, row)) for row in zip(*columns, strict=True)]
        ranks = sorted(range(len(sizes)), key=sizes.__getitem__)
        found = [None] * len(ranks)
        for start in range(0, max(len(ranks), 1), BATCH_ROWS):
            rows = ranks[start : start + BATCH_ROWS]
            outputs = self(*([column[row] for row in rows] for column in columns))
            for place, row in enumerate(rows):
                answer = {name: value[place] for name, value in outputs.items()}
                try:
                    _require_finite(answer)
                    found[row] = _named(self.task.record(answer), self.settings)
                except InputError as error:
                    error.row = row
                    raise
        return found

    def _check_languages(self, columns):
        """Raises InputError, whose `row` is the row's number, for a language that has none."""
        if languages.COLUMN not in self.columns:
            return
        for row, name in enumerate(columns[self.columns.index(languages.COLUMN)]):
            try:
                languages.check_language(name, self.settings.get(languages.SETTING, ()))
            except InputError as error:
                error.row = row
                raise

    def _warn_of_cut(self, columns):
        """One warning, the first time that texts are cut at half a row, such as questions."""
        name = text_cut_at_half(self.task)
        if self._cut is None or name not in self.columns:
            return
        texts = _tensor(columns[self.columns.index(name)], name, "text")
        cut = int(np.sum(self._cut(texts))) if len(texts) else 0
        if cut:
            logging.warning("%s", told_of_cut(name, len(texts), cut, self.settings["max_length"]))
            self._cut = None

    def _words(self, texts):
        """Texts as `records` answers them: of a model that reads words cut into these."""
        if self._segment is not None:
            return [spaced(x, self._segment) if isinstance(x, str) else x for x in texts]
        if self.task.reads_words:
            uncut = next((x for x in texts if isinstance(x, str) and _UNCUT.search(x)), None)
            if uncut is not None:
                logging.warning(
                    "%s: to a %s words are what stands between spaces; segmenter=jieba cuts "
                    "Chinese texts",
                    *(shown(uncut, 40), self.task.__name__),
                )
        return texts

    def spans(self, *columns):
        """The spans found in texts, of a model that finds any.

        Args and Raises: as `records`.
        Returns:
          list of a list for each text of dicts `label`, `text`, `start`, `end`, `score`.
        """
        records = self.records(*columns)
        if records and "spans" not in records[0]:
            raise InputError(f"{self.task.__name__}: answers {', '.join(records[0])}, no spans")
        return [record["spans"] for record in records]


def answer_with(model, tokenizer, max_length=None, **options):
    """An Answer from a model in memory: the very program that an export of it holds.

    Args:
      model, tokenizer, max_length: as `export_saved_model`.
      **options: of the task's `answer`, None where it is not given.
    Raises:
      InputError: as `export_saved_model`.
      ConfigError: the task has no such option.
    """
    if model.parts is not None:
        parts = model.parts.items()
        return together({x: answer_with(part, tokenizer, max_length) for x, part in parts})
    options = answer_options(model, options)
    settings = text_settings(model, tokenizer, max_length)
    program = TextModel(model, tokenizer, settings, **options)
    names = list(settings["columns"])
    return Answer(
        lambda **inputs: program.answer(*(inputs[name] for name in names)),
        type(model),
        settings,
        program,
        getattr(program, "cut", None),
    )


def together(answers):
    """The first of Answers by task, which has them all where they are several."""
    first = next(iter(answers.values()))
    first.tasks = answers if DEFAULT not in answers else {}
    return first


def _tensor(texts, name, kind):
    """A column of a call as a string tensor [N], or [N, C] with "" where a row has fewer."""
    if isinstance(texts, str | bytes):
        raise InputError(f"{name} is one string, wanted a list of them")
    texts = list(texts)
    if kind == "texts":
        rows = [_checked(row, f"{name}[{number}]") for number, row in enumerate(texts)]
        return tf.ragged.constant(rows, tf.string, ragged_rank=1).to_tensor("")
    return tf.constant(_checked(texts, name), tf.string, shape=[len(texts)])


def _checked(texts, name):
    """Texts as bytes."""
    if isinstance(texts, str | bytes):
        raise InputError(f"{name} is one string, wanted a list of them")
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise InputError(f"{name}[{number}] is {text!r}, wanted a string")
    try:
        return [text.encode() for text in texts]
    except UnicodeEncodeError as error:
        raise InputError(f"{name}: {error.object!r} holds half a surrogate pair") from None


def _named(record, settings):
    """A record whose `probabilities` are told by the names of their classes too.

    Of one class a row `score` is that of the class; where a row may have several, `labels` are its
    own with their scores, the likeliest first. `scores` has all by their names.
    """
    names, shares = settings.get("label_names"), record.get("probabilities")
    if not names or not isinstance(shares, list) or len(shares) != len(names):
        return record
    scores = dict(zip(names, shares, strict=True))
    if settings.get("problem_type") == "multi_label_classification":
        there = set(record["label"].split("|"))
        own = sorted((name for name in names if name in there), key=lambda name: -scores[name])
        named = {"labels": [{"label": name, "score": scores[name]} for name in own]}
    else:
        named = {"score": scores[record["label"]]}
    return {"label": record["label"], **named, **record, "scores": scores}


def _size(cell):
    """The characters of a text, or of a list of texts."""
    if isinstance(cell, list | tuple):
        return sum(map(_size, cell))
    return len(cell) if isinstance(cell, str) else 0


def _as_numpy(tensor):
    """A tensor as numpy has it; strings as str."""
    array = tensor.numpy()
    if tensor.dtype != tf.string:
        return array
    texts = [text.decode() for text in array.ravel()]
    return np.array(texts, dtype=str).reshape(array.shape)


def _require_finite(answer):
    for value in answer.values():
        value = np.asarray(value)
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            raise InputError("the model's answers are not finite numbers; its weights are damaged")
