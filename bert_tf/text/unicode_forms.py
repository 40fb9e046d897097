"""Unicode normalization forms NFD, NFC, NFKD and NFKC in the graph, of Unicode 9, with alignment.

Source: Unicode Standard Annex 15; the alignment is that of `unicode-normalization-alignments`,
which the reference uses.
"""

import functools
import unicodedata

import numpy as np
import tensorflow as tf

from bert_tf.text.characters import CodePointTable, before, behind
from bert_tf.text.key_tables import KeyTable
from bert_tf.text.spelling import Spelling, aligned
from bert_tf.text.tracked import Tracked
from bert_tf.text.unicode_tables import CHARACTERS, NEVER_DECOMPOSED, YOUNG_MARKS

_BITS = 21  # of a code point


@functools.cache
def _decompositions(compatible):
    """dict of code point -> str, all that a form decomposes; not to be changed."""
    form, found = "NFKD" if compatible else "NFD", {}
    for c in CHARACTERS:
        if c in NEVER_DECOMPOSED:
            continue
        text = unicodedata.normalize(form, chr(c))
        if text != chr(c):
            found[c] = text
    return found


@functools.cache
def _classes():
    """The canonical combining class of each code point, int32."""
    classes = np.zeros(0x110000, np.int32)
    classes[list(CHARACTERS)] = [unicodedata.combining(chr(c)) for c in CHARACTERS]
    classes[sorted(YOUNG_MARKS)] = 0
    return classes


@functools.cache
def _compositions():
    """dict of (first, second) -> the code point that they make, but for Hangul."""
    found = {}
    for c in CHARACTERS:
        parts = unicodedata.decomposition(chr(c)).split()
        if len(parts) == 2 and not parts[0].startswith("<") and c not in NEVER_DECOMPOSED:
            pair = "".join(chr(int(part, 16)) for part in parts)
            if unicodedata.normalize("NFC", pair) == chr(c):
                found[tuple(map(ord, pair))] = c
    return found


class UnicodeForm(Tracked):
    """One of the forms.

    Args:
      compatible: bool; compatibility characters are decomposed too (NFK...).
      composed: bool; characters are composed again (NF...C).
    """

    def __init__(self, compatible, composed):
        super().__init__()
        decompositions = _decompositions(compatible)
        self._spelling = Spelling(decompositions)
        self._classes = CodePointTable(_classes())
        self._composed = composed
        touched = np.zeros(0x110000, np.int32)
        if composed:
            pairs = _compositions()
            keys = np.array([(a << _BITS) | b for a, b in pairs], np.int64)
            self._pairs = KeyTable(keys, np.array(list(pairs.values()), np.int32))
            seconds = np.zeros(0x110000, np.int32)
            seconds[[b for _, b in pairs]] = 1
            seconds[0x1161:0x1176] = seconds[0x11A8:0x11C3] = 1
            self._seconds = CodePointTable(seconds)
            kept = {c for c in decompositions if unicodedata.normalize("NFC", chr(c)) == chr(c)}
            touched[[c for c in decompositions if compatible or c not in kept]] = 1
            touched |= seconds
        else:
            touched[list(decompositions)] = 1
        touched[_classes() > 0] = 1
        self._touched = CodePointTable(touched)

    def __call__(self, characters):
        """`Characters` in this form."""
        touched = (self._touched(characters.values) > 0) & (characters.token < 0)
        return tf.cond(
            tf.reduce_any(touched), lambda: self._normalized(characters), lambda: characters
        )

    def _normalized(self, old):
        new = self._spelling.new(old)
        found, source, within = old.repeated(self._spelling.sizes(new))
        values = self._spelling.letters(tf.gather(new, source), within)
        found = found._replace(values=values)
        changes = tf.cast(within > 0, tf.int32)
        segment = tf.gather(tf.cumsum(tf.cast(old.segments(), tf.int32)) - 1, source)
        classes = tf.where(found.token >= 0, 0, self._classes(values))
        # Stretches hold their places, so that only marks behind one another are put in order.
        block = tf.cumsum(tf.cast((classes == 0) | (before(segment, -1) != segment), tf.int32))
        order = tf.argsort(tf.cast(block, tf.int64) * 256 + tf.cast(classes, tf.int64), stable=True)
        found = found._replace(values=tf.gather(values, order))
        changes, classes = tf.gather(changes, order), tf.gather(classes, order)
        if self._composed:
            values, changes, kept = self._compose(found, changes, classes, segment)
            found = found._replace(values=values).kept(kept)
            changes, segment = tf.boolean_mask(changes, kept), tf.boolean_mask(segment, kept)
        return aligned(old, found, changes, segment)

    def _compose(self, characters, changes, classes, segment):
        """Put starters and what is behind them together.

        Every starter reads what follows, one character a step: what it can be composed with, and
        what no mark between them blocks, becomes part of it.

        Args:
          characters: Characters, decomposed. changes, classes, segment: int32 [D].
        Returns:
          int32 [D] values and changes, and bool [D], what is left.
        """
        values = characters.values
        count = tf.size(values)
        follows = behind(classes > 0, False) | behind(self._seconds(values) > 0, False)
        same = behind(before(segment, -1) == segment, False)
        starters = tf.where(follows & same & (classes == 0) & (characters.token < 0))
        starters = tf.cast(starters[:, 0], tf.int32)
        last = tf.zeros_like(starters)  # the class of the mark that was left standing, or 0

        def step(t, starters, last, values, changes, kept):
            place = starters + t
            inside = place < count
            place = tf.minimum(place, count - 1)
            inside &= tf.gather(segment, place) == tf.gather(segment, starters)
            inside &= tf.gather(characters.token, place) < 0
            one, other = tf.gather(values, starters), tf.gather(values, place)
            kind = tf.gather(classes, place)
            made, made_of = self._made(one, other)
            made_of &= inside & ((last == 0) | (last < kind))
            hits, hit = tf.boolean_mask(starters, made_of), tf.boolean_mask(place, made_of)
            values = tf.tensor_scatter_nd_update(
                values, hits[:, None], tf.boolean_mask(made, made_of)
            )
            more = tf.gather(changes, hit) - 1
            changes = tf.tensor_scatter_nd_add(changes, hits[:, None], more)
            kept = tf.tensor_scatter_nd_update(kept, hit[:, None], tf.zeros_like(hit, tf.bool))
            on = made_of | (inside & (kind > 0))
            last = tf.boolean_mask(tf.where(made_of, last, kind), on)
            return t + 1, tf.boolean_mask(starters, on), last, values, changes, kept

        one = tf.TensorShape([None])
        state = (1, starters, last, values, changes, tf.ones_like(values, tf.bool))
        found = tf.while_loop(
            lambda _, starters, *state: tf.size(starters) > 0,
            step,
            state,
            shape_invariants=(tf.TensorShape([]), *[one] * 5),
            parallel_iterations=1,
        )
        return found[3:]

    def _made(self, one, other):
        """What two code points make, int32 [S], and bool [S], whether they make any."""
        key = tf.bitwise.left_shift(tf.cast(one, tf.int64), tf.constant(_BITS, tf.int64))
        place, known = self._pairs(key | tf.cast(other, tf.int64))
        made = tf.gather(self._pairs.columns[0], place)
        # Hangul (The Unicode Standard, section 3.12): a consonant and a vowel, a final consonant.
        vowel = (one >= 0x1100) & (one < 0x1113) & (other >= 0x1161) & (other < 0x1176)
        made = tf.where(vowel, 0xAC00 + ((one - 0x1100) * 21 + other - 0x1161) * 28, made)
        syllable = (one >= 0xAC00) & (one < 0xD7A4) & ((one - 0xAC00) % 28 == 0)
        final = syllable & (other > 0x11A7) & (other < 0x11C3)
        made = tf.where(final, one + other - 0x11A7, made)
        return made, known | vowel | final
