"""The manifest: back as it was written, and refused in one line where it is another thing."""

import dataclasses
import json
import os

import pytest

from bert_tf.errors import InputError
from bert_tf.pretraining_data.records import schema
from bert_tf.pretraining_data.records.manifest import Manifest


@pytest.fixture
def manifest():
    return Manifest(
        max_length=8,
        max_predictions=None,
        sentence_objective="none",
        vocabulary="abc",
        features=schema.features_of(8, sentences=False),
        shards=[{"file": "a", "records": 1, "bytes": 2, "sha256": "d"}],
        counts={"records": 1},
        settings={"seed": 0},
    )


def test_a_manifest_comes_back_as_it_was(tmp_path, manifest):
    manifest.write(str(tmp_path))
    assert Manifest.read(str(tmp_path)) == manifest
    assert os.listdir(tmp_path) == ["manifest.json"]


def test_a_manifest_tells_of_classes_and_of_questions_and_an_older_one_of_nothing(
    tmp_path, manifest
):
    lengths = {"mood": 1, "animal": 1, "animal_blank": 8, "animal_candidates": 6}
    labelled = dataclasses.replace(
        manifest,
        features=schema.features_of(8, sentences=False, labels=lengths),
        labels={
            "mood": {"of": "sentence", "names": ["bad", "good"]},
            "animal": {"of": "cloze", "candidates": 3, "pieces": 2},
        },
    )
    labelled.write(str(tmp_path))
    assert Manifest.read(str(tmp_path)) == labelled
    values = dataclasses.asdict(manifest)
    del values["labels"]
    (tmp_path / "manifest.json").write_text(json.dumps(values))
    assert Manifest.read(str(tmp_path)) == manifest


@pytest.mark.parametrize(
    "change",
    [
        {"shards": None},
        {"labels": {"animal": {"of": "cloze", "candidates": 3, "pieces": 2}}},
        {"labels": {"animal": {"of": "cloze", "candidates": 3}}},
        {"labels": {"mood": {"names": ["bad", "good"]}}},
        {"shards": [{"file": "a"}]},
        {"sentence_objective": "cloze"},
        {"features": {"input_ids": [8, "int32"]}},
        {"features": {"input_ids": 8}},
        {"features": {"input_ids": [10, "int64"]}},
        {"features": schema.features_of(9, sentences=False)},
        {"max_length": True},
        {"max_length": "8"},
        {"max_predictions": 3},
        {"max_predictions": 0},
        {"vocabulary": None},
        {"counts": {"records": "many"}},
        {"settings": {"dupe_factor": "ten"}},
        {"labels": {"mood": {"of": "sentence", "names": ["bad", 1]}}},
        {"labels": {"mood": {"of": ["sentence"], "names": ["bad", "good"]}}},
        {"shards": [{"file": "../a", "records": 1, "bytes": 2, "sha256": "d"}]},
        {"shards": [{"file": "a", "records": -1, "bytes": 2, "sha256": "d"}]},
        {"more": 1},
        {"counts": ...},
    ],
)
def test_a_manifest_that_is_none_is_named(tmp_path, manifest, change):
    values = {**dataclasses.asdict(manifest), **change}
    values = {key: value for key, value in values.items() if value is not ...}
    (tmp_path / "manifest.json").write_text(json.dumps(values))
    with pytest.raises(InputError, match="manifest.json: ") as error:
        Manifest.read(str(tmp_path))
    assert "\n" not in str(error.value)


def test_a_manifest_that_is_not_json_or_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="manifest.json: cannot be read"):
        Manifest.read(str(tmp_path))
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(InputError, match="manifest.json: not JSON"):
        Manifest.read(str(tmp_path))
