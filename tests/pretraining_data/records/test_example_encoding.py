"""Serialized examples are what protocol buffers make of the same values."""

import numpy as np
import tensorflow as tf

from bert_tf.pretraining_data.records.example_encoding import encode


def read(message):
    """A serialized message as {name: list of values}, by TensorFlow's own classes."""
    features = tf.train.Example.FromString(message).features.feature
    return {name: list((f.int64_list or f.float_list).value) for name, f in features.items()}


def test_numbers_of_every_size_come_back():
    edges = [0, 1, 2**31 - 1, 2**62, 2**63 - 1, -1, -(2**63)]
    edges += [2**n + d for n in (7, 14, 21, 28, 35) for d in (-1, 0)]
    values = np.array([edges, edges[::-1]], np.int64)
    for message, row in zip(
        encode({"a": values}, {"a": (len(edges), "int64")}), values, strict=True
    ):
        assert read(message) == {"a": row.tolist()}


def test_rows_of_one_table_may_have_different_sizes():
    values = np.array([[0, 0, 0], [127, 128, 1], [16383, 16384, 70000]], np.int32)
    messages = encode({"ids": values}, {"ids": (3, "int64")})
    assert [read(message)["ids"] for message in messages] == values.tolist()
    assert len(messages[0]) < len(messages[1]) < len(messages[2])


def test_floats_and_integers_stand_side_by_side_and_nothing_is_wasted():
    random = np.random.default_rng(0)
    features = {"ids": (200, "int64"), "weights": (40, "float32"), "label": (1, "int64")}
    arrays = {
        "ids": random.integers(0, 30522, (5, 200)),
        "weights": random.standard_normal((5, 40)).astype(np.float32),
        "label": random.integers(0, 2, (5, 1)),
    }
    for row, message in enumerate(encode(arrays, features)):
        example = tf.train.Example.FromString(message)
        wanted = tf.train.Example()
        for name, (_, kind) in features.items():
            field = wanted.features.feature[name]
            part = field.int64_list if kind == "int64" else field.float_list
            part.value.extend(arrays[name][row].tolist())
        assert example == wanted
        assert len(message) == len(wanted.SerializeToString())


def test_no_rows_give_no_messages():
    assert encode({"a": np.zeros((0, 4), np.int32)}, {"a": (4, "int64")}) == []
