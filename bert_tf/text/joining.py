"""Ids to texts, in the graph."""

import tensorflow as tf


def joined(pieces, ids, there):
    """Rows of ids as texts, as `Tokenizer.decode` joins one.

    Args:
      pieces: as a Tokenizer has them.
      ids: int [batch, length].
      there: bool [batch, length]; what is False adds nothing.
    Returns:
      string [batch], UTF-8.
    """
    added = tf.where(there, tf.gather(tf.constant(pieces.surfaces()), ids), "")
    texts = tf.strings.reduce_join(added, axis=-1)
    if pieces.leads_with_space:
        texts = tf.strings.regex_replace(texts, "^ ", "")
    return tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")
