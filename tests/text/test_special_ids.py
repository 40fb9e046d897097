"""What begins and ends a row, by whatever name a tokenizer has it."""

import types

import pytest

from bert_tf.errors import InputError
from bert_tf.text.special_ids import row_ends


def tokenizer(cls_id=None, sep_id=None, **names):
    ids = {"<s>": 5, "</s>": 6}
    settings = types.SimpleNamespace(source="vocab.json", **names)
    pieces = types.SimpleNamespace(settings=settings, ids=ids)
    return types.SimpleNamespace(cls_id=cls_id, sep_id=sep_id, pieces=pieces)


def test_cls_and_sep_go_before_what_begins_and_ends_a_text():
    both = {"bos_token": "<s>", "eos_token": "</s>"}
    assert row_ends(tokenizer(1, 2, **both)) == (1, 2)
    assert row_ends(tokenizer(None, None, **both)) == (5, 6)
    assert row_ends(tokenizer(None, None, bos_token=None, eos_token="</s>")) == (6, 6)
    assert row_ends(tokenizer(1, 2)) == (1, 2)


def test_a_tokenizer_without_any_is_named():
    with pytest.raises(InputError, match="vocab.json: has no token that begins a text, wanted"):
        row_ends(tokenizer())
