"""The tokenizer that users, data pipelines and exports call, whatever kind of pieces it cuts."""

import dataclasses
import functools
import hashlib
import json
import numbers
import os

import numpy as np
import tensorflow as tf

from bert_tf import hub
from bert_tf.errors import ConfigError, InputError
from bert_tf.text import (
    joining,
    pipeline_files,
    sequences,
    tokenizer_kinds,
    vocabulary_files,
    windows,
)
from bert_tf.text.added_tokens import AddedToken
from bert_tf.text.inputs import strings
from bert_tf.text.pipeline import Pipeline
from bert_tf.text.shared_pieces import pieces_of
from bert_tf.text.template import Cut
from bert_tf.text.tracked import Tracked
from bert_tf.text.wordpiece import WordPiece

_PADDINGS = ("longest", "max_length")


class Tokenizer(Tracked):
    """Texts to model inputs, eagerly, in tf.data and in an export alike.

    Args:
      pieces: what cuts texts into pieces and joins them again: `wordpiece.WordPiece`, or another
        kind with its `settings`, `template`, `vocabulary`, `ids`, `continuing`, `__call__`, `join`
        and `save`.
    """

    def __init__(self, pieces):
        super().__init__()
        self.pieces = pieces
        settings = pieces.settings
        # None where a tokenizer has no such token, as GPT-2's has no [CLS].
        self.unk_id = pieces.ids.get(settings.unk_token)
        self.cls_id = pieces.ids.get(settings.cls_token)
        self.sep_id = pieces.ids.get(settings.sep_token)
        self.mask_id = pieces.ids.get(settings.mask_token)
        # Padding is what attention_mask says; without a token for it some other has to stand there.
        ends = (settings.pad_token, getattr(settings, "eos_token", None))
        self.pad_id = next((pieces.ids[token] for token in ends if token is not None), 0)
        # Kept where Tracked does not look: these graphs are for eager calls, not for exports.
        self._compiled = pieces.__dict__.setdefault("graphs", functools.cache(self._compile))

    @classmethod
    def from_pretrained(cls, directory, lowercase=None):
        """Read the tokenizer of a model directory.

        The reference is what transformers 5 builds from the directory.

        Args:
          directory: str or os.PathLike; holds vocab.txt, or vocab.json and merges.txt, or a
            SentencePiece model, or tokenizer.json, and perhaps tokenizer_config.json. The path of a
            vocab.txt will do, and so will hf://ORG/NAME.
          lowercase: bool, or None: as the directory says; a bare vocab.txt is cased when its
            ordinary entries hold A-Z.
        Returns:
          Tokenizer.
        Raises:
          InputError: nothing there can be read as a tokenizer; the line says which file and why.
        """
        directory = hub.local(directory, weights=False)
        kind = tokenizer_kinds.kind_of(directory)
        if kind is None:
            return cls(pieces_of(WordPiece, vocabulary_files.read_wordpiece(directory, lowercase)))
        settings = pipeline_files.read_pipeline(os.fspath(directory), kind, lowercase)
        return cls(pieces_of(Pipeline, settings))

    def save_pretrained(self, directory):
        """Write vocab.txt or tokenizer.json, and tokenizer_config.json; transformers reads both.

        Args:
          directory: str or os.PathLike; made when it is not there.
        Raises:
          InputError: the disk is full or the place cannot be written; what was there still is.
        """
        self.pieces.save(directory)

    def portable(self):
        """The same tokenizer by TensorFlow's core operations alone, for exports; slower."""
        pieces = self.pieces.portable()
        return self if pieces is self.pieces else Tokenizer(pieces)

    @property
    def template(self):
        """`template.Template`, what stands round one text and round two."""
        return self.pieces.template

    @property
    def vocabulary(self):
        """list of str, a new one; the place of a token is its id."""
        return list(self.pieces.vocabulary)

    @property
    def vocab_size(self):
        """int, the number of ids."""
        return len(self.pieces.vocabulary)

    @property
    def fingerprint(self):
        """str of 16 hexadecimal digits, equal when vocabulary and settings are."""
        settings = self.pieces.settings
        values = {**vars(settings), "source": None, "model_max_length": None}
        added, base_size = values.pop("added_tokens"), values.pop("base_size")
        values["special_tokens"] = settings.special_tokens
        # Left out where there is nothing beside the names of special tokens, as it ever was.
        if base_size < self.vocab_size or any(
            token != AddedToken(token.content) for token in added
        ):
            values |= {
                "base_size": base_size,
                "added_tokens": list(map(dataclasses.astuple, added)),
            }
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]

    def require_rows(self, rows, where):
        """Raise InputError if the vocabulary has more entries than a model has rows for them.

        Args:
          rows: int, `vocab_size` of the model's config. More of them than entries are no fault.
          where: str, the file or directory that the error names.
        """
        if self.vocab_size > rows:
            raise InputError(
                f"{where}: the vocabulary has {self.vocab_size} entries, and the word embeddings "
                f"{rows} rows (vocab_size)"
            )

    def require_mask(self, use):
        """Raise InputError if there is no mask token; `use`: what it is wanted for, str."""
        if self.mask_id is None:
            source = self.pieces.settings.source
            raise InputError(f"{source}: has no mask token, wanted one for {use}")

    def __call__(
        self,
        texts,
        text_pairs=None,
        max_length=512,
        padding="longest",
        special_tokens_in_text=False,
        return_offsets=False,
    ):
        """Turn texts, or pairs of texts, into the inputs of an encoder.

        Args:
          texts: [batch] strings: a list of str, a numpy array, or a string tensor.
          text_pairs: the same number of second texts, or None.
          max_length: int, at most so many tokens a row, special tokens included; the longer text of
            a pair is cut first.
          padding: "longest" (the batch's longest row) or "max_length".
          special_tokens_in_text: bool; "[MASK]" in a text is the special token. Otherwise, and so
            for any text of unknown origin, it is plain characters. Added tokens that are not
            special are tokens in any case.
          return_offsets: bool; add `offsets`.
        Returns:
          dict of int32 [batch, length]: input_ids, attention_mask (0 is padding), token_type_ids (1
          in the second text); and offsets [batch, length, 2], start and end in characters of the
          Python string, each text of a pair from its own start, (0, 0) for special tokens and
          padding.
        Raises:
          InputError: texts are not strings, or the two sides differ in number.
          ConfigError: padding is none of the two, or max_length too small for the special tokens.
        """
        if padding not in _PADDINGS:
            raise ConfigError(
                f"padding is {padding!r}, wanted one of {', '.join(map(repr, _PADDINGS))}"
            )
        least = max(1, self.template.added(1 if text_pairs is None else 2))
        if not isinstance(max_length, numbers.Integral) or max_length < least:
            raise ConfigError(
                f"max_length is {max_length!r}, wanted an int of at least {least}, "
                "the number of special tokens"
            )
        texts = strings(texts, "texts")
        pairs = None if text_pairs is None else strings(text_pairs, "text_pairs")
        if pairs is not None and not texts.shape.is_compatible_with(pairs.shape):
            raise InputError(f"text_pairs has {pairs.shape[0]} rows, texts has {texts.shape[0]}")
        fixed = padding == "max_length"
        options = (fixed, bool(special_tokens_in_text), bool(return_offsets))
        batch = self._in_graph(Tokenizer._encode, options, [max_length], texts, pairs)
        return _of_length(max_length, batch) if fixed else batch

    def _in_graph(self, work, options, numbers, texts, pairs):
        """`work(self, *options, *numbers, *texts)` as a graph of its own.

        There is one for eager calls, where forty small ops one by one would cost more than the
        work, and for all graphs that call it: tracing it takes longer than many a batch.
        """
        sides = [texts] if pairs is None else [texts, pairs]
        sides = [tf.convert_to_tensor(side, tf.string) for side in sides]
        numbers = [tf.cast(number, tf.int64) for number in numbers]
        ranks = tuple(number.shape.rank for number in numbers)
        return self._compiled(work, options, ranks, len(sides))(*numbers, *sides)

    def _compile(self, work, options, ranks, sides):
        work = functools.partial(work, self, *options)
        numbers = [tf.TensorSpec([None] * rank, tf.int64) for rank in ranks]
        strings = [tf.TensorSpec([None], tf.string)] * sides
        return tf.function(work, [*numbers, *strings], autograph=False)

    def _encode(self, fixed, special_tokens_in_text, return_offsets, max_length, texts, pairs=None):
        """`__call__` in the graph; `fixed` pads to max_length."""
        with tf.device("CPU"):  # there are no kernels for strings elsewhere
            sides = [texts] if pairs is None else [texts, pairs]
            cut = [self.pieces(side, special_tokens_in_text, return_offsets) for side in sides]
            lengths = [ids.row_lengths() for ids, _ in cut]
            special = self.template.added(len(sides))
            budget = max_length - special
            if pairs is None:
                keep = [tf.minimum(lengths[0], budget)]
            else:
                keep = sequences.longest_first(*lengths, budget)
            longest = tf.maximum(tf.reduce_max(special + sum(keep)), 0)
            texts = [
                Cut(
                    ids.flat_values,
                    None if offsets is None else offsets.flat_values,
                    ids.row_starts(),
                    kept,
                )
                for (ids, offsets), kept in zip(cut, keep, strict=True)
            ]
            return self.template.assemble(texts, self.pad_id, max_length if fixed else longest)

    def windows(
        self,
        texts,
        text_pairs=None,
        *,
        max_length,
        overlap,
        number=None,
        padding="longest",
        special_tokens_in_text=False,
    ):
        """Texts of any length as the rows of an encoder, several of a long text; in a graph.

        Args:
          texts, text_pairs: as in a call; of pairs the second text is cut, and all windows of a row
            have the first one, as far as half of `max_length` holds it.
          max_length, padding, special_tokens_in_text: as in a call.
          overlap: int, tokens that a window shares with the next one of its row, at most half of
            what it has room for.
          number: int [batch], the one window wanted of each row, from 0; None: all, row by row.
        Returns:
          dict of int32 tensors, see `text.windows.rows`.
        """
        fixed = padding == "max_length"
        options = (fixed, bool(special_tokens_in_text))
        numbers = [max_length, overlap, *([] if number is None else [number])]
        rows = self._in_graph(windows.rows, options, numbers, texts, text_pairs)
        return _of_length(max_length, rows) if fixed else rows

    def window_counts(
        self, texts, text_pairs=None, *, max_length, overlap, special_tokens_in_text=False
    ):
        """How many windows each row has, int64 [batch]; arguments as `windows`."""
        options, numbers = (bool(special_tokens_in_text),), [max_length, overlap]
        return self._in_graph(windows.counts, options, numbers, texts, text_pairs)

    def continuing(self, ids):
        """Whether pieces go on with the word of the piece before, bool as `ids`; in a graph."""
        return tf.gather(tf.constant(self.pieces.continuing), ids)

    def tokenize(self, text, special_tokens_in_text=False):
        """Cut one text into its pieces, without special tokens round it.

        Args:
          text: str.
          special_tokens_in_text: bool, as in a call.
        Returns:
          list of str.
        """
        if not isinstance(text, str):
            raise InputError(f"text is {text!r}, wanted one str")
        ids, _ = self.pieces(strings([text], "text"), special_tokens_in_text)
        return [self.pieces.vocabulary[i] for i in ids.flat_values.numpy()]

    def decode(self, ids, skip_special_tokens=True, cleanup=True):
        """Join the tokens of one row of ids into a text.

        Args:
          ids: int [length]: a list, a numpy array or a tensor.
          skip_special_tokens: bool; leave [CLS], [SEP], [PAD], [MASK] and [UNK] out.
          cleanup: bool; no spaces before punctuation and English contractions.
        Returns:
          str.
        Raises:
          InputError: ids is not one row of ids, or one is outside the vocabulary.
        """
        ids = np.asarray(ids)
        if ids.ndim != 1 or (ids.size and not np.issubdtype(ids.dtype, np.integer)):
            raise InputError(
                f"ids has shape {ids.shape} and type {ids.dtype}, wanted one row of integers"
            )
        outside = ids[(ids < 0) | (ids >= self.vocab_size)]
        if outside.size:
            raise InputError(f"id {outside[0]} is outside the vocabulary of {self.vocab_size}")
        skipped = set(self.pieces.settings.special_tokens) if skip_special_tokens else ()
        tokens = (self.pieces.vocabulary[int(i)] for i in ids)
        return self.pieces.join([token for token in tokens if token not in skipped], cleanup)

    def joined(self, ids, there):
        """Rows of ids as texts, in the graph; see `joining.joined`."""
        return joining.joined(self.pieces, ids, there)


def _of_length(length, batch):
    """Tensors [rows, tokens, ...] whose number of tokens is known."""
    shapes = {name: [None, length, *x.shape[2:]][: x.shape.rank] for name, x in batch.items()}
    return {name: tf.ensure_shape(x, shapes[name]) for name, x in batch.items()}
