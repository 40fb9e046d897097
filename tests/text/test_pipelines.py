"""Tokenizers of many kinds against the reference's kept answers; their files, good and bad."""

import base64
import json
import pathlib
import zlib

import numpy as np
import pytest
import tensorflow as tf

from bert_tf.errors import InputError
from bert_tf.text import Tokenizer

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


def test_ids_types_and_offsets_are_the_references(case):
    case, _, tokenizer = case
    assert tokenizer.vocab_size == case["vocabulary"]
    for answer in case["answers"]:
        if answer["pairs"]:
            # Eagerly, as a graph takes seconds to make.
            texts, others = tf.constant(TEXTS), tf.constant(TEXTS[::-1])
            batch = tokenizer._encode(texts, others, answer["max_length"], False, True, True)
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
    for one, other in zip(
        tokenizer.pieces(TEXTS, True, True), again.pieces(TEXTS, True, True), strict=True
    ):
        assert one.to_list() == other.to_list()
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
