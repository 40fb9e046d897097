"""Draws are as frequent as the softmax says, and a function of the key."""

import numpy as np
import oracles
import tensorflow as tf

from bert_tf.layers import draw, new_key


def test_draws_are_as_frequent_as_the_softmax_says():
    logits = np.array([0.0, 1.0, 2.5, -1.0, -30.0], "float32")
    drawn = draw(np.tile(logits, (40, 1000, 1)), new_key(3, 0)).numpy()
    assert drawn.shape == (40, 1000) and drawn.dtype == np.int32
    counts = np.bincount(drawn.ravel(), minlength=5) / 40_000
    np.testing.assert_allclose(counts, oracles.softmax(logits.astype(float)), atol=0.01)


def test_draws_are_a_function_of_the_key_in_a_graph_too():
    logits = np.random.default_rng(0).standard_normal((6, 7, 20)).astype("float32")
    first = draw(logits, new_key(3, 1)).numpy()
    np.testing.assert_array_equal(first, draw(logits, new_key(3, 1)))
    np.testing.assert_array_equal(first, tf.function(draw)(logits, new_key(3, 1)))
    assert (first != draw(logits, new_key(3, 2)).numpy()).any()


def test_no_gradient_goes_through_and_no_row_is_no_error():
    logits = tf.Variable(np.ones((2, 3), "float32"))
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(tf.cast(draw(logits, new_key(0, 0)), tf.float32))
    assert tape.gradient(total, logits) is None
    assert draw(np.zeros((0, 4, 9), "float32"), new_key(0, 0)).shape == (0, 4)
