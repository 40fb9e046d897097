"""A tokenizer as `tokenizers` builds it, in the graph: normalizer, pre-tokenizer, model, offsets.

All of it is TensorFlow's core operations. Ids and offsets are those of `tokenizers`.
"""

import functools

import numpy as np
import tensorflow as tf

from bert_tf.text import (
    decoders,
    normalizers,
    pipeline_files,
    post_processors,
    pre_tokenizers,
)
from bert_tf.text.bpe_model import BytePairModel
from bert_tf.text.byte_level import Trimming, alphabet, spaces_of_spans
from bert_tf.text.characters import Characters, before
from bert_tf.text.json_entries import Entries
from bert_tf.text.token_search import TokenSearch
from bert_tf.text.tracked import Tracked
from bert_tf.text.unigram import Unigram

_WORD_MARKS = ("▁", alphabet()[0x20])


class Pipeline(Tracked):
    """One vocabulary and the steps round it.

    Args:
      settings: `pipeline_settings.PipelineSettings`.
    Raises:
      InputError: a step is of a kind that is not known here.
    """

    def __init__(self, settings):
        super().__init__()
        # Past Tracked, which would wrap list and dict and look at each of their entries.
        self.__dict__["settings"] = settings
        self.__dict__["vocabulary"] = tuple(settings.vocabulary)
        self.__dict__["ids"] = {token: i for i, token in enumerate(self.vocabulary)}
        self.template, trims = post_processors.read(self._step("post_processor"), self.ids)
        self._trimming = None if trims is None else Trimming(self.vocabulary, trims)
        decoders.check(self._step("decoder"))
        self._pre_tokenizers, byte_level = pre_tokenizers.read(self._step("pre_tokenizer"))
        self._normalizers = normalizers.read(self._step("normalizer"))
        if settings.model["type"] == "Unigram":
            if byte_level:
                raise self._step("pre_tokenizer").fault("type", "words of a Unigram model")
            self._model = Unigram(settings)
        else:
            self._model = BytePairModel(settings, byte_level)
        self._search = TokenSearch(_Speller(self), settings.added_tokens, self.ids, settings.source)

    def _step(self, name):
        return Entries(self.settings.steps[name] or {}, self.settings.source, f"{name}.")

    @functools.cached_property
    def continuing(self):
        """bool [vocabulary], True for a piece that goes on with a word."""
        marked = np.array([token.startswith(_WORD_MARKS) for token in self.vocabulary])
        special = set(self.settings.special_tokens)
        return ~(marked | np.array([token in special for token in self.vocabulary]))

    def portable(self):
        """The same by TensorFlow's core operations alone, as it is."""
        return self

    def save(self, directory):
        """Write tokenizer.json and tokenizer_config.json; errors as `pipeline_files` says."""
        pipeline_files.write(self.settings, directory)

    def normalized(self, text):
        """What the normalizer makes of a str."""
        characters, _ = _characters(tf.constant([text]))
        for step in self._normalizers:
            characters = step(characters)
        return characters.encode()[0].numpy().decode()

    def __call__(self, texts, special_tokens_in_text=False, return_offsets=False):
        """Cut texts into pieces.

        Args:
          texts: string [N], UTF-8; bytes that are not count as U+FFFD.
          special_tokens_in_text: bool; "<mask>" in a text is one token rather than plain
            characters. Added tokens that are not special are tokens in any case.
          return_offsets: bool.
        Returns:
          ids: int32 ragged [N, (pieces)]; offsets: int32 ragged [N, (pieces), 2] in characters, or
            None.
        """
        characters, raw = _characters(texts)
        special = special_tokens_in_text
        searching = self._search.needed(special)
        if searching:
            characters = self._search.in_raw(characters, special)
        for step in self._normalizers:
            characters = step(characters)
        if searching:
            characters = self._search.in_normalized(characters, raw.flat_values, special)
        begins = characters.segments()
        for step in self._pre_tokenizers:
            characters, begins = step(characters, begins)
        tokens = self._model(characters, begins)
        ids, first, last = (tf.ensure_shape(x, [None]) for x in tokens)
        rows = tf.cast(tf.gather(characters.rows(), first), tf.int64)
        ids = tf.RaggedTensor.from_value_rowids(ids, rows, nrows=raw.nrows(), validate=False)
        if not return_offsets:
            return ids, None
        origin = tf.cast(tf.gather(raw.row_splits, rows), tf.int32)
        added = tf.gather(characters.token, first) >= 0
        first, last = tf.gather(characters.first, first), tf.gather(characters.last, last)
        starts, ends = first - origin, last + 1 - origin
        if self._trimming is not None:
            spaces = tf.cond(
                tf.reduce_any(added),
                lambda: spaces_of_spans(raw.flat_values, first, last),
                lambda: (tf.zeros_like(first), tf.zeros_like(first)),
            )
            begins = before(rows, -1) != rows
            starts, ends = self._trimming(ids.flat_values, starts, ends, begins, added, spaces)
        return ids, ids.with_flat_values(tf.stack([starts, ends], 1))

    @property
    def leads_with_space(self):
        """Whether a space before the first word of a text is none of the text."""
        return decoders.leads_with_space(self._step("decoder"))

    def surfaces(self):
        """What each id adds to a text, list of bytes; special tokens add nothing."""
        special = set(self.settings.special_tokens)
        step = self._step("decoder")
        return [
            b"" if token in special else decoders.surface(token, step) for token in self.vocabulary
        ]

    def join(self, tokens, cleanup=True):
        """The text that pieces came from, as near as they tell.

        Args:
          tokens: list of str.
          cleanup: bool; says nothing here: spaces are what the decoder makes of them.
        Returns:
          str.
        """
        return decoders.decode(tokens, self._step("decoder"))


def _characters(texts):
    """Characters of string [N] texts, and these decoded, ragged [N, (characters)]."""
    raw = tf.strings.unicode_decode(texts, "UTF-8", errors="replace")
    places = tf.range(tf.size(raw.flat_values))
    none = tf.fill(tf.shape(places), -1)
    return Characters(raw.flat_values, places, places, raw.row_splits, none), raw


class _Speller:
    """What `TokenSearch` has to know of how texts are normalized."""

    substitutes, chinese, keeps_spaces = {}, frozenset(), True

    def __init__(self, pipeline):
        self.spell = pipeline.normalized
