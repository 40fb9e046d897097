"""The record formats: where each record of a file begins and ends, and what its cells are.

A record is a run of bytes, and its cells come out of these bytes alone: a file is scanned once, and
then any record can be read again by itself; files that are one document are read by `documents`.
All text is UTF-8, with or without a byte order mark. Blank lines are no records.
"""

import csv
import io
import json
import os
import typing

from bert_tf.data import documents
from bert_tf.data.choice_files import CHOICE_FILES, guess_choices
from bert_tf.data.conll import (
    CONLL_FILES,
    SUFFIXES,
    check_line_ends,
    guess_conll,
    parse_sentence,
    scan_sentences,
)
from bert_tf.data.conllu import read_conllu
from bert_tf.data.files import files_of
from bert_tf.errors import ConfigError, InputError, require_file_name

_SUFFIXES = {".tsv": "tsv", ".txt": "tsv", ".csv": "csv", ".jsonl": "jsonl", ".json": "jsonl"}
_SUFFIXES |= {".conllu": "conllu"}
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# Characters of a CSV cell: a longer one is a quote that is not closed. Python's own limit, 131,072
# for the whole process, is shorter than some texts.
_LONGEST_CELL = 1 << 24
csv.field_size_limit(max(_LONGEST_CELL, csv.field_size_limit()))
# Formats whose files are held in memory -> reader, columns, what messages call a record.
DOCUMENTS = {
    **documents.DOCUMENTS,
    **CHOICE_FILES,
    "conllu": (read_conllu, ("text", "heads", "relations"), "sentence at line"),
}


class Record(typing.NamedTuple):
    """One record: its first byte, its size in bytes, its first line (from 1) and its cells.

    Of a document `start` and `size` are None, and `line` counts the records, unless its reader
    gives their lines as `line`.
    """

    start: int | None
    size: int | None
    line: int
    cells: list | dict  # list of str; of formats with keys, the object; of CoNLL see conll.py


def has_keys(format):
    """bool, whether the records of a format are objects with keys rather than lists of cells."""
    return format == "jsonl" or format in DOCUMENTS


def unit(format):
    """What a message calls a record's place, str: "line", or the record itself in a document."""
    return DOCUMENTS[format][2] if format in DOCUMENTS else "line"


def given_columns(format):
    """The columns that files of this format always have, tuple of str; () where users say it."""
    return DOCUMENTS[format][1] if format in DOCUMENTS else ()


def table_files(given, format=None):
    """The files of a table, list of str; see `files.files_of`.

    Args:
      given: str, or a list of str.
      format: str, theirs; None: as their names and beginnings say.
    """
    return files_of(given, lambda path: (format or guess_document(path)) in DOCUMENTS)


def guess_format(path, spans=False):
    """The format that the ending of a file's name says, and of a known document its beginning.

    Args:
      path: str.
      spans: bool, whether the rows have spans of their text: what is not JSON then is CoNLL.
    Raises:
      ConfigError: the name ends otherwise than in .tsv .txt .csv .jsonl .json .conllu.
    """
    suffix = os.path.splitext(path)[1].lower()
    if spans and _SUFFIXES.get(suffix) != "jsonl":
        if suffix == ".conllu":
            return "conllu_tags"
        return SUFFIXES.get(suffix) or guess_conll(_beginning(path))
    if suffix not in _SUFFIXES:
        known = " ".join(_SUFFIXES)
        raise ConfigError(f"{path}: the name tells no format; wanted {known}, or the format named")
    return guess_document(path) or guess_separator(_SUFFIXES[suffix], _beginning(path))


def guess_separator(format, begins):
    """TSV for a file named .csv whose first line has tabs and no comma, as STS-B's; else `format`.

    Args:
      format: str, what the name says.
      begins: bytes, the first line or more.
    """
    line = begins.split(b"\n", 1)[0]
    return "tsv" if format == "csv" and b"\t" in line and b"," not in line else format


def guess_document(path):
    """The document that a file begins as, a key of DOCUMENTS; None where it is none of them."""
    begins = _beginning(path)
    if os.fspath(path).lower().endswith(".json") and b'"paragraphs"' in begins:
        return "squad"
    return guess_choices(begins)


def _beginning(path):
    require_file_name(path)
    try:
        with open(path, "rb") as file:
            return file.read(1 << 16)
    except OSError:
        return b""  # whoever opens it says what is wrong


def open_for_reading(path):
    """Open a file in binary.

    Raises:
      InputError: there is no such file, it is a directory, or it may not be read.
    """
    require_file_name(path)
    try:
        return open(path, "rb")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def scan(file, path, format):
    """Yield every Record of an open binary file in order, in one pass.

    Args:
      file: binary file at its beginning.
      path: str. What messages call it.
      format: "tsv" (cells between tabs, quotes are characters as any other, as GLUE has it), "csv"
        (RFC 4180: quoted cells may hold commas, doubled quotes and line ends), "jsonl" (one
        object a line), one of CONLL_FILES (a word a line) or one of DOCUMENTS.
    Raises:
      InputError: a byte is not UTF-8, or a record not of the format; with line and byte or column.
    """
    if format in DOCUMENTS:
        read = DOCUMENTS[format][0]
        found = enumerate(read(path), 1)
        return (Record(None, None, x.pop("line", number), x) for number, x in found)
    if format in CONLL_FILES:
        return (Record(*found) for found in scan_sentences(_lines(file, path), path, format))
    scanner = {"tsv": _scan_tsv, "csv": _scan_csv, "jsonl": _scan_jsonl}[format]
    return scanner(_lines(file, path), path)


def parse(data, format):
    """The cells of one record that `scan` has found, from its bytes."""
    text = data.decode()
    if format in CONLL_FILES:
        return parse_sentence(text, format)
    if format == "tsv":
        return _tsv_cells(text)
    if format == "csv":
        return next(csv.reader(io.StringIO(text, newline="")))
    return json.loads(text)


def _lines(file, path):
    """Yield (first byte, size in bytes, number from 1, text with its line end) of every line."""
    start = 0
    for number, data in enumerate(file, 1):
        size = len(data)
        if number == 1 and data.startswith(_BYTE_ORDER_MARK):
            start, data = len(_BYTE_ORDER_MARK), data.removeprefix(_BYTE_ORDER_MARK)
            size = len(data)
        try:
            yield start, size, number, data.decode()
        except UnicodeDecodeError as error:
            byte, value = error.start + 1, data[error.start]
            raise InputError(
                f"{path}, line {number}, byte {byte} (byte {start + byte} of the file): "
                f"0x{value:02x} is not UTF-8"
            ) from None
        start += size


def _tsv_cells(line):
    return line.removesuffix("\n").removesuffix("\r").split("\t")


def _scan_tsv(lines, path):
    for start, size, number, text in lines:
        if number == 1 and not text.endswith("\n"):  # a file of one line
            check_line_ends(text, path, number)
        if text.strip("\r\n"):
            yield Record(start, size, number, _tsv_cells(text))


def _scan_csv(lines, path):
    taken = []  # the lines of the record being read: the reader asks for no line beyond it

    def texts():
        for line in lines:
            taken.append(line[:3])
            yield line[3]

    reader = csv.reader(texts(), strict=True)
    while True:
        taken.clear()
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise InputError(f"{path}, line {taken[0][2]}: not CSV: {error}") from None
        if cells is None:
            return
        if cells:
            start, _, number = taken[0]
            yield Record(start, sum(size for _, size, _ in taken), number, cells)


def _scan_jsonl(lines, path):
    for start, size, number, text in lines:
        if not text.strip():
            continue
        try:
            cells = json.loads(text)
        except json.JSONDecodeError as error:
            place = f"{path}, line {number}, column {error.colno}"
            raise InputError(f"{place}: not JSON: {error.msg}; wanted one object a line") from None
        except (ValueError, RecursionError) as error:  # a number of 5,000 digits, nesting of 1,000
            raise InputError(f"{path}, line {number}: JSON that cannot be read: {error}") from None
        if not isinstance(cells, dict):
            raise InputError(f"{path}, line {number}: wanted an object {{...}}, got {text[:40]!r}")
        yield Record(start, size, number, cells)
