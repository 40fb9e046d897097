"""Rows longer than a model reads, as several entries of a table: one for each window of a row."""

import numpy as np

# Rows that are counted at once.
_CHUNK = 512


class WindowedTable:
    """The windows of a Table's rows as rows of their own, in the order of the rows.

    A window has the cells of its row and, in the column `window`, its number from 0, by which a
    task's `features` cut it out.

    Args:
      table: Table.
      counts: int array, the windows of each row, 1 at least.

    Attributes:
      rows: int64 array, the row of each window.
    """

    def __init__(self, table, counts):
        self._table = table
        self.rows = np.repeat(np.arange(len(table)), counts)
        self._numbers = np.arange(len(self.rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        self.kinds = {**table.kinds, "window": "number"}
        self.label, self.problem_type = table.label, table.problem_type
        self.label_names = table.label_names

    def __len__(self):
        return len(self.rows)

    def cells(self, windows):
        """The cells of these windows; as Table.cells."""
        cells = self._table.cells(self.rows[windows])
        return {**cells, "window": self._numbers[windows].tolist()}

    def labels(self, windows):
        """The labels of their rows; as Table.labels."""
        return self._table.labels(self.rows[windows])


def windowed(table, features):
    """A table as its windows, which takes tokenizing it once; as it is if its task has none.

    Args:
      table: Table.
      features: a task's features; their `window_counts` is a function of cells -> int [rows].
    """
    if features.window_counts is None:
        return table
    import tensorflow as tf

    from bert_tf.data.cells import cell_tensors, flat_cells

    count = tf.function(
        lambda *arrays: features.window_counts(cell_tensors(table.kinds, arrays)),
        autograph=False,
        reduce_retracing=True,
    )
    counts = []
    for start in range(0, len(table), _CHUNK):
        rows = np.arange(start, min(start + _CHUNK, len(table)))
        counts.append(count(*map(tf.constant, flat_cells(table.kinds, table.cells(rows)))).numpy())
    return WindowedTable(table, np.concatenate(counts))
