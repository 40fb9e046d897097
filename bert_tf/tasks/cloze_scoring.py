"""Cloze questions for a model of masked words, without training: which choice fits the blank best.

In the place of the blank stand as many masks as a choice has pieces, and the choice is as likely as
its pieces are there on average (of all at once, as in Schick and Schuetze 2021, section 3.1, with
one mask a piece; they take the largest first).
"""

import numpy as np

from bert_tf.errors import InputError
from bert_tf.layers import LOWEST
from bert_tf.tasks.answers import plain
from bert_tf.tasks.features import tokenized

# What is a blank, besides the mask token, in a text without it.
_BLANK = "_{3,}"


def features(cells, tokenizer, settings):
    """Token ids of each text with each choice's masks in its blank.

    Args:
      cells: dict of `text` string [N], with one mask token or "___" each, and `choices` string
        [N, C], "" where a row has fewer.
      tokenizer, settings: as in `TaskModel.features`.
    Returns:
      (inputs, None). inputs: those of the encoder [N * C, L]; `masked_positions` and `pieces` int32
      [N * C, P], a choice's masks and its pieces, and `masks` int32 [N * C], how many it has;
      `found` int32 [N * C], the masks that are left in the row; `blanks` int32 [N].
    """
    import tensorflow as tf

    tokenizer.require_mask("words to choose")
    mask = tokenizer.pieces.settings.mask_token
    choices = cells["choices"]
    choices = choices.to_tensor("") if isinstance(choices, tf.RaggedTensor) else choices
    texts = cells["text"]
    masked = tf.strings.regex_full_match(texts, f"(?s).*{_escaped(mask)}.*")
    texts = tf.where(masked, texts, tf.strings.regex_replace(texts, _BLANK, mask))
    parts = tf.strings.split(texts, mask)
    sides = tf.strings.split(texts, mask, maxsplit=1).to_tensor("", shape=[None, 2])
    left, right = (tf.repeat(side, tf.shape(choices)[1]) for side in tf.unstack(sides, axis=1))
    pieces, _ = tokenizer.pieces(tf.reshape(choices, [-1]), False, False)
    pieces = tf.cast(pieces, tf.int32)
    count = pieces.row_lengths()
    masks = pieces.with_flat_values(tf.fill(tf.shape(pieces.flat_values), mask))
    masks = tf.strings.reduce_join(masks, axis=-1, separator=" ")
    settings = {**settings, "special_tokens_in_text": True}
    inputs = tokenized(tf.strings.join([left, masks, right]), None, tokenizer, settings)
    there = inputs["input_ids"] == tokenizer.mask_id
    first = tf.argsort(tf.cast(~there, tf.int32), axis=1, stable=True)
    width = tf.minimum(tf.reduce_max(count), tf.shape(first, tf.int64)[1])
    return {
        **inputs,
        "masked_positions": first[:, :width],
        "pieces": pieces.to_tensor(0)[:, :width],
        "masks": tf.cast(count, tf.int32),
        "found": tf.math.count_nonzero(there, axis=1, dtype=tf.int32),
        "blanks": tf.cast(parts.row_lengths(), tf.int32) - 1,
    }, None


def answer(logits, inputs, cells, tokenizer):
    """The choice that fits best.

    Args:
      logits: float32 [N * C, P, V], at `masked_positions`.
      inputs: what `features` gave; cells, tokenizer: as there.
    Returns:
      dict as of multiple choice: `choice` int32 [N], -1 of a row without any; `answer` string [N];
      `probabilities` float32 [N, C], a softmax over `logits` [N, C], the mean log-probability of
      each choice's pieces; and `fit` int32 [N], 1 where the row has one blank and all its masks.
    """
    import tensorflow as tf

    choices = cells["choices"]
    choices = choices.to_tensor("") if isinstance(choices, tf.RaggedTensor) else choices
    scores = tf.nn.log_softmax(logits[..., : tokenizer.vocab_size])
    scores = tf.gather(scores, inputs["pieces"], batch_dims=2)
    real = tf.sequence_mask(inputs["masks"], tf.shape(scores)[1])
    count = tf.cast(inputs["masks"], tf.float32)
    mean = tf.reduce_sum(tf.where(real, scores, 0.0), axis=1) / tf.maximum(count, 1.0)
    mean = tf.reshape(tf.where(count > 0, mean, LOWEST), tf.shape(choices))
    choice = tf.argmax(mean, axis=-1, output_type=tf.int32)
    there = mean > LOWEST / 2
    whole = tf.reshape(inputs["found"] >= inputs["masks"], tf.shape(choices))
    fit = (inputs["blanks"] == 1) & tf.reduce_all(whole, axis=-1)
    return {
        "choice": tf.where(tf.reduce_any(there, axis=-1), choice, -1),
        "answer": tf.gather(choices, choice, batch_dims=1),
        "probabilities": tf.where(there, tf.nn.softmax(mean), 0.0),
        "logits": mean,
        "fit": tf.cast(fit, tf.int32),
    }


def record(answer):
    """`choice`, `answer` and `probabilities`, a number for each of the row's own choices.

    Raises:
      InputError: the text has not one blank, or its blank was cut off; or there are no choices.
    """
    if not answer["fit"]:
        raise InputError("wanted one blank, [MASK] or ___, within the tokens that the model reads")
    there = np.flatnonzero(np.asarray(answer["logits"]) > LOWEST / 2)
    if not len(there):
        raise InputError("choices are all empty, wanted one at least that is not")
    return {
        "choice": plain(answer["choice"]),
        "answer": plain(answer["answer"]),
        "probabilities": plain(np.asarray(answer["probabilities"])[: there[-1] + 1]),
    }


def _escaped(token):
    """A regular expression of RE2 for exactly this text."""
    return "".join(rf"\x{{{ord(character):x}}}" for character in token)
