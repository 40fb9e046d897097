"""WordPiece by core operations gives what TensorFlow Text's matcher gives, and stands in for it."""

import json
import pathlib
import subprocess
import sys

import pytest
import tensorflow as tf

from bert_tf.text import Tokenizer, train_vocabulary
from bert_tf.text.wordpiece import WordPiece

GOLDEN = json.loads(pathlib.Path(__file__).with_name("golden.json").read_text(encoding="utf-8"))
TEXTS = [*GOLDEN["texts"], "a\tb\nc", "##ing running##ing", "the" * 33 + "n", "unaffable" * 11]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vocabulary")
    vocabulary = "".join(f"{token}\n" for token in GOLDEN["vocabulary"])
    (folder / "vocab.txt").write_text(vocabulary, encoding="utf-8", newline="\n")
    return folder


@pytest.mark.parametrize("lowercase", (True, pytest.param(False, marks=pytest.mark.slow)))
def test_ids_and_offsets_are_those_of_the_fast_matcher(folder, lowercase):
    fast = Tokenizer.from_pretrained(folder, lowercase).pieces
    core = WordPiece(fast.settings, portable=True)
    assert fast.portable() is not fast and core.portable() is core
    for one, other in zip(
        fast(TEXTS, True, return_offsets=True), core(TEXTS, True, return_offsets=True), strict=True
    ):
        assert one.to_list() == other.to_list()
    assert core(tf.constant([], tf.string))[0].to_list() == []


@pytest.mark.slow  # a process of its own
def test_without_tensorflow_text_tokenizers_and_vocabularies_are_the_same(folder):
    script = """
import json, sys
sys.modules["tensorflow_text"] = None
from bert_tf.text import Tokenizer, train_vocabulary
import bert_tf.export.answer
texts = json.loads(sys.argv[2])
ids, offsets = Tokenizer.from_pretrained(sys.argv[1]).pieces(texts, True, True)
learned = train_vocabulary(texts, size=90, min_frequency=1, lowercase=True)
print(json.dumps([ids.to_list(), offsets.to_list(), learned.vocabulary]))
"""
    texts = [text for text in TEXTS if len(text) < 60]
    command = [sys.executable, "-c", script, str(folder), json.dumps(texts)]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr[-2000:]
    ids, offsets = Tokenizer.from_pretrained(folder).pieces(texts, True, True)
    got = json.loads(found.stdout.splitlines()[-1])
    assert got[0] == ids.to_list() and got[1] == offsets.to_list()
    learned = train_vocabulary(texts, size=90, min_frequency=1, lowercase=True)
    assert got[2] == learned.vocabulary
