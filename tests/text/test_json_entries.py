"""JSON files of a tokenizer: what is no JSON object, and values of the wrong type, get one line."""

import pytest

from bert_tf.errors import InputError
from bert_tf.text import json_entries
from bert_tf.text.json_entries import Entries, read_bytes, read_json


def refused(call, *words):
    with pytest.raises(InputError) as caught:
        call()
    line = str(caught.value)
    assert "\n" not in line and all(word in line for word in words), line


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "line 1, column 1"),
        (b"{", "not JSON: line 1, column 2"),
        (b'{"a": 1, \xff}', "byte 9 is not UTF-8"),
        (b'{"a": "\0"}', "not JSON: line 1"),
        (b'{"a": ' + b"[" * 100_000, "nested too deeply"),
        (b'{"a": ' + b"7" * 5000 + b"}", "not JSON that can be read"),
        (b"[1, 2]", "holds [1, 2], wanted a JSON object"),
        (b"\xff\xfe{\0}\0", "not UTF-8"),
    ],
)
def test_what_is_no_json_object_is_one_line(tmp_path, content, words):
    path = tmp_path / "tokenizer_config.json"
    path.write_bytes(content)
    refused(lambda: read_json(str(path)), str(path), words)


def test_a_file_may_be_absent_or_begin_with_a_byte_order_mark(tmp_path):
    path = tmp_path / "a.json"
    assert not read_json(str(path))
    path.write_bytes(b'\xef\xbb\xbf{"a": "\\u00e9"}')
    assert read_json(str(path)).get("a", str) == "é"


def test_a_directory_and_a_file_beyond_all_vocabularies_are_named(tmp_path, monkeypatch):
    refused(lambda: read_json(str(tmp_path)), "cannot be read: Is a directory")
    monkeypatch.setattr(json_entries, "MOST_BYTES", 9)
    (tmp_path / "vocab.txt").write_bytes(b"0123456789")
    refused(lambda: read_bytes(str(tmp_path / "vocab.txt")), "larger than 9 bytes")


def test_a_value_is_of_its_type_or_named_with_its_place():
    entries = Entries({"a": {"b": "false", "c\x1b": 1}, "n": None, "l": [True]}, "x.json")
    assert entries.get("n", bool) is None and entries.get("absent", str) is None
    inner = entries.inner("a")
    refused(lambda: inner.get("b", bool), "x.json: a.b: 'false', wanted true or false")
    refused(lambda: inner.get("c\x1b", str), r"x.json: a.'c\x1b': 1, wanted a string")
    refused(lambda: entries.get("l", dict), "x.json: l: [True], wanted an object")
    refused(lambda: entries.items("l").get("0", int), "x.json: l.0: True, wanted a whole number")
    refused(lambda: inner.one_of("b", "right"), "a.b: 'false', wanted only 'right' here")
    half = Entries({"a": "\ud800"}, "x.json")
    refused(lambda: half.get("a", str), r"a: '\ud800', wanted no half of a surrogate pair")
    assert not entries.inner("n") and not entries.items("absent").values
