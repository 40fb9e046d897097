"""Label cells of a file -> numbers: what kind of problem they state, their names, their values."""

import array
import math
import re
import typing

import numpy as np
from absl import logging

from bert_tf.errors import InputError, shown, shown_name

_INTEGER = re.compile(r"[+-]?[0-9]+$")
# How classes are called where nobody named them, in Hugging Face's config.
_UNNAMED = "LABEL_{}"
# Ratings of more distinct values than this are no classes by accident.
_FEW = 20


class Labels(typing.NamedTuple):
    """The labels of some rows; every row has one of a few distinct values.

    Attributes:
      problem_type: str, as in Hugging Face's config.
      names: tuple of str, the classes in the order of their numbers; None for regression.
      values: [distinct] int32 class numbers; or [distinct, classes] float32, 1 where a class holds;
        or [distinct] float32 ratings.
      numbers: int32 [rows], which of the distinct values each row has.
    """

    problem_type: str
    names: tuple | None
    values: np.ndarray
    numbers: np.ndarray


class LabelColumn:
    """Collects the cells of a label column row by row; `encode` turns them into Labels.

    Args:
      name: str. The file or files, for messages.
      column: str or int. The column, for messages.
    """

    def __init__(self, name, column):
        self._path, self._column = name, column
        self._files = []  # (how many distinct cells there were before a file, its path)
        self._distinct = {}  # cell -> its number in order of appearance
        self._lines = array.array("q")  # where each distinct cell stands first
        self._numbers = array.array("i")

    def begin(self, path):
        """Rows of a file follow, for messages."""
        self._files.append((len(self._distinct), path))

    def add(self, cell, line):
        """Take the next row's cell (str), which stands on `line` (from 1)."""
        number = self._distinct.get(cell)
        if number is None:
            number = self._distinct[cell] = len(self._distinct)
            self._lines.append(line)
        self._numbers.append(number)

    def encode(self, problem_type=None, names=None, varied=True):
        """Turn the cells into numbers.

        Args:
          problem_type: str or None. None infers it: "|" in a cell says multi-label, numbers that
            are not all integers say regression, and all else is single-label.
          names: sequence of str, the classes as training has settled them; None finds them here,
            sorted, by number if all are integers. The number 1 stands for LABEL_1 too, where the
            names are LABEL_0, LABEL_1, ..., and true for True or TRUE, as false does.
          varied: bool. Demand at least two rows that differ, without which nothing can be learned.
        Returns:
          Labels.
        Raises:
          InputError: a cell is empty, is none of `names`, or is no finite number where numbers are
            wanted; or all rows have the same label and `varied` is asked.
        """
        if problem_type is None:
            problem_type = _inferred_type(self._distinct, names)
            if problem_type == "regression":
                self._warn_of_whole_ratings()
        if problem_type == "regression":
            names, values = None, [self._rating(cell) for cell in self._distinct]
        else:
            several = problem_type == "multi_label_classification"
            cells = [self._classes(cell, several) for cell in self._distinct]
            if names is None:
                cells = _booleans_spelled_alike(cells)
                names = sorted_names({name for classes in cells for name in classes})
            names = tuple(names)
            values = self._class_numbers(cells, names)
            values = _multi_hot(values, len(names)) if several else [row[0] for row in values]
        kind = np.int32 if problem_type == "single_label_classification" else np.float32
        values = np.array(values, kind)
        if varied and len(np.unique(values, axis=0)) < 2:
            cell = next(iter(self._distinct))
            raise InputError(
                f"{self._path}: column {self._column!r} is {shown(cell)} in every row; "
                "wanted at least two different labels to learn from"
            )
        return Labels(problem_type, names, values, np.array(self._numbers, np.int32))

    def _rating(self, cell):
        value = _number(cell)
        if value is None or not math.isfinite(value):
            self._refuse(cell, "is not a finite number, which regression wants")
        return value

    def _classes(self, cell, several):
        classes = [name.strip() for name in cell.split("|")] if several else [cell.strip()]
        if classes == [""] and several:
            return []  # a row of no class is a row of a multi-label problem
        if "" in classes:
            self._refuse(cell, "has an empty label")
        return classes

    def _class_numbers(self, cells, names):
        number_of = class_numbers(names)
        for cell, classes in zip(self._distinct, cells, strict=True):
            for name in classes:
                if name not in number_of:
                    known = ", ".join(map(shown_name, names[:20]))
                    known += ", ..." if len(names) > 20 else ""
                    self._refuse(cell, f"is no label of the training data, which are {known}")
        return [[number_of[name] for name in classes] for classes in cells]

    def _warn_of_whole_ratings(self):
        if len(self._distinct) <= _FEW and all(_number(x).is_integer() for x in self._distinct):
            some = ", ".join(shown_name(cell) for cell in list(self._distinct)[:4])
            logging.warning(
                "%s: column %r holds %s, ..., whole numbers that are not written as integers: "
                "taken for ratings (regression); for classes set model.problem_type (in Python "
                "problem_type) to single_label_classification",
                *(self._path, self._column, some),
            )

    def _refuse(self, cell, reason):
        number = self._distinct[cell]
        path = next((x for before, x in self._files[::-1] if before <= number), self._path)
        line = self._lines[number]
        raise InputError(f"{path}, line {line}: column {self._column!r}: {shown(cell)} {reason}")


class NameCollector:
    """Collects the class names in cells that hold several, such as a sentence's tags."""

    def __init__(self):
        self._places = {}

    def add(self, names, place, path=None):
        """Take a row's names; `place` says where it is, for messages, its file included."""
        for name in names:
            self._places.setdefault(name, place)

    def settle(self, names=None):
        """The classes.

        Args:
          names: sequence of str, as training has settled them; None: those found here, sorted.
        Returns:
          tuple of str. Of names found here and unknown in training one warning: their cells count
          as wrong in every metric.
        """
        if names is None:
            return sorted_names(self._places)
        unknown = [name for name in self._places if name not in set(names)]
        if unknown:
            more = f" and {len(unknown) - 1} others" if len(unknown) > 1 else ""
            where = self._places[unknown[0]]
            logging.warning(
                "%s: %s%s unknown in training; what has such a label counts as wrong",
                *(where, shown_name(unknown[0]), more + (" are" if more else " is")),
            )
        return tuple(names)


def _inferred_type(cells, names):
    if any("|" in cell for cell in cells):
        return "multi_label_classification"
    numeric = names is None and all(_number(cell) is not None for cell in cells)
    if numeric and not all(_INTEGER.match(cell.strip()) for cell in cells):
        return "regression"
    return "single_label_classification"


def _number(cell):
    try:
        return None if "_" in cell else float(cell)  # Python reads 1_2 as 12
    except ValueError:
        return None


def _booleans_spelled_alike(cells):
    """Rows of classes, all as true or false if they are that, and spelled in several ways."""
    found = {name for classes in cells for name in classes}
    lowered = {name.lower() for name in found}
    if lowered <= {"true", "false"} and len(found) > len(lowered):
        return [[name.lower() for name in classes] for classes in cells]
    return cells


def class_numbers(names):
    """What a cell may hold: every class, and what else stands for it, dict of str -> number.

    Args:
      names: sequence of str, the classes.
    """
    others = {}
    if all(name == _UNNAMED.format(number) for number, name in enumerate(names)):
        others = {str(number): number for number in range(len(names))}
    for number, name in enumerate(names):
        if name.lower() in ("true", "false"):
            others |= dict.fromkeys((name.lower(), name.title(), name.upper()), number)
    return others | {name: number for number, name in enumerate(names)}


def named_like(found, names):
    """New classes by the names of old ones: 2 is LABEL_2 beside LABEL_0 and LABEL_1.

    Args:
      found: sequence of str, the classes of some rows.
      names: sequence of str, the classes of a model.
    Returns:
      list of str.
    """
    unnamed = all(name == _UNNAMED.format(number) for number, name in enumerate(names))
    if unnamed and all(_INTEGER.match(name) for name in found):
        return [_UNNAMED.format(int(name)) for name in found]
    return list(found)


def sorted_names(names):
    """Classes in the order of their numbers: set of str -> tuple, by number if all are integers."""
    if all(_INTEGER.match(name) for name in names):
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    return tuple(sorted(names))


def _multi_hot(rows, width):
    values = np.zeros((len(rows), width), np.float32)
    for row, numbers in enumerate(rows):
        values[row, numbers] = 1.0
    return values
