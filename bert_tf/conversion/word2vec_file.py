"""Files of word vectors in word2vec's two formats, text and binary, as gensim has them.

A line tells how many vectors there are and how wide; behind it stand a word, a space, and its
numbers: decimal, a word a line; or float32, little end first, perhaps with line breaks between.
Source of the formats: word2vec.c; gensim 4.4, models/keyedvectors.py.
"""

import contextlib
import gzip
import io
import itertools
import os
import re
import zlib
from pathlib import Path

import numpy as np
from absl import logging

from bert_tf.atomic import new_files
from bert_tf.errors import InputError, shown

# What such files are called in a folder that holds nothing else of a model.
TEXT_FILE, BINARY_FILE = "vectors.txt", "vectors.bin"
_HEADER = re.compile(rb"\s*(\d{1,18})[ \t]+(\d{1,18})\s*\Z")
# Binary files are read so many bytes at a time; nothing that is wider or longer is meant.
_CHUNK, _WIDEST, _LONGEST = 1 << 20, 100_000, 10_000


def read_word_vectors(path, binary=None):
    """Read all vectors of a file in word2vec's text or binary format, plain or gzip.

    A word that stands twice counts the first time; one warning says how many did.

    Args:
      path: str or Path.
      binary: bool; None: by what the file holds.
    Returns:
      list of str, the words; float32 [words, width], their vectors.
    Raises:
      InputError: the file cannot be read, is cut off, holds more or less than its first line says,
        a word that is no UTF-8, or a number that is none or not finite; the line says where.
    """
    words, numbers, width = [], bytearray(), 1
    for word, vector in _entries(path, binary):
        words.append(word)
        numbers += vector
        width = len(vector) // 4
    vectors = np.frombuffer(numbers, "<f4").reshape(len(words), width).astype(np.float32)
    sound = np.isfinite(vectors).all(axis=1)
    if not sound.all():
        word = words[int(np.argmin(sound))]
        raise InputError(f"{path}: the vector of {shown(word)}: a number is not finite")
    return words, vectors


def write_word_vectors(path, words, vectors, binary=False):
    """Write vectors in word2vec's text or binary format; the file appears when it is complete.

    The text holds as many digits as it takes to read the same float32 again.

    Args:
      path: str or Path.
      words: list of str, without white space, each once.
      vectors: float32 [words, width], finite.
      binary: bool.
    Raises:
      InputError: a word or a number is none that the format can hold, or the place cannot be
        written.
    """
    path, vectors = Path(path), np.ascontiguousarray(vectors, "<f4")
    if vectors.ndim != 2 or len(words) != len(vectors) or not vectors.size:
        raise InputError(
            f"{path}: {len(words)} words and vectors of shape {list(vectors.shape)}, wanted a row "
            "for each word"
        )
    odd = [word for word in words if not word or re.search(r"\s", word)]
    if odd:
        raise InputError(f"{path}: the word {shown(odd[0])}, wanted one without white space")
    if len(set(words)) < len(words):
        raise InputError(f"{path}: a word stands twice, wanted each once")
    if not np.isfinite(vectors).all():
        raise InputError(f"{path}: a number is not finite")
    with new_files(path.parent, path.name) as (temporary,), open(temporary, "wb") as file:
        file.write(b"%d %d\n" % vectors.shape)
        for word, vector in zip(words, vectors, strict=True):
            numbers = vector.tobytes() if binary else " ".join(map(str, vector)).encode() + b"\n"
            file.write(word.encode() + b" " + numbers)


def words_of(path):
    """The words of a file as `read_word_vectors` gives them; no number is looked at."""
    return [word for word, _ in _entries(path, None, numbers=False)]


def is_word_vectors(path):
    """Whether a file begins as these files do, bool."""
    if not os.path.isfile(path):
        return False
    try:
        with _reading(path) as file:
            return bool(_HEADER.match(file.readline(64)))
    except InputError:
        return False


def find(place):
    """The file of word vectors at a place.

    Args:
      place: Path, a file or a folder.
    Returns:
      Path, or None where there is none, or other files of a model beside it.
    """
    if place.is_dir() and not (place / "config.json").is_file():
        found = [place / name for name in (TEXT_FILE, BINARY_FILE) if (place / name).is_file()]
        return found[0] if found else None
    return place if is_word_vectors(place) else None


def _entries(path, binary, numbers=True):
    """Yields each word, and its vector as the bytes of float32 (not numbers: b"")."""
    with _reading(path) as file:
        header = _HEADER.match(file.readline(64))
        count, width = map(int, header.groups()) if header else (0, 0)
        if not count or not 0 < width <= _WIDEST:
            raise InputError(
                f"{path}, line 1: wanted how many vectors there are and their width, at most "
                f"{_WIDEST}"
            )
        binary = _is_binary(file) if binary is None else binary
        _check_size(path, file, count, (4 if binary else 2) * width + 2)
        seen, twice = set(), 0
        for place, word, vector in (_binary if binary else _text)(file, path, count, width):
            try:
                word = word.decode("utf-8")
            except UnicodeDecodeError as error:
                raise InputError(
                    f"{place}: byte {error.start + 1} of the word is not UTF-8"
                ) from None
            if not word:
                raise InputError(f"{place}: no word before its numbers")
            if word in seen:
                twice += 1
                continue
            seen.add(word)
            if numbers and not binary:
                vector = _parsed(vector, place)
            yield word, vector if numbers else b""
    if twice:
        logging.warning("%s: %d words stand twice, and count the first time", path, twice)


def _is_binary(file):
    """Whether what follows the first line has bytes that no text has."""
    return bool(re.search(rb"[^\t\n\r\x20-\xff]", file.peek(_LONGEST)[:_LONGEST]))


def _check_size(path, file, count, least):
    """Refuses a first line that tells of more than a file can hold, before any of it is read."""
    if isinstance(file, gzip.GzipFile):
        return  # its end says so
    size = os.path.getsize(path)
    if count * least > size:
        raise InputError(
            f"{path}, line 1: tells of {count} vectors, {count * least} bytes at least, and the "
            f"file has {size}: cut off, or another file's line"
        )


def _text(file, path, count, width):
    """Yields (place, word, list of numbers as bytes) for each line."""
    found = 0
    for number, line in enumerate(file, 2):
        line, place = line.strip(b" \t\r\n"), f"{path}, line {number}"
        if not line:
            continue
        found += 1
        if found > count:
            raise InputError(f"{place}: more vectors than the {count} that line 1 tells of")
        # From the right: a few published files have words with a space in them.
        word, *numbers = line.rsplit(b" ", width)
        if len(numbers) != width:
            raise InputError(f"{place}: {len(numbers)} numbers behind a word, wanted {width}")
        yield place, word, numbers
    if found < count:
        raise InputError(f"{path}: ends behind {found} of the {count} vectors that line 1 tells of")


def _parsed(numbers, place):
    try:
        return np.array(list(map(float, numbers)), "<f4").tobytes()
    except ValueError:
        bad = next(itertools.dropwhile(_is_number, numbers))
        raise InputError(f"{place}: {shown(bad)} is no number") from None


def _is_number(text):
    try:
        return float(text) is not None
    except ValueError:
        return False


def _binary(file, path, count, width):
    """Yields (place, word, bytes of its numbers) for each vector."""
    held, at, size = b"", 0, 4 * width
    for number in range(1, count + 1):
        place = f"{path}, vector {number} of {count}"
        end = held.find(b" ", at)
        while end < 0 or len(held) < end + 1 + size:
            if (len(held) if end < 0 else end) - at > _LONGEST:
                raise InputError(f"{place}: no word, a space and {width} numbers")
            more = file.read(_CHUNK)
            if not more:
                raise InputError(f"{place}: the file ends within it")
            held, at = held[at:] + more, 0
            end = held.find(b" ")
        yield place, held[at:end].lstrip(b"\n"), held[end + 1 : end + 1 + size]
        at = end + 1 + size
    if (held[at:] + file.read(_CHUNK)).strip():
        raise InputError(f"{path}: more behind the {count} vectors that line 1 tells of")


@contextlib.contextmanager
def _reading(path):
    try:
        with open(path, "rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with (gzip.open if packed else io.open)(path, "rb") as file:
            yield file
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: damaged or truncated archive: {error}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
