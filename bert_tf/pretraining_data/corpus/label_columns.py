"""Labels beside the text of JSON lines: read, numbered, and put where the tokens are.

{"text": "a good film", "mood": "good"} has a class for the text, and
{"text": ["Ann", "left"], "name": ["B", "O"]} one for each of its words. A class is a string or a
whole number; null, or nothing under the key, is no label. An object is a cloze question, see cloze.
"""

import typing

import numpy as np

from bert_tf.data.labels import sorted_names
from bert_tf.errors import ConfigError, InputError, shown
from bert_tf.pretraining_data.corpus import cloze
from bert_tf.pretraining_data.corpus.cloze import NO_LABEL

# More classes than this are no classes: a column of numbers of rows, perhaps.
_MOST = 10_000
# What records and batches hold besides, and what losses there are.
_RESERVED = frozenset(
    "input_ids input_mask segment_ids token_boundary masked_lm_positions masked_lm_ids "
    "masked_lm_weights next_sentence_labels attention_mask token_type_ids position_ids "
    "masked_positions masked_ids masked_weights sentence_positions sentence_weights masked_lm "
    "sentence loss perplexity".split()
)


class NumberedLabels(typing.NamedTuple):
    """The labels of a block of documents as numbers, NO_LABEL for none.

    words: list of d: the list of words of a document, or None. labels: dict of name -> int32
    [d, n], n numbers for each. tags: dict of name -> list of d: int32 [words], or None.
    has_question: dict of name -> bool [d], whether there is a cloze question.
    """

    words: list
    labels: dict
    tags: dict
    has_question: dict


def check(columns, field):
    """Raises ConfigError where a column of labels, str, has a name that means something else."""
    for name in columns:
        if name in _RESERVED or name == field:
            what = "the text" if name == field else "something that every record or run has"
            raise ConfigError(f"label {name!r} is the name of {what}, wanted another")


def read(row, columns, text, words):
    """The labels of a JSON object.

    Args:
      row: dict.
      columns: iterable of str, the keys of labels.
      text: str, its text.
      words: list of str, the words of its text; None where the text is one string.
    Returns:
      dict of name -> str, a class; or list of str or None, one for each word; or cloze.Question;
      without the labels that the row does not have.
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
        elif isinstance(value, dict):
            found[name] = cloze.read(name, value, text, words)
        elif value is not None:
            found[name] = _class_of(name, value)
    return found


def _class_of(name, value):
    whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if whole or (isinstance(value, str) and value.strip() and cloze.is_text(value)):
        return str(value).strip()
    raise ValueError(
        f"label {name!r} holds {shown(value, 40)}, wanted the name of a class or a whole number "
        "from 0, a list of these for a list of words, or null for none"
    )


class Classes:
    """Collects what classes, or candidates, the columns of a corpus have.

    Args:
      columns: dict of name -> the classes there may be, sequence of str in the order of their
        numbers; an empty one: those that are found.
      tokenizer: Tokenizer, which cuts the candidates of cloze questions into pieces.
    """

    def __init__(self, columns, tokenizer):
        self._given = {name: tuple(names) for name, names in columns.items()}
        self._seen = {name: set() for name in columns}
        self._tokenizer, self._sizes, self._of = tokenizer, {}, {}

    def add(self, raw):
        """Adds the labels of a RawDocument.

        Raises:
          InputError: a class that is not among those given, too many, or another kind of label; a
            candidate that the vocabulary does not know.
          ConfigError: the name cannot be that of a cloze question.
        """
        for name, value in raw.labels.items():
            of = _kind(value)
            place = f"{raw.file}, line {raw.line}: label {name!r}"
            if self._of.setdefault(name, of) != of:
                raise InputError(f"{place} is of a {of}, and before of a {self._of[name]}")
            if of == "cloze":
                if name not in self._sizes:
                    self._sizes[name] = self._no_question_yet(name)
                self._sizes[name].add(value, place)
            else:
                self._add(name, {value} if of == "sentence" else {*value} - {None}, place)

    def _no_question_yet(self, name):
        self._tokenizer.require_mask("cloze questions")
        if self._given[name]:
            raise ConfigError(
                f"--label={name}={','.join(self._given[name])}: a cloze question has candidates of "
                f"its own, wanted --label={name}"
            )
        for column in (*cloze.columns(name), f"{name}_positions"):
            if column in _RESERVED or column in self._given:
                raise ConfigError(
                    f"label {name!r} is a cloze question, and {column} stands for something else; "
                    "wanted another name"
                )
        return cloze.Sizes(self._tokenizer)

    def _add(self, name, found, place):
        new, given = found - self._seen[name], self._given[name]
        odd = sorted(new - set(given)) if given else ()
        if odd:
            raise InputError(f"{place} holds {odd[0]!r}, wanted one of {', '.join(given[:20])}")
        self._seen[name] |= new
        if len(self._seen[name]) > _MOST:
            raise InputError(f"{place} has more than {_MOST:,} classes by now")

    def found(self):
        """dict of name -> {"of": "sentence" or "token", "names": list of str}, the classes in the
        order of their numbers: by number if all are, else by name; for a cloze question what
        `cloze.Sizes.found` gives.

        Raises:
          InputError: a column has no label at all, or all are the same.
        """
        for name, seen in self._seen.items():
            if name not in self._of:
                raise InputError(f"label {name!r}: no text has one under this key")
            if name not in self._sizes and len(self._given[name] or seen) < 2:
                has = ", ".join(map(repr, seen)) or "null"
                raise InputError(f"label {name!r}: has {has} alone, wanted two classes or more")
        found = {}
        for name, seen in self._seen.items():
            if name in self._sizes:
                found[name] = self._sizes[name].found()
            else:
                names = list(self._given[name] or sorted_names(seen))
                found[name] = {"of": self._of[name], "names": names}
            if not found[name]:
                raise InputError(f"label {name!r}: no question has an answer")
        return found


def _kind(value):
    """What a label is of, by what `read` made of it."""
    if isinstance(value, cloze.Question):
        return "cloze"
    return "token" if isinstance(value, list) else "sentence"


def lengths(classes, max_length):
    """The columns that labels have in records: dict of name -> int, how many numbers each has.

    Args:
      classes: as `Classes.found` gives.
      max_length: int, tokens a row.
    """
    found = {}
    for name, label in classes.items():
        found[name] = max_length if label["of"] == "token" else 1
        if label["of"] == "cloze":
            blank, candidates = cloze.columns(name)
            found |= {blank: max_length, candidates: label["candidates"] * label["pieces"]}
    return found


def numbered_labels(documents, classes, tokenizer):
    """The labels of documents as numbers.

    Args:
      documents: list of d RawDocument.
      classes: as `Classes.found` gives.
      tokenizer: Tokenizer, which cuts the candidates of cloze questions into pieces.
    Returns:
      NumberedLabels.
    """
    labels, tags, has_question = {}, {}, {}
    for name, label in classes.items():
        values = [raw.labels.get(name) for raw in documents]
        if label["of"] == "cloze":
            has_question[name] = np.array([value is not None for value in values])
            answers = [NO_LABEL if value is None else value.answer for value in values]
            labels[name] = np.array(answers, np.int32)[:, None]
            labels[cloze.columns(name)[1]] = cloze.candidate_ids(values, label, tokenizer)
            continue
        numbers = {each: number for number, each in enumerate(label["names"])}
        numbers[None] = NO_LABEL
        if label["of"] == "sentence":
            labels[name] = np.array([numbers[value] for value in values], np.int32)[:, None]
        else:
            tags[name] = [
                None if value is None else np.array([numbers[each] for each in value], np.int32)
                for value in values
            ]
    return NumberedLabels([raw.words for raw in documents], labels, tags, has_question)


def piece_tags(numbered, sizes, offsets, splits):
    """Tags of words as tags of pieces: the first piece of a word has its tag, others have none.

    Args:
      numbered: NumberedLabels.
      sizes: int [d], how many texts each document has; one, of words with a space between, where
        there are words.
      offsets: int [T, 2], start and end of each piece in characters of its text.
      splits: int [texts + 1], where each text's pieces begin among them.
    Returns:
      dict of name -> int32 [T].
    """
    tags = {name: np.full(len(offsets), NO_LABEL, np.int32) for name in numbered.tags}
    texts = np.cumsum(sizes) - sizes
    for number, words in enumerate(numbered.words):
        given = {name: rows[number] for name, rows in numbered.tags.items()}
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
