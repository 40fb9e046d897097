"""Rows of which nothing is hidden: every next word is asked, or that and every one before."""

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


def words_beside(input_ids, attention_mask):
    """The words that follow and those that go before, in the form of masked words.

    Args: as `next_words`.
    Returns:
      dict: as `next_words`, P = 2 (L - 1): of the first two tokens the second is asked at the
      first and the first at the second, then of the second and third, and so on.
    """
    real = attention_mask > 0
    asked = tf.cast(real[:, 1:] & real[:, :-1], tf.int32)
    left = tf.broadcast_to(tf.range(tf.shape(asked)[1]), tf.shape(asked))

    def in_turn(forward, backward):
        both = tf.stack([forward * asked, backward * asked], axis=2)
        return tf.reshape(both, [tf.shape(both)[0], 2 * tf.shape(both)[1]])

    return {
        "input_ids": input_ids,
        "masked_positions": in_turn(left, left + 1),
        "masked_ids": in_turn(input_ids[:, 1:], input_ids[:, :-1]),
        "masked_weights": tf.cast(in_turn(asked, asked), tf.float32),
    }
