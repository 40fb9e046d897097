"""The words of texts that have no spaces, and where they begin among the pieces of a text.

Whole-word masking hides words, a parser finds their heads. Pieces of English tell them themselves:
a piece with ## continues the word before it. Chinese is cut into characters, so a segmenter has to
say which of them make up a word. Any function from a text to its words will do, as long as the
words joined are the text; `jieba_segmenter` gives one.
"""

import logging

import numpy as np

from bert_tf.errors import InputError


def continuations(vocabulary):
    """Which entries of a WordPiece vocabulary continue a word.

    Args:
      vocabulary: list of str.
    Returns:
      bool [V].
    Source: google-research/bert, create_pretraining_data.py: create_masked_lm_predictions.
    """
    return np.array([len(token) > 2 and token.startswith("##") for token in vocabulary], bool)


def jieba_segmenter():
    """A segmenter for Chinese: jieba's accurate mode (https://github.com/fxsjy/jieba).

    Returns:
      function from str to list of str, the words of the text with nothing left out.
    Raises:
      InputError: jieba is not installed.
    """
    try:
        import jieba
    except ImportError as error:
        raise InputError(
            "Chinese words need jieba, which is not installed: pip install 'bert_tf[chinese]'"
        ) from error
    jieba.setLogLevel(logging.WARNING)
    return jieba.lcut


# Name -> what makes a segmenter.
SEGMENTERS = {"jieba": jieba_segmenter}


def spaced(text, segment):
    """A text as its words, with one space between any two; spaces of its own are no words.

    Args:
      text: str.
      segment: function from str to the list of its words.
    """
    return " ".join(word for word in segment(text) if word.strip())


def word_starts(texts, offsets, row_splits, segment):
    """For each piece, whether a word begins with it.

    A piece that reaches over several words begins the first of them; the next piece begins a word
    unless it continues the one in which the piece before it ended.

    Args:
      texts: list of N str.
      offsets: int [T, 2]. Start and end of each piece in characters of its text, the pieces of all
        texts one after the other, as the tokenizer gives them.
      row_splits: int [N + 1]. Where each text's pieces begin among them.
      segment: function from str to the list of its words.
    Returns:
      bool [T].
    Raises:
      InputError: the words of a text do not add up to the text.
    """
    offsets, row_splits = np.asarray(offsets), np.asarray(row_splits)
    starts = np.ones(len(offsets), bool)
    for text, begin, end in zip(texts, row_splits[:-1], row_splits[1:], strict=True):
        if end - begin < 2:
            continue
        lengths = [len(word) for word in segment(text)]
        if sum(lengths) != len(text):
            raise InputError(
                f"segmenter: words of {sum(lengths)} characters for the {len(text)} characters of "
                f"{text[:20]!r}; wanted every character in exactly one word"
            )
        word_of = np.repeat(np.arange(len(lengths)), lengths)
        first, last = offsets[begin:end, 0], np.maximum(offsets[begin:end, 1] - 1, 0)
        starts[begin + 1 : end] = word_of[first[1:]] != word_of[last[:-1]]
    return starts
