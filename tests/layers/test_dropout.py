"""Dropout: the share is exact, the mean stays, and a key is all that decides."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_tf.layers import dropout, fold_in, key_for, new_key
from bert_tf.layers.dropout import _mixed_in_32_bits

KEY = new_key(3, 7)
ODD = 1_000_003


def ones(*shape, dtype="float32"):
    return tf.ones(shape, dtype)


def kept(*shape, rate=0.5, key=KEY):
    return dropout(ones(*shape), rate, key).numpy() != 0


@pytest.mark.parametrize("rate", [0.001, 0.1, 0.5, 0.9])
def test_the_share_dropped_is_exact_and_the_mean_is_kept(rate):
    values = dropout(ones(ODD), rate, KEY).numpy()
    deviation = np.sqrt(rate * (1 - rate) / ODD)
    assert abs(np.mean(values == 0) - rate) < 4.5 * deviation + 1 / 65536
    assert abs(values.mean() - 1) < 4.5 * deviation / (1 - rate) + 1e-6
    exact = 65536 / (65536 - round(rate * 65536))
    assert np.unique(values).tolist() == [0, np.float32(exact)]


def test_neighbours_that_share_a_random_word_are_independent():
    mask = kept(ODD - 1, rate=0.3).reshape(-1, 2)
    assert abs(np.corrcoef(mask[:, 0], mask[:, 1])[0, 1]) < 5 / np.sqrt(len(mask))


@pytest.mark.parametrize("shape", [(0, 4), (1,), (3,), (2, 3, 5), (7, 1, 11)])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_every_shape_and_dtype_is_kept(shape, dtype):
    got = dropout(ones(*shape, dtype=dtype), 0.5, KEY)
    assert got.shape == shape and got.dtype == dtype
    assert set(np.unique(got.numpy().astype(float))) <= {0.0, 2.0}


def test_the_mask_does_not_depend_on_the_dtype():
    half = dropout(ones(999, dtype="float16"), 0.3, KEY).numpy() != 0
    np.testing.assert_array_equal(half, kept(999, rate=0.3))


def test_a_key_repeats_its_mask_in_eager_and_in_a_graph_of_any_shape():
    graph = tf.function(lambda x, key: dropout(x, 0.5, key), reduce_retracing=True)
    for shape in ((5, 13), (4, 13)):
        first = dropout(ones(*shape), 0.5, KEY)
        np.testing.assert_array_equal(first, dropout(ones(*shape), 0.5, KEY))
        np.testing.assert_array_equal(first, graph(ones(*shape), KEY))


@pytest.mark.parametrize("other", [new_key(4, 7), new_key(3, 8), fold_in(KEY, 0), fold_in(KEY, 1)])
def test_another_seed_step_or_place_is_an_independent_mask(other):
    both = np.mean(kept(ODD) & kept(ODD, key=other))
    assert abs(both - 0.25) < 5 * np.sqrt(0.25 * 0.75 / ODD)


def test_the_global_random_state_plays_no_part():
    first = kept(1000)
    keras.utils.set_random_seed(5)
    np.testing.assert_array_equal(first, kept(1000))


def test_no_key_or_no_rate_leaves_the_tensor_alone():
    x = ones(3)
    assert dropout(x, 0.5, None) is x and dropout(x, 0.0, KEY) is x


def test_the_gradient_takes_the_way_of_the_values():
    x = tf.random.normal([40, 9])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = dropout(x, 0.4, KEY)
    np.testing.assert_allclose(tape.gradient(y, x) * x, y, rtol=1e-6)


def test_no_two_places_of_neighbouring_steps_share_a_key():
    keys = tf.stack([new_key(0, step) for step in range(200)], axis=1)
    for places in (2, 4, 2, 26, 3):  # replicas, micro-batches, encoder or head, depths, uses
        keys = tf.concat([fold_in(keys, place) for place in range(places)], axis=1)
    assert len(set(keys[1].numpy())) == keys.shape[1] == 200 * 2 * 4 * 2 * 26 * 3


@pytest.mark.parametrize("seed", [0, 2**31 - 1, 2**40])
def test_a_key_is_two_numbers_for_any_seed_and_a_variable_step(seed):
    step = tf.Variable(12, dtype="int64")
    key = new_key(seed, step)
    assert key.shape == (2,) and key.dtype == "int64"
    np.testing.assert_array_equal(key, new_key(seed, 12))


def test_a_key_is_drawn_only_for_training_without_one():
    assert key_for(False, KEY) is None and key_for(False) is None
    assert key_for(True, KEY) is KEY
    keras.utils.set_random_seed(1)
    first, second = key_for(True).numpy(), key_for(True).numpy()
    keras.utils.set_random_seed(1)
    np.testing.assert_array_equal(first, key_for(True))
    assert not np.array_equal(first, second)


def test_keys_of_32_bits_are_those_of_64():
    numbers = np.random.default_rng(3).integers(0, 2**31 - 1, (5000, 2))
    edges = np.array([0, 1, 2, 2**16 - 1, 2**16, 2**30, 2**31 - 3, 2**31 - 2])
    pairs = np.stack(np.meshgrid(edges, edges), -1).reshape(-1, 2)
    words, more = np.concatenate([numbers, pairs]).T
    wide = fold_in(tf.stack([more, words]), more)
    np.testing.assert_array_equal(_mixed_in_32_bits(tf.constant(words, tf.int32), more), wide[1])
    narrow = fold_in(tf.constant([5, 2**31 - 3], tf.int32), 77)
    assert narrow.dtype == tf.int32
    wide = fold_in(tf.constant([5, 2**31 - 3], tf.int64), 77)
    assert narrow.numpy().tolist() == wide.numpy().tolist()
