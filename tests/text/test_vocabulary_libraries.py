"""Vocabularies of byte-level BPE and SentencePiece are trained, and read as tokenizers."""

import pytest

from bert_tf.errors import ConfigError
from bert_tf.recipes import vocab
from bert_tf.text import Tokenizer, vocabulary_libraries

TEXT = (
    "The quick brown fox jumps over the lazy dog. The lower, the lowest, the newer, the newest.\n"
)


@pytest.mark.parametrize(("kind", "size"), (("bpe", 280), ("unigram", 60)))
def test_a_vocabulary_is_trained_and_cuts_its_texts(tmp_path, kind, size):
    pytest.importorskip("tokenizers" if kind == "bpe" else "sentencepiece")
    (tmp_path / "text.txt").write_text(TEXT * 20, encoding="utf-8")
    found = vocab.train_other(str(tmp_path / "text.txt"), str(tmp_path / "out"), kind, size)
    tokenizer = Tokenizer.from_pretrained(tmp_path / "out")
    assert found["entries"] == tokenizer.vocab_size <= size + 5
    ids = tokenizer.pieces(["the lowest dog"])[0].to_list()[0]
    assert tokenizer.decode(ids) == "the lowest dog" and tokenizer.unk_id not in ids


def test_an_unknown_kind_gets_one_line(tmp_path):
    with pytest.raises(ConfigError, match="kind: 'x', wanted wordpiece or one of bpe"):
        vocabulary_libraries.train(["a"], tmp_path, "x", 10)
