"""The texts that callers hand in, as a tensor."""

import tensorflow as tf

from bert_tf.errors import InputError


def strings(texts, name):
    """A [batch] string tensor of what a caller calls texts.

    Args:
      texts: list of str or bytes, numpy array, or a string tensor.
      name: str, what errors call it.
    Raises:
      InputError: these are no strings, or not one row of them.
    """
    if tf.is_tensor(texts):
        if texts.dtype != tf.string:
            raise InputError(f"{name} holds {texts.dtype.name}, wanted strings")
    else:
        if isinstance(texts, (str, bytes)):
            raise InputError(f"{name} is one string, wanted a batch of them: [{texts[:20]!r}]")
        texts = list(texts)
        odd = next((i for i, text in enumerate(texts) if not isinstance(text, (str, bytes))), None)
        if odd is not None:
            raise InputError(f"{name}[{odd}] is {texts[odd]!r}, wanted a string")
        try:
            texts = tf.constant(texts, tf.string, shape=[len(texts)])
        except ValueError:  # half a surrogate pair
            texts = [text if isinstance(text, bytes) else _whole(text) for text in texts]
            texts = tf.constant(texts, tf.string, shape=[len(texts)])
    if texts.shape.rank not in (None, 1):
        raise InputError(f"{name} has shape {texts.shape}, wanted [batch]")
    return tf.ensure_shape(texts, [None]) if texts.shape.rank is None else texts


def _whole(text):
    """The text with U+FFFD for each half of a surrogate pair, which UTF-8 has no bytes for."""
    return "".join("\ufffd" if 0xD800 <= ord(x) <= 0xDFFF else x for x in text)
