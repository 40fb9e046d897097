"""Two tables read as one, for training on new rows and old ones together."""

import numpy as np


class JoinedTable:
    """The rows of one Table, then those of another; each keeps its own file and columns.

    Args:
      first, second: Tables with one kind of labels, numbered alike; both of pairs or neither.
      label_names: the classes of both, in the order of their numbers.
    """

    def __init__(self, first, second, label_names):
        self._first, self._second = first, second
        self.problem_type, self.label_names = first.problem_type, label_names

    def __len__(self):
        return len(self._first) + len(self._second)

    def texts(self, rows):
        """The texts of these rows, and their partners or None; as Table.texts."""
        texts, pairs = np.empty(len(rows), object), np.empty(len(rows), object)
        for place, part, numbers in self._parts(rows):
            found, partners = part.texts(numbers)
            texts[place] = found
            pairs[place] = partners
        paired = self._first.texts(np.arange(1))[1] is not None
        return list(texts), list(pairs) if paired else None

    def labels(self, rows):
        """The labels of rows; as Table.labels."""
        example = self._first.labels(np.arange(1))
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
