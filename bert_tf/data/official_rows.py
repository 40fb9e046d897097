"""The rows of the files of GLUE and CLUE, all of one form."""

import os
import typing

from bert_tf.data import formats
from bert_tf.data.official import OFFICIAL
from bert_tf.data.places import column_hint
from bert_tf.errors import InputError, shown

# What a model learns from, in a row of a document.
_TARGETS = ("label", "answers")


class Rows(typing.NamedTuple):
    """The rows of a file and how many of them were left out, by reason.

    Attributes:
      rows: list of dict: `id`, `text`, perhaps `text_pair` and `label`.
      left_out: dict of str -> int.
    """

    rows: list
    left_out: dict


def paths_of(name, folder):
    """The files of a task below the folder of a benchmark.

    Returns:
      dict of part -> list of paths; parts to be predicted may be missing.
    Raises:
      InputError: a file to learn from is missing.
    """
    task = OFFICIAL[name]
    found = {part: part_of(name, folder, part) for part in task.parts}
    for part in ("train", "validation"):
        files = task.parts[part].files
        if not found[part]:
            places = [os.path.join(folder, task.folders[0], file) for file in _each(files[0])]
            absent = next((x for x in places if not os.path.isfile(x)), places[0])
            raise InputError(f"{absent}: no such file, which {name} is to be learned from")
    return {part: paths for part, paths in found.items() if paths}


def part_of(name, folder, part):
    """The files of one part of a task below the folder of a benchmark, list of paths; [] where it
    is not there."""
    task = OFFICIAL[name]
    for place in task.folders:
        for files in map(_each, task.parts[part].files):
            paths = [os.path.normpath(os.path.join(folder, place, file)) for file in files]
            if all(map(os.path.isfile, paths)):
                return paths
    return []


def _each(files):
    return (files,) if isinstance(files, str) else files


def read_official(name, part, paths):
    """The rows of the official files of one part.

    Lines that the site's own files have broken (QQP's) are left out of parts with labels, and
    counted.

    Args:
      name: str, a key of OFFICIAL.
      part: str, a key of its `parts`.
      paths: list of str, the files.
    Returns:
      Rows.
    Raises:
      InputError: a file cannot be read, or a row is not as the site's are.
    """
    task, rows, left_out = OFFICIAL[name], [], {}
    for path in paths:
        before = len(rows)
        if task.format is None:
            _read_table(task, task.parts[part], path, rows, left_out)
        else:
            _read_document(task, part, path, rows)
        if len(rows) == before:
            raise InputError(f"{path}: has no rows")
        if part not in ("train", "validation", "test"):
            _require_ids(rows[before:], path)
    return Rows(rows, left_out)


def _require_ids(rows, path):
    """Raises InputError where the answers to rows could not be told apart by their `id`."""
    seen = set()
    for row in rows:
        id = row["id"]
        if not isinstance(id, str | int) or isinstance(id, bool) or id == "":
            raise InputError(f"{path}: an id is {shown(id)}, wanted a string or a number")
        if id in seen:
            raise InputError(f"{path}: id {shown(id)} stands there twice, wanted each once")
        seen.add(id)


def _read_document(task, part, path, rows):
    """Adds the rows of a file that is one document."""
    read, _, unit = formats.DOCUMENTS[task.format]
    for number, record in enumerate(read(path), 1):
        if part in ("train", "validation") and not any(x in record for x in _TARGETS):
            raise InputError(f"{path}, {unit} {number}: there is no answer to learn from")
        rows.append({"id": len(rows), **record})


def _read_table(task, columns, path, rows, left_out):
    """Adds the rows of a table or of JSON lines, and counts those that are left out."""
    format, header = "tsv" if path.endswith((".tsv", ".txt")) else "jsonl", None
    with formats.open_for_reading(path) as file:
        for record in formats.scan(file, path, format):
            place, cells = f"{path}, line {record.line}", record.cells
            if format == "tsv" and isinstance(columns.text, str):
                if header is None:
                    header = [cell.strip() for cell in cells]
                    _check_header(header, columns, path)
                    continue
                cells = dict(zip(header, cells, strict=False))
            reason, row = _row(task, columns, cells, place, len(rows))
            if reason is None:
                rows.append(row)
            elif columns.label is None:
                raise InputError(f"{place}: {reason}")
            else:
                left_out[reason] = left_out.get(reason, 0) + 1


def _check_header(header, columns, path):
    for name in (columns.text, columns.text_pair, columns.label):
        if name is not None and name not in header:
            told = column_hint(name, header)
            raise InputError(f"{path}, line 1: no column {name!r} in the header; {told}")


def _row(task, columns, cells, place, number):
    """(why it is left out or None, the row)."""
    if isinstance(cells, dict) and task.assemble is not None:
        cells = task.assemble(cells, place)
    row = {"id": number}
    if isinstance(cells, dict):
        row["id"] = next((cells[x] for x in ("index", "id") if x in cells), number)
    for name in ("text", "text_pair", "label"):
        column = getattr(columns, name)
        if column is None:
            continue
        there = column in cells if isinstance(cells, dict) else column < len(cells)
        if not there:
            return f"lacks its {column!r}", None
        value = cells[column]
        if name == "label" and not isinstance(value, str | int | float):
            said = f"{column!r} is {shown(value)}"
            raise InputError(f"{place}: {said}, wanted a string or a number")
        if name == "label":
            value = str(value).lower() if isinstance(value, bool) else str(value)
        elif not isinstance(value, str):
            raise InputError(f"{place}: {column!r} is {shown(value)}, wanted a string")
        row[name] = value
    return None, row
