"""A block of documents as tokens, and examples over it as rows."""

import typing

import numpy as np
import tensorflow as tf

from bert_tf.pretraining_data.corpus import cloze, label_columns
from bert_tf.text.segmentation import word_starts


class Tokens(typing.NamedTuple):
    """A block of tokenized documents; no sentence and no document is empty.

    ids: int32 [T]. sentences: int64 [n + 1], where each sentence begins in ids, and T. documents:
    int64 [d + 1], which sentence each document begins with, and n. word_starts: bool [T], or None.
    labels, tags: dict of name -> int32 [d, n] and [T], what documents and tokens are labelled with,
    -1 for nothing.
    """

    ids: np.ndarray
    sentences: np.ndarray
    documents: np.ndarray
    word_starts: np.ndarray | None = None
    labels: dict = {}
    tags: dict = {}


def tokenize(documents, tokenizer, segment=None, numbered=None):
    """Tokenizes a block of documents at once.

    Args:
      documents: list of lists of str, their sentences.
      tokenizer: Tokenizer. A "[MASK]" in a text is plain characters, except the blank of a cloze
        question.
      segment: function from str to the list of its words, or None: words are not needed.
      numbered: label_columns.NumberedLabels of the documents, or None.
    Returns:
      Tokens, without the sentences and documents that hold no token.
    """
    sentences = [sentence for document in documents for sentence in document]
    # Half a surrogate pair, which JSON may hold, has no bytes in UTF-8.
    texts = tf.constant([text.encode(errors="replace") for text in sentences], tf.string)
    labelled = numbered is not None and bool(numbered.tags or numbered.has_question)
    ids, offsets = tokenizer.pieces(texts, return_offsets=labelled or segment is not None)
    ids, splits = ids.flat_values.numpy(), ids.row_splits.numpy()
    offsets = None if offsets is None else offsets.flat_values.numpy()
    sizes = np.array([len(document) for document in documents], np.int64)
    document = np.repeat(np.arange(len(sizes)), sizes)
    tags = {}
    if labelled:
        has_question = np.any([np.zeros(len(sizes), bool), *numbered.has_question.values()], axis=0)
        ids, offsets, splits, blank = cloze.with_blanks(
            sentences, has_question[document], ids, offsets, splits, tokenizer.mask_id
        )
        tags = label_columns.piece_tags(numbered, sizes, offsets, splits)
        for name, has_question in numbered.has_question.items():
            here = blank & np.repeat(has_question[document], np.diff(splits))
            tags[cloze.columns(name)[0]] = np.where(here, np.int32(1), label_columns.NO_LABEL)
    starts = None
    if segment is not None:
        starts = word_starts(sentences, offsets, splits, segment)
    kept = splits[1:] > splits[:-1]
    document = document[kept]
    first = np.flatnonzero(np.diff(document, prepend=-1))
    edges = np.append(splits[:-1][kept], splits[-1])
    labels = {} if numbered is None else numbered.labels
    labels = {name: numbers[document[first]] for name, numbers in labels.items()}
    return Tokens(ids, edges, np.append(first, len(document)), starts, labels, tags)


def separated(tokens, separator):
    """The block, without its labels, with a separator behind each document, as the last token of
    its last sentence.

    For full rows, which go on from one document into the next (Liu et al. 2019, RoBERTa, section
    4.2, FULL-SENTENCES).
    """
    ends = tokens.sentences[tokens.documents[1:]]
    ids = np.insert(tokens.ids, ends, separator)
    starts = tokens.word_starts
    starts = None if starts is None else np.insert(starts, ends, True)
    behind = np.searchsorted(tokens.documents[1:], np.arange(len(tokens.sentences)), "right")
    return Tokens(ids, tokens.sentences + behind, tokens.documents, starts)


def rows(tokens, segments, max_length, cls_id, sep_id, pad_id):
    """The examples as padded rows: [CLS] A [SEP] B [SEP], or [CLS] A [SEP] without a B.

    Args:
      tokens: Tokens.
      segments: Segments over them.
      max_length: int.
      cls_id, sep_id, pad_id: int.
    Returns:
      dict of input_ids int32 [N, max_length], input_mask and segment_ids uint8 like it and, of
      tokens with word_starts, token_boundary, where special tokens count as words and padding not;
      int32 like it, what tokens are tagged with, -1 for special tokens and padding.
    """
    place = np.arange(max_length, dtype=np.int32)[None]
    edges = np.concatenate([segments.first, segments.second], axis=1).astype(np.int32)
    first, end, second, other_end = (edges[:, column, None] for column in range(4))
    middle, other = end - first + 1, other_end - second
    last = middle + np.where(other > 0, other + 1, 0)
    behind = place > middle
    origin = np.where(behind, second - middle - 1, first - 1)
    source = np.clip(origin + place, 0, len(tokens.ids) - 1)
    special = (place == 0) | (place == middle) | (place == last)
    inside = place <= last
    ids = np.where(special, np.int32(sep_id), tokens.ids[source])
    ids[:, 0] = cls_id
    made = {
        "input_ids": np.where(inside, ids, np.int32(pad_id)),
        "input_mask": inside.astype(np.uint8),
        "segment_ids": (behind & inside).astype(np.uint8),
    }
    if tokens.word_starts is not None:
        starts = (special | tokens.word_starts[source]) & inside
        made["token_boundary"] = starts.astype(np.uint8)
    for name, numbers in tokens.tags.items():
        made[name] = np.where(inside & ~special, numbers[source], label_columns.NO_LABEL)
    return made
