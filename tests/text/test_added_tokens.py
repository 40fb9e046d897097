"""Which tokens the files of a directory add, in each way that transformers has written them."""

import json

import pytest

from bert_tf.errors import InputError
from bert_tf.text.added_tokens import AddedToken
from bert_tf.text.vocabulary_files import read_wordpiece

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
VOCABULARY = [*SPECIAL, "a", "b", "##c"]
NEXT = len(VOCABULARY)
ORDINARY = {"special": False, "normalized": True}


def read(directory, **files):
    """Settings of a directory with the vocabulary and these JSON files."""
    if "tokenizer" not in files:
        (directory / "vocab.txt").write_text("\n".join(VOCABULARY))
    for name, values in files.items():
        (directory / f"{name}.json").write_text(json.dumps(values))
    return read_wordpiece(directory)


def more(settings):
    """What is added besides BERT's own special tokens, dict of id -> AddedToken."""
    ids = {token: i for i, token in enumerate(settings.vocabulary)}
    return {ids[t.content]: t for t in settings.added_tokens if t.content not in SPECIAL}


def refused(directory, *words, **files):
    with pytest.raises(InputError) as caught:
        read(directory, **files)
    line = str(caught.value)
    assert "\n" not in line and all(word in line for word in (str(directory), *words)), line


def whole(added, **model):
    """A tokenizer.json."""
    vocabulary = {token: i for i, token in enumerate(VOCABULARY)}
    model = {"type": "WordPiece", "vocab": vocabulary, "unk_token": "[UNK]", **model}
    return {"model": model, "added_tokens": added}


def test_legacy_files_add_ordinary_tokens_behind_the_vocabulary(tmp_path):
    settings = read(tmp_path, added_tokens={"[E1]": NEXT, "b": 6})
    assert settings.vocabulary[NEXT:] == ("[E1]",) and settings.base_size == NEXT
    assert more(settings) == {6: AddedToken("b", **ORDINARY), NEXT: AddedToken("[E1]", **ORDINARY)}
    assert settings.special_tokens == tuple(SPECIAL)


def test_legacy_tokens_are_special_where_the_config_names_them(tmp_path):
    added = {"[E1]": NEXT, "[E2]": NEXT + 1, "[E3]": NEXT + 2}
    config = {"additional_special_tokens": ["[E1]"], "mask_token": "[E3]"}
    settings = read(
        tmp_path,
        added_tokens=added,
        tokenizer_config=config,
        # transformers reads these too late to make the token in added_tokens.json special
        special_tokens_map={"additional_special_tokens": ["[E2]"]},
    )
    assert more(settings) == {
        NEXT: AddedToken("[E1]"),
        NEXT + 1: AddedToken("[E2]", **ORDINARY),
        NEXT + 2: AddedToken("[E3]"),
    }
    assert settings.mask_token == "[E3]"


def test_tokens_that_are_only_named_come_behind_all_others_in_the_order_of_transformers(tmp_path):
    config = {"extra_special_tokens": ["<e>", "a"], "eos_token": "<eos>", "bos_token": "<bos>"}
    config |= {"image_token": "<image>", "add_bos_token": False}
    settings = read(tmp_path, added_tokens={"new": NEXT}, tokenizer_config=config)
    assert settings.vocabulary[NEXT:] == ("new", "<bos>", "<eos>", "<image>", "<e>")
    assert settings.special_tokens[5:] == ("<e>", "a", "<bos>", "<eos>", "<image>")


def test_the_decoder_in_the_config_counts_alone(tmp_path):
    decoder = {str(NEXT): {"content": "x", "lstrip": True, "single_word": True, "special": False}}
    decoder["4"] = {"__type": "AddedToken", "content": "[MASK]", "lstrip": True}
    settings = read(
        tmp_path,
        tokenizer_config={"added_tokens_decoder": decoder, "additional_special_tokens": ["a"]},
        added_tokens={"y": NEXT},
        special_tokens_map={"mask_token": "b", "additional_special_tokens": ["b"]},
    )
    assert more(settings) == {
        5: AddedToken("a"),
        NEXT: AddedToken("x", lstrip=True, single_word=True, **ORDINARY),
    }
    assert settings.mask_token == "[MASK]"
    assert AddedToken("[MASK]", lstrip=True) in settings.added_tokens  # special, for it is named


def test_without_a_decoder_the_map_and_tokenizer_json_count(tmp_path):
    added = [{"id": NEXT, "content": "<x>", "special": True, "rstrip": True, "normalized": False}]
    settings = read(
        tmp_path,
        tokenizer=whole(added),
        tokenizer_config={"cls_token": "a", "extra_special_tokens": {"image_token": "b"}},
        special_tokens_map={"cls_token": {"content": "[CLS]", "lstrip": False}},
    )
    assert more(settings) == {6: AddedToken("b"), NEXT: AddedToken("<x>", rstrip=True)}
    assert settings.cls_token == "[CLS]"


def test_an_id_is_the_place_of_its_token_or_named(tmp_path):
    refused(tmp_path, "'[E1]' has the id 20, and its place in the vocabulary is 8",
            added_tokens={"[E1]": 20})  # fmt: skip
    refused(tmp_path, "'b' has the id 8", "is 6", added_tokens={"b": NEXT})
    refused(tmp_path, f"{10**12}", added_tokens={"[E1]": 10**12})
    decoder = {"8": {"content": "x"}, "9": {"content": "x"}}
    refused(tmp_path, "'x' has the id 9", tokenizer_config={"added_tokens_decoder": decoder})


def test_a_vocabulary_with_a_repeated_line_takes_no_token_behind_it(tmp_path):
    (tmp_path / "twice").mkdir()
    path = tmp_path / "twice" / "vocab.txt"
    path.write_text("\n".join([*VOCABULARY, "a"]))
    (tmp_path / "twice" / "added_tokens.json").write_text('{"[E1]": 9}')
    with pytest.raises(InputError, match="1 ids without an entry of their own"):
        read_wordpiece(tmp_path / "twice")


def test_wordpiece_needs_its_unknown_token_among_its_own(tmp_path):
    added, config = {"<unk>": NEXT}, {"unk_token": "<unk>"}
    refused(tmp_path, "'<unk>' is an added token", added_tokens=added, tokenizer_config=config)


def test_of_two_files_that_contradict_each_other_neither_is_believed(tmp_path):
    config = {"tokenizer_class": "PreTrainedTokenizerFast"}
    config["added_tokens_decoder"] = {str(NEXT): {"content": "x", "special": True}}
    files = whole([{"id": NEXT, "content": "x", "special": False}])
    refused(tmp_path, "added_tokens: 'x' is not what", "id 8", tokenizer=files,
            tokenizer_config=config)  # fmt: skip


@pytest.mark.parametrize(
    "name, values, words",
    [
        ("added_tokens", {"x": "8"}, "x: '8', wanted a whole number"),
        ("added_tokens", {"x": True}, "x: True, wanted a whole number"),
        ("added_tokens", {"x": 8, "y": 8}, "y: 8, wanted a token, and an id of its own"),
        ("added_tokens", {"\ud800": 8}, r"'\ud800': 8"),
        ("added_tokens", {"": 8}, "'': 8"),
        ("special_tokens_map", {"cls_token": ["a"]}, "cls_token: ['a'], wanted a token"),
        ("special_tokens_map", {"sep_token": {"content": 3}}, "sep_token.content: 3"),
        ("special_tokens_map", {"additional_special_tokens": "x"}, "'x', wanted a list"),
        ("special_tokens_map", {"additional_special_tokens": [3]}, "tokens.0: 3, wanted a token"),
        ("tokenizer_config", {"pad_token": 0}, "pad_token: 0, wanted a token"),
        ("tokenizer_config", {"pad_token": ""}, "pad_token: '', wanted a token"),
        ("tokenizer_config", {"extra_special_tokens": {"x": []}}, "x: [], wanted a token"),
        ("tokenizer_config", {"extra_special_tokens": [None]}, "0: None, wanted a token"),
        ("tokenizer_config", {"added_tokens_decoder": []}, "decoder: [], wanted an object"),
        ("tokenizer_config", {"added_tokens_decoder": {"08": "x"}}, "08: 'x', wanted an id as"),
        ("tokenizer_config", {"added_tokens_decoder": {"8": None}}, "8: None, wanted a token"),
        ("tokenizer_config", {"added_tokens_decoder": {"٨": "x"}}, "wanted an id as its key"),
        (
            "tokenizer_config",
            {"added_tokens_decoder": {"8": {"content": "x", "lstrip": "false"}}},
            "added_tokens_decoder.8.lstrip: 'false', wanted true or false",
        ),
        ("tokenizer", whole({}), "added_tokens: {}, wanted a list"),
        ("tokenizer", whole([{"content": "x"}]), "added_tokens.0.id: None, wanted the id of one"),
        ("tokenizer", whole([{"id": "8", "content": "x"}]), "0.id: '8', wanted a whole number"),
        ("tokenizer", whole([3]), "added_tokens.0: 3, wanted a token"),
    ],
)
def test_entries_of_the_wrong_type_are_one_line(tmp_path, name, values, words):
    refused(tmp_path, f"{name}.json", words, **{name: values})
