"""Rows of a model that reads from left to right: nothing is hidden, every next word is asked."""

import tensorflow as tf


def next_words(input_ids, attention_mask):
    """The words that follow, in the form of masked words.

    Args:
      input_ids: int32 [B, L].
      attention_mask: int [B, L], 0 where padding is.
    Returns:
      dict: input_ids as they are; masked_positions int32 [B, L], 0, 1, 2, ... before the last real
      token, masked_ids int32 [B, L], the words that follow there, masked_weights float32 [B, L], 0
      for filling.
    """
    real = attention_mask > 0
    asked = real & tf.pad(real[:, 1:], [[0, 0], [0, 1]])
    following = tf.pad(input_ids[:, 1:], [[0, 0], [0, 1]])
    places = tf.broadcast_to(tf.range(tf.shape(input_ids)[1]), tf.shape(input_ids))
    return {
        "input_ids": input_ids,
        "masked_positions": tf.where(asked, places, 0),
        "masked_ids": tf.where(asked, following, 0),
        "masked_weights": tf.cast(asked, tf.float32),
    }
