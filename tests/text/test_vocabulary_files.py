"""Folders of tokenizers: which are BERT's, what each file may hold, and what is written again."""

import json
import logging
import os

import pytest

from bert_tf.errors import InputError
from bert_tf.text import Tokenizer
from bert_tf.text.vocabulary_files import read_wordpiece, write_wordpiece

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
VOCABULARY = [*SPECIAL, "a", "b", "##c"]
CLS, SEP = ({"SpecialToken": {"id": x, "type_id": 0}} for x in ("[CLS]", "[SEP]"))
TEMPLATE = {
    "type": "TemplateProcessing",
    "single": [CLS, {"Sequence": {"id": "A", "type_id": 0}}, SEP],
    "pair": [
        CLS,
        {"Sequence": {"id": "A", "type_id": 0}},
        SEP,
        {"Sequence": {"id": "B", "type_id": 1}},
        {"SpecialToken": {"id": "[SEP]", "type_id": 1}},
    ],
    "special_tokens": {
        "[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]},
        "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]},
    },
}


def whole(vocabulary=VOCABULARY, **changes):
    """A tokenizer.json as transformers writes it, with some of its entries changed."""
    model = {
        "type": "WordPiece",
        "unk_token": "[UNK]",
        "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100,
        "vocab": {token: i for i, token in enumerate(vocabulary)},
    }
    normalizer = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True}
    values = {
        "added_tokens": [],
        "normalizer": {**normalizer, "strip_accents": None, "lowercase": False},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": TEMPLATE,
        "model": {**model, **changes.pop("model", {})},
    }
    for key, value in changes.items():
        values[key] = {**values[key], **value} if isinstance(value, dict) else value
    return values


def write(directory, lines=VOCABULARY, **files):
    """A directory with a vocab.txt, unless `lines` is None, and these JSON files."""
    if lines is not None:
        text = lines if isinstance(lines, bytes) else "\n".join(lines).encode()
        (directory / "vocab.txt").write_bytes(text)
    for name, values in files.items():
        (directory / f"{name}.json").write_text(json.dumps(values))
    return directory


def refused(directory, *words):
    with pytest.raises(InputError) as caught:
        Tokenizer.from_pretrained(directory)
    line = str(caught.value)
    assert "\n" not in line and all(word in line for word in (str(directory), *words)), line


@pytest.mark.parametrize(
    "file, key, value",
    [
        ("tokenizer_config", "tokenizer_class", "BertJapaneseTokenizer"),
        ("config", "model_type", "roformer"),
        ("tokenizer_config", "word_tokenizer_type", "mecab"),
        ("tokenizer_config", "subword_tokenizer_type", "character"),
        ("tokenizer_config", "do_basic_tokenize", False),
        ("tokenizer_config", "do_subword_tokenize", False),
        ("tokenizer_config", "padding_side", "left"),
        ("tokenizer_config", "truncation_side", "left"),
        ("tokenizer_config", "tokenizer_class", ["BertTokenizer"]),
        ("tokenizer_config", "do_lower_case", "false"),
        ("tokenizer_config", "strip_accents", 0),
        ("tokenizer_config", "tokenize_chinese_chars", "true"),
        ("tokenizer_config", "do_basic_tokenize", "false"),
        ("tokenizer_config", "model_max_length", "512"),
        ("tokenizer_config", "model_max_length", True),
        ("tokenizer_config", "model_max_length", 0),
    ],
)
def test_what_would_be_cut_otherwise_is_refused_by_file_key_and_value(tmp_path, file, key, value):
    write(tmp_path, **{file: {key: value}})
    refused(tmp_path, f"{file}.json: {key}: {value!r}, wanted")


@pytest.mark.parametrize(
    "file, name, wanted",
    [
        ("tokenizer_config", "RobertaTokenizerFast", "merges.txt, as its configuration names"),
        ("config", "DebertaV2Tokenizer", "spm.model, as its configuration names"),
    ],
)
def test_a_vocab_txt_is_not_read_for_a_tokenizer_of_another_kind(tmp_path, file, name, wanted):
    write(tmp_path, **{file: {"tokenizer_class": name}})
    refused(tmp_path, "wanted tokenizer.json", wanted)


def test_the_class_in_the_config_of_the_tokenizer_goes_before_the_model_s(tmp_path):
    write(tmp_path, tokenizer_config={"tokenizer_class": "ElectraTokenizerFast"},
          config={"tokenizer_class": "RobertaTokenizer", "model_type": "roformer"})  # fmt: skip
    assert Tokenizer.from_pretrained(tmp_path).vocabulary == VOCABULARY


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"model": {"type": "BPE"}}, "continuing_subword_prefix: '##', wanted none"),
        ({"model": {"type": None, "unk_token": 1}}, "model.unk_token: 1, wanted a string"),
        ({"model": {"unk_token": "b"}}, "model.unk_token: 'b', wanted '[UNK]'"),
        ({"model": {"continuing_subword_prefix": "@@"}}, "prefix: '@@', wanted only '##' here"),
        ({"model": {"max_input_chars_per_word": 50}}, "per_word: 50, wanted only 100 here"),
        ({"model": {"vocab": ["a"]}}, "model.vocab: ['a'], wanted an object"),
        ({"model": {"vocab": {"a": "0"}}}, "model.vocab.a: '0', wanted a whole number"),
        ({"model": {"vocab": {"a": -1}}}, "model.vocab.a: -1, wanted an id from 0 to 1"),
        ({"model": {"vocab": {"a": 10**12}}}, f"model.vocab.a: {10**12}, wanted an id from 0"),
        ({"model": {"vocab": {"a": 0, "b": 0}}}, "vocab.b: 0, wanted another id than 'a' has"),
        ({"model": {"vocab": {"\ud800": 0}}}, r"'\ud800': 0, wanted a token without half"),
        ({"model": {"vocab": {}}}, "the vocabulary is empty"),
        ({"normalizer": {"type": "NFKC"}}, "normalizer.type: 'NFKC', wanted only"),
        ({"normalizer": {"type": None}}, "normalizer.type: None, wanted BertNormalizer"),
        ({"normalizer": {"clean_text": False}}, "clean_text: False, wanted only true here"),
        ({"normalizer": {"lowercase": "true"}}, "normalizer.lowercase: 'true', wanted true or"),
        ({"normalizer": {"strip_accents": 1}}, "normalizer.strip_accents: 1, wanted true or"),
        ({"pre_tokenizer": {"type": "Whitespace"}}, "pre_tokenizer.type: 'Whitespace'"),
        ({"pre_tokenizer": "BertPreTokenizer"}, "pre_tokenizer: 'BertPreTokenizer', wanted an"),
        ({"post_processor": {"type": "RobertaProcessing"}}, "type: 'RobertaProcessing'"),
        ({"post_processor": {"single": [CLS, SEP]}}, "post_processor.single: [{'Spec"),
        ({"post_processor": {"pair": None}}, "post_processor.pair: None, wanted BERT's"),
        ({"post_processor": {"special_tokens": {}}}, "special_tokens.[CLS].ids: None"),
        (
            {"post_processor": {"type": "BertProcessing", "cls": ["[CLS]", 3]}},
            "post_processor.cls: ['[CLS]', 3], wanted ['[CLS]', 2]",
        ),
        ({"truncation": {"direction": "Left"}}, "truncation.direction: 'Left', wanted only"),
        ({"padding": {"direction": "Left"}}, "padding.direction: 'Left', wanted only"),
        ({"truncation": [1]}, "truncation: [1], wanted an object"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_tokenizer_json_says_is_bert_s_or_named(tmp_path, changes, words):
    values = whole()
    values.update(truncation={}, padding={})
    for key, change in changes.items():
        values[key] = {**values[key], **change} if isinstance(change, dict) else change
    refused(write(tmp_path, None, tokenizer=values), "tokenizer.json", words)


def test_settings_of_tokenizer_json_are_honoured_where_the_config_is_silent(tmp_path, caplog):
    write(tmp_path, None, tokenizer=whole())
    assert read_wordpiece(tmp_path).lowercase is False
    assert "normalizer.lowercase: False is followed; transformers takes True" in caplog.text
    write(tmp_path, None, tokenizer=whole(normalizer={"strip_accents": True, "lowercase": True}))
    assert read_wordpiece(tmp_path).lowercase is read_wordpiece(tmp_path).strip_accents is True
    write(tmp_path, None, tokenizer_config={"do_lower_case": False, "strip_accents": False})
    assert read_wordpiece(tmp_path).lowercase is read_wordpiece(tmp_path).strip_accents is False


def test_under_a_class_that_is_the_file_alone_the_file_decides_and_is_whole(tmp_path):
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "do_lower_case": True}
    write(tmp_path, None, tokenizer=whole(), tokenizer_config=config)
    assert read_wordpiece(tmp_path).lowercase is False
    for step in ("normalizer", "pre_tokenizer", "post_processor"):
        write(tmp_path, None, tokenizer={**whole(), step: None})
        refused(tmp_path, f"tokenizer.json: {step}: None, wanted")


def test_old_files_without_a_type_and_with_bert_s_own_template_are_read(tmp_path):
    values = whole(model={"type": None})
    values["post_processor"] = {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}
    assert read_wordpiece(write(tmp_path, None, tokenizer=values)).vocabulary == tuple(VOCABULARY)


def test_of_two_vocabularies_tokenizer_json_counts_and_the_difference_is_named(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        write(tmp_path, [*VOCABULARY, "a"], tokenizer=whole([*SPECIAL, "", "b", "##c", "a"]))
        assert read_wordpiece(tmp_path).vocabulary[5] == "a"  # equal, but for the line it repeats
        assert "is not the vocabulary of" not in caplog.text
        write(tmp_path, VOCABULARY, tokenizer=whole([*SPECIAL, "b", "a", "##c"]))
        assert read_wordpiece(tmp_path).vocabulary[5:7] == ("b", "a")
    assert "the first that one of them alone has is 'a' with the id 5" in caplog.text


@pytest.mark.parametrize(
    "lines",
    [
        b"\xef\xbb\xbf" + "\n".join(VOCABULARY).encode(),
        "\r\n".join([*VOCABULARY, ""]).encode(),
        "\u00a0\n".join([*VOCABULARY, ""]).encode(),
        "\n".join([*VOCABULARY, "x\0y", "\0", "", "\x1b[31m"]).encode(),
    ],
    ids=["byte order mark", "CRLF", "white space", "NUL"],
)
def test_bytes_that_editors_leave_do_not_change_the_entries(tmp_path, lines):
    tokenizer = Tokenizer.from_pretrained(write(tmp_path, lines))
    assert tokenizer.vocabulary[: len(VOCABULARY)] == VOCABULARY
    assert tokenizer.tokenize("a bc") == ["a", "b", "##c"]


@pytest.mark.parametrize(
    "content, words",
    [
        ("[PAD]\n".encode("utf-16"), "vocab.txt:1: byte 1 is not UTF-8"),
        (b"\n\n\n", "the vocabulary is empty"),
        (b"[PAD]\n\x1b[31m\n", "'[UNK]', which a BERT vocabulary needs (unk_token)"),
    ],
)
def test_a_vocabulary_that_cannot_be_used_is_one_line(tmp_path, content, words):
    refused(write(tmp_path, content), words)


def test_names_from_files_are_printed_without_control_characters_and_cut(tmp_path):
    write(tmp_path, tokenizer_config={"unk_token": "\x1b]0;x\x07" + "y" * 10_000})
    with pytest.raises(InputError) as caught:
        read_wordpiece(tmp_path)
    line = str(caught.value)
    assert line.isprintable() and len(line) < len(str(tmp_path)) + 250


def test_entries_that_a_line_cannot_hold_come_back_as_empty_ones(tmp_path):
    odd = [*VOCABULARY, "a ", "x\ny", "\u3000", "##d"]
    tokenizer = Tokenizer.from_pretrained(write(tmp_path, None, tokenizer=whole(odd)))
    tokenizer.save_pretrained(tmp_path / "again")
    again = Tokenizer.from_pretrained(tmp_path / "again")
    assert again.vocabulary == [*VOCABULARY, "", "", "", "##d"]
    assert again.tokenize("a ad") == tokenizer.tokenize("a ad") == ["a", "a", "##d"]


def test_an_added_token_that_a_line_cannot_hold_is_refused_before_anything_is_made(tmp_path):
    files = whole([*VOCABULARY, "a "])
    files["added_tokens"] = [{"id": 8, "content": "a "}]
    refused(write(tmp_path, None, tokenizer=files), "'a ' holds a line break or ends in white")


def test_what_was_there_stays_when_a_tokenizer_cannot_be_written(tmp_path, monkeypatch):
    settings = read_wordpiece(write(tmp_path))
    (tmp_path / "place").mkdir()
    write_wordpiece(settings, tmp_path / "place")
    before = {path.name: path.read_bytes() for path in (tmp_path / "place").iterdir()}

    def full(*_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="No space left on device"):
        write_wordpiece(read_wordpiece(write(tmp_path, [*VOCABULARY, "new"])), tmp_path / "place")
    assert {path.name: path.read_bytes() for path in (tmp_path / "place").iterdir()} == before
