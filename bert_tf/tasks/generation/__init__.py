"""Texts that grow word by word, as one loop in a TensorFlow graph.

settings.py   Generation: what may be asked
loop.py       what the loops have in common: words, positions, caches, where a text ends
words.py      one word a step: the likeliest, or one that is drawn
beams.py      several continuations side by side
asking.py     `generate` of the tasks that write texts
"""

from bert_tf.tasks.generation.beams import beam_search
from bert_tf.tasks.generation.loop import Loop, Words, any_of, places_of
from bert_tf.tasks.generation.settings import SETTINGS, Generation, generation_of
from bert_tf.tasks.generation.words import one_by_one


def generate(step, ids, mask, settings, words, first_draw=0):
    """Continues rows of tokens.

    Args:
      step: function, see `loop`.
      ids, mask: int32 [B, L], prompts, padded on the left; each row has a token at least.
      settings: Generation.
      words: Words.
      first_draw: int or integer scalar, the number of the first draw under `settings.seed`.
    Returns:
      int32 [B, n], n at most `max_new_tokens`; behind the end of a row stands `words.pad`.
    """
    # Where the last token of a prompt stands is where all rows go on: nothing depends on padding.
    logits, cache = step(ids, mask, places_of(mask), ())
    search = beam_search if settings.num_beams > 1 else one_by_one
    return search(Loop(step, settings, words, first_draw), ids, mask, logits, cache)


def as_texts(ids_BN, settings, words, tokenizer):
    """What was generated, as texts in the graph: without the end and what stands behind it.

    Args:
      ids_BN: int32 [B, n], what `generate` gave.
      settings, words: as there.
      tokenizer: Tokenizer.
    Returns:
      string [B].
    """
    import tensorflow as tf

    there_BN = tf.ones_like(ids_BN)
    if words.end is not None:
        there_BN = 1 - tf.minimum(tf.cumsum(tf.cast(ids_BN == words.end, tf.int32), axis=1), 1)
    text_B = tokenizer.joined(ids_BN, there_BN > 0)
    if settings.stop:
        text_B = tf.strings.regex_replace(text_B, f"(?s)({any_of(settings.stop)}).*", "")
    return text_B


__all__ = ["SETTINGS", "Generation", "Words", "as_texts", "generate", "generation_of"]
