"""Characters spelled anew, and the characters of a text that the new ones are aligned with."""

import numpy as np
import tensorflow as tf

from bert_tf.text.characters import CodePointTable, exclusive_sums
from bert_tf.text.tracked import Tracked

_CODE_SPACE = 0x110000  # a table value from here on names a spelling that is not one character


class Spelling(Tracked):
    """What becomes of each code point: none, one or several characters.

    Args:
      spellings: dict of int -> str; what is not in it stays.
    """

    def __init__(self, spellings):
        super().__init__()
        texts = sorted({text for text in spellings.values() if len(text) != 1})
        number = {text: _CODE_SPACE + i for i, text in enumerate(texts)}
        steps = np.zeros(_CODE_SPACE, np.int32)
        for c, text in spellings.items():
            steps[c] = (ord(text) if len(text) == 1 else number[text]) - c
        self._steps = CodePointTable(steps)
        with tf.device("CPU"):
            self._lengths = tf.constant([len(text) for text in texts] or [1], tf.int32)
            self._starts = tf.cumsum(self._lengths, exclusive=True)
            self._letters = tf.constant([ord(x) for text in texts for x in text] or [0], tf.int32)

    def new(self, characters):
        """int32 [C], the new code point of each character, or what `sizes` and `letters` read."""
        new = characters.values + self._steps(characters.values)
        return tf.where(characters.token >= 0, characters.values, new)

    def several(self, new):
        """bool, whether any of `new` is not one character."""
        return tf.reduce_any(new >= _CODE_SPACE)

    def sizes(self, new):
        """int32 [C], how many characters each of `new` is."""
        single = new < _CODE_SPACE
        return tf.where(single, 1, tf.gather(self._lengths, tf.where(single, 0, new - _CODE_SPACE)))

    def letters(self, new, within):
        """int32 [D], the code points at places int32 `within` of spellings int32 [D] `new`."""
        single = new < _CODE_SPACE
        start = tf.gather(self._starts, tf.where(single, 0, new - _CODE_SPACE))
        return tf.where(single, new, tf.gather(self._letters, tf.where(single, 0, start + within)))

    def __call__(self, characters):
        """Characters spelled anew, each aligned with the one it comes from."""
        new = self.new(characters)

        def spell_out():
            found, source, within = characters.repeated(self.sizes(new))
            return found._replace(values=self.letters(tf.gather(new, source), within))

        return tf.cond(self.several(new), spell_out, lambda: characters._replace(values=new))


def aligned(old, new, changes, segment):
    """New characters with the places that the reference gives them (`NormalizedString.transform`).

    A change of 0 stands for the next of the old characters of a stretch, -n for it and n further
    ones, of which the first alone counts; 1 is one more character for what came last.

    Args:
      old: Characters, before.
      new: Characters, after; their `first` and `last` are set here.
      changes: int32 [D], of each new one.
      segment: int32 [D], the stretch of the old characters that each comes from, from 0.
    Returns:
      Characters.
    """
    begins = tf.cast(tf.where(old.segments())[:, 0], tf.int32)
    count = tf.size(begins)
    used = exclusive_sums(tf.maximum(1 - changes, 0))[:-1]
    base = tf.math.unsorted_segment_min(used, segment, count)
    ends = tf.concat([begins[1:], [tf.size(old.values)]], 0)[:count]
    place = used - tf.gather(base, segment) - tf.cast(changes > 0, tf.int32)
    start, end = tf.gather(begins, segment), tf.gather(ends, segment)
    source = tf.clip_by_value(start + place, start, end - 1)
    return new._replace(first=tf.gather(old.first, source), last=tf.gather(old.last, source))
