"""Spans of a text with labels: their forms in files, and their labels as numbers of tags."""

import typing

from absl import logging

from bert_tf import tags
from bert_tf.data.labels import sorted_names
from bert_tf.errors import InputError, shown, shown_name

WANTED = (
    'a list of spans {"start", "end", "label"}, or an object {label: {text: [[first, last], ...]}}'
)


class Annotation(typing.NamedTuple):
    """What a file says of a text.

    Attributes:
      words: list of (start, end) in characters; empty where the file has no words.
      tags: list of str, one a word, or None.
      spans: list of (start, end, label) in the order of the text, or None where there are tags.
      lines: sequence of int, the line of the file that each word stands on, from 1; empty where
        they all stand on that of their row.
    """

    words: list
    tags: list | None
    spans: list | None
    lines: tuple | list = ()


class Marked(typing.NamedTuple):
    """An annotation in the numbers of a model's tags.

    Attributes:
      outside: int, the tag of words in no span.
      spans: list of (start, end, first, inner, last, single), the tags of a span's words as
        `TagSet.numbers` has them.
      words: as in Annotation.
      labels: list of str, of the spans, those that the model does not know among them.
    """

    outside: int
    spans: list
    words: list
    labels: list


def annotation(value):
    """An Annotation of what a cell holds: JSON of either form, or one already."""
    if isinstance(value, Annotation):
        return value
    return Annotation([], None, sorted((start, end, label) for start, end, label, _ in _of(value)))


def is_annotation(value):
    """bool, whether a cell has one of the forms of WANTED, or is an Annotation."""
    try:
        return isinstance(value, Annotation) or all(
            type(start) is int and type(end) is int and isinstance(label, str) and label
            for start, end, label, _ in _of(value)
        )
    except (TypeError, ValueError, KeyError, AttributeError):
        return False


def _of(value):
    """(start, end, label, text or None) of each span; errors of all sorts for another form."""
    if isinstance(value, dict):  # CLUENER; `last` is the place of the last character
        return [
            (first, last + 1, label, text)
            for label, found in value.items()
            for text, places in found.items()
            for first, last in places
        ]
    return [
        (x["start"], x["end"], x["label"], x.get("text")) if isinstance(x, dict) else (*x, None)
        for x in value
    ]


def check_in_text(value, text, place):
    """Raises InputError unless the spans of a cell lie in the text, and are what they say."""
    if isinstance(value, Annotation):
        return
    for start, end, label, said in _of(value):
        span = f"span {shown_name(label)} {start} to {end}"
        if not 0 <= start < end <= len(text):
            raise InputError(f"{place}: {span} is not in the text of {len(text)} characters")
        if said is not None and said != text[start:end]:
            found = shown(text[start:end])
            raise InputError(f"{place}: {span} is {shown(said)} there, and {found} in the text")


class SpanCollector:
    """Collects the labels of a file's spans, or its words' tags, and settles the model's tags.

    Args:
      path: str. The file, for messages.
      tagging: tags.Tagging.
    """

    def __init__(self, path, tagging):
        self._path, self._tagging = path, tagging
        self._labels, self._tags = {}, {}  # each distinct one -> where it stands first
        self._begun, self._broken, self._first = False, 0, None

    def add(self, found, place, path=None):
        """Take a row's Annotation; `place` says where it is, for messages; of words with lines of
        their own these are named, in the file `path`, which is one of several."""
        if found.tags is None:
            for _, _, label in found.spans:
                self._labels.setdefault(label, place)
            return

        def place_of(word):
            return f"{path or self._path}, line {found.lines[word]}" if found.lines else place

        distinct = dict.fromkeys(found.tags)  # in the order of the words, for the first bad one
        for tag in distinct:
            if tag not in self._tags:
                self._tags[tag] = place_of(found.tags.index(tag))
        if distinct.keys() == {tags.OUTSIDE}:
            return
        before = (tags.OUTSIDE, "")
        for word, tag in enumerate(found.tags):
            now = tags.split(tag) or (tags.OUTSIDE, "")
            if now[0] in ("I", "E") and not tags.goes_on(before, now):
                self._broken += 1
                self._first = self._first or f"{place_of(word)}: {shown_name(tag)}"
            # In IOB1 a span has its B only where it touches another one of its label.
            self._begun |= now[0] in "BS" and not (before[0] in "BI" and before[1] == now[1])
            before = now

    def settle(self, names=None):
        """The tags of the model.

        Args:
          names: sequence of str, as training has settled them; None: of the labels found here.
        Returns:
          tuple of str; of words with plain labels these. Of labels found here and unknown in
          training one warning, and one of tags that had to be repaired.
        Raises:
          InputError: some words have tags of a scheme and others have none; there is no span at
            all; or under `tagging.strict` a tag goes on with a span that nothing began.
        """
        plain = not any((tags.split(tag) or ("", ""))[1] for tag in self._tags)
        if names is None and self._tags and plain and len(self._tags) > 1:
            return sorted_names(self._tags)
        if names is None or not tags.TagSet(names).plain:
            self._check_tags()
        labels = dict(self._labels)
        for tag, place in self._tags.items():
            labels.setdefault((tags.split(tag) or ("", tag))[1] or tag, place)
        labels.pop(tags.OUTSIDE, None)
        if names is None:
            if not labels:
                raise InputError(f"{self._path}: no span in it, wanted one at least to learn from")
            return tags.names_of(sorted_names(labels), self._tagging.scheme)
        self._warn_of_unknown(names)
        return tuple(names)

    def _check_tags(self):
        for tag, place in self._tags.items():
            if tags.split(tag) is None:
                raise InputError(
                    f"{place}: {shown(tag)} is no tag, wanted O, or B-, I-, E- or S- and a label"
                )
        if self._broken and self._begun:
            said = f"{self._first} goes on with a span that nothing began"
            if self._tagging.strict:
                raise InputError(f"{said}; data.strict_tags false lets it begin one")
            more = "" if self._broken == 1 else f"; so do {self._broken - 1} others"
            logging.warning("%s%s: taken for the beginning of one", said, more)

    def _warn_of_unknown(self, names):
        known = tags.TagSet(names)
        labels = dict(self._labels)
        for tag, place in self._tags.items():
            label = tag if known.plain else (tags.split(tag) or ("", ""))[1]
            if label:
                labels.setdefault(label, place)
        unknown = [label for label in labels if label not in known.labels]
        if unknown:
            more = f" and {len(unknown) - 1} others are" if len(unknown) > 1 else " is"
            logging.warning(
                "%s: %s%s unknown in training; what has such a label counts as wrong",
                *(labels[unknown[0]], shown_name(unknown[0]), more),
            )


def marked(value, known):
    """A cell in the numbers of a model's tags.

    Args:
      value: what a cell holds.
      known: tags.TagSet.
    Returns:
      Marked.
    """
    found = annotation(value)
    spans = found.spans
    if spans is None and known.plain:
        spans = [(*word, tag) for word, tag in zip(found.words, found.tags, strict=True)]
    elif spans is None:
        spans = [
            (found.words[first][0], found.words[end - 1][1], label)
            for first, end, label in tags.spans_of(found.tags)
        ]
    numbered = [(start, end, *known.numbers(label)) for start, end, label in spans]
    return Marked(known.outside, numbered, found.words, [label for *_, label in spans])
