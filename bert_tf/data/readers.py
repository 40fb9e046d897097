"""Tables of cells and labels: read a file once, keep where its rows are, fetch rows by number."""

import array
import copy
import os

import numpy as np

from bert_tf.data import columns, formats, order
from bert_tf.data.labels import LabelColumn
from bert_tf.errors import InputError


class Table:
    """Rows of cells, perhaps with labels; all but the labels stay in the file.

    Memory holds where each row is, 16 bytes, and its label, 4 bytes. Made by `read_table`.

    Attributes:
      kinds: dict of column name -> key of cells.KINDS, without the column of labels.
      label: str or None, the column of labels.
      problem_type: str or None without labels.
      label_names: tuple of str, the classes in the order of their numbers; None for regression and
        without labels.
    """

    def __init__(self, file, format, chosen, starts, sizes, labels):
        self._file, self._format, self._chosen = file, format, chosen
        self._starts, self._sizes, self._labels = starts, sizes, labels
        self.kinds, self.label = chosen.kinds, chosen.label
        self.problem_type = labels.problem_type if labels else None
        self.label_names = labels.names if labels else None

    def __len__(self):
        return len(self._starts)

    def cells(self, rows):
        """Fetch rows from the file.

        Args:
          rows: int array [n], numbers of rows from 0, in any order.
        Returns:
          dict of column name -> list of n values, see cells.KINDS.
        """
        descriptor, fetched = self._file.fileno(), []
        for row in rows:
            data = os.pread(descriptor, self._sizes[row], self._starts[row])
            fetched.append(self._chosen.cells(formats.parse(data, self._format)))
        return {name: [cells[name] for cells in fetched] for name in self.kinds}

    def labels(self, rows):
        """The labels of rows: int32 [n] classes, float32 [n, classes] multi-hot, float32 [n]
        ratings; None where the table has none."""
        return None if self._labels is None else self._labels.values[self._labels.numbers[rows]]

    def subset(self, rows):
        """A Table of these rows alone, in this order; file and label names are shared."""
        part = copy.copy(self)
        part._starts, part._sizes = self._starts[rows], self._sizes[rows]
        if self._labels is not None:
            part._labels = self._labels._replace(numbers=self._labels.numbers[rows])
        return part

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
            raise InputError(f"{self._file.name}: has one row, wanted two at least to split it")
        count = min(max(1, round(len(self) * share)), len(self) - 1)
        shuffled = order.shuffled(len(self), seed, order.SPLIT)
        return self.subset(np.sort(shuffled[count:])), self.subset(np.sort(shuffled[:count]))


def read_table(path, places, kinds, format=None, problem_type=None, like=None):
    """Read a TSV, CSV or JSON lines file once, check every row, and remember where the rows are.

    Args:
      path: str. A UTF-8 file.
      places: dict of column name -> where it is. All names: the file has a header (JSON lines:
        keys). All numbers, counted from 0: it has none. None: there is no such column.
      kinds: dict of column name -> key of cells.KINDS, or columns.LABEL for the labels.
      format: "tsv", "csv", "jsonl", or None: by the file's name.
      problem_type: str, as in Hugging Face's config, or None: what the labels look like.
      like: anything with `problem_type` and `label_names` that the labels have to follow, such as
        the Table of the training file or a task model; None: they define themselves here.
    Returns:
      Table.
    Raises:
      InputError: the file cannot be read or is empty, or a row is not what it should be; the
        message names file, line, column and value.
      ConfigError: the columns are partly names and partly numbers, or the format is unknown.
    """
    path = os.fspath(path)
    format = format or formats.guess_format(path)
    file = formats.open_for_reading(path)
    records = formats.scan(file, path, format)
    chosen = columns.choose(places, kinds, records, path, format)
    starts, sizes = array.array("q"), array.array("q")
    cells = LabelColumn(path, places.get(chosen.label))
    for record in records:
        cells.add(chosen.check(record.cells, path, record.line), record.line)
        starts.append(record.start)
        sizes.append(record.size)
    if not starts:
        raise InputError(f"{path}: has no rows")
    labels = None
    if chosen.label is not None:
        problem_type = getattr(like, "problem_type", None) or problem_type
        names = getattr(like, "label_names", None)
        labels = cells.encode(problem_type, names, varied=like is None)
    return Table(file, format, chosen, np.array(starts), np.array(sizes), labels)
