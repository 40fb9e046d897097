"""A cloze question beside a text: where the blank is, what may stand there, and what is right.

{"text": "The [MASK] barked .", "animal": {"candidates": ["dog", "cat"], "answer": "dog"}} asks what
stands at the blank; an answer of null, or none, is no label. Records have the number of the answer
under the question's name, and two columns more, see `columns`.
"""

import typing

import numpy as np
import tensorflow as tf

from bert_tf.errors import InputError, shown

BLANK = "[MASK]"
NO_LABEL = -1
_KEYS = ("candidates", "answer")
# Candidates that are cut into pieces together.
_AT_ONCE = 4096


class Question(typing.NamedTuple):
    """candidates: tuple of str. answer: int, the number of the right one, or NO_LABEL."""

    candidates: tuple
    answer: int


def columns(name):
    """The columns of a question in records besides its name, two str.

    The first has a value for each token, 1 at the blank. The second has the ids of the candidates'
    pieces, candidate after candidate. NO_LABEL stands everywhere else.
    """
    return f"{name}_blank", f"{name}_candidates"


def is_text(value):
    """Whether a value of a JSON file is a str that UTF-8 can hold: without half surrogate pairs."""
    return isinstance(value, str) and not any("\ud800" <= x <= "\udfff" for x in value)


def read(name, value, text, words):
    """The question that a JSON object asks.

    Args:
      name: str, its key.
      value: dict, what stands there.
      text: str.
      words: list of str, the words of the text; None where it is one string.
    Returns:
      Question.
    Raises:
      ValueError: it is none, or the text has no blank for it, or several.
    """
    odd = [key for key in value if key not in _KEYS]
    if odd:
        raise ValueError(f"label {name!r} has the key {odd[0]!r}, wanted {' and '.join(_KEYS)}")
    given, answer = value.get("candidates"), value.get("answer")
    words_or_names = isinstance(given, list) and all(map(is_text, given))
    if not words_or_names or not all(map(str.strip, given)):
        raise ValueError(f"label {name!r} has candidates {shown(given, 40)}, wanted a list of str")
    candidates = tuple(each.strip() for each in given)
    if len(candidates) < 2:
        raise ValueError(f"label {name!r} has candidates {given!r}, wanted two or more")
    twice = [each for each in candidates if candidates.count(each) > 1]
    if twice:
        raise ValueError(f"label {name!r} has the candidate {twice[0]!r} twice")
    if answer is not None and (not isinstance(answer, str) or answer.strip() not in candidates):
        raise ValueError(
            f"label {name!r} has the answer {shown(answer, 40)}, wanted one of its candidates, or "
            "null for none"
        )
    blanks = text.count(BLANK)
    if blanks != 1 or (words is not None and BLANK not in words):
        where = "in the text" if words is None else "as one of the words, and in no other"
        raise ValueError(f"label {name!r} asks about {blanks} blanks, wanted {BLANK} once {where}")
    return Question(candidates, NO_LABEL if answer is None else candidates.index(answer.strip()))


class Sizes:
    """Finds out how much room the questions under one name need.

    Args:
      tokenizer: Tokenizer, which cuts candidates into pieces.
    """

    def __init__(self, tokenizer):
        self._tokenizer, self._candidates, self._pieces = tokenizer, 0, 0
        self._answered = False
        self._uncut = {}  # candidate -> where it was met

    def add(self, question, place):
        """Takes notice of a Question; `place`, str, tells of it in messages.

        Raises:
          InputError: a candidate, of this or of an earlier one, has no piece or an unknown one.
        """
        self._candidates = max(self._candidates, len(question.candidates))
        self._answered |= question.answer != NO_LABEL
        for candidate in question.candidates:
            self._uncut.setdefault(candidate, place)
        if len(self._uncut) >= _AT_ONCE:
            self._cut()

    def found(self):
        """dict of "of": "cloze"; "candidates" and "pieces", the most that a question and that a
        candidate has; None if no question has an answer.

        Raises:
          InputError: as `add`.
        """
        self._cut()
        if not self._answered:
            return None
        return {"of": "cloze", "candidates": self._candidates, "pieces": self._pieces}

    def _cut(self):
        cut = _pieces(self._uncut, self._tokenizer)
        for candidate, place in self._uncut.items():
            ids = cut[candidate]
            if not len(ids) or self._tokenizer.unk_id in ids:
                raise InputError(
                    f"{place} has the candidate {candidate!r}, wanted one that is made of pieces "
                    "in the vocabulary"
                )
            self._pieces = max(self._pieces, len(ids))
        self._uncut = {}


def _pieces(candidates, tokenizer):
    """The ids of the pieces of each candidate: dict of str -> int32 [pieces]."""
    candidates = list(candidates)
    texts = tf.constant([text.encode(errors="replace") for text in candidates], tf.string)
    ids, _ = tokenizer.pieces(texts)
    cut = np.split(ids.flat_values.numpy(), ids.row_splits.numpy()[1:-1]) if candidates else ()
    return dict(zip(candidates, cut, strict=True))


def candidate_ids(questions, sizes, tokenizer):
    """The ids of the candidates' pieces.

    Args:
      questions: list of d Question, or None for none.
      sizes: dict, as `Sizes.found` gives.
      tokenizer: Tokenizer.
    Returns:
      int32 [d, candidates * pieces], candidate after candidate, NO_LABEL behind each.
    """
    lists = [() if question is None else question.candidates for question in questions]
    cut = _pieces({candidate for each in lists for candidate in each}, tokenizer)
    shape = (len(lists), sizes["candidates"], sizes["pieces"])
    ids = np.full(shape, NO_LABEL, np.int32)
    for row, candidates in enumerate(lists):
        for place, candidate in enumerate(candidates):
            ids[row, place, : len(cut[candidate])] = cut[candidate]
    return ids.reshape(len(lists), -1)


def with_blanks(texts, has_question, ids, offsets, splits, mask_id):
    """The pieces of texts in which the blank, cut like any text, is one piece.

    Args:
      texts: list of N str.
      has_question: bool [N], whether a text may hold the blank of a question; in others it is text.
      ids, offsets: int32 [T] and [T, 2], pieces, and where each begins and ends in its text.
      splits: int64 [N + 1], where each text's pieces begin among them.
      mask_id: int, the id of a blank.
    Returns:
      ids, offsets and splits likewise, and bool [T], whether a piece is a blank.
    """
    starts = np.full(len(texts), NO_LABEL)
    for number in np.flatnonzero(has_question):
        starts[number] = texts[number].find(BLANK)
    start = np.repeat(starts, np.diff(splits))
    end = start + len(BLANK)
    blank = (start >= 0) & (offsets[:, 0] == start)
    rest = (start >= 0) & (offsets[:, 0] > start) & (offsets[:, 0] < end)
    ids = np.where(blank, np.int32(mask_id), ids)
    offsets = np.where(blank[:, None], np.stack([start, end], 1), offsets)
    splits = np.concatenate([[0], np.cumsum(~rest)])[splits]
    return ids[~rest], offsets[~rest], splits, blank[~rest]


def ask_where_the_blank_is(arrays, name):
    """Takes a question out of the rows without its blank and those of two documents, in place.

    Args:
      arrays: dict of int [N, length], the columns of rows, that of `name` and its two others.
      name: str.
    """
    blank, candidates = columns(name)
    answered = (arrays[blank] == 1).any(axis=1) & (arrays[candidates][:, 0] != NO_LABEL)
    for column in (name, blank, candidates):
        arrays[column] = np.where(answered[:, None], arrays[column], NO_LABEL)
