"""Vocabularies of byte-level BPE and SentencePiece are trained, and read as tokenizers."""

import pytest

from bert_tf.errors import ConfigError, InputError
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


@pytest.mark.parametrize("kind", ["unigram", "sentencepiece_bpe"])
def test_with_byte_fallback_nothing_is_unknown(tmp_path, kind):
    pytest.importorskip("sentencepiece")
    (tmp_path / "text.txt").write_text(TEXT * 20, encoding="utf-8")
    out = str(tmp_path / "out")
    vocab.train_other(str(tmp_path / "text.txt"), out, kind, 310, byte_fallback=True)
    tokenizer = Tokenizer.from_pretrained(out)
    ids = tokenizer.pieces(["the lowest 北 dog 🙂"])[0].to_list()[0]
    assert tokenizer.unk_id not in ids and tokenizer.decode(ids) == "the lowest 北 dog 🙂"
    bytes_ = [tokenizer.vocabulary[i] for i in ids if tokenizer.vocabulary[i].startswith("<0x")]
    assert bytes_[:3] == ["<0xE5>", "<0x8C>", "<0x97>"] and len(bytes_) == 7
    row = tokenizer(["the"])["input_ids"].numpy()[0]
    assert (row[0], row[-1]) == (tokenizer.cls_id, tokenizer.sep_id)


@pytest.mark.parametrize("kind", ["unigram", "sentencepiece_bpe"])
def test_long_texts_and_capitals_are_learned_from(tmp_path, kind):
    pytest.importorskip("sentencepiece")
    texts = ["HELLO WÖRLD THIS IS A TEST"] * 50 + ["zebra quagga " * 600]
    vocabulary_libraries.train(texts, tmp_path, kind, 60, lowercase=True)
    tokenizer = Tokenizer.from_pretrained(tmp_path)
    for text in ("HELLO WÖRLD", "zebra quagga"):
        ids = tokenizer.pieces([text])[0].to_list()[0]
        assert tokenizer.unk_id not in ids, text
    assert not [x for x in tokenizer.vocabulary if x != x.lower() and not x.startswith("[")]


@pytest.mark.parametrize(
    ("kind", "size", "texts", "line"),
    [
        ("bpe", 261, [TEXT], "size: 261, wanted more than the 261 entries it begins with"),
        ("bpe", 10**9, [TEXT], "size: 1000000000, wanted 1 to 4194304"),
        ("unigram", 0, [TEXT], "size: 0, wanted 1 to 4194304"),
        ("unigram", 5, [TEXT], "size: 5, too few for the special entries and the characters"),
        ("unigram", 12, [TEXT], "size: 12, too few for the special entries and the characters"),
        ("bpe", 300, ["", " "], "the texts hold no word to learn a vocabulary from"),
        ("unigram", 300, ["", " "], "the texts hold no word to learn a vocabulary from"),
    ],
)
def test_sizes_and_texts_of_which_nothing_comes_are_one_line(tmp_path, kind, size, texts, line):
    pytest.importorskip("tokenizers" if kind == "bpe" else "sentencepiece")
    with pytest.raises((ConfigError, InputError), match=f"^{line}"):
        vocabulary_libraries.train(texts, tmp_path, kind, size)
    assert not list(tmp_path.iterdir())


def test_bytes_alone_have_no_fallback(tmp_path):
    pytest.importorskip("tokenizers")
    with pytest.raises(ConfigError, match="byte_fallback: bytes are what bpe begins with"):
        vocabulary_libraries.train(["a"], tmp_path, "bpe", 300, byte_fallback=True)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bpe", "unigram", "sentencepiece_bpe", "unigram+", "bpe+"])
def test_a_saved_tokenizer_json_is_read_the_same_by_tokenizers(tmp_path, kind):
    library, _ = pytest.importorskip("tokenizers"), pytest.importorskip("sentencepiece")
    (tmp_path / "text.txt").write_text(TEXT * 20, encoding="utf-8")
    kind, more = kind.replace("bpe+", "sentencepiece_bpe+").removesuffix("+"), kind.endswith("+")
    size = 310 if more or kind == "bpe" else 60
    out = str(tmp_path / "out")
    vocab.train_other(str(tmp_path / "text.txt"), out, kind, size, byte_fallback=more)
    tokenizer = Tokenizer.from_pretrained(out)
    tokenizer.save_pretrained(tmp_path / "saved")
    theirs = library.Tokenizer.from_file(str(tmp_path / "saved" / "tokenizer.json"))
    texts = ["the lowest dog.", "  The  quick\tfox ", "北 🙂 é naïve", "", "[MASK] newer</s>"]
    for text in texts:
        ids = tokenizer([text], special_tokens_in_text=True, return_offsets=True)
        want = theirs.encode(text)
        assert ids["input_ids"].numpy()[0].tolist() == want.ids, (kind, text)
        assert [tuple(x) for x in ids["offsets"].numpy()[0].tolist()] == want.offsets, (kind, text)
    again = Tokenizer.from_pretrained(tmp_path / "saved")
    for text in texts:
        same = [x([text])["input_ids"].numpy().tolist() for x in (tokenizer, again)]
        assert same[0] == same[1]


def test_an_unknown_kind_gets_one_line(tmp_path):
    with pytest.raises(ConfigError, match="kind: 'x', wanted wordpiece, word or one of bpe"):
        vocabulary_libraries.train(["a"], tmp_path, "x", 10)
