"""Which files a table is of: one, several, what a glob matches, or a folder of documents."""

import glob
import os

from bert_tf.errors import InputError, require_file_name, shown


def files_of(given, is_document=lambda path: False):
    """The files that a setting or a flag names.

    Args:
      given: str or os.PathLike, or a list of such, each a file, a glob (`**` goes through folders)
        or a folder.
      is_document: function of a path -> bool; a folder whose first file is one stands for all files
        below it.
    Returns:
      list of str: each in its place, those of a glob or a folder sorted by name.
    Raises:
      InputError: a glob matches no file, a file is there twice, or no file can be called so.
    """
    found = []
    for each in [given] if isinstance(given, str | os.PathLike) else given:
        found += _files(os.fspath(each), is_document)
    if len(set(found)) < len(found):
        twice = next(path for path in found if found.count(path) > 1)
        raise InputError(f"{twice}: twice among the files of one table")
    return found


def _files(path, is_document):
    require_file_name(path)
    if os.path.isdir(path):
        files = _matched(os.path.join(glob.escape(path), "**", "*"))
        return files if files and is_document(files[0]) else [path]
    if os.path.exists(path) or not glob.has_magic(path):
        return [path]  # whoever opens it says what is wrong
    files = _matched(path)
    if not files:
        raise InputError(f"{shown(path, 200)}: matches no file")
    return files


def _matched(pattern):
    return sorted(filter(os.path.isfile, glob.glob(pattern, recursive=True)))


def name_of(files):
    """What messages about a whole table call its files."""
    more = len(files) - 1
    return files[0] if not more else f"{files[0]} and {more} more file{'s' * (more > 1)}"
