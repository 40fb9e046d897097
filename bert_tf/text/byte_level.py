"""Words as GPT-2's regular expression cuts them, and bytes as characters; in the graph.

Source: openai/gpt-2, src/encoder.py; `tokenizers`, pre_tokenizers/byte_level.rs. Categories are
those of Unicode 16.
"""

import functools
import unicodedata

import numpy as np
import tensorflow as tf

from bert_tf.text.characters import CodePointTable, before, behind
from bert_tf.text.tracked import Tracked
from bert_tf.text.unicode_tables import CHARACTERS, LATE_LETTERS, LATE_NUMBERS, WHITE_SPACE

_OTHER, _LETTER, _NUMBER, _SPACE = range(4)
# What stands behind an apostrophe in the contractions that are words of their own.
_ONE, _TWO = "stmd", ("re", "ve", "ll")


@functools.cache
def alphabet():
    """The characters that stand for the bytes 0 to 255, tuple of str: printable ones for all."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = iter(range(0x100, 0x200))
    plain = set(plain)
    return tuple(chr(byte if byte in plain else next(others)) for byte in range(256))


@functools.cache
def _categories():
    """The category of each code point, int32; made once."""
    found = np.full(0x110000, _OTHER, np.int32)
    for c in (*CHARACTERS, *range(0x2FA20, 0x32400)):
        kind = unicodedata.category(chr(c))[0]
        if kind in "LN":
            found[c] = _LETTER if kind == "L" else _NUMBER
    for number, members in (
        (_LETTER, LATE_LETTERS),
        (_NUMBER, LATE_NUMBERS),
        (_SPACE, WHITE_SPACE),
    ):
        found[sorted(members)] = number
    return found


class Words(Tracked):
    r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""

    def __init__(self):
        super().__init__()
        self._categories = CodePointTable(_categories())

    def __call__(self, characters, starts):
        """Where words begin, bool [C].

        Args:
          characters: `characters.Characters`.
          starts: bool [C], where a word begins in any case.
        """
        values = characters.values
        kind = self._categories(values)
        space = kind == _SPACE
        within = behind(~starts, False)  # the next one is of the same stretch
        # The last white space before something else is a word, or begins one if it is a space.
        last = space & within & behind(~space, False)
        begins = starts | (kind != before(kind, -1)) | last
        begins &= ~before(last & (values == ord(" ")), False)
        return self._cut_contractions(values, begins, starts)

    def _cut_contractions(self, values, begins, starts):
        """`begins` with the words that begin with an apostrophe."""

        def letters(*places):
            """Do these letters follow, in the same stretch?"""
            found, next_values, inside = begins & (values == ord("'")), values, ~starts
            for letter in places:
                next_values, inside = behind(next_values, 0), behind(inside, False)
                found &= inside & (next_values == ord(letter))
            return found

        def cut():
            one = functools.reduce(tf.logical_or, map(letters, _ONE))
            two = functools.reduce(tf.logical_or, (letters(*each) for each in _TWO))
            behind_one, behind_two = before(one, False), before(two, False)
            new = begins & ~(behind_one | behind_two)
            behind_one, behind_two = before(behind_one, False), before(behind_two, False)
            return new | behind_one | before(behind_two, False)

        return tf.cond(tf.reduce_any(values == ord("'")), cut, lambda: begins)


def bytes_of(characters):
    """The bytes of texts.

    Args:
      characters: `characters.Characters`. An added token counts as one byte.
    Returns:
      int32 [B] bytes; int32 [B], the character that each belongs to.
    """
    values = tf.where(characters.token >= 0, 0, characters.values)
    sizes = 1 + sum(tf.cast(values >= limit, tf.int32) for limit in (0x80, 0x800, 0x10000))
    spread, source, within = characters.repeated(sizes)
    values = tf.gather(values, source)
    size = tf.gather(sizes, source)
    part = tf.bitwise.right_shift(values, 6 * (size - 1 - within))
    lead = tf.gather(tf.constant([0, 0, 0xC0, 0xE0, 0xF0]), size) | part
    return tf.where(within > 0, 0x80 | (part & 0x3F), lead), source


def spaces_of_spans(values, first, last):
    """How much white space spans of a text begin and end with.

    Args:
      values: int32 [C], code points. first, last: int32 [T], the ends of spans, both inclusive.
    Returns:
      Two int32 [T].
    """
    spaces = tf.constant(sorted(WHITE_SPACE), tf.int32)
    others = tf.where(~tf.reduce_any(values[:, None] == spaces, 1))[:, 0]
    others = tf.cast(others, tf.int32)
    bounded = tf.concat([[-1], others, [tf.size(values)]], 0)
    next_other = tf.gather(bounded, tf.searchsorted(others, first) + 1)
    other_before = tf.gather(bounded, tf.searchsorted(others, last, side="right"))
    size = last + 1 - first
    return tf.minimum(next_other - first, size), tf.minimum(last - other_before, size)


class Trimming(Tracked):
    """Offsets without the white space at the ends of tokens (`process_offsets`).

    Args:
      vocabulary: list of str.
      add_prefix_space: bool; a space before the first word was put there, so it has no offset.
    """

    def __init__(self, vocabulary, add_prefix_space):
        super().__init__()
        self._add_prefix_space = add_prefix_space
        spaces = "".join(map(chr, WHITE_SPACE)) + alphabet()[0x20]
        with tf.device("CPU"):
            self._leading = tf.constant(
                [len(token) - len(token.lstrip(spaces)) for token in vocabulary], tf.int32
            )
            self._trailing = tf.constant(
                [len(token) - len(token.rstrip(spaces)) for token in vocabulary], tf.int32
            )

    def __call__(self, ids, starts, ends, first, added, spaces):
        """Trim offsets.

        Args:
          ids, starts, ends: int32 [T]. first: bool [T], the first token of a text.
          added: bool [T], an added token, which may have taken in white space of the text.
          spaces: (int32 [T], int32 [T]), how much of it such a token has at its two ends.
        Returns:
          starts, ends: int32 [T].
        """
        leading = tf.where(added, spaces[0], tf.gather(self._leading, ids))
        trailing = tf.where(added, spaces[1], tf.gather(self._trailing, ids))
        if self._add_prefix_space:
            leading = tf.where((first | (starts == 0)) & (leading == 1), 0, leading)
        starts = tf.minimum(starts + leading, ends)
        trimmed = tf.maximum(ends - trailing, starts)
        return starts, tf.where((trailing > 0) & (ends >= trailing), trimmed, ends)
