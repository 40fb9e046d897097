"""The tokenizer against the reference's kept answers, where it runs, and what bad input gets."""

import contextlib
import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from bert_tf.errors import ConfigError, InputError
from bert_tf.text import Tokenizer
from tests import tiny

GOLDEN = json.loads(pathlib.Path(__file__).with_name("golden.json").read_text(encoding="utf-8"))
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
GOOD = "\n".join(SPECIAL)


def write(directory, vocabulary, **config):
    """A directory with this vocabulary and, when there is any, this tokenizer_config.json."""
    text = "".join(f"{token}\n" for token in vocabulary)
    (directory / "vocab.txt").write_text(text, encoding="utf-8", newline="\n")
    if config:
        (directory / "tokenizer_config.json").write_text(json.dumps(config))
    return directory


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return write(tmp_path_factory.mktemp("tokenizer"), GOLDEN["vocabulary"], do_lower_case=True)


@pytest.fixture(scope="module")
def tokenizer(directory):
    return Tokenizer.from_pretrained(directory)


def test_every_kept_answer_of_the_reference_is_ours(tmp_path):
    made, first = {}, (True, None, True)
    for case in GOLDEN["cases"]:
        setting = (case["lowercase"], case["strip_accents"], case["chinese"])
        if setting not in made:
            config = dict(zip(("do_lower_case", "strip_accents", "tokenize_chinese_chars"), setting,
                              strict=True))  # fmt: skip
            made[setting] = Tokenizer.from_pretrained(
                write(tmp_path, GOLDEN["vocabulary"], **config)
            )
        tokenizer, others = made[setting], GOLDEN["texts"][::-1] if case["pairs"] else None
        length, in_text = case["max_length"], case["in_text"]
        graph = length == 512 and not in_text and setting == first
        with contextlib.nullcontext() if graph else tiny.eagerly():
            batch = tokenizer(
                GOLDEN["texts"],
                others,
                max_length=length,
                special_tokens_in_text=in_text,
                return_offsets=True,
            )
        batch = {name: values.numpy() for name, values in batch.items()}
        for row, text in enumerate(GOLDEN["texts"]):
            n = len(case["ids"][row])
            what = f"{text!r} under {setting}, row {row}, {case['max_length']}"
            assert batch["attention_mask"][row].sum() == n, what
            assert batch["input_ids"][row, :n].tolist() == case["ids"][row], what
            assert batch["token_type_ids"][row, :n].tolist() == case["types"][row], what
            offsets = batch["offsets"][row, :n].reshape(-1).tolist()
            assert offsets == case["offsets"][row], what
            assert not batch["offsets"][row, n:].any(), what


def test_decode_joins_as_the_reference_does(tokenizer):
    for ids, text, with_special in GOLDEN["decoded"]:
        assert tokenizer.decode(ids) == text
        assert tokenizer.decode(tf.constant(ids), skip_special_tokens=False) == with_special


def test_ids_are_the_same_without_offsets_in_a_dataset_and_in_an_export(tokenizer, tmp_path):
    texts = GOLDEN["texts"]
    sides = tf.constant(texts), tf.constant(texts[::-1])
    with tiny.eagerly():
        eager = tokenizer(*sides, max_length=40, padding="max_length", return_offsets=True)
    dataset = tf.data.Dataset.from_tensor_slices((texts, texts[::-1])).batch(len(texts))
    mapped = dataset.map(lambda a, b: tokenizer(a, b, max_length=40, padding="max_length"))
    assert mapped.element_spec["input_ids"].shape == (None, 40)

    module = tf.Module()
    module.tokenizer = tokenizer
    spec = tf.TensorSpec([None], tf.string)
    module.encode = tf.function(
        lambda a, b: tokenizer(a, b, max_length=40, padding="max_length"), [spec, spec]
    )
    tf.saved_model.save(module, str(tmp_path / "export"))
    exported = tf.saved_model.load(str(tmp_path / "export")).encode(*sides)
    for name, value in next(iter(mapped)).items():
        assert (value.numpy() == eager[name].numpy()).all(), name
    for name, value in exported.items():
        assert (value.numpy() == eager[name].numpy()).all(), name
        assert value.dtype == tf.int32


def test_what_a_saved_tokenizer_was_it_is_again(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path / "new" / "place")
    again = Tokenizer.from_pretrained(tmp_path / "new" / "place")
    assert again.fingerprint == tokenizer.fingerprint
    assert again.vocabulary == tokenizer.vocabulary == GOLDEN["vocabulary"]
    assert again.vocab_size == len(GOLDEN["vocabulary"])
    ids = [again.pad_id, again.unk_id, again.cls_id, again.sep_id, again.mask_id]
    assert ids == [0, 1, 2, 3, 4]
    assert sorted(p.name for p in (tmp_path / "new" / "place").iterdir()) == [
        "tokenizer_config.json",
        "vocab.txt",
    ]
    cased = Tokenizer.from_pretrained(tmp_path / "new" / "place", lowercase=False)
    assert cased.fingerprint != tokenizer.fingerprint


def test_empty_batches_arrays_bytes_and_broken_utf8_are_texts_too(tokenizer):
    assert tokenizer([])["input_ids"].shape == (0, 0)
    fixed = tokenizer([], [], padding="max_length", max_length=8)
    assert fixed["input_ids"].shape == fixed["token_type_ids"].shape == (0, 8)
    want = tokenizer(["the cafe"])["input_ids"].numpy()
    for same in (
        np.array(["the cafe"]),
        np.array(["the cafe"], object),
        [b"the cafe"],
        ("the cafe",),
        tf.constant(["the cafe"]),
        [b"the\xff \xe2\x82cafe"],
        ["the \ud800cafe"],
    ):
        batch = tokenizer(same, return_offsets=True)
        assert (batch["input_ids"].numpy() == want).all(), same


def test_tokenize_gives_pieces_and_reads_control_tokens_only_when_asked(tokenizer):
    assert tokenizer.tokenize("unaffable [MASK]") == ["un", "##aff", "##able", "[", "mask", "]"]
    assert tokenizer.tokenize("a[MASK]", special_tokens_in_text=True) == ["a", "[MASK]"]


@pytest.mark.parametrize(
    "ordinary, lowercase", [(["a", "<S>", "[unused1]"], True), (["a", "A"], False)]
)
def test_a_bare_vocabulary_says_its_case_by_its_capitals(tmp_path, ordinary, lowercase):
    path = write(tmp_path, SPECIAL + ordinary) / "vocab.txt"
    for place in (tmp_path, path):
        assert Tokenizer.from_pretrained(place).pieces.settings.lowercase is lowercase


def test_of_a_token_on_two_lines_the_later_counts(tmp_path):
    tokenizer = Tokenizer.from_pretrained(write(tmp_path, [*SPECIAL, "a", "", "##", "a", "b"]))
    assert tokenizer(["a b"])["input_ids"].numpy().tolist() == [[2, 8, 9, 3]]
    assert tokenizer.vocab_size == 10


def test_tokenizer_json_alone_is_enough(tmp_path, tokenizer):
    vocabulary = {token: i for i, token in enumerate(GOLDEN["vocabulary"])}
    added = {"id": len(GOLDEN["vocabulary"]), "content": "[NEW]", "special": True}
    files = {
        "model": {"type": "WordPiece", "vocab": vocabulary, "unk_token": "[UNK]"},
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "lowercase": True},
        "added_tokens": [added],
    }
    (tmp_path / "tokenizer.json").write_text(json.dumps(files))
    read = Tokenizer.from_pretrained(tmp_path)
    assert read.tokenize("The Café") == tokenizer.tokenize("The Café")
    assert read.tokenize("a [NEW]", special_tokens_in_text=True) == ["a", "[NEW]"]
    read.save_pretrained(tmp_path / "again")
    again = Tokenizer.from_pretrained(tmp_path / "again")
    assert again.fingerprint == read.fingerprint and again.vocabulary == read.vocabulary
    del vocabulary["~"], files["added_tokens"]  # an id without a token is no obstacle
    (tmp_path / "tokenizer.json").write_text(json.dumps(files))
    read = Tokenizer.from_pretrained(tmp_path)
    assert read.vocab_size == len(GOLDEN["vocabulary"])
    assert read.tokenize("The Café") == tokenizer.tokenize("The Café")


@pytest.mark.parametrize(
    "files, words",
    [
        ({}, "no tokenizer files$"),
        ({"encoder.json": "{}"}, "encoder.json is there: bert-tf convert writes"),
        ({"saved_model.pb": ""}, "no tokenizer files$"),  # an export has none
        ({"vocab.txt": ""}, "empty"),
        ({"vocab.txt": "[PAD]\n[UNK]\n[SEP]\n[MASK]\na\n"}, r"vocab.txt.*'\[CLS\]'"),
        ({"vocab.txt": b"[PAD]\na\xffb\n"}, "vocab.txt:2: byte 2 is not UTF-8"),
        ({"merges.txt": "", "vocab.json": "{}"}, "vocab.json: the vocabulary is empty"),
        ({"tokenizer.json": '{"model": {"type": "BPE"}}'}, "model.vocab: the vocabulary is"),
        ({"vocab.txt": GOOD, "tokenizer_config.json": "{"}, "config.json: not JSON"),
        ({"vocab.txt": GOOD, "tokenizer_config.json": '{"cls_token": "<s>"}'}, "'<s>'"),
    ],
)  # fmt: skip
def test_a_directory_that_holds_no_usable_tokenizer_gets_one_line(tmp_path, files, words):
    for name, content in files.items():
        content = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        Tokenizer.from_pretrained(tmp_path)
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(InputError, match="no such directory"):
        Tokenizer.from_pretrained(tmp_path / "absent")


def test_bad_arguments_are_named(tokenizer):
    with pytest.raises(InputError, match="wanted a batch"):
        tokenizer("one text")
    with pytest.raises(InputError, match=r"texts\[1\] is nan"):
        tokenizer(["a", float("nan")])
    with pytest.raises(InputError, match="text_pairs has 1 rows, texts has 2"):
        tokenizer(["a", "b"], ["c"])
    with pytest.raises(InputError, match="int32"):
        tokenizer(tf.constant([1]))
    with pytest.raises(ConfigError, match="max_length is 2, wanted an int of at least 3"):
        tokenizer(["a"], ["b"], max_length=2)
    with pytest.raises(ConfigError, match="padding is 'short'"):
        tokenizer(["a"], padding="short")
    with pytest.raises(InputError, match="id 999 is outside the vocabulary"):
        tokenizer.decode([1, 999])
    with pytest.raises(InputError, match="one row"):
        tokenizer.decode([[1]])


def test_equal_tokenizers_share_tables_and_graphs_and_name_their_own_files(tokenizer, tmp_path):
    folders = [tmp_path / name for name in ("same", "cased")]
    for folder, lowercase in zip(folders, (True, False), strict=True):
        folder.mkdir()
        write(folder, GOLDEN["vocabulary"], do_lower_case=lowercase)
    same, cased = map(Tokenizer.from_pretrained, folders)
    want = tokenizer(["The film"])
    asked = Tokenizer._encode, (False, False, False), (0,), 1
    compiled = [each._compiled(*asked) for each in (tokenizer, same, cased)]
    assert compiled[0] is compiled[1] and compiled[0] is not compiled[2]
    assert compiled[1].experimental_get_tracing_count() == 1
    np.testing.assert_array_equal(same(["The film"])["input_ids"], want["input_ids"])
    assert compiled[1].experimental_get_tracing_count() == 1
    for each, folder in zip((same, cased), folders, strict=True):
        with pytest.raises(InputError, match=f"^{folder}.*: the vocabulary has"):
            each.require_rows(1, each.pieces.settings.source)
    assert str(folders[0]) not in tokenizer.pieces.settings.source
