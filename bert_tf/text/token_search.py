"""Added tokens cut out of texts before WordPiece sees them, in the graph.

The reference does it twice (`tokenizers`, added_vocabulary.rs: `extract_and_normalize`): tokens
with `normalized` false are looked for in the raw text, the others, normalized themselves, in what
normalization makes of the text between those. Each time the leftmost match counts, and of those
that begin at one place the longest. A match that its token's `single_word` rules out, or that is a
special token where these are not asked for, stays text; it hides what it overlaps all the same.
"""

import functools
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from bert_tf.text import token_patterns
from bert_tf.text import unicode_tables as unicode
from bert_tf.text.characters import PLACEHOLDER, Characters, CodePointTable, exclusive_sums
from bert_tf.text.token_patterns import MARK, VOID
from bert_tf.text.tracked import Tracked

_KEYS = 1 << 62


class TokenSearch(Tracked):
    """Finds added tokens in raw and in normalized texts.

    Args:
      normalizer: `normalization.Normalizer`.
      tokens: iterable of `added_tokens.AddedToken`.
      ids: dict of str -> int, the id of each token's content among others.
      source: str, the file that errors name.
    Raises:
      InputError: a token cannot be looked for.
    """

    def __init__(self, normalizer, tokens, ids, source):
        super().__init__()
        raw, normalized = token_patterns.spellings(tokens, normalizer, source)
        words = functools.partial(_words_when_normalized, normalizer)
        self._raw = _Pass(raw, ids, unicode.word_characters, frozenset())
        self._normalized = _Pass(normalized, ids, words, normalizer.chinese)

    def needed(self, special_tokens):
        """bool, whether any token could be cut out of a text."""
        return self._raw.needed(special_tokens) or self._normalized.needed(special_tokens)

    def in_ascii(self, texts, lowered, special_tokens):
        """Which texts of plain ASCII hold a token.

        Args:
          texts: string [N]. lowered: string [N], the same in the case that normalization gives.
          special_tokens: bool, as in `in_raw`.
        Returns:
          bool [N].
        """
        found = tf.zeros_like(texts, tf.bool)
        if self._raw.needed(special_tokens):
            found |= self._raw.hold(texts)
        if self._normalized.needed(special_tokens):
            found |= self._normalized.hold(tf.strings.regex_replace(lowered, r"[\t\n\r]", " "))
        return found

    def in_raw(self, characters, special_tokens):
        """Put PLACEHOLDER for each token in raw texts.

        Args:
          characters: `normalization.Characters` of the raw texts.
          special_tokens: bool; cut out the special tokens too, not the ordinary ones alone.
        Returns:
          `Characters`.
        """
        return self._raw(characters, characters.values, special_tokens)

    def in_normalized(self, characters, raw_values, special_tokens):
        """Put PLACEHOLDER for each token in normalized texts.

        Args:
          characters: `normalization.Characters`.
          raw_values: int32 [R], the code points of the raw texts.
          special_tokens: bool, as in `in_raw`.
        Returns:
          `Characters`.
        """
        return self._normalized(characters, raw_values, special_tokens)


class _Matches(NamedTuple):
    """Where tokens stand among flat characters: int32 [M] each, ends exclusive.

    number: which token of the pass. row: which text.
    """

    starts: tf.Tensor
    ends: tf.Tensor
    number: tf.Tensor
    row: tf.Tensor


class _Pass(Tracked):
    """One of the two searches.

    Args:
      tokens: dict of str -> AddedToken, by its spelling in the texts of this pass.
      ids: dict of str -> int.
      words: function that gives the code points that no `single_word` stands beside.
      apart: frozenset of code points that the reference has put between two spaces by then, and
        `Normalizer` has not.
    """

    def __init__(self, tokens, ids, words, apart):
        super().__init__()
        self._any_ordinary = not all(token.special for token in tokens.values())
        self._pattern = token_patterns.regular_expression(tokens)
        if not tokens:
            return
        with tf.device("CPU"):
            # A match is identified by a hash of its spelling.
            keys = tf.strings.to_hash_bucket_fast(list(tokens), _KEYS)
            self._number = tf.argsort(keys)
            self._keys = tf.gather(keys, self._number)
            self._ids = tf.constant([ids[token.content] for token in tokens.values()], tf.int32)
            self._special, self._single_word, self._lstrip, self._rstrip = (
                tf.constant([getattr(token, flag) for token in tokens.values()])
                for flag in ("special", "single_word", "lstrip", "rstrip")
            )
        self._words = self._spaces = None
        if any(token.single_word for token in tokens.values()):
            self._words = _table(words())
        if any(token.lstrip or token.rstrip for token in tokens.values()):
            self._spaces, self._apart = _table(unicode.WHITE_SPACE), _table(apart)

    def needed(self, special_tokens):
        """bool, whether this pass could find anything."""
        return bool(self._pattern) and (special_tokens or self._any_ordinary)

    def hold(self, texts):
        """bool [N], whether a token is spelled in string [N] texts."""
        return tf.strings.regex_full_match(texts, f"(?s).*(?:{self._pattern}).*")

    def __call__(self, characters, raw_values, special_tokens):
        """`Characters` with PLACEHOLDER for each token that is found."""
        if not self.needed(special_tokens):
            return characters
        values = tf.where(characters.values == MARK, VOID, characters.values)
        texts = characters._replace(values=values).encode()
        return tf.cond(
            tf.reduce_any(self.hold(texts)),
            lambda: self._replace(characters, texts, raw_values, special_tokens),
            lambda: characters,
        )

    def _replace(self, characters, texts, raw_values, special_tokens):
        starts, ends, number = self._spelled_in(texts)
        rows = tf.ragged.row_splits_to_segment_ids(characters.splits, out_type=tf.int32)
        matches = _Matches(starts, ends, number, tf.gather(rows, starts))
        kept = tf.ones_like(starts, tf.bool)
        if not special_tokens:
            kept &= ~tf.gather(self._special, number)
        if self._words is not None:
            word = (self._words(characters.values) > 0) & (characters.token < 0)
            before = _at(word, rows, starts - 1, matches.row)
            alone = ~before & ~_at(word, rows, ends, matches.row)
            kept &= alone | ~tf.gather(self._single_word, number)
        matches = _Matches(*(tf.boolean_mask(x, kept) for x in matches))
        starts, ends = matches.starts, matches.ends
        first, last = tf.gather(characters.first, starts), tf.gather(characters.last, ends - 1)
        if self._spaces is not None:
            origin = tf.gather(raw_values, characters.first)
            starts, ends, first, last = self._stripped(characters, origin, rows, matches)
        return _put(characters, starts, ends, first, last, tf.gather(self._ids, matches.number))

    def _spelled_in(self, texts):
        """Where tokens are spelled in string [N] texts: int32 [M] flat starts, ends, numbers."""
        mark = chr(MARK)
        marked = tf.strings.regex_replace(texts, self._pattern, rf"{mark}\0{mark}")
        is_mark = tf.strings.unicode_decode(marked, "UTF-8").flat_values == MARK
        place = tf.cumsum(tf.cast(~is_mark, tf.int32), exclusive=True)
        bounds = tf.reshape(tf.boolean_mask(place, is_mark), [-1, 2])
        parts = tf.strings.split(marked, mark)  # a match is every second one of a text
        place = tf.range(tf.size(parts.flat_values, tf.int64))
        place -= tf.gather(parts.row_splits, parts.value_rowids())
        found = tf.boolean_mask(parts.flat_values, place % 2 == 1)
        key = tf.strings.to_hash_bucket_fast(found, _KEYS)
        number = tf.gather(self._number, tf.searchsorted(self._keys, key))
        return bounds[:, 0], bounds[:, 1], number

    def _stripped(self, characters, origin, rows, matches):
        """Matches with the white space that `lstrip` and `rstrip` give them.

        Args:
          characters: `Characters`. origin: int32 [C], the raw code point each comes from.
          rows: int32 [C], the text each is in.
          matches: `_Matches`.
        Returns:
          starts, ends: int32 [M], of all characters that a token takes. first, last: int32 [M], the
          raw characters it stands for.
        """
        starts, ends, number, row = matches
        free = characters.token < 0
        space = free & (self._spaces(origin) > 0)
        apart = free & (self._apart(origin) > 0)
        places = tf.range(tf.size(rows))
        changes = (space[1:] != space[:-1]) | (rows[1:] != rows[:-1])
        run = exclusive_sums(tf.cast(changes, tf.int32))
        run_start = tf.gather(tf.math.segment_min(places, run), run)
        run_end = tf.gather(tf.math.segment_max(places, run), run) + 1

        to_right = tf.gather(self._rstrip, number)
        after = _at(space, rows, ends, row)
        after = tf.where(after, tf.gather(run_end, tf.minimum(ends, places[-1])), ends)
        ends = tf.where(to_right, after, ends)
        # Of an ideograph they take one of the two spaces that the reference has put round it.
        beyond = to_right & _at(apart, rows, ends, row)
        last = tf.gather(characters.last, tf.where(beyond, ends, ends - 1))

        # What the token before has is taken.
        same_row = row[1:] == row[:-1]
        taken = tf.concat([row[:1] * 0, tf.where(same_row, ends[:-1], 0)], 0)
        to_left = tf.gather(self._lstrip, number)
        before = _at(space, rows, starts - 1, row)
        before = tf.where(before, tf.gather(run_start, tf.maximum(starts - 1, 0)), starts)
        beyond = to_left & _at(apart, rows, before - 1, row) & (before > taken)
        starts = tf.where(to_left, tf.maximum(before, taken), starts)
        first = tf.gather(characters.first, tf.where(beyond, before - 1, starts))
        return starts, ends, first, last


def _words_when_normalized(normalizer):
    """The characters of normalized texts that belong to words, ideographs between spaces apart."""
    words = unicode.word_characters()
    replaced = {new for old, new in normalizer.substitutes.items() if old in words}
    return words - normalizer.chinese | replaced


def _table(code_points):
    """CodePointTable with 1 for members of a set."""
    flags = np.zeros(0x110000, np.int32)
    flags[np.array(sorted(code_points), np.int64)] = 1
    return CodePointTable(flags)


def _at(flags, rows, places, row):
    """Is flag [C] true at int32 [M] places, where they are within text `row` [M] of [C] `rows`?"""
    inside = tf.clip_by_value(places, 0, tf.size(rows) - 1)
    return (places == inside) & (tf.gather(rows, inside) == row) & tf.gather(flags, inside)


def _put(characters, starts, ends, first, last, ids):
    """`Characters` with PLACEHOLDER for each span [starts, ends), int32 [M], of `characters`."""
    size = [tf.size(characters.values) + 1]
    begins = tf.scatter_nd(starts[:, None], tf.ones_like(starts), size)
    finishes = tf.scatter_nd(ends[:, None], tf.ones_like(ends), size)
    inside = tf.cumsum(begins - finishes)[:-1] > 0
    kept = (begins[:-1] > 0) | ~inside
    put = functools.partial(tf.tensor_scatter_nd_update, indices=starts[:, None])
    new = Characters(
        put(characters.values, updates=tf.fill(tf.shape(starts), PLACEHOLDER)),
        put(characters.first, updates=first),
        put(characters.last, updates=last),
        characters.splits,
        put(characters.token, updates=ids),
    )
    splits = tf.gather(exclusive_sums(tf.cast(kept, tf.int64)), characters.splits)
    return new.take(tf.where(kept)[:, 0], splits)
