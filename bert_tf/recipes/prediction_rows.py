"""The input rows of a prediction: plain lines, JSON lines or a table."""

import itertools
import sys
import typing

from bert_tf.data import columns, formats
from bert_tf.data.conll import SUFFIXES
from bert_tf.errors import InputError

# Names of files that are tables; all others hold lines, unless they begin as a table does.
_TABLES = {".tsv": "tsv", ".csv": "csv", **SUFFIXES}


class Row(typing.NamedTuple):
    """One input: a cell for each of its columns, the line they stand on (of a document: which of
    its records they are), and the record's `id`, where it has one."""

    cells: tuple
    line: int
    id: object = None


class Rows(typing.NamedTuple):
    """The records of a file before it is known which model reads them.

    Attributes:
      name: str, of the file for messages.
      format: "lines", "jsonl", "tsv", "csv", one of CoNLL, or a document of formats.DOCUMENTS.
      records: iterator of formats.Record.
    """

    name: str
    format: str
    records: typing.Iterator

    def read(self, answerer):
        """The rows, iterator of Row.

        Args:
          answerer: Answer, or what has its `columns` and `settings`.
        Raises:
          InputError: a row is not what the model takes; with file and line.
        """
        places = answerer.settings["columns"]
        kinds = {name: answerer.task.columns[name].kind for name in answerer.columns}
        if self.format == "lines":
            first = next(self.records, None)
            records = itertools.chain([] if first is None else [first], self.records)
            header = first is not None and len(first.cells) > 1
            if header and all(place in first.cells for place in places.values()):
                chosen = columns.choose(places, kinds, records, self.name, "tsv")
                return self._chosen(chosen, records)
            return (self._line(record, answerer.columns) for record in records)
        if formats.has_keys(self.format):
            # The training file may have had numbers for columns.
            places = {name: x if isinstance(x, str) else name for name, x in places.items()}
        told = {name: x.kind for name, x in answerer.task.columns.items() if not x.target}
        unread = {x: None for x, kind in told.items() if x not in places and kind != "name"}
        how = (places | unread, told, self.records, self.name, self.format)
        return self._chosen(columns.choose(*how), self.records)

    def place(self, row):
        """Where a row is, for messages."""
        return f"{self.name}, {formats.unit(self.format)} {row.line}"

    def _chosen(self, chosen, records):
        for record in records:
            chosen.check(record.cells, self.name, record.line)
            name = record.cells.get("id") if isinstance(record.cells, dict) else None
            yield Row(tuple(chosen.cells(record.cells).values()), record.line, name)

    def _line(self, record, names):
        if len(names) == 1:
            return Row(("\t".join(record.cells),), record.line)
        if len(record.cells) != len(names):
            raise InputError(
                f"{self.name}, line {record.line}: has {len(record.cells)} texts, wanted "
                f"{len(names)} with tabs between them, for the model takes {' and '.join(names)}"
            )
        return Row(tuple(record.cells), record.line)


def open_rows(path, stack):
    """Opens the input file of a prediction.

    A name that ends in .jsonl or .json, or a file that begins with "{", is JSON lines, with the
    keys the model was trained on, unless it is a document such as SQuAD's file; .tsv and .csv are
    tables with the model's columns. Any other file
    holds a text a line (of a model of several columns: with tabs between them), unless its first
    line is a header with the model's columns. Blank lines are left out.

    Args:
      path: str; "-" is the standard input.
      stack: contextlib.ExitStack, which closes the file.
    Returns:
      Rows.
    Raises:
      InputError: it cannot be read.
    """
    if path == "-":
        file, name = sys.stdin.buffer, "standard input"
    else:
        file, name = stack.enter_context(formats.open_for_reading(path)), path
    first = file.readline()
    begins = first.removeprefix(b"\xef\xbb\xbf").lstrip()
    if name.endswith((".jsonl", ".json")) or begins[:1] == b"{":
        document = path != "-" and formats.guess_document(name)
        format = document or "jsonl"
    else:
        format = next((x for end, x in _TABLES.items() if name.endswith(end)), "lines")
        format = formats.guess_separator(format, first)
    if format in formats.DOCUMENTS:
        return Rows(name, format, formats.scan(file, name, format))
    lines = itertools.chain([first] if first else [], file)
    scanned = "tsv" if format == "lines" else format
    return Rows(name, format, formats.scan(lines, name, scanned))
