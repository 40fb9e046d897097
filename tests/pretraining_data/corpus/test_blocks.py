"""Blocks of documents as tokens, and examples over them as rows."""

import numpy as np

from bert_tf.pretraining_data.corpus.blocks import Tokens, rows, separated, tokenize
from bert_tf.pretraining_data.corpus.segments import Segments
from tests import tiny


def ranges(*pairs):
    return np.array(pairs, np.int64)


def test_sentences_and_documents_without_a_token_are_left_out(tmp_path):
    tokenizer = tiny.tokenizer(tmp_path / "t")
    texts = [["the film", "\u200b", "is good !"], ["\u200b"], [], ["bad"]]
    tokens = tokenize(texts, tokenizer)
    words = [tokenizer.vocabulary[id] for id in tokens.ids]
    assert words == ["the", "film", "is", "good", "!", "bad"]
    assert tokens.sentences.tolist() == [0, 2, 5, 6] and tokens.documents.tolist() == [0, 2, 3]
    assert tokens.word_starts is None


def test_control_tokens_in_a_text_are_plain_characters(tmp_path):
    tokenizer = tiny.tokenizer(tmp_path / "t")
    assert tokenizer.mask_id not in tokenize([["a [MASK] b"]], tokenizer).ids


def test_a_segmenter_tells_where_words_begin(tmp_path):
    tokenizer = tiny.tokenizer(tmp_path / "t")
    tokens = tokenize([["a b c", "d"]], tokenizer, lambda text: text.split(" c") and [text])
    assert tokens.word_starts.tolist() == [True, False, False, True]


def test_half_a_surrogate_pair_does_not_stop_the_rest(tmp_path):
    tokenizer = tiny.tokenizer(tmp_path / "t")
    ids = tokenize([["good \ud800 bad"]], tokenizer).ids
    assert [tokenizer.vocabulary[id] for id in ids][::2] == ["good", "bad"]


def test_a_pair_and_a_single_text_as_rows():
    tokens = Tokens(np.arange(10, 20, dtype=np.int32), None, None)
    segments = Segments(ranges([0, 2], [3, 6]), ranges([5, 8], [0, 0]), None)
    made = rows(tokens, segments, 9, cls_id=1, sep_id=2, pad_id=7)
    assert made["input_ids"].tolist() == [
        [1, 10, 11, 2, 15, 16, 17, 2, 7],
        [1, 13, 14, 15, 2, 7, 7, 7, 7],
    ]
    assert made["input_mask"].tolist() == [[1] * 8 + [0], [1] * 5 + [0] * 4]
    assert made["segment_ids"].tolist() == [[0] * 4 + [1] * 4 + [0], [0] * 9]
    assert set(made) == {"input_ids", "input_mask", "segment_ids"}


def test_a_full_row_has_no_padding():
    tokens = Tokens(np.arange(10, 20, dtype=np.int32), None, None)
    made = rows(tokens, Segments(ranges([4, 7]), ranges([0, 2]), None), 8, 1, 2, 0)
    assert made["input_ids"].tolist() == [[1, 14, 15, 16, 2, 10, 11, 2]]
    assert made["input_mask"].all()


def test_boundaries_count_special_tokens_as_words_and_padding_not():
    starts = np.array([True, False, True, False])
    tokens = Tokens(np.arange(10, 14, dtype=np.int32), None, None, starts)
    made = rows(tokens, Segments(ranges([0, 2]), ranges([2, 4]), None), 9, 1, 2, 0)
    assert made["token_boundary"].tolist() == [[1, 1, 0, 1, 1, 0, 1, 0, 0]]


def test_a_separator_stands_behind_every_document():
    starts = np.zeros(6, bool)
    ids = np.arange(10, 16, dtype=np.int32)
    tokens = separated(Tokens(ids, np.array([0, 2, 5, 6]), np.array([0, 2, 3]), starts), 2)
    assert tokens.ids.tolist() == [10, 11, 12, 13, 14, 2, 15, 2]
    assert tokens.sentences.tolist() == [0, 2, 6, 8] and tokens.documents.tolist() == [0, 2, 3]
    assert tokens.word_starts.tolist() == [False] * 5 + [True, False, True]
