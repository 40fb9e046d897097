"""Added tokens in texts: the reference's kept answers, in the graph, and what cannot be found."""

import contextlib
import json
import pathlib

import pytest
import tensorflow as tf

from bert_tf.errors import InputError
from bert_tf.text import Tokenizer
from bert_tf.text.wordpiece import WordPiece
from tests import tiny

GOLDEN = json.loads(pathlib.Path(__file__).with_name("golden_added.json").read_text("utf-8"))


def folder(directory, lowercase=True, chinese=True, added=None):
    """A directory with the vocabulary of the golden file, and with its added tokens or these."""
    (directory / "vocab.txt").write_text("\n".join(GOLDEN["vocabulary"]), encoding="utf-8")
    config = {"do_lower_case": lowercase, "tokenize_chinese_chars": chinese}
    config["added_tokens_decoder"] = GOLDEN["added"] if added is None else added
    (directory / "tokenizer_config.json").write_text(json.dumps(config))
    return directory


def added(*contents, **flags):
    """`added_tokens_decoder` with ordinary tokens behind the vocabulary."""
    first = len(GOLDEN["vocabulary"])
    return {str(first + i): {"content": c, **flags} for i, c in enumerate(contents)}


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return Tokenizer.from_pretrained(folder(tmp_path_factory.mktemp("added")))


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: str(list(case.values())[:3]))
def test_every_kept_answer_of_the_reference_is_ours(tmp_path, case):
    ours = Tokenizer.from_pretrained(folder(tmp_path, case["lowercase"], case["chinese"]))
    texts = tf.constant(GOLDEN["texts"])
    with contextlib.nullcontext() if case is GOLDEN["cases"][0] else tiny.eagerly():
        batch = ours(texts, special_tokens_in_text=case["in_text"], return_offsets=True)
    batch = {name: values.numpy() for name, values in batch.items()}
    for row, text in enumerate(GOLDEN["texts"]):
        n = int(batch["attention_mask"][row].sum()) - 1
        assert batch["input_ids"][row, 1:n].tolist() == case["ids"][row], text
        offsets = batch["offsets"][row, 1:n].reshape(-1).tolist()
        assert offsets == case["offsets"][row], text


@pytest.mark.slow  # test_tokenizer.py asks a dataset and an export
def test_a_token_is_cut_alike_alone_in_a_batch_in_a_dataset_and_in_an_export(tokenizer, tmp_path):
    texts, told = GOLDEN["texts"], {"max_length": 30, "padding": "max_length"}
    eager = tokenizer(texts, return_offsets=True, **told)
    for row in (2, 11, 16):
        alone = tokenizer(texts[row : row + 1], return_offsets=True, **told)
        for name, value in alone.items():
            assert (value[0].numpy() == eager[name][row].numpy()).all()
    dataset = tf.data.Dataset.from_tensor_slices(texts).batch(len(texts))
    mapped = next(iter(dataset.map(lambda batch: tokenizer(batch, **told))))
    assert (mapped["input_ids"].numpy() == eager["input_ids"].numpy()).all()
    module = tf.Module()
    module.tokenizer = tokenizer
    spec = [tf.TensorSpec([None], tf.string)]
    module.encode = tf.function(lambda x: tokenizer(x, return_offsets=True, **told), spec)
    tf.saved_model.save(module, str(tmp_path / "export"))
    exported = tf.saved_model.load(str(tmp_path / "export")).encode(tf.constant(texts))
    for name, value in exported.items():
        assert (value.numpy() == eager[name].numpy()).all(), name


def test_what_was_added_is_added_again_after_saving(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    again = Tokenizer.from_pretrained(tmp_path)
    assert again.fingerprint == tokenizer.fingerprint
    assert again.vocabulary == tokenizer.vocabulary
    for in_text in (True, False):
        one, two = (
            each.pieces(tf.constant(GOLDEN["texts"]), in_text)[0].to_list()
            for each in (tokenizer, Tokenizer(WordPiece(again.pieces.settings)))
        )
        assert one == two
    lines = (tmp_path / "vocab.txt").read_text("utf-8").split("\n")
    assert lines[:-1] == GOLDEN["vocabulary"]  # WordPiece itself knows none of the others


def test_more_tokens_than_private_characters_are_told_apart(tmp_path):
    contents = [f"<{i}>" for i in range(700)]
    ours = Tokenizer.from_pretrained(folder(tmp_path, added=added(*contents)))
    assert ours.tokenize("a".join(contents)) == "a".join(f",{c}," for c in contents)[1:-1].split(
        ","
    )


def test_tokens_that_cannot_be_looked_for_get_one_line(tmp_path):
    for contents, flags, words in (
        ([" a"], {"normalized": True}, "' a' is normalized and has white space at an end"),
        (["x\U0010f100"], {}, r"'x\\U0010f100' holds U\+10F100"),
        (["x" * 501], {}, "has 501 bytes, at most 500"),
        ([f"{i:04}{'x' * 9}" for i in range(900)], {}, "900 added tokens are too many"),
    ):
        with pytest.raises(InputError, match=words) as caught:
            Tokenizer.from_pretrained(folder(tmp_path, added=added(*contents, **flags)))
        assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)


def test_two_tokens_that_normalization_makes_one_are_named(tmp_path, caplog):
    ours = Tokenizer.from_pretrained(folder(tmp_path, added=added("USER", "User")))
    assert "'USER' and 'User' are the same" in caplog.text
    assert ours.tokenize("user User") == ["USER", "USER"]
