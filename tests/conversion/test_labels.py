"""How many labels there are, the tensors say; what they are called, the config, where it fits."""

import dataclasses
import logging
from pathlib import Path

import pytest

from bert_tf.conversion.contents import Contents
from bert_tf.conversion.labels import labels
from bert_tf.conversion.saving import FAMILIES
from bert_tf.conversion.table import StoredTensor
from bert_tf.errors import InputError

BERT = FAMILIES["bert"]


def contents(rows=3, **config):
    tensors = {"classifier.bias": StoredTensor("f", (rows,), "float32", None)}
    files = dict(folder=Path("m"), config_file=Path("m/config.json"), weights_file=Path("m/w.bin"))
    layout = BERT.layouts["huggingface"]
    told = dict(family_name="bert", family=BERT, layout=layout, task="SequenceClassifier")
    return Contents(**files, **told, config=config, tensors=tensors)


def names(count):
    return {str(number): f"n{number}" for number in range(count)}


def test_names_that_fit_are_taken(caplog):
    told = labels(contents(3, id2label=names(3), problem_type="regression"))
    assert told["num_labels"] == 3 and told["label_names"] == ["n0", "n1", "n2"]
    assert told["problem_type"] == "regression" and not caplog.records
    assert labels(contents(2, id2label={"1": 1.5, "0": 7}))["label_names"] == ["7", "1.5"]


@pytest.mark.parametrize(
    "config",
    [
        {"num_labels": 50, "id2label": names(2)},
        {"id2label": names(51)},
        {"num_labels": 7},
        {"num_labels": "50"},
    ],
)
def test_stale_names_lose_to_the_tensors_with_one_warning(caplog, config):
    with caplog.at_level(logging.WARNING, logger="absl"):
        told = labels(contents(50, **config))
    assert told["num_labels"] == 50 and told["label_names"] is None
    assert len(caplog.records) == 1
    assert (
        "LABEL_0 to LABEL_49" in caplog.text and "classifier.bias in w.bin is [50]" in caplog.text
    )


def test_without_names_nothing_is_said(caplog):
    assert (
        labels(contents(50))["num_labels"]
        == 50
        == labels(contents(50, num_labels=50))["num_labels"]
    )
    assert not caplog.records


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"1": "no", "2": "yes"}, "wanted the keys 0, 1, 2"),
        ({}, "wanted the keys 0, 1, 2"),
        (["no", "yes", "so"], "wanted the keys 0, 1, 2"),
        (3, "wanted the keys 0, 1, 2"),
        ({"0": "a", "1": None, "2": "b"}, "id2label: 1: None, wanted a name"),
        ({"0": "a", "1": "\ud800", "2": "b"}, r"id2label: 1: '\\ud800', wanted a name"),
        ({"0": "a", "1": {"x": "\x1b"}, "2": "b"}, r"id2label: 1: {'x': '\\x1b'}, wanted a name"),
    ],
)
def test_names_of_another_type_are_refused(named, message):
    with pytest.raises(InputError, match=f"m/config.json: .*{message}"):
        labels(contents(3, id2label=named))


@pytest.mark.parametrize("tensor", [None, StoredTensor("f", (3, 8), "float32", None)])
def test_without_the_projection_no_head_is_built_on_trust(tensor):
    tensors = {} if tensor is None else {"classifier.bias": tensor}
    given = dataclasses.replace(contents(num_labels=10**12), tensors=tensors)
    with pytest.raises(InputError, match="w.bin: classifier.bias is"):
        labels(given)


def test_a_head_of_our_own_without_such_a_projection_has_as_many_labels_as_some_tensor():
    tensors = {"head.tags": StoredTensor("f", (8, 3), "float32", None)}
    own = dict(layout=BERT.layouts["bert_tf"], tensors=tensors, task="Tagger")
    assert labels(dataclasses.replace(contents(id2label=names(3)), **own))["num_labels"] == 3
    with pytest.raises(InputError, match="num_labels: 1000000000000 labels, but no tensor"):
        labels(dataclasses.replace(contents(num_labels=10**12), **own))
