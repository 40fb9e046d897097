"""Vocabularies: trained from text, or a model's own extended or trimmed, its rows carried over."""

import contextlib
import dataclasses

import numpy as np
import tensorflow as tf
from absl import logging

from bert_tf.atomic import new_directory
from bert_tf.conversion.contents import opened
from bert_tf.conversion.vocabulary_rows import (
    embedding_width,
    require_changeable,
    told_ids,
    write_with_rows,
)
from bert_tf.errors import InputError
from bert_tf.pretraining_data.corpus.documents import Counts, raw_documents
from bert_tf.recipes.records import check_field
from bert_tf.text import Tokenizer, vocabulary_libraries
from bert_tf.text.merges import pieces_of
from bert_tf.text.vectors import read_vectors
from bert_tf.text.vocabulary_training import (
    bare_settings,
    check_numbers,
    learn_entries,
    learn_words,
)
from bert_tf.text.word_counts import WordCounter
from bert_tf.text.wordpiece import WordPiece

BATCH = 1 << 18  # characters that are tokenized at a time


def train(
    files, output, size=30000, min_frequency=2, lowercase=False, unused=0, kind=None, **reading
):
    """Trains a WordPiece vocabulary on files; see `bert_tf.train_vocabulary`.

    Args:
      files: str, a glob, as `documents.expand` takes it.
      output: str, the directory to make; it must not exist yet or be empty.
      size, min_frequency, lowercase, unused: as in `train_vocabulary`.
      kind: "word" for one of whole words; None: of pieces.
      **reading: `layout`, `field`, `policy`, `duplicates` of `documents.raw_documents`.
    Returns:
      dict, ready for JSON: what was read, and what the vocabulary makes of it.
    Raises:
      InputError: a file cannot be read, the files hold no word, no entry is left, or the output is
        in use.
      ConfigError: a number is out of its range.
    """
    with new_directory(output) as folder:
        settings = bare_settings(lowercase, unused)
        check_numbers(settings, size, min_frequency)
        words, counts = _counted(settings, files, reading)
        learn = learn_words if kind == "word" else learn_entries
        with _of_files(files):
            learned = learn(settings, words, size, min_frequency)
        if not learned.entries:
            raise InputError(
                f"{files}: no entry is left but special tokens, by min_frequency {min_frequency} "
                f"and size {size}"
            )
        learned.tokenizer.save_pretrained(folder)
    return {"output": output, **_figures(learned), **_read(counts)}


def train_other(
    files,
    output,
    kind,
    size=30000,
    min_frequency=2,
    lowercase=False,
    byte_fallback=False,
    **reading,
):
    """Trains a vocabulary of another kind than WordPiece on files, by the library of that kind.

    Args:
      files, output, size, min_frequency, lowercase, **reading: as in `train`.
      kind: str, one of `vocabulary_libraries.KINDS`.
      byte_fallback: bool, see `vocabulary_libraries.train`.
    Returns:
      dict, ready for JSON: what was read, and how many entries there are.
    Raises:
      InputError, ConfigError: as `train`, and `vocabulary_libraries.train`.
    """
    counts = Counts()
    with new_directory(output) as folder:
        texts = _paragraphs(files, counts, reading)
        options = (size, min_frequency, lowercase, byte_fallback)
        with _of_files(files):
            vocabulary_libraries.train(texts, folder, kind, *options)
        entries = Tokenizer.from_pretrained(folder).vocab_size
    return {"output": output, "entries": entries, **_read(counts)}


def extend(model, files, output, size, min_frequency=2, vectors=None, **reading):
    """Gives a model's vocabulary new entries, learned from files, behind those it has.

    The pieces that the model cuts the words into are merged further, and characters it lacks are
    added. A new row begins as the mean of the rows of the pieces that the entry was cut into so
    far, or of all rows where there are none (Hewitt 2021, "Initializing new word embeddings"), or
    as a given vector.

    Args:
      model: str, a model directory.
      files, output, min_frequency, **reading: as in `train`.
      size: int, the number of entries to reach.
      vectors: str, a file as `text.vectors.read_vectors` takes it; an entry is looked up as it is
        spelled. None: there are none.
    Returns:
      dict, as `train`; `entries_from_vectors` with vectors.
    Raises:
      InputError, ConfigError: as `train`; the model or the vectors cannot be read or do not fit.
    """
    with new_directory(output) as folder, opened(model) as contents:
        tokenizer = _wordpiece(model, contents)
        settings, width = tokenizer.pieces.settings, embedding_width(contents)
        check_numbers(settings, size, min_frequency)
        words, counts = _counted(settings, files, reading)
        with _of_files(files):
            learned = learn_entries(settings, words, size, min_frequency)
        held, grown = tokenizer.vocab_size, learned.tokenizer.vocabulary
        if len(grown) == held:
            raise InputError(
                f"{files}: no new entry for {model}: its entries cut every word that occurs "
                f"{min_frequency} times or more into one piece"
            )
        sources = [pieces_of(entry, tokenizer.pieces.ids) for entry in grown[held:]]
        given = None
        if vectors is not None:
            rows = {entry: held + i for i, entry in enumerate(grown[held:])}
            given = read_vectors(vectors, rows, width)

        def change(array):
            return _with_vectors(_extended(array[:held], sources), given)

        write_with_rows(contents, folder, learned.tokenizer, change)
    found = {} if given is None else {"entries_from_vectors": len(given[0])}
    return {"output": output, **_figures(learned), **found, **_read(counts)}


def trim(model, files, output, min_frequency=2, **reading):
    """Leaves a model only the entries that files use, and their rows.

    Added tokens and single characters stay in any case, so every word that could be cut still
    can. A text whose pieces all stay is cut as before.

    Args:
      model: str, a model directory.
      files, output, **reading: as in `train`.
      min_frequency: int, how often an entry has to be used.
    Returns:
      dict, ready for JSON: what was read, the entries before and after, and the share of the pieces
      of these texts that stay.
    Raises:
      InputError: as `extend`.
    """
    with new_directory(output) as folder, opened(model) as contents:
        tokenizer = _wordpiece(model, contents)
        uses, counts = _uses(tokenizer, files, reading)
        if not uses.any():
            raise InputError(f"{files}: holds no word that {model} has entries for")
        kept = _kept(tokenizer, uses, min_frequency, told_ids(contents.config))
        vocabulary = tokenizer.vocabulary
        entries = tuple(vocabulary[i] for i in kept)
        settings = tokenizer.pieces.settings
        base_size = int((kept < settings.base_size).sum())
        settings = dataclasses.replace(settings, vocabulary=entries, base_size=base_size)
        trimmed = Tokenizer(WordPiece(settings))
        places = {int(old): new for new, old in enumerate(kept)}
        write_with_rows(contents, folder, trimmed, lambda array: array[kept], places)
    return {
        "output": output,
        "entries": len(entries),
        "entries_before": len(vocabulary),
        "pieces_kept": _share(uses[kept].sum(), uses.sum()),
        **_read(counts),
    }


def start_from_vectors(model, vectors, output):
    """Puts given vectors in the place of the rows of all entries that they name.

    For a model with fresh weights, before it is pretrained.

    Args:
      model, vectors, output: as in `extend`.
    Returns:
      dict: output, entries, entries_from_vectors.
    Raises:
      InputError: as `extend`.
    """
    with new_directory(output) as folder, opened(model) as contents:
        tokenizer = Tokenizer.from_pretrained(contents.folder)
        special = tokenizer.pieces.settings.special_tokens
        rows = {entry: i for entry, i in tokenizer.pieces.ids.items() if entry not in special}
        given = read_vectors(vectors, rows, embedding_width(contents))
        held = tokenizer.vocab_size
        write_with_rows(
            contents, folder, tokenizer, lambda array: _with_vectors(array[:held], given)
        )
    return {"output": output, "entries": held, "entries_from_vectors": len(given[0])}


def _wordpiece(model, contents):
    """The Tokenizer of a model, whose vocabulary can be another.

    Raises:
      InputError: its pieces are of another kind: merges and scores come from training alone.
    """
    require_changeable(contents)
    tokenizer = Tokenizer.from_pretrained(contents.folder)
    if not isinstance(tokenizer.pieces, WordPiece):
        kind = tokenizer.pieces.settings.model["type"]
        raise InputError(f"{model}: its tokenizer is {kind}, wanted WordPiece")
    return tokenizer


@contextlib.contextmanager
def _of_files(files):
    """What is wrong with the texts names the files that they are of."""
    try:
        yield
    except InputError as error:
        if str(error).startswith("the texts"):  # not of a file that cannot be read
            raise InputError(f"{files}: {error}") from None
        raise


def _paragraphs(files, counts, reading):
    check_field(files, reading.get("layout"), reading.get("field", "text"))
    for document in raw_documents(files, counts=counts, **reading):
        yield from document.paragraphs


def _counted(settings, files, reading):
    """The words of files, dict of str -> int, and the Counts of what was read."""
    counter, counts = WordCounter(settings), Counts()
    for text in _paragraphs(files, counts, reading):
        counter.add(text)
    words = counter.words()
    logging.info("%s; %d different words", counts, len(words))
    return words, counts


def _uses(tokenizer, files, reading):
    """How often files use each entry, int64 [entries], and the Counts of what was read."""
    uses, counts = np.zeros(tokenizer.vocab_size, np.int64), Counts()
    batch, size = [], 0

    def add():
        ids, _ = tokenizer.pieces(tf.constant(batch, tf.string, shape=[len(batch)]))
        np.add(uses, np.bincount(ids.flat_values, minlength=len(uses)), out=uses)

    for text in _paragraphs(files, counts, reading):
        batch.append(text)
        size += len(text)
        if size >= BATCH:
            add()
            batch, size = [], 0
    add()
    logging.info("%s; %d entries are used", counts, np.count_nonzero(uses))
    return uses, counts


def _kept(tokenizer, uses, min_frequency, told):
    """The ids that stay, int [kept], in their order; those `told` of in the config in any case."""
    added = {token.content for token in tokenizer.pieces.settings.added_tokens}
    return np.array(
        [
            i
            for i, entry in enumerate(tokenizer.vocabulary)
            if tokenizer.pieces.ids[entry] == i
            and (
                uses[i] >= max(min_frequency, 1)
                or entry in added
                or i in told
                or len(entry.removeprefix("##")) == 1
            )
        ]
    )


def _extended(array, sources):
    """Rows [entries, ...] with one more for each list of ids: their mean, or that of all rows."""
    fresh = [array[ids].mean(0) if ids else array.mean(0) for ids in sources]
    return np.concatenate([array, np.stack(fresh)]).astype(array.dtype)


def _with_vectors(array, given):
    """Embeddings [entries, width] with given (rows, vectors); a bias [entries] stays as it is."""
    if given is None or array.ndim == 1:
        return array
    array = np.array(array)
    array[given[0]] = given[1]
    return array


def _figures(learned):
    return {
        "entries": learned.tokenizer.vocab_size,
        "new_entries": learned.entries,
        "words": learned.words,
        "unknown_words": _share(learned.unknown, learned.words),
        "pieces_per_word": _share(learned.pieces, learned.words - learned.unknown),
    }


def _read(counts):
    return {key: value for key, value in vars(counts).items() if key != "sentences"}


def _share(part, whole):
    return round(float(part / max(whole, 1)), 6)
