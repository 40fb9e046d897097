"""Models and their vocabularies: fewer entries than rows, added tokens, and Google's lines."""

import json

import pytest

from bert_tf.encoders import BertConfig, build_encoder
from bert_tf.errors import InputError
from bert_tf.loading import convert, load_encoder, load_task
from bert_tf.tasks import SequenceClassifier
from bert_tf.text import Tokenizer

ENTRIES = "[PAD] [UNK] [CLS] [SEP] [MASK] good bad film a b c d e f ##s the".split()
ROWS = len(ENTRIES) + 2


def folder(directory, added=(), rows=ROWS, lines=False):
    """An encoder whose vocabulary stands in tokenizer.json, or in vocab.txt, with added tokens."""
    config = BertConfig(vocab_size=rows, hidden_size=8, num_hidden_layers=1,
                        num_attention_heads=2, intermediate_size=8,
                        max_position_embeddings=16)  # fmt: skip
    build_encoder(config).save_pretrained(str(directory))
    tokens = [{"id": len(ENTRIES) + i, "content": x, "special": False} for i, x in enumerate(added)]
    if lines:
        (directory / "vocab.txt").write_text("\n".join(ENTRIES) + "\n")
        added = {token["content"]: token["id"] for token in tokens}
        (directory / "added_tokens.json").write_text(json.dumps(added))
        return directory
    model = {"type": "WordPiece", "vocab": {token: i for i, token in enumerate(ENTRIES)}}
    normalizer = {"type": "BertNormalizer", "lowercase": True}
    whole = {"model": model, "normalizer": normalizer, "added_tokens": tokens}
    (directory / "tokenizer.json").write_text(json.dumps(whole))
    return directory


def test_a_model_with_more_rows_than_entries_loads_again_after_saving(tmp_path):
    folder(tmp_path / "base")
    tokenizer, encoder = (
        Tokenizer.from_pretrained(tmp_path / "base"),
        load_encoder(tmp_path / "base"),
    )
    tokenizer.require_rows(encoder.config.vocab_size, "base")
    SequenceClassifier(encoder, 2).save_pretrained(str(tmp_path / "tuned"), tokenizer)
    model, again = load_task(tmp_path / "tuned"), Tokenizer.from_pretrained(tmp_path / "tuned")
    assert model.encoder.config.vocab_size == ROWS and again.vocabulary == ENTRIES
    assert again.fingerprint == tokenizer.fingerprint
    with pytest.raises(InputError, match="tuned: the vocabulary has 16 entries, and .* 15 rows"):
        again.require_rows(15, "tuned")


@pytest.mark.parametrize("lines", [True, False])
def test_a_model_with_added_tokens_loads_again_after_saving(tmp_path, lines):
    folder(tmp_path / "base", ["[E1]", "Covid"], lines=lines)
    tokenizer, encoder = (
        Tokenizer.from_pretrained(tmp_path / "base"),
        load_encoder(tmp_path / "base"),
    )
    SequenceClassifier(encoder, 2).save_pretrained(str(tmp_path / "tuned"), tokenizer)
    load_task(tmp_path / "tuned")
    again = Tokenizer.from_pretrained(tmp_path / "tuned")
    assert again.tokenize("films[E1]covids") == ["film", "##s", "[E1]", "Covid", "[UNK]"]
    folder(tmp_path / "small", ["[E1]", "Covid"], rows=ROWS - 1, lines=lines)
    with pytest.raises(InputError, match="18 entries for 17 rows"):
        load_encoder(tmp_path / "small")


@pytest.mark.parametrize("added, lines", [((), False), (("[E1]", "Covid"), False),
                                          (("[E1]",), True)])  # fmt: skip
def test_google_s_vocabulary_has_a_line_for_every_id(tmp_path, added, lines):
    folder(tmp_path / "base", added, lines=lines)
    convert(tmp_path / "base", tmp_path / "google", "google")
    assert (tmp_path / "google" / "vocab.txt").read_text().split("\n") == [*ENTRIES, *added, ""]
    texts = ["the films[E1] covid", "Bad covids"]
    before, after = (
        Tokenizer.from_pretrained(tmp_path / name)(texts)["input_ids"].numpy().tolist()
        for name in ("base", "google")
    )
    assert before == after
    convert(tmp_path / "google", tmp_path / "back", "huggingface")
    assert (
        Tokenizer.from_pretrained(tmp_path / "back")(texts)["input_ids"].numpy().tolist() == after
    )


def test_a_vocabulary_of_another_kind_does_not_keep_weights_from_being_converted(tmp_path):
    folder(tmp_path / "base", lines=True)
    config = {"tokenizer_class": "BertJapaneseTokenizer", "word_tokenizer_type": "mecab"}
    (tmp_path / "base" / "tokenizer_config.json").write_text(json.dumps(config))
    convert(tmp_path / "base", tmp_path / "google", "google")
    with pytest.raises(InputError, match="word_tokenizer_type: 'mecab'"):
        Tokenizer.from_pretrained(tmp_path / "google")
