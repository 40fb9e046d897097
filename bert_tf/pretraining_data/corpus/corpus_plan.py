"""Which documents each shard of records is made of, decided by one pass over the corpus.

The corpus is cut into pieces of a few documents each, shards are runs of pieces, and the blocks of
a shard, within which examples are made, are runs of its pieces. All of it depends on the corpus and
the number of shards alone, so a shard can be made anywhere, by itself. What is kept of a
piece takes some hundred bytes, and nothing of its text.
"""

import bisect
import dataclasses
import itertools
import os

from absl import logging

from bert_tf.errors import ConfigError, InputError
from bert_tf.pretraining_data.corpus import documents, label_columns
from bert_tf.text.sentences import check_language

# In characters of text. A block of this size has some 4,000 rows of 128 tokens.
BLOCK, _PIECE = 1 << 21, 1 << 17
# A random B comes from another document of its block; these are enough for it to be random.
_BLOCK_DOCUMENTS, _PIECE_DOCUMENTS = 8, 2
# Without a number: some for all cores of a machine, and more where they would become large.
_SHARDS, _SHARD, _SMALLEST_SHARD = 8, 1 << 25, 1 << 20


@dataclasses.dataclass(frozen=True)
class Reading:
    """How raw text is read; the arguments of `documents.read_documents`.

    labels: dict of str -> tuple of str: keys of labels in JSON lines, and the classes of each in
    the order of their numbers; an empty one: those that are found.
    """

    layout: str | None = None
    language: str = "en"
    policy: str = "fail"
    field: str = "text"
    duplicates: str = "drop"
    labels: dict = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        documents.check_arguments(self.layout, self.policy, self.duplicates)
        check_language(self.language)
        label_columns.check(self.labels, self.field)
        if self.labels and self.layout not in (None, "jsonl"):
            raise ConfigError(
                f"layout: {self.layout!r}, wanted jsonl: only there labels stand beside a text"
            )


@dataclasses.dataclass(frozen=True)
class ShardPlan:
    """The documents of one shard.

    file: int, the number of the file it begins in. number, offset, line: int, of its first document
    as in `documents.RawDocument`. blocks: list of int, documents of each block. duplicates: list of
    [file, number], the documents among them that are left out. digest: int, the sum of the others'
    digests, without the bits above 64.
    """

    file: int
    number: int
    offset: int
    line: int
    blocks: list
    duplicates: list
    digest: int


@dataclasses.dataclass
class _Piece:
    """Some documents in a row; `documents` does not count the duplicates among them."""

    file: int
    first: object  # RawDocument without its paragraphs
    documents: int = 0
    characters: int = 0
    digest: int = 0
    duplicates: list = dataclasses.field(default_factory=list)


def plan(files, settings, shards, paired, classes=None):
    """Reads the corpus once and divides it.

    Args:
      files: list of str.
      settings: Reading.
      shards: int >= 1, or None: as many as its size suggests.
      paired: bool, whether texts of two documents are paired.
      classes: label_columns.Classes, which collects the labels, or None.
    Returns:
      list of ShardPlan, and the `documents.Counts` of what was read.
    Raises:
      InputError: the corpus has no text, or one document where two are wanted.
      ConfigError: there is too little text for so many shards.
    """
    counts = documents.Counts()
    size = sum(os.path.getsize(path) for path in files)
    piece_size = min(_PIECE, size // (8 * (shards or _SHARDS)))
    pieces = _pieces(files, settings, piece_size, counts, classes)
    if not counts.documents:
        raise InputError(f"{_name(files)}: no text in it ({counts})")
    layouts = ", ".join(sorted({piece.first.layout for piece in pieces}))
    if paired and counts.documents < 2:
        raise InputError(
            f"{_name(files)}: one document, so no random next sentence is possible; wanted two or "
            f"more, or --sentence_objective=sentence_order or none; read as {layouts}, --layout "
            "tells it otherwise"
        )
    logging.info("%s; read as %s", counts, layouts)
    characters = sum(piece.characters for piece in pieces)
    most = min(len(pieces), max(1, characters // _SMALLEST_SHARD))
    wanted = shards or min(max(_SHARDS, -(-characters // _SHARD)), most)
    if wanted > len(pieces):
        raise ConfigError(
            f"--shards={wanted}: {counts.documents} documents make {len(pieces)} shards at most"
        )
    edges = _even_edges([piece.characters for piece in pieces], wanted)
    return [_shard(pieces[a:b]) for a, b in itertools.pairwise(edges)], counts


def _name(files):
    return files[0] if len(files) == 1 else f"{files[0]} and {len(files) - 1} more files"


def _pieces(files, settings, size, counts, classes):
    """The corpus as list of _Piece, each of that many characters and of two documents at least."""
    seen, pieces = documents.DigestSet(), []
    options = dict(field=settings.field, labels=settings.labels, counts=counts, guesses=set())
    for number, path in enumerate(files):
        for raw in documents.documents_of_file(path, settings.layout, settings.policy, **options):
            if not raw.paragraphs:
                counts.empty += 1
                continue
            last, digest = pieces[-1] if pieces else None, documents.digest(raw)
            if settings.duplicates == "drop" and not seen.add(digest):
                counts.duplicates += 1
                last.duplicates.append([number, raw.number])
                continue
            if classes is not None:
                classes.add(raw)
            if not last or (last.characters >= size and last.documents >= _PIECE_DOCUMENTS):
                last = _Piece(number, raw._replace(paragraphs=None, words=None, labels={}))
                pieces.append(last)
            counts.documents += 1
            last.documents += 1
            last.digest += digest
            last.characters += sum(map(len, raw.paragraphs))
    if len(pieces) > 1 and pieces[-1].documents < _PIECE_DOCUMENTS:
        last = pieces.pop()
        pieces[-1].documents += last.documents
        pieces[-1].digest += last.digest
        pieces[-1].characters += last.characters
        pieces[-1].duplicates += last.duplicates
    return pieces


def _even_edges(sizes, parts):
    """Where each part begins so that all are about equally large and none is empty, and the end."""
    sums = list(itertools.accumulate(sizes, initial=0))
    edges = [0]
    for part in range(1, parts):
        near = bisect.bisect_left(sums, sums[-1] * part / parts)
        edges.append(min(max(near, edges[-1] + 1), len(sizes) - parts + part))
    return [*edges, len(sizes)]


def _shard(pieces):
    """ShardPlan of a run of pieces, joined to blocks."""
    blocks, characters = [0], 0
    for piece in pieces:
        if characters >= BLOCK and blocks[-1] >= _BLOCK_DOCUMENTS:
            blocks.append(0)
            characters = 0
        blocks[-1] += piece.documents
        characters += piece.characters
    if len(blocks) > 1 and blocks[-1] < _BLOCK_DOCUMENTS:
        blocks[-2:] = [blocks[-2] + blocks[-1]]
    first = pieces[0].first
    duplicates = [each for piece in pieces for each in piece.duplicates]
    digest = sum(piece.digest for piece in pieces) % 2**64
    place = (pieces[0].file, first.number, first.offset, first.line)
    return ShardPlan(*place, blocks, duplicates, digest)


def raw_blocks(files, settings, shard):
    """The documents of a shard, block by block.

    Args:
      files, settings: what `plan` was given.
      shard: ShardPlan.
    Yields:
      list of documents.RawDocument.
    Raises:
      InputError: the files are no longer what they were.
    """
    left_out = {tuple(place) for place in shard.duplicates}
    found, digest = _documents(files, settings, shard, left_out), 0
    for place, size in enumerate(shard.blocks, 1):
        block = list(itertools.islice(found, size))
        digest += sum(map(documents.digest, block))
        whole = place < len(shard.blocks) or digest % 2**64 == shard.digest
        if len(block) < size or not whole:
            raise InputError(
                f"{_name(files)}: changed since the records were begun; wanted the files as they "
                "were, or an empty folder"
            )
        yield block


def _documents(files, settings, shard, left_out):
    """RawDocuments of a corpus from the beginning of a shard on."""
    place = documents.RawDocument("", shard.number, [], "", shard.offset, shard.line)
    for number in range(shard.file, len(files)):
        start = place if number == shard.file else None
        options = dict(field=settings.field, labels=settings.labels, start=start)
        for raw in documents.documents_of_file(
            files[number], settings.layout, settings.policy, **options
        ):
            if raw.paragraphs and (number, raw.number) not in left_out:
                yield raw
