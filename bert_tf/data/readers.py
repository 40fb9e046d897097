"""Tables of cells and labels: read files once, keep where its rows are, fetch rows by number."""

import array
import collections
import copy

import numpy as np
from absl import logging

from bert_tf.data import columns, formats, order
from bert_tf.data.cells import KINDS
from bert_tf.data.files import name_of
from bert_tf.data.labels import LabelColumn
from bert_tf.data.sources import FileRecords, HeldRecords, JoinedRecords
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
    """Read a file of rows once, or several, check every row, and remember where the rows are.

    Args:
      path: str. A UTF-8 file, or a glob, or a folder of documents (formats.DOCUMENTS); or a list of
        these: the rows are those of all files in order, which are of one format, with their columns
        in the same places.
      places: dict of column name -> where it is. All names: the file has a header (JSON lines:
        keys). All numbers, counted from 0: it has none. None: no such column is read; a warning
        says so where the file has one of that name.
      kinds: dict of column name -> key of cells.KINDS, or columns.LABEL for the labels.
      format: a format of `formats.scan`, or None: as the first file's name and beginning say.
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
      InputError: a file cannot be read or is empty, or a row is not what it should be; the message
        names file, line, column and value.
      ConfigError: the columns are partly names and partly numbers, or the format is unknown.
    """
    files = formats.table_files(path, format)
    format = format or formats.guess_format(files[0], "spans" in kinds.values())
    reading, chosen = None, None
    for file in files:
        with_columns = _opened(file, places, kinds, format)
        if reading is None:
            chosen = with_columns[1]
            told = (places, fault, tagging or Tagging(), ignore)
            reading = _Reading(name_of(files), chosen, *told)
        elif not chosen.alike(with_columns[1]):
            raise InputError(f"{file}: its columns stand elsewhere than those of {files[0]}")
        reading.add(file, format, *with_columns)
        # What the first file has and is not read is not said again of each other one.
        places = {name: place for name, place in places.items() if place is not None}
    return reading.table(problem_type, like)


def _opened(path, places, kinds, format):
    """The open file, its columns, and the records behind its header."""
    file = formats.open_for_reading(path)
    records = formats.scan(file, path, format)
    return file, columns.choose(places, kinds, records, path, format), records


class _Reading:
    """What is collected of the files of a table, one after the other."""

    def __init__(self, name, chosen, places, fault, tagging, ignore):
        self._name, self._chosen, self._fault, self._ignore = name, chosen, fault, ignore
        self._labels = LabelColumn(name, places.get(chosen.label))
        self._found = chosen.collector(name, tagging)
        self._parts, self._faults, self._count = [], {}, 0
        self._left_out = collections.Counter()

    def add(self, path, format, file, chosen, records):
        """Reads the records of a file through."""
        starts, sizes, held = array.array("q"), array.array("q"), []
        self._labels.begin(path)
        for record in records:
            label = chosen.check(record.cells, path, record.line)
            if label is not None and label.strip() in self._ignore:
                self._left_out[label.strip()] += 1
                continue
            self._labels.add(label, record.line)
            names = chosen.names(record.cells, record.line)
            self._found.add(names, chosen.place(path, record.line), path)
            if self._fault is not None:
                reason = _fault(self._fault, chosen, record, path)
                if reason is not None:
                    self._faults.setdefault(reason, []).append(self._count)
            self._count += 1
            if record.start is None:
                held.append(record.cells)
            else:
                starts.append(record.start)
                sizes.append(record.size)
        if not held and not starts:
            said = f" but those of ignored labels ({self._ignored()})" * bool(self._left_out)
            raise InputError(f"{path}: has no rows{said}")
        in_file = FileRecords(file, format, np.array(starts), np.array(sizes))
        self._parts.append(HeldRecords(path, held) if held else in_file)

    def _ignored(self):
        """How many rows have which ignored label, str."""
        return ", ".join(f"{shown_name(name)} {x}" for name, x in self._left_out.items())

    def table(self, problem_type, like):
        """The Table of all rows; the arguments are those of `read_table`."""
        if count := self._left_out.total():
            said = "%s: %d of %d rows left out by their labels: %s"
            logging.info(said, self._name, count, self._count + count, self._ignored())
        labels, names = None, getattr(like, "label_names", None)
        if self._chosen.label is not None:
            problem_type = getattr(like, "problem_type", None) or problem_type
            labels = self._labels.encode(problem_type, names, varied=like is None)
        several = len(self._parts) > 1
        source = JoinedRecords(self._name, self._parts) if several else self._parts[0]
        faults = {reason: np.array(numbers) for reason, numbers in self._faults.items()}
        names = None if self._chosen.named is None else self._found.settle(names)
        return Table(source, self._chosen, labels, faults, names)


def _fault(fault, chosen, record, path):
    try:
        return fault(chosen.cells(record.cells))
    except InputError as error:
        raise InputError(f"{chosen.place(path, record.line)}: {error}") from None
