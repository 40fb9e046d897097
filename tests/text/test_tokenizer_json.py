"""tokenizer.json as it is written of WordPiece: the same tokenizer here and in `tokenizers`."""

import json
import pathlib

import pytest

from bert_tf.text import Tokenizer
from bert_tf.text.tokenizer_json import of_wordpiece
from bert_tf.text.vocabulary_files import read_wordpiece

GOLDEN = json.loads(pathlib.Path(__file__).with_name("golden.json").read_text(encoding="utf-8"))
SETTINGS = [
    {"do_lower_case": True},
    {"do_lower_case": False, "tokenize_chinese_chars": False},
    {"do_lower_case": False, "strip_accents": True, "additional_special_tokens": ["[E]"]},
]


def folder(place, config):
    """A directory with the golden vocabulary, no line twice, and this tokenizer_config.json."""
    lines = "".join(f"{token}\n" for token in dict.fromkeys(GOLDEN["vocabulary"]))
    (place / "vocab.txt").write_text(lines, encoding="utf-8", newline="\n")
    (place / "tokenizer_config.json").write_text(json.dumps(config))
    return place


@pytest.mark.parametrize("config", SETTINGS)
def test_it_is_read_back_as_the_same_tokenizer(tmp_path, config):
    settings = read_wordpiece(folder(tmp_path, config))
    written = of_wordpiece(settings)
    (tmp_path / "vocab.txt").unlink()
    (tmp_path / "tokenizer.json").write_text(json.dumps(written))
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "TokenizersBackend"}')
    again = read_wordpiece(tmp_path)
    for name, value in vars(settings).items():
        if name != "source":
            assert getattr(again, name) == value, name
    assert of_wordpiece(again) == written


def test_tokenizers_cuts_as_we_do_and_puts_the_same_ends_round(tmp_path):
    library = pytest.importorskip("tokenizers")
    settings = read_wordpiece(folder(tmp_path, SETTINGS[0]))
    theirs = library.Tokenizer.from_str(json.dumps(of_wordpiece(settings)))
    theirs.enable_truncation(24)
    ours = Tokenizer.from_pretrained(tmp_path)
    texts = [text for text in GOLDEN["texts"] if "\0" not in text]
    for pairs in (None, texts[::-1]):
        rows = texts if pairs is None else list(zip(texts, pairs, strict=True))
        for in_text in (False, True):
            theirs.encode_special_tokens = not in_text
            batch = ours(texts, pairs, max_length=24, special_tokens_in_text=in_text)
            lengths = batch["attention_mask"].numpy().sum(axis=1)
            for row, found in enumerate(theirs.encode_batch(rows)):
                ids, types = (
                    batch[x][row, : lengths[row]] for x in ("input_ids", "token_type_ids")
                )
                assert found.ids == ids.numpy().tolist(), texts[row]
                assert found.type_ids == types.numpy().tolist(), texts[row]
