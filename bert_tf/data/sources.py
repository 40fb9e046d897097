"""Where the records of a table are: in their file, or in memory where a file is one document."""

import copy
import os

import numpy as np

from bert_tf.data import formats


class FileRecords:
    """Records that stay in their file; memory holds where each is, 16 bytes.

    Args:
      file: binary file, open as long as this lives.
      format: str, of formats.PARSERS.
      starts, sizes: int64 arrays, the first byte of each record and its size in bytes.
    """

    def __init__(self, file, format, starts, sizes):
        self._file, self._format = file, format
        self._starts, self._sizes = starts, sizes
        self.name = file.name

    def __len__(self):
        return len(self._starts)

    def __getitem__(self, row):
        """The cells of a record, as `formats.scan` gave them."""
        data = os.pread(self._file.fileno(), self._sizes[row], self._starts[row])
        return formats.parse(data, self._format)

    def subset(self, rows):
        """The records of these rows alone, in this order."""
        part = copy.copy(self)
        part._starts, part._sizes = self._starts[rows], self._sizes[rows]
        return part


class HeldRecords:
    """Records in memory: of a file that is one document, such as SQuAD's.

    Args:
      name: str, of the file.
      cells: list of dict.
    """

    def __init__(self, name, cells):
        self.name, self._cells = name, cells

    def __len__(self):
        return len(self._cells)

    def __getitem__(self, row):
        return self._cells[row]

    def subset(self, rows):
        """The records of these rows alone, in this order."""
        return HeldRecords(self.name, [self._cells[row] for row in rows])


class JoinedRecords:
    """The records of several files, one after the other.

    Args:
      name: str, of all of them.
      parts: list of FileRecords and HeldRecords.
      rows: int array, the numbers of those that are meant; None: all, in order.
    """

    def __init__(self, name, parts, rows=None):
        self.name, self._parts = name, parts
        self._ends = np.cumsum([len(part) for part in parts])
        self._rows = np.arange(self._ends[-1]) if rows is None else rows

    def __len__(self):
        return len(self._rows)

    def __getitem__(self, row):
        number = self._rows[row]
        place = int(np.searchsorted(self._ends, number, side="right"))
        part = self._parts[place]
        return part[number - (self._ends[place] - len(part))]

    def subset(self, rows):
        """The records of these rows alone, in this order."""
        return JoinedRecords(self.name, self._parts, self._rows[rows])
