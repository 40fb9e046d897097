"""Two tables read as one: new rows and old ones, or texts with labels and others without."""

import numpy as np

from bert_tf.data import spans
from bert_tf.tags import IGNORED


class JoinedTable:
    """The rows of one Table, then those of another; each keeps its own file and columns.

    Args:
      first, second: Tables of the same columns, with one kind of labels, numbered alike.
      label_names: the classes of both, in the order of their numbers.
    """

    def __init__(self, first, second, label_names):
        self._first, self._second = first, second
        self.kinds, self.label = first.kinds, first.label
        self.problem_type, self.label_names = first.problem_type, label_names

    def __len__(self):
        return len(self._first) + len(self._second)

    def cells(self, rows):
        """The cells of these rows; as Table.cells."""
        found = {name: [None] * len(rows) for name in self.kinds}
        for places, part, numbers in self._parts(rows):
            cells = part.cells(numbers)
            for name in self.kinds:
                for place, value in zip(np.flatnonzero(places), cells[name], strict=True):
                    found[name][place] = value
        return found

    def labels(self, rows):
        """The labels of rows; as Table.labels."""
        example = self._first.labels(np.arange(1))
        if example is None:
            return None
        labels = np.empty((len(rows), *example.shape[1:]), example.dtype)
        for place, part, numbers in self._parts(rows):
            labels[place] = part.labels(numbers)
        return labels

    def _parts(self, rows):
        """(where in `rows`, a table, its own numbers of the rows there), for both tables."""
        rows = np.asarray(rows)
        old = rows >= len(self._first)
        yield ~old, self._first, rows[~old]
        yield old, self._second, rows[old] - len(self._first)


# Kind of a cell that says what is right -> what stands in its place where nobody has said it.
UNSAID = {"rating": 0.0, "spans": spans.Marked(IGNORED, [], [], [])}


class UnlabelledTable:
    """A Table without labels as one that has them, for a JoinedTable: all of the first class or 0,
    and of words none.

    Args:
      table: Table; of UNSAID's kinds it may have columns or not, they are not looked at.
      like: Table with labels.
    """

    def __init__(self, table, like):
        self._table, self._example = table, like.labels(np.arange(1))
        self._unsaid = {name: UNSAID[x] for name, x in like.kinds.items() if x in UNSAID}

    def __len__(self):
        return len(self._table)

    def cells(self, rows):
        """As Table.cells."""
        cells = self._table.cells(rows)
        return cells | {name: [value] * len(rows) for name, value in self._unsaid.items()}

    def labels(self, rows):
        """Zeros of the shape of labels: nothing is to be learned from them."""
        if self._example is None:
            return None
        return np.zeros((len(rows), *self._example.shape[1:]), self._example.dtype)
