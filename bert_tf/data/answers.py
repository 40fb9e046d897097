"""Cells with the right answers to a question: texts, and where they begin in another cell."""

import numpy as np

# Beyond any text; answer_start may be any number in a file.
_LARGEST = 2**31 - 1


def accepts(value):
    """bool, whether a value of JSON is a list of {"text", "answer_start"}, or an object of the two
    lists, as the data sets of Hugging Face have it."""
    if isinstance(value, dict):
        texts, starts = value.get("text"), value.get("answer_start")
        if not isinstance(texts, list) or not isinstance(starts, list):
            return False
        return len(texts) == len(starts) and all(map(_is_answer, texts, starts))
    return isinstance(value, list) and all(
        isinstance(x, dict) and _is_answer(x.get("text"), x.get("answer_start")) for x in value
    )


def read(value):
    """A value that `accepts` has found whole, as a list of {"text", "answer_start"}."""
    if isinstance(value, dict):
        pairs = zip(value["text"], value["answer_start"], strict=True)
        return [{"text": text, "answer_start": start} for text, start in pairs]
    return value


def flatten(rows):
    """Where the first answers stand, without the spaces round them.

    Args:
      rows: list of lists as `read` gives them.
    Returns:
      A tuple of one int32 array [rows, 2]: the first character and the one behind the last; (-1,
      -1) of a row without an answer.
    """
    spans = np.full((len(rows), 2), -1, np.int32)
    for row, answers in enumerate(rows):
        if answers:
            text, start = answers[0]["text"], answers[0]["answer_start"]
            begin = start + len(text) - len(text.lstrip())
            end = max(begin, start + len(text.rstrip()))
            spans[row] = [min(max(place, -1), _LARGEST) for place in (begin, end)]
    return (spans,)


def _is_answer(text, start):
    whole = isinstance(start, int) and not isinstance(start, bool)
    return isinstance(text, str) and whole
