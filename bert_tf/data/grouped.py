"""Rows of a table that belong together, such as the candidates of a query, as one row."""

import numpy as np

from bert_tf.data.readers import Table

# The kind of a cell -> that of a list of such cells.
_SEVERAL = {"text": "texts", "rating": "ratings"}
_CHUNK = 4096


class GroupedRecords:
    """The records of a Table as groups; memory holds which rows each has.

    Args:
      table: Table.
      by: str, the column that is equal in a group.
      groups: list of int arrays, the rows of each.
    """

    def __init__(self, table, by, groups):
        self._table, self._by, self._groups = table, by, groups
        self.name = table.name

    def __len__(self):
        return len(self._groups)

    def __getitem__(self, number):
        """The cells of a group, dict of column name -> list, but for the column that they share."""
        cells = self._table.cells(self._groups[number])
        return {**cells, self._by: cells[self._by][0]}

    def subset(self, numbers):
        """The groups of these numbers alone, in this order."""
        return GroupedRecords(self._table, self._by, [self._groups[x] for x in numbers])


class GroupedColumns:
    """The columns of groups; as columns.Columns for records that need no looking up."""

    label, named = None, None

    def __init__(self, kinds, by):
        self.kinds = {name: x if name == by else _SEVERAL[x] for name, x in kinds.items()}

    def cells(self, record):
        """The values of a record, dict of column name -> value."""
        return record


def grouped(table, by):
    """A table with a row for each distinct value of a column, in the order of their first rows.

    Args:
      table: Table without a column of labels.
      by: str, a column of texts; None: the table as it is.
    Returns:
      Table. The cells of its other columns are lists, a value for each row of the group. Rows that
      cannot be learned from are no longer told apart.
    """
    if by is None:
        return table
    groups = {}
    for start in range(0, len(table), _CHUNK):
        rows = np.arange(start, min(start + _CHUNK, len(table)))
        for row, value in zip(rows, table.cells(rows)[by], strict=True):
            groups.setdefault(value, []).append(row)
    records = GroupedRecords(table, by, [np.array(rows) for rows in groups.values()])
    return Table(records, GroupedColumns(table.kinds, by), None, {}, None)
