"""A vector for each token of a vocabulary, made by an encoder: the beginning of a model that is no
more than these."""

import numpy as np
import tensorflow as tf

from bert_tf.encoders import words_alone
from bert_tf.errors import InputError
from bert_tf.text.template import Cut

# Tokens that are encoded at once.
_ROWS = 1024


def static_encoder(encoder, tokenizer, width):
    """An encoder of a vector a token, wherever it stands, as another encoder has them.

    Each token alone is encoded, and its row's vectors are averaged; what varies most among them is
    kept, and rarer tokens weigh more, by log(1 + rank) (model2vec, van Dongen & Tulkens 2024,
    "distill"). The rank is the place in the vocabulary, which most are ordered by. Special tokens
    begin with zeros. On average a vector has length 1.

    Args:
      encoder: Encoder.
      tokenizer: Tokenizer, the encoder's own.
      width: int, numbers in a vector.
    Returns:
      Encoder without any block.
    Raises:
      InputError: vectors wider than the encoder.
    """
    config = encoder.config
    if width > config.hidden_size:
        raise InputError(
            f"static: {width}, wanted at most the encoder's width, {config.hidden_size}"
        )
    vectors_VD = token_vectors(encoder, tokenizer)
    vectors_VW = principal_parts(vectors_VD, width)
    vectors_VW *= np.log(2.0 + np.arange(len(vectors_VW)))[:, None]
    vectors_VW /= np.linalg.norm(vectors_VW, axis=1).mean()
    special = [tokenizer.pad_id, tokenizer.cls_id, tokenizer.sep_id, tokenizer.mask_id]
    vectors_VW[[number for number in special if number is not None]] = 0.0
    static = words_alone(config, width, encoder.dtype_policy)
    table = np.zeros(static.embeddings.word_embeddings.shape, "float32")
    table[: len(vectors_VW)] = vectors_VW
    static.embeddings.word_embeddings.assign(table)
    return static


def token_vectors(encoder, tokenizer):
    """The mean vector of each entry of a vocabulary as a text by itself, float64 [V, D]."""
    template, found = tokenizer.template, []
    length = 1 + template.added(1)
    encode = tf.function(lambda ids: encoder({"input_ids": ids})["sequence_output"])
    for start in range(0, tokenizer.vocab_size, _ROWS):
        ids = tf.range(start, min(start + _ROWS, tokenizer.vocab_size))
        place = tf.range(tf.size(ids, tf.int64))
        texts = [Cut(ids, None, place, tf.ones_like(place))]
        rows = template.assemble(texts, 0, length)["input_ids"]
        found.append(np.mean(encode(rows), axis=1, dtype=np.float64))
    return np.concatenate(found)


def principal_parts(vectors, width):
    """The so many principal components of vectors [V, D], centred: [V, width]."""
    centred = vectors - vectors.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    return centred @ directions[:, ::-1][:, :width]
