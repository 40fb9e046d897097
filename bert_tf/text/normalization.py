"""BERT's text normalization as TensorFlow ops on flat code points, with offsets into raw text.

The reference cleans, sets ideographs apart, decomposes, strips accents and lower-cases one
character at a time, so all of it is one table from a code point to its new spelling. What is left
are the words of more than 100 characters, which become one [UNK], and the map from places in
normalized text to places in raw text.

One thing a table per character cannot do: put combining marks into canonical order. It would show
only where the reference keeps a mark (96 of them, in Adlam, Balinese, Javanese and other scripts,
and in musical notation) that a writer put behind a mark which belongs behind it.
"""

import functools

import numpy as np
import tensorflow as tf

from bert_tf.text import unicode_tables as unicode
from bert_tf.text.characters import PLACEHOLDER, Characters, CodePointTable, exclusive_sums
from bert_tf.text.tracked import Tracked

MAX_WORD_CHARACTERS = 100
_CODE_SPACE = 0x110000  # a table value from here on names a spelling that is not one character

# Private-use characters never survive normalization, so they are free to carry meaning of our own:
# these stand for characters that the matcher must not split at.
SUBSTITUTES = np.r_[0xF0000:0xFFFFE, 0x100000:0x10F000]
UNMATCHED = 0x10F000  # stands in no vocabulary

# Runs that may be a word of more than 100 characters. Leaving separators out of the class makes the
# guard slower, never wrong; an ideograph may stand in it only where ideographs are set apart.
_SEPARATORS = r" -/:-@\[-`{-~\x{3001}-\x{3003}\x{3008}-\x{3011}\x{ff01}-\x{ff03}\x{ff0c}-\x{ff0f}"
_IDEOGRAPHS = r"\x{3400}-\x{4dbf}\x{4e00}-\x{9fff}"


def _substitutes(chinese):
    """Characters that the matcher must not split at -> what stands for each, for str.translate."""
    replaced = unicode.MATCHER_ONLY | (unicode.CHINESE - chinese)
    return dict(zip(sorted(replaced), SUBSTITUTES[: len(replaced)].tolist(), strict=True))


@functools.cache
def _spelling(lowercase, strip_accents, chinese):
    """What normalization makes of every code point; made once, so not to be changed.

    Returns:
      int32 [code points], the step from each to its new spelling, or to _CODE_SPACE + the number
      of one that is not of length one; a step rather than a target, as all blocks that nothing
      changes are alike then. And these spellings, list of str.
    """
    substitutes = _substitutes(chinese)
    split_at = (unicode.PUNCTUATION | chinese) - unicode.REFERENCE_ONLY

    def for_matcher(code_point, text):
        apart = code_point in chinese or any(ord(x) in unicode.REFERENCE_ONLY for x in text)
        apart = apart and not (len(text) == 1 and ord(text) in split_at)
        return f" {text} ".translate(substitutes) if apart else text.translate(substitutes)

    spelling = {c: chr(c) for c in substitutes.keys() | unicode.CHINESE | unicode.REFERENCE_ONLY}
    spelling.update(unicode.changed_by_spelling(lowercase, strip_accents))
    spelling = {c: for_matcher(c, text) for c, text in spelling.items()}
    spelling.update((c, "") for c in unicode.REMOVED)
    spelling.update((c, " ") for c in unicode.SPACES)
    texts = sorted({text for text in spelling.values() if len(text) != 1})
    number = {text: _CODE_SPACE + i for i, text in enumerate(texts)}
    steps = np.zeros(_CODE_SPACE, np.int32)
    for c, text in spelling.items():
        steps[c] = (ord(text) if len(text) == 1 else number[text]) - c
    return steps, texts


class Normalizer(Tracked):
    """BERT's normalizer for the texts that are more than plain ASCII.

    `keeps_spaces`: spaces in a normalized text are not those of the raw one.

    Args:
      lowercase: bool.
      strip_accents: bool; decompose and drop the combining marks.
      tokenize_chinese_chars: bool; every ideograph is a word of its own.
    """

    keeps_spaces = False

    def __init__(self, lowercase, strip_accents, tokenize_chinese_chars):
        super().__init__()
        chinese = unicode.CHINESE if tokenize_chinese_chars else frozenset()
        steps, texts = _spelling(lowercase, strip_accents, chinese)
        # Past Tracked, which would wrap the dict and look at each of its entries.
        self.__dict__["substitutes"] = _substitutes(chinese)
        self.__dict__["_spelling"] = steps, texts
        self.chinese = chinese
        self._steps = CodePointTable(steps)
        with tf.device("CPU"):
            self._lengths = tf.constant([len(text) for text in texts], tf.int32)
            self._starts = tf.cumsum(self._lengths, exclusive=True)
            self._letters = tf.constant([ord(x) for text in texts for x in text], tf.int32)

        breaks = np.zeros(_CODE_SPACE, np.int32)
        breaks[sorted(unicode.PUNCTUATION | chinese | {0x20, PLACEHOLDER})] = 1
        self._breaks = CodePointTable(breaks)
        separators = _SEPARATORS + (_IDEOGRAPHS if chinese else "")
        self._maybe_long = rf"(?s).*[^{separators}]{{{MAX_WORD_CHARACTERS + 1}}}.*"

    def spell(self, text):
        """What normalization makes of a str, as the texts for the matcher have it."""
        steps, texts = self.__dict__["_spelling"]
        new = (ord(x) + int(steps[ord(x)]) for x in text)
        return "".join(chr(c) if c < _CODE_SPACE else texts[c - _CODE_SPACE] for c in new)

    def __call__(self, texts, search=None, special_tokens=False):
        """Normalize texts; bytes that are not UTF-8 count as U+FFFD, which normalization deletes.

        Args:
          texts: string [N].
          search: `token_search.TokenSearch`, or None: no token is cut out of the texts.
          special_tokens: bool; cut out the special tokens too, not the ordinary ones alone.
        Returns:
          string [N] for the matcher; `locate(rows, starts, ends)`, which turns int64 [T] byte
          offsets in normalized text `rows` into int32 [T] character offsets in the raw texts; and
          int32 [found], the ids of the tokens that PLACEHOLDER stands for, in order, or None.
        """
        raw = tf.strings.unicode_decode(texts, "UTF-8", errors="replace")
        places = tf.range(tf.size(raw.flat_values))
        characters = Characters(raw.flat_values, places, places, raw.row_splits)
        if search is not None:
            characters = characters._replace(token=tf.fill(tf.shape(places), -1))
            characters = search.in_raw(characters, special_tokens)
        characters = self._spell(characters)
        if search is not None:
            characters = search.in_normalized(characters, raw.flat_values, special_tokens)
        normalized = characters.encode()
        suspicious = tf.reduce_any(tf.strings.regex_full_match(normalized, self._maybe_long))
        characters = tf.cond(
            suspicious, lambda: self._fold_long_words(characters), lambda: characters
        )
        normalized = tf.cond(suspicious, characters.encode, lambda: normalized)
        found = None
        if search is not None:
            found = tf.boolean_mask(characters.token, characters.token >= 0)

        def locate(rows, starts, ends):
            return _locate(characters, raw.row_splits, rows, starts, ends)

        return normalized, locate, found

    def _spell(self, characters):
        """Give every character its new spelling: none, one or several characters."""
        new = characters.values + self._steps(characters.values)
        if characters.token is not None:
            new = tf.where(characters.token >= 0, PLACEHOLDER, new)

        def spell_out():
            number = tf.maximum(new - _CODE_SPACE, 0)
            single = new < _CODE_SPACE
            counts = tf.where(single, 1, tf.gather(self._lengths, number))
            ends = exclusive_sums(counts)
            source = tf.repeat(tf.range(tf.size(new)), counts)
            within = tf.range(tf.size(source)) - tf.gather(ends, source)
            number = tf.gather(number, source)
            letter = tf.gather(self._starts, number) + within
            is_single = tf.gather(single, source)
            values = tf.where(
                is_single,
                tf.gather(new, source),
                tf.gather(self._letters, tf.where(is_single, 0, letter)),
            )
            splits = tf.cast(tf.gather(ends, characters.splits), tf.int64)
            return characters.take(source, splits)._replace(values=values)

        return tf.cond(
            tf.reduce_any(new >= _CODE_SPACE), spell_out, lambda: characters._replace(values=new)
        )

    def _fold_long_words(self, characters):
        """Make each word of more than 100 characters one character that no vocabulary holds."""
        is_break = self._breaks(characters.values) > 0
        rows = tf.ragged.row_splits_to_segment_ids(characters.splits)
        after_break = tf.concat([[True], is_break[:-1] | (rows[1:] != rows[:-1])], 0)
        begins = is_break | after_break
        word = tf.cumsum(tf.cast(begins, tf.int32)) - 1
        size = tf.gather(tf.math.segment_sum(tf.ones_like(word), word), word)
        end = tf.gather(tf.math.segment_max(characters.last, word), word)
        is_long = size > MAX_WORD_CHARACTERS
        characters = characters._replace(
            values=tf.where(is_long, UNMATCHED, characters.values),
            last=tf.where(is_long, end, characters.last),
        )
        kept = begins | ~is_long
        splits = tf.gather(exclusive_sums(tf.cast(kept, tf.int64)), characters.splits)
        return characters.take(tf.where(kept)[:, 0], splits)


def _locate(characters, raw_splits, rows, starts, ends):
    """Character offsets in the raw texts of byte spans in the normalized ones.

    Args:
      characters: Characters of the normalized texts.
      raw_splits: int64 [N + 1], where each raw text begins among the flat raw characters.
      rows, starts, ends: int64 [T], text and bytes of each span; spans begin and end between
        characters.
    Returns:
      starts, ends: int32 [T].
    """
    values = characters.values
    sizes = 1 + sum(tf.cast(values >= limit, tf.int32) for limit in (0x80, 0x800, 0x10000))
    byte_starts = exclusive_sums(sizes)
    row_bytes = tf.cast(tf.gather(byte_starts, characters.splits), tf.int64)
    count = tf.size(byte_starts)
    character_at = tf.scatter_nd(byte_starts[:, None], tf.range(count), byte_starts[-1:] + 1)
    origin = tf.gather(row_bytes, rows)
    first = tf.gather(characters.first, tf.gather(character_at, origin + starts))
    last = tf.gather(characters.last, tf.gather(character_at, origin + ends) - 1)
    origin = tf.cast(tf.gather(raw_splits, rows), tf.int32)
    return first - origin, last + 1 - origin
