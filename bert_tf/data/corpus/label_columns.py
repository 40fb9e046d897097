"""Labels beside the text of JSON lines: read, numbered, and put where the tokens are.

{"text": "a good film", "mood": "good"} has a class for the text, and
{"text": ["Ann", "left"], "name": ["B", "O"]} one for each of its words. A class is a string or a
whole number; null, or nothing under the key, is no label.
"""

import typing

import numpy as np

from bert_tf.data.labels import sorted_names
from bert_tf.errors import ConfigError, InputError

NO_LABEL = -1
# More classes than this are no classes: a column of numbers of rows, perhaps.
_MOST = 10_000
# What records and batches hold besides, and what losses there are.
_RESERVED = frozenset(
    "input_ids input_mask segment_ids token_boundary masked_lm_positions masked_lm_ids "
    "masked_lm_weights next_sentence_labels attention_mask token_type_ids position_ids "
    "masked_positions masked_ids masked_weights sentence_positions sentence_weights masked_lm "
    "sentence loss perplexity".split()
)


class Marks(typing.NamedTuple):
    """The labels of a block of documents as numbers, NO_LABEL for none.

    words: list of d: the list of words of a document, or None. labels: dict of name -> int32 [d].
    tags: dict of name -> list of d: int32 [words], or None.
    """

    words: list
    labels: dict
    tags: dict


def check(columns, field):
    """Raises ConfigError where a column of labels, str, has a name that means something else."""
    for name in columns:
        if name in _RESERVED or name == field:
            what = "the text" if name == field else "something that every record or run has"
            raise ConfigError(f"label {name!r} is the name of {what}, wanted another")


def read(row, columns, words):
    """The labels of a JSON object.

    Args:
      row: dict.
      columns: iterable of str, the keys of labels.
      words: list of str, the words of its text; None where the text is one string.
    Returns:
      dict of name -> str, a class, or list of str or None, one for each word; without the labels
      that the row does not have.
    Raises:
      ValueError: what stands there is no label.
    """
    found = {}
    for name in columns:
        value = row.get(name)
        if isinstance(value, list):
            if words is None:
                raise ValueError(
                    f"label {name!r} is a list, and the text is not: wanted a list of words"
                )
            if len(value) != len(words):
                raise ValueError(f"label {name!r} has {len(value)} classes for {len(words)} words")
            found[name] = [None if each is None else _class_of(name, each) for each in value]
        elif value is not None:
            found[name] = _class_of(name, value)
    return found


def _class_of(name, value):
    whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if whole or (isinstance(value, str) and value.strip()):
        return str(value).strip()
    raise ValueError(
        f"label {name!r} holds {str(value)[:40]!r}, wanted the name of a class or a whole number "
        "from 0, a list of these for a list of words, or null for none"
    )


class Classes:
    """Collects what classes the columns of a corpus have.

    Args:
      columns: dict of name -> the classes there may be, sequence of str in the order of their
        numbers; an empty one: those that are found.
    """

    def __init__(self, columns):
        self._told = {name: tuple(names) for name, names in columns.items()}
        self._seen = {name: set() for name in columns}
        self._of = {}

    def add(self, raw):
        """Takes notice of the labels of a RawDocument.

        Raises:
          InputError: a class that is not among those told, too many, or another kind of label.
        """
        for name, value in raw.labels.items():
            of = "token" if isinstance(value, list) else "sentence"
            found = {x for x in value if x is not None} if of == "token" else {value}
            new, told = found - self._seen[name], self._told[name]
            place = f"{raw.file}, line {raw.line}: label {name!r}"
            if self._of.setdefault(name, of) != of:
                raise InputError(f"{place} is of a {of}, and before of a {self._of[name]}")
            odd = sorted(new - set(told)) if told else ()
            if odd:
                raise InputError(f"{place} holds {odd[0]!r}, wanted one of {', '.join(told[:20])}")
            self._seen[name] |= new
            if len(self._seen[name]) > _MOST:
                raise InputError(f"{place} has more than {_MOST:,} classes by now")

    def found(self):
        """dict of name -> {"of": "sentence" or "token", "names": list of str}, the classes in the
        order of their numbers: by number if all are, else by name.

        Raises:
          InputError: a column has no label at all, or all are the same.
        """
        for name, seen in self._seen.items():
            if name not in self._of:
                raise InputError(f"label {name!r}: no text has one under this key")
            if len(self._told[name] or seen) < 2:
                has = ", ".join(map(repr, seen)) or "null"
                raise InputError(f"label {name!r}: has {has} alone, wanted two classes or more")
        return {
            name: {"of": self._of[name], "names": list(self._told[name] or sorted_names(seen))}
            for name, seen in self._seen.items()
        }


def marks(documents, classes):
    """The labels of documents as numbers.

    Args:
      documents: list of d RawDocument.
      classes: as `Classes.found` gives.
    Returns:
      Marks.
    """
    labels, tags = {}, {}
    for name, told in classes.items():
        numbers = {each: number for number, each in enumerate(told["names"])}
        numbers[None] = NO_LABEL
        values = [raw.labels.get(name) for raw in documents]
        if told["of"] == "sentence":
            labels[name] = np.array([numbers[value] for value in values], np.int32)
        else:
            tags[name] = [
                None if value is None else np.array([numbers[each] for each in value], np.int32)
                for value in values
            ]
    return Marks([raw.words for raw in documents], labels, tags)


def piece_tags(marks, sizes, offsets, splits):
    """Tags of words as tags of pieces: the first piece of a word has its tag, others have none.

    Args:
      marks: Marks.
      sizes: int [d], how many texts each document has; one, of words with a space between, where
        there are words.
      offsets: int [T, 2], start and end of each piece in characters of its text.
      splits: int [texts + 1], where each text's pieces begin among them.
    Returns:
      dict of name -> int32 [T].
    """
    tags = {name: np.full(len(offsets), NO_LABEL, np.int32) for name in marks.tags}
    texts = np.cumsum(sizes) - sizes
    for number, words in enumerate(marks.words):
        given = {name: rows[number] for name, rows in marks.tags.items()}
        given = {name: numbers for name, numbers in given.items() if numbers is not None}
        if not given:
            continue
        begin, end = splits[texts[number]], splits[texts[number] + 1]
        ends = np.cumsum([len(word) + 1 for word in words])
        word = np.searchsorted(ends, offsets[begin:end, 0], "right")
        heads = np.flatnonzero(np.diff(word, prepend=-1))
        for name, numbers in given.items():
            tags[name][begin + heads] = numbers[word[heads]]
    return tags
