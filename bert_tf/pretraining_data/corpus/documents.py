"""Raw text as documents, streamed: any number of files of any size in constant memory."""

import array
import hashlib
import typing

from absl import logging

from bert_tf.errors import ConfigError
from bert_tf.pretraining_data.corpus import layouts, text_files
from bert_tf.pretraining_data.corpus.text_files import Counts, Faults, Line, expand
from bert_tf.text.sentences import check_language, split_sentences

__all__ = [
    "Counts",
    "Document",
    "RawDocument",
    "documents_of_file",
    "expand",
    "raw_documents",
    "read_documents",
]


class RawDocument(typing.NamedTuple):
    """A document before it is split into sentences.

    file: str. number: int, from 0 in its file; empty documents and duplicates have one too.
    paragraphs: list of str, none of them blank; in the layout "lines" each is a sentence.
    layout: str. offset, line: int, the byte of the unpacked file and the line it begins at.
    words: list of str, the words of its one paragraph, where the file tells them; else None.
    labels: dict, as `label_columns.read` gives.
    """

    file: str
    number: int
    paragraphs: list
    layout: str
    offset: int
    line: int
    words: list | None = None
    labels: dict = {}


class Document(typing.NamedTuple):
    """A document: its file, its number there from 0, and its sentences, a list of str."""

    file: str
    number: int
    sentences: list


def read_documents(
    paths,
    layout=None,
    language="en",
    policy="fail",
    *,
    field="text",
    duplicates="drop",
    counts=None,
):
    """Read raw text as documents of sentences.

    Args:
      paths: list of str, or one str with globs, as `expand` takes it; plain, gzip or xz files.
      layout: "lines", "text", "jsonl" or "doc", see `bert_tf.data.layouts`; None guesses it for
        each file from its beginning.
      language: "en" or "zh", for the splitting into sentences.
      policy: what to do about damage, see Counts: "fail" names file, line and byte; "skip" leaves
        it out and counts it.
      field: str, the key of the text in JSON lines.
      duplicates: "drop" leaves out a document that stood before, word for word (told by a digest
        of 8 bytes, which are kept for every document); "keep" reads it again.
      counts: Counts to add to, or None.
    Yields:
      Document, with at least one sentence.
    Raises:
      InputError: a file cannot be read, a glob matches nothing, or damage under "fail".
      ConfigError: there is no such layout, language or policy.
    """
    check_language(language)
    counts = Counts() if counts is None else counts
    for raw in raw_documents(
        paths, layout, policy, field=field, duplicates=duplicates, counts=counts
    ):
        sentences = sentences_of(raw, language)
        counts.sentences += len(sentences)
        yield Document(raw.file, raw.number, sentences)


def sentences_of(raw, language="en"):
    """The sentences of a RawDocument, list of str."""
    if raw.layout == "lines" or raw.words is not None:
        return raw.paragraphs
    return [x for paragraph in raw.paragraphs for x in split_sentences(paragraph, language)]


def raw_documents(
    paths, layout=None, policy="fail", *, field="text", duplicates="drop", counts=None
):
    """Read raw text as documents of paragraphs; arguments and errors as `read_documents`.

    Yields:
      RawDocument, with at least one paragraph.
    """
    check_arguments(layout, policy, duplicates)
    counts = Counts() if counts is None else counts
    seen, guesses = DigestSet(), set()
    for path in expand(paths) if isinstance(paths, str) else paths:
        for raw in documents_of_file(
            path, layout, policy, field=field, counts=counts, guesses=guesses
        ):
            if not raw.paragraphs:
                counts.empty += 1
            elif duplicates == "drop" and not seen.add(digest(raw)):
                counts.duplicates += 1
            else:
                counts.documents += 1
                yield raw


def check_arguments(layout, policy, duplicates="drop"):
    """Raises ConfigError for a layout or a policy that is not there."""
    text_files.check_policy(policy)
    if layout not in (None, *layouts.LAYOUTS):
        raise ConfigError(f"layout: {layout!r}, wanted one of {', '.join(layouts.LAYOUTS)}")
    if duplicates not in ("drop", "keep"):
        raise ConfigError(f"duplicates: {duplicates!r}, wanted one of drop, keep")


def documents_of_file(
    path,
    layout=None,
    policy="fail",
    *,
    field="text",
    labels=(),
    counts=None,
    start=None,
    guesses=None,
):
    """Every document of one file, empty ones and duplicates among them.

    Args:
      path, layout, policy, field, counts: as in `read_documents`.
      labels: iterable of str, the keys of labels in JSON lines, which the file has to be then.
      start: RawDocument of this file to begin at, as it was yielded before under the same
        settings; None begins at the beginning. A packed file is unpacked up to there.
      guesses: set of str, to which a guessed layout is added; one that is new there is logged.
        None logs nothing.
    Yields:
      RawDocument.
    """
    check_arguments(layout, policy)
    faults = Faults(policy, Counts() if counts is None else counts)
    faults.counts.files += 1
    head = text_files.read_head(path, faults)
    if head is None:
        return
    layout = layout or ("jsonl" if labels else None)
    if layout is None:
        layout, reason = layouts.guess_layout(head)
        if guesses is not None and layout not in guesses:
            guesses.add(layout)
            logging.info("%s: read as %s (%s); --layout tells it otherwise", path, layout, reason)
    begin = start and Line(start.offset, start.line, "")
    number = 0 if start is None else start.number
    lines = text_files.lines(path, faults, begin)
    for begin, paragraphs, *labelled in layouts.pieces(lines, layout, field, path, faults, labels):
        yield RawDocument(path, number, paragraphs, layout, begin.offset, begin.number, *labelled)
        number += 1


def digest(raw):
    """8 bytes, as an int, that tell one document's text from another's."""
    text = "\n".join(raw.paragraphs).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


class DigestSet:
    """A set of 8-byte digests in 16 to 32 bytes each, where Python's own takes a hundred."""

    def __init__(self):
        self._table, self._size = array.array("Q", bytes(8 * 1024)), 0

    def add(self, value):
        """Add an int below 2**64; returns bool, whether it was new."""
        value = value or 1  # zero marks a free place
        place = self._place(value)
        if self._table[place]:
            return False
        self._table[place] = value
        self._size += 1
        if 2 * self._size > len(self._table):
            old, self._table = self._table, array.array("Q", bytes(16 * len(self._table)))
            for each in filter(None, old):
                self._table[self._place(each)] = each
        return True

    def _place(self, value):
        """Where the digest is, or the free place where it belongs (linear probing)."""
        table, mask = self._table, len(self._table) - 1
        place = value & mask
        while table[place] not in (0, value):
            place = (place + 1) & mask
        return place
