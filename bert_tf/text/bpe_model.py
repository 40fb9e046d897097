"""The symbols that byte-pair encoding begins with, and its tokens as characters of the text."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from bert_tf.text.byte_level import alphabet, bytes_of
from bert_tf.text.byte_pairs import BytePairs
from bert_tf.text.characters import CodePointTable, before, exclusive_sums
from bert_tf.text.tracked import Tracked


class Symbols(NamedTuple):
    """Ids before any merge, of words one behind the other.

    ids: int32 [S], -1 for one that the vocabulary lacks. begins: bool [S], where a word begins.
    first, last: int32 [S], the characters that each stands for, both inclusive. sizes: int32 [S],
    its bytes.
    """

    ids: tf.Tensor
    begins: tf.Tensor
    first: tf.Tensor
    last: tf.Tensor
    sizes: tf.Tensor

    def kept(self, flags):
        """Those with a true one among bool [S] `flags`."""
        return Symbols(*(tf.boolean_mask(x, flags) for x in self))


class BytePairModel(Tracked):
    """Byte-pair encoding of words of characters, or of bytes.

    Args:
      settings: `pipeline_settings.PipelineSettings`, whose model is BPE.
      byte_level: bool; the symbols are bytes, each with the character of `byte_level.alphabet`.
    """

    def __init__(self, settings, byte_level):
        super().__init__()
        ids = {token: i for i, token in enumerate(settings.vocabulary[: settings.base_size])}
        options = settings.model
        fallback = [ids.get(f"<0x{byte:02X}>", -1) for byte in range(256)]
        self._falls_back = bool(options.get("byte_fallback")) and not byte_level
        self._unknown = ids.get(options.get("unk_token"), -1)
        self._fuses = bool(options.get("fuse_unk"))
        self._byte_level = byte_level
        letters = [ids.get(letter, -1) for letter in alphabet()] if byte_level else fallback
        self._complete = min(letters) >= 0 and (byte_level or self._falls_back)
        with tf.device("CPU"):
            self._of_byte = tf.constant(letters, tf.int32)
        if not byte_level:
            of_character = np.full(0x110000, -1, np.int32)
            for token, id in ids.items():
                if len(token) == 1:
                    of_character[ord(token)] = id
            self._of_character = CodePointTable(of_character)
        atoms = [id for id in (*fallback, self._unknown) if id >= 0]
        self._pairs = BytePairs(
            ids,
            [(ids[left], ids[right], ids[left + right]) for left, right in settings.merges],
            atoms,
            size=len(settings.vocabulary),
            whole_words=bool(options.get("ignore_merges")),
        )

    def __call__(self, characters, begins):
        """Tokens of words.

        Args:
          characters: `characters.Characters`. begins: bool [C], where a word begins.
        Returns:
          int32 [T] each: ids, and the first and the last character of each token.
        """
        symbols = self._of_bytes(characters, begins)
        if not self._complete:
            symbols = self._without_missing(symbols)
        ids, places = self._pairs(symbols.ids, symbols.begins)
        ends = tf.concat([places[1:], [tf.size(symbols.ids)]], 0)[: tf.size(places)] - 1
        return ids, tf.gather(symbols.first, places), tf.gather(symbols.last, ends)

    def _of_bytes(self, characters, begins):
        """Symbols of single bytes; where symbols are characters, of those that fall back alone."""
        if self._byte_level:
            bytes_, source = bytes_of(characters)
            ids, sizes = tf.gather(self._of_byte, bytes_), tf.ones_like(source)
        else:
            ids = self._of_character(tf.where(characters.token >= 0, 0, characters.values))
            sizes = 1 + sum(
                tf.cast(characters.values >= limit, tf.int32) for limit in (0x80, 0x800, 0x10000)
            )
            source = tf.range(tf.size(ids))
            if self._falls_back:
                known = (ids >= 0) | (characters.token >= 0)
                _, of_byte = bytes_of(characters)
                bytes_, _ = bytes_of(characters)
                whole = tf.gather(known, of_byte)
                kept = ~whole | (before(of_byte, -1) != of_byte)
                source = tf.boolean_mask(of_byte, kept)
                whole = tf.boolean_mask(whole, kept)
                byte_ids = tf.gather(self._of_byte, tf.boolean_mask(bytes_, kept))
                ids = tf.where(whole, tf.gather(ids, source), byte_ids)
                sizes = tf.where(whole, tf.gather(sizes, source), 1)
        token = tf.gather(characters.token, source)
        ids = tf.where(token >= 0, token, ids)
        first_of = before(source, -1) != source
        return Symbols(ids, tf.gather(begins, source) & first_of, source, source, sizes)

    def _without_missing(self, symbols):
        """The unknown token for symbols that the vocabulary lacks; without one they are dropped."""
        missing = symbols.ids < 0
        if self._unknown < 0:
            return tf.cond(
                tf.reduce_any(missing), lambda: _dropped(symbols, ~missing), lambda: symbols
            )
        symbols = symbols._replace(ids=tf.where(missing, self._unknown, symbols.ids))
        if not self._fuses:
            return symbols
        kept = ~(missing & before(missing, False)) | symbols.begins
        group = tf.cumsum(tf.cast(kept, tf.int32)) - 1
        last = tf.math.segment_max(symbols.last, group)
        return symbols.kept(kept)._replace(last=last)


def _dropped(symbols, kept):
    """Symbols without some; the reference counts offsets as if these had not been there."""
    word = tf.cumsum(tf.cast(symbols.begins, tf.int32)) - 1
    positions = exclusive_sums(symbols.sizes)
    at_byte = tf.repeat(symbols.first, symbols.sizes)
    left = symbols.kept(kept)
    of_word = tf.boolean_mask(word, kept)
    begins = before(of_word, -1) != of_word
    start = tf.gather(tf.boolean_mask(positions[:-1], symbols.begins), of_word)
    sums = exclusive_sums(left.sizes)
    number = tf.cumsum(tf.cast(begins, tf.int32)) - 1
    shift = start - tf.gather(tf.boolean_mask(sums[:-1], begins), number)
    first = tf.gather(at_byte, sums[:-1] + shift)
    last = tf.gather(at_byte, sums[1:] + shift - 1)
    return Symbols(left.ids, begins, first, last, left.sizes)
