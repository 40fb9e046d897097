"""Tables of cells and labels: read a file once, keep where its rows are, fetch rows by number."""

import array
import collections
import copy
import os

import numpy as np
from absl import logging

from bert_tf.data import columns, formats, order
from bert_tf.data.cells import KINDS
from bert_tf.data.labels import LabelColumn
from bert_tf.data.sources import FileRecords, HeldRecords
from bert_tf.errors import InputError, shown_name
from bert_tf.tags import Tagging


class Table:
    """Rows of cells, perhaps with labels; all but the labels stay in the file.

    Memory holds where each row is, 16 bytes, and its label, 4 bytes; files that are one document
    are held as a whole. Made by `read_table`.

    Attributes:
      name: str, of the file.
      faults: dict of why rows cannot be learned from -> their numbers, int array.
      kinds: dict of column name -> key of cells.KINDS, without the column of labels.
      label: str or None, the column of labels.
      problem_type: str or None without labels.
      label_names: tuple of str, the classes in the order of their numbers, or those in the cells of
        a kind that has names; None for regression and without labels.
    """

    def __init__(self, records, chosen, labels, faults, names=None):
        self._records, self._chosen, self._labels = records, chosen, labels
        self.name, self.faults = records.name, faults
        self.kinds, self.label = chosen.kinds, chosen.label
        self.problem_type = labels.problem_type if labels else None
        self.label_names = labels.names if labels else names
        self._numbering = None
        if (named := chosen.named) is not None:
            self._numbering = KINDS[chosen.kinds[named]].numbering(names)

    def __len__(self):
        return len(self._records)

    def cells(self, rows):
        """Fetch rows from the file.

        Args:
          rows: int array [n], numbers of rows from 0, in any order.
        Returns:
          dict of column name -> list of n values, see cells.KINDS.
        """
        fetched = [self._chosen.cells(self._records[row]) for row in rows]
        values = {name: [cells[name] for cells in fetched] for name in self.kinds}
        if (named := self._chosen.named) is not None:
            numbered = KINDS[self.kinds[named]].numbered
            values[named] = [numbered(value, self._numbering) for value in values[named]]
        return values

    def labels(self, rows):
        """The labels of rows: int32 [n] classes, float32 [n, classes] multi-hot, float32 [n]
        ratings; None where the table has none."""
        return None if self._labels is None else self._labels.values[self._labels.numbers[rows]]

    def subset(self, rows):
        """A Table of these rows alone, in this order; file and label names are shared."""
        part = copy.copy(self)
        part._records = self._records.subset(rows)
        part.faults = {
            reason: np.flatnonzero(np.isin(rows, numbers))
            for reason, numbers in self.faults.items()
        }
        if self._labels is not None:
            part._labels = self._labels._replace(numbers=self._labels.numbers[rows])
        return part

    def sound(self):
        """The rows that can be learned from; this very Table if all can."""
        faulty = [number for numbers in self.faults.values() for number in numbers]
        return self.subset(np.setdiff1d(np.arange(len(self)), faulty)) if faulty else self

    def split(self, share, seed):
        """Set a share of the rows aside, chosen by the seed alone.

        Args:
          share: float between 0 and 1.
          seed: int >= 0.
        Returns:
          Two Tables, the larger part and the share, each in file order and with a row at least.
        Raises:
          InputError: the table has fewer than two rows.
        """
        if len(self) < 2:
            raise InputError(f"{self.name}: has one row, wanted two at least to split it")
        count = min(max(1, round(len(self) * share)), len(self) - 1)
        shuffled = order.shuffled(len(self), seed, order.SPLIT)
        return self.subset(np.sort(shuffled[count:])), self.subset(np.sort(shuffled[:count]))


def read_table(
    path,
    places,
    kinds,
    format=None,
    problem_type=None,
    like=None,
    fault=None,
    tagging=None,
    ignore=(),
):
    """Read a file of rows once, check every row, and remember where the rows are.

    Args:
      path: str. A UTF-8 file.
      places: dict of column name -> where it is. All names: the file has a header (JSON lines:
        keys). All numbers, counted from 0: it has none. None: no such column is read; a warning
        says so where the file has one of that name.
      kinds: dict of column name -> key of cells.KINDS, or columns.LABEL for the labels.
      format: a format of `formats.scan`, or None: as the file's name and beginning say.
      problem_type: str, as in Hugging Face's config, or None: what the labels look like.
      like: anything with `problem_type` and `label_names` that the labels have to follow, such as
        the Table of the training file or a task model; None: they define themselves here.
      fault: function of a row's cells, dict of column name -> value -> str or None, why the row
        cannot be learned from; it raises InputError for what is no row at all.
      tagging: tags.Tagging, how the tags of words are taken; None: its defaults.
      ignore: sequence of str, labels whose rows are left out; one line of the log counts them.
    Returns:
      Table; `sound()` are the rows without fault.
    Raises:
      InputError: the file cannot be read or is empty, or a row is not what it should be; the
        message names file, line, column and value.
      ConfigError: the columns are partly names and partly numbers, or the format is unknown.
    """
    path = os.fspath(path)
    format = format or formats.guess_format(path, "spans" in kinds.values())
    file = formats.open_for_reading(path)
    records = formats.scan(file, path, format)
    chosen = columns.choose(places, kinds, records, path, format)
    starts, sizes, held = array.array("q"), array.array("q"), []
    cells, faults = LabelColumn(path, places.get(chosen.label)), {}
    found = chosen.collector(path, tagging or Tagging())
    number, left_out = -1, collections.Counter()
    for record in records:
        label = chosen.check(record.cells, path, record.line)
        if label is not None and label.strip() in ignore:
            left_out[label.strip()] += 1
            continue
        number += 1
        cells.add(label, record.line)
        found.add(chosen.names(record.cells, record.line), chosen.place(path, record.line))
        reason = None if fault is None else _fault(fault, chosen, record, path)
        if reason is not None:
            faults.setdefault(reason, []).append(number)
        if record.start is None:
            held.append(record.cells)
        else:
            starts.append(record.start)
            sizes.append(record.size)
    told = ", ".join(f"{shown_name(name)} {count}" for name, count in left_out.items())
    if not held and not starts:
        said = f" but those of ignored labels ({told})" * bool(left_out)
        raise InputError(f"{path}: has no rows{said}")
    if left_out:
        total = number + 1 + left_out.total()
        logging.info(
            "%s: %d of %d rows left out by their labels: %s", path, left_out.total(), total, told
        )
    labels, names = None, getattr(like, "label_names", None)
    if chosen.label is not None:
        problem_type = getattr(like, "problem_type", None) or problem_type
        labels = cells.encode(problem_type, names, varied=like is None)
    in_file = FileRecords(file, format, np.array(starts), np.array(sizes))
    source = HeldRecords(path, held) if held else in_file
    faults = {reason: np.array(numbers) for reason, numbers in faults.items()}
    names = None if chosen.named is None else found.settle(names)
    return Table(source, chosen, labels, faults, names)


def _fault(fault, chosen, record, path):
    try:
        return fault(chosen.cells(record.cells))
    except InputError as error:
        raise InputError(f"{chosen.place(path, record.line)}: {error}") from None
