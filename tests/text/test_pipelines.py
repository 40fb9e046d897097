"""Tokenizers of many kinds against the reference's kept answers; their files, good and bad."""

import base64
import json
import pathlib
import zlib

import numpy as np
import pytest
import tensorflow as tf

from bert_tf.errors import InputError
from bert_tf.text import Tokenizer, charsmap
from bert_tf.text.pipeline_files import read_pipeline
from tests import tiny

GOLDEN = json.loads(
    pathlib.Path(__file__).with_name("golden_pipelines.json").read_text(encoding="utf-8")
)
CASES = {case["name"]: case for case in GOLDEN["cases"]}
TEXTS = GOLDEN["texts"]


def write(folder, case):
    for name, content in case["files"].items():
        (folder / name).write_bytes(zlib.decompress(base64.b85decode(content)))
    return folder


@pytest.fixture(scope="module", params=CASES)
def case(request, tmp_path_factory):
    """A case, its folder and its tokenizer."""
    case = CASES[request.param]
    folder = write(tmp_path_factory.mktemp("tokenizer"), case)
    return case, folder, Tokenizer.from_pretrained(folder)


def test_ids_and_offsets_are_the_references(case):
    case, _, tokenizer = case
    assert tokenizer.vocab_size == case["vocabulary"]
    compare(tokenizer, case["answers"][:1])


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=() if name in ("roberta", "gpt2") else pytest.mark.slow)
    for name in CASES
])  # fmt: skip
def test_special_tokens_in_texts_and_cut_pairs_are_the_references(name, tmp_path):
    tokenizer = Tokenizer.from_pretrained(write(tmp_path, CASES[name]))
    compare(tokenizer, CASES[name]["answers"][1:])


def compare(tokenizer, answers):
    """Ids, types and offsets of TEXTS, held against those that are kept."""
    for answer in answers:
        if answer["pairs"]:
            with tiny.eagerly():
                batch = tokenizer(
                    TEXTS,
                    TEXTS[::-1],
                    max_length=answer["max_length"],
                    special_tokens_in_text=True,
                    return_offsets=True,
                )
            rows = [mask.sum() for mask in batch["attention_mask"].numpy()]
            found = [batch[name].numpy() for name in ("input_ids", "token_type_ids", "offsets")]
        else:
            ids, offsets = tokenizer.pieces(TEXTS, answer["in_text"], return_offsets=True)
            added = [part.text is None for part in tokenizer.template.single].index(False)
            last = tokenizer.template.added(1) - added
            rows = [len(row) - last for row in answer["ids"]]
            found = [ids.numpy(), None, offsets.numpy()]
        for row, text in enumerate(TEXTS):
            what = f"{text!r}, pairs {answer['pairs']}, special {answer['in_text']}"
            cut = slice(None, rows[row]) if answer["pairs"] else slice(None)
            want = slice(None) if answer["pairs"] else slice(added, rows[row])
            assert found[0][row][cut].tolist() == answer["ids"][row][want], what
            spans = np.reshape(answer["offsets"][row], (-1, 2))[want]
            np.testing.assert_array_equal(np.reshape(found[2][row][cut], (-1, 2)), spans, what)
            if answer["pairs"]:
                assert found[1][row][cut].tolist() == answer["types"][row], what


def test_decoding_gives_the_references_text(case):
    case, _, tokenizer = case
    for ids, (text, with_special) in zip(case["answers"][1]["ids"], case["decoded"], strict=True):
        assert tokenizer.decode(ids) == text
        assert tokenizer.decode(ids, skip_special_tokens=False) == with_special


def test_what_is_saved_is_read_as_the_same_tokenizer(case, tmp_path):
    _, _, tokenizer = case
    tokenizer.save_pretrained(tmp_path)
    again = Tokenizer.from_pretrained(tmp_path)
    one, other = (vars(each.pieces.settings) for each in (tokenizer, again))
    told = ("merges", "scores", "steps", "base_size", "special_tokens", "model_max_length")
    assert {key: one.get(key) for key in told} == {key: other.get(key) for key in told}
    assert sorted(again.pieces.settings.added_tokens, key=str) == sorted(
        tokenizer.pieces.settings.added_tokens, key=str
    )
    assert again.template == tokenizer.template and again.vocabulary == tokenizer.vocabulary
    names = ("pad_id", "unk_id", "cls_id", "sep_id", "mask_id")
    assert [getattr(again, name) for name in names] == [getattr(tokenizer, name) for name in names]


def test_a_pipeline_runs_in_a_dataset_and_in_an_export(tmp_path):
    tokenizer = Tokenizer.from_pretrained(write(tmp_path, CASES["roberta"]))
    want = tokenizer(TEXTS, max_length=12, padding="max_length")["input_ids"].numpy()
    dataset = tf.data.Dataset.from_tensor_slices(TEXTS).batch(len(TEXTS))
    found = next(iter(dataset.map(lambda x: tokenizer(x, max_length=12, padding="max_length"))))
    np.testing.assert_array_equal(found["input_ids"], want)
    module = tf.Module()
    module.tokenizer = tokenizer
    spec = tf.TensorSpec([None], tf.string)
    module.run = tf.function(lambda x: tokenizer(x, max_length=12, padding="max_length"), [spec])
    tf.saved_model.save(module, str(tmp_path / "export"))
    loaded = tf.saved_model.load(str(tmp_path / "export"))
    np.testing.assert_array_equal(loaded.run(tf.constant(TEXTS))["input_ids"], want)


def changed(folder, name, change):
    """The same folder with one file of it changed."""
    path = folder / name
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("name", "change", "message"),
    (
        ("merges.txt", lambda text: text + "no thing\n", "merges.txt:[0-9]+: 'no' is not in the"),
        ("merges.txt", lambda text: text + "Ġ\n", "wanted two tokens with a space between"),
        ("vocab.json", lambda text: text.replace(":5,", ":1000000000000,"), "wanted an id from 0"),
        ("vocab.json", lambda text: text.replace(":5,", ":6,"), "wanted another id than"),
        ("vocab.json", lambda text: text.replace(":5,", ':"5",'), "wanted a whole number"),
        ("vocab.json", lambda text: "{}", "is empty"),
        ("vocab.json", lambda text: text[:-9], "not JSON"),
    ),
)
def test_bad_files_get_one_line(tmp_path, name, change, message):
    folder = changed(write(tmp_path, CASES["roberta"]), name, change)
    with pytest.raises(InputError, match=message):
        Tokenizer.from_pretrained(folder)


def model_of(case):
    return bytearray(zlib.decompress(base64.b85decode(CASES[case]["files"]["tokenizer.model"])))


@pytest.mark.parametrize(
    ("place", "value", "message"),
    (
        (1, 0xFF, ""),
        (0, 0x0F, "no SentencePiece model"),
        (3, 0x7F, "a field of [0-9]+ bytes, and [0-9]+ are left"),
    ),
)
def test_a_sentencepiece_model_with_lengths_that_lie_gets_one_line(tmp_path, place, value, message):
    folder, content = write(tmp_path, CASES["bare unigram"]), model_of("bare unigram")
    content[place] = value
    (folder / "tokenizer.model").write_bytes(content)
    with pytest.raises(InputError, match=f"tokenizer.model: byte [0-9]+: .*{message}"):
        Tokenizer.from_pretrained(folder)


def test_a_cut_or_mutated_model_is_refused_with_one_line_or_read(tmp_path):
    folder, whole = write(tmp_path, CASES["bare unigram"]), model_of("bare unigram")
    rng, refused = np.random.default_rng(2), 0
    for _ in range(60):
        content = bytearray(whole)
        if rng.random() < 0.3:
            content = content[: rng.integers(len(content))]
        for _ in range(rng.integers(1, 5)):
            if content:
                content[rng.integers(len(content))] = rng.integers(256)
        (folder / "tokenizer.model").write_bytes(content)
        try:
            read_pipeline(str(folder), "TokenizersBackend")
        except InputError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused > 10


def test_a_character_map_whose_table_lies_gets_one_line():
    for content in (b"", b"\xff\xff\xff\x7f", b"\x05\0\0\0abcde", b"\x04\0\0\0\0\0\0"):
        with pytest.raises(InputError, match="x: the character map says that"):
            charsmap.read(content, "x")
    # Units that all lead back to where the search began.
    units = [256 << 10, *[0] * 255, 0, *(byte | byte << 10 for byte in range(1, 256))]
    table = b"".join(unit.to_bytes(4, "little") for unit in units)
    with pytest.raises(InputError, match="x: the character map runs in circles"):
        charsmap.read(len(table).to_bytes(4, "little") + table + b"\0", "x")
