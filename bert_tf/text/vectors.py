"""Word vectors in word2vec's text format: a word and its numbers a line."""

import contextlib
import gzip
import zlib

import numpy as np

from bert_tf.errors import InputError, shown


def read_vectors(path, rows, width):
    """Read the vectors of some words; the file is streamed, so it may be of any size.

    The first line may say how many vectors there are and how wide (word2vec) or be a vector already
    (GloVe). A word that stands twice counts the first time. Source of the format: word2vec.c.

    Args:
      path: str, a text file, plain or gzip.
      rows: dict of str -> int, the words that are wanted, as they are spelled there, and the number
        that stands for each.
      width: int, the numbers of a vector.
    Returns:
      int32 [found] numbers of the words found, and float32 [found, width] their vectors.
    Raises:
      InputError: the file cannot be read, its vectors are of another width, a line is not what it
        should be, or no word is there; the line says where.
    """
    found, promised, count = {}, 0, 0
    with _reading(path) as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip()
            if not line:
                continue
            if number == 1 and _is_header(line):
                promised, own = map(int, line.split())
                _check_width(own, width, path)
                continue
            if number == 1:
                _check_width(line.count(b" "), width, path)
            # From the right: a few published files have words with a space in them.
            word, *numbers = line.rsplit(b" ", width)
            if len(numbers) != width:
                place = f"{path}, line {number}"
                raise InputError(f"{place}: {len(numbers)} numbers behind a word, wanted {width}")
            count += 1
            row = rows.get(word.decode("utf-8", "replace"))
            if row is not None and row not in found:
                found[row] = _vector(numbers, f"{path}, line {number}")
    if count < promised:
        raise InputError(f"{path}: ends after {count} of the {promised} vectors of its first line")
    if not found:
        raise InputError(f"{path}: none of its words is an entry of the vocabulary")
    return np.array(list(found), np.int32), np.stack(list(found.values()))


def _is_header(line):
    fields = line.split()
    return len(fields) == 2 and all(field.isdigit() and len(field) < 16 for field in fields)


def _check_width(found, width, path):
    if found != width:
        raise InputError(
            f"{path}, line 1: vectors of {found} numbers, wanted {width}, the width of the "
            "word embeddings"
        )


def _vector(numbers, place):
    vector = np.empty(len(numbers), np.float32)
    for i, number in enumerate(numbers):
        try:
            vector[i] = float(number)
        except ValueError:
            raise InputError(f"{place}: {shown(number)} is no number") from None
    if not np.isfinite(vector).all():
        raise InputError(f"{place}: a number is not finite")
    return vector


@contextlib.contextmanager
def _reading(path):
    try:
        with open(path, "rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with (gzip.open if packed else open)(path, "rb") as file:
            yield file
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: damaged or truncated archive: {error}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
