"""Some rows of a table of records, as a table of their own."""

import numpy as np

from bert_tf.data import order
from bert_tf.errors import InputError


class RecordPart:
    """Rows of a RecordTable under numbers of their own; attributes and methods are its.

    Args:
      table: RecordTable.
      rows: int array [n], numbers of its rows.
    """

    def __init__(self, table, rows):
        self._table, self.rows = table, np.asarray(rows)

    def __len__(self):
        return len(self.rows)

    def __getattr__(self, name):
        return getattr(self._table, name)

    def read(self, rows):
        """list of bytes; see `RecordTable.read`."""
        return self._table.read(self.rows[np.asarray(rows)])

    def lengths(self):
        """int32 [rows]; see `RecordTable.lengths`."""
        return self._table.lengths()[self.rows]


def split_records(table, share, seed):
    """A table in two, by a shuffle that the seed decides.

    Args:
      table: RecordTable.
      share: float between 0 and 1, of the rows for the second part; one at least.
      seed: int >= 0.
    Returns:
      (RecordPart, RecordPart): what is left, and the share; both in the order of the table.
    Raises:
      InputError: there is one row alone.
    """
    if len(table) < 2:
        raise InputError(
            f"{table.source}: one record, wanted two or more to hold a share of {share} out"
        )
    rows = order.shuffled(len(table), seed, order.SPLIT)
    count = min(len(table) - 1, max(1, round(share * len(table))))
    return RecordPart(table, np.sort(rows[count:])), RecordPart(table, np.sort(rows[:count]))
