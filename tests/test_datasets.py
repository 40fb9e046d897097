"""read_dataset: how tags of words are taken, and several files."""

import numpy as np
import pytest

from bert_tf import read_dataset
from bert_tf.errors import ConfigError, InputError
from tests import tiny


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return tiny.tokenizer(tmp_path_factory.mktemp("vocabulary"))


def test_tags_are_taken_as_the_arguments_say(tokenizer, tmp_path):
    first, second = tmp_path / "a.bio", tmp_path / "b.bio"
    first.write_text("xyz B-film\nfilm I-film\ngood O\n")
    second.write_text("actor I-film\n")
    options = dict(task="token_classification", max_length=12)
    plain = read_dataset(first, tokenizer, **options)
    assert plain.label_names == ("O", "B-film", "I-film")
    ((_, labels),) = plain
    assert labels.numpy().tolist() == [[-100, 1, -100, -100, 2, 0, -100]]
    pieces = read_dataset(
        [first, second], tokenizer, label_all_pieces=True, scheme="BIOES", **options
    )
    names = ("O", *(f"{letter}-film" for letter in "BIES"))
    assert pieces.label_names == names
    ((_, labels),) = pieces
    by_name = [[names[x] for x in row if x >= 0] for row in labels.numpy()]
    assert sorted(by_name, key=len) == [
        ["S-film"],
        ["B-film", "I-film", "I-film", "E-film", "O"],
    ]
    assert np.sum(labels.numpy() >= 0) == 6
    with pytest.raises(InputError, match="b.bio, line 1"):
        read_dataset([first, second], tokenizer, strict_tags=True, **options)
    with pytest.raises(ConfigError, match="scheme: 'IOB', wanted one of IOB2, BIOES"):
        read_dataset(first, tokenizer, scheme="IOB", **options)
