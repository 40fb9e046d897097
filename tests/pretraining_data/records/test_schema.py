"""The schema, files that are whole or not there, parsing, and a manifest that is strict."""

import hashlib
import os
import resource

import numpy as np
import pytest
import tensorflow as tf

from bert_tf.errors import ConfigError, InputError
from bert_tf.pretraining_data.records import schema
from tests import tiny


def arrays(count, features):
    random = np.random.default_rng(1)
    return {
        name: random.integers(0, 300, (count, length)).astype(kind)
        for name, (length, kind) in features.items()
    }


def test_features_have_googles_names_and_lengths():
    assert schema.features_of(8, 3) == {
        "input_ids": (8, "int64"),
        "input_mask": (8, "int64"),
        "segment_ids": (8, "int64"),
        "masked_lm_positions": (3, "int64"),
        "masked_lm_ids": (3, "int64"),
        "masked_lm_weights": (3, "float32"),
        "next_sentence_labels": (1, "int64"),
    }
    dynamic = schema.features_of(8, None, False, True, {"topic": 1})
    assert list(dynamic) == ["input_ids", "input_mask", "segment_ids", "token_boundary", "topic"]


def test_a_label_may_not_hide_another_feature():
    with pytest.raises(ConfigError, match="input_ids"):
        schema.features_of(8, labels={"input_ids": 1})


def test_what_is_written_is_parsed_again_in_the_graph(tmp_path):
    features = schema.features_of(8, 3)
    given = arrays(9, features)
    with schema.new_records(str(tmp_path / "a.tfrecord"), features) as writer:
        writer.write({name: values[:5] for name, values in given.items()})
        writer.write({name: values[5:] for name, values in given.items()})
    dataset = tf.data.TFRecordDataset(str(tmp_path / "a.tfrecord")).batch(9)
    parsed = next(iter(dataset.map(lambda batch: schema.parse(batch, features))))
    for name, values in given.items():
        assert parsed[name].dtype == (tf.float32 if "weights" in name else tf.int32)
        np.testing.assert_array_equal(parsed[name], values)


def test_a_file_is_told_as_it_is(tmp_path):
    path = tmp_path / "a.tfrecord"
    features = schema.features_of(8)
    with schema.new_records(str(path), features) as writer:
        writer.write(arrays(4, features))
    data = path.read_bytes()
    assert writer.summary == {
        "file": "a.tfrecord",
        "records": 4,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    assert os.listdir(tmp_path) == ["a.tfrecord"]


def test_a_file_that_fails_midway_leaves_the_old_one(tmp_path):
    path, features = tmp_path / "a.tfrecord", schema.features_of(8)
    path.write_text("before")
    with pytest.raises(KeyboardInterrupt), schema.new_records(str(path), features) as writer:
        writer.write(arrays(4, features))
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == ["a.tfrecord"] and path.read_text() == "before"


def test_a_disk_that_is_full_leaves_nothing_half_written(tmp_path):
    path, features = str(tmp_path / "a.tfrecord"), schema.features_of(512)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20000, hard))
    try:
        with pytest.raises(InputError, match="a.tfrecord: cannot be written") as error:
            with schema.new_records(path, features) as writer:
                writer.write(arrays(200, features))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(error.value) and os.listdir(tmp_path) == []


def test_a_folder_that_is_not_there_is_named(tmp_path):
    path = str(tmp_path / "absent" / "a.tfrecord")
    with pytest.raises(InputError, match="absent/a.tfrecord: cannot be written"):
        with schema.new_records(path, schema.features_of(8)):
            pass


def test_a_record_of_another_length_is_not_parsed():
    features = schema.features_of(8)
    message = schema.encode(arrays(1, features), features)
    with pytest.raises(tf.errors.InvalidArgumentError, match="values != expected"):
        schema.parse(tf.constant(message), schema.features_of(9))


def test_the_fingerprint_tells_vocabularies_apart(tmp_path):
    tokenizer = tiny.tokenizer(tmp_path / "a")
    entries = "\n".join(tiny.vocabulary())
    assert schema.vocabulary_fingerprint(tokenizer) == hashlib.sha256(entries.encode()).hexdigest()
