"""What the loops that let texts grow have in common.

A loop is told a `step`, function of (ids int32 [B, F], mask int32 [B, T] of all T tokens so far,
position_ids int32 [B, F], cache): the logits of the word after the last one, float32 [B, V], and
the cache of the call after it, a nest of tensors [B, N, T, H].
"""

import re
import typing
from collections.abc import Callable

from bert_tf.tasks.generation.settings import Generation


class Words(typing.NamedTuple):
    """What a loop has to know of the vocabulary.

    Attributes:
      end: int, the id that ends a text; None: there is none.
      pad: int, the id that stands behind an end.
      count: int, how many ids there are; the model may have more rows, as padding.
      surfaces: list of bytes, what each id adds to a text; None where no text is looked for.
      start: int, the id that a text begins with where there is no prompt; None: it is not known.
    """

    end: int | None
    pad: int
    count: int
    surfaces: list | None = None
    start: int | None = None


class Loop(typing.NamedTuple):
    """What stays the same from word to word.

    Attributes:
      step: function, see this module.
      settings: Generation.
      words: Words.
      first_draw: int or integer scalar, the number of the first draw.
    """

    step: Callable
    settings: Generation
    words: Words
    first_draw: object = 0

    def next(self, ids_B, mask_BT, cache):
        """Logits behind one more word a row, whose place is how many tokens stand before it."""
        import tensorflow as tf

        places_B1 = tf.reduce_sum(tf.cast(mask_BT > 0, tf.int32), axis=1, keepdims=True) - 1
        return self.step(ids_B[:, None], mask_BT, places_B1, cache)

    def scores(self, scores_BV, seen_BV):
        """Logits or log-probabilities without what is no word, and with less for words that were
        there."""
        import tensorflow as tf

        penalty = self.settings.repetition_penalty
        if penalty != 1.0:
            lower = tf.where(scores_BV < 0, scores_BV * penalty, scores_BV / penalty)
            scores_BV = tf.where(seen_BV, lower, scores_BV)
        is_word_V = tf.range(scores_BV.shape[-1]) < self.words.count
        return tf.where(is_word_V, scores_BV, tf.float32.min)

    def seen(self, ids_BL, mask_BL, vocab_size):
        """Which words stand in prompts, bool [B, V]; [B, 0] where nobody asks."""
        import tensorflow as tf

        if self.settings.repetition_penalty == 1.0:
            return tf.zeros([tf.shape(ids_BL)[0], 0], tf.bool)
        count_BV = tf.math.bincount(
            tf.where(mask_BL > 0, ids_BL, vocab_size), minlength=vocab_size + 1, axis=-1
        )
        return tf.ensure_shape(count_BV[:, :vocab_size] > 0, [None, vocab_size])

    def also(self, seen_BV, ids_B):
        """`seen` with one more word a row."""
        import tensorflow as tf

        if self.settings.repetition_penalty == 1.0:
            return seen_BV
        return seen_BV | (tf.range(seen_BV.shape[-1]) == ids_B[:, None])

    def longer(self, text_B, ids_B):
        """Texts with one more word each, strings; as they are where nobody asks."""
        import tensorflow as tf

        if not self.settings.stop:
            return text_B
        return text_B + tf.gather(tf.constant(self.words.surfaces), ids_B)

    def is_last(self, ids, text):
        """Whether these words end their texts, bool of the shape of `ids`."""
        import tensorflow as tf

        ended = tf.zeros(tf.shape(ids), tf.bool)
        if self.words.end is not None:
            ended |= ids == self.words.end
        if self.settings.stop:
            ended |= tf.strings.regex_full_match(text, f"(?s).*({any_of(self.settings.stop)}).*")
        return ended


def places_of(mask_BL):
    """The position of each token among the real ones of its row, int32 [B, L]; 0 of padding."""
    import tensorflow as tf

    real_BL = tf.cast(mask_BL > 0, tf.int32)
    return tf.maximum(tf.cumsum(real_BL, axis=1) - 1, 0)


def shapes_of(state, growing):
    """The shapes of a loop's variables, of which rows may be any number; a cache grows in axis 2.

    Args:
      state: dict of name -> tensor or, as `cache`, a nest of tensors [B, N, T, H].
      growing: names of tensors [B, n] of which n grows.
    Returns:
      dict of the same structure with tf.TensorShape.
    """
    import tensorflow as tf

    def cached(x):
        return tf.TensorShape([None, x.shape[1], None, *x.shape[3:]])

    def plain(name, x):
        if x.shape.rank == 0:
            return x.shape
        return tf.TensorShape([None, None] if name in growing else [None, *x.shape[1:]])

    return {
        name: tf.nest.map_structure(cached, x) if name == "cache" else plain(name, x)
        for name, x in state.items()
    }


def any_of(texts):
    """A regular expression, as TensorFlow's operations read it, that finds each of some texts."""
    return "|".join(re.sub(r"[\\.+*?()|\[\]{}^$]", r"\\\g<0>", text) for text in texts)
