"""LayerDrop skips as often as it says, and computing again changes no gradient."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_tf.layers import dropout, fold_in, layer_drop, new_key, recomputed
from bert_tf.layers.dropout import chance


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.999999999999])
def test_the_chance_is_the_rate(rate):
    @tf.function
    def drawn(key):
        each = lambda place: chance(rate, fold_in(key, place))  # noqa: E731
        return tf.map_fn(each, tf.range(2000), tf.bool)

    share = np.mean(drawn(new_key(1, 2)))
    assert abs(share - rate) < 4.5 * np.sqrt(max(rate * (1 - rate), 1e-6) / 2000)


def test_the_key_alone_decides_in_eager_in_a_graph_and_under_xla():
    drop = lambda key: layer_drop(lambda: tf.ones(()), lambda: tf.zeros(()), 0.4, key)  # noqa: E731
    graph, compiled = tf.function(drop), tf.function(drop, jit_compile=True)
    seen = []
    for step in range(30):
        key = new_key(7, step)
        seen.append(float(drop(key)))
        keras.utils.set_random_seed(step)
        assert seen[-1] == float(drop(key)) == float(graph(key)) == float(compiled(key))
    assert 5 < sum(seen) < 28


def test_without_a_key_or_a_rate_nothing_is_skipped():
    never = lambda: pytest.fail("skipped")  # noqa: E731
    assert layer_drop(lambda: 1, never, 0.99, None) == layer_drop(lambda: 1, never, 0.0, 5) == 1


@pytest.mark.parametrize("compiled", [False, True])
def test_a_skipped_block_is_not_computed(compiled):
    runs = tf.Variable(0)

    @tf.function(jit_compile=compiled)
    def step(key):
        def block():
            runs.assign_add(1)
            return tf.ones(())

        return layer_drop(block, lambda: tf.zeros(()), 0.5, key)

    taken = sum(float(step(new_key(0, number))) for number in range(20))
    assert int(runs) == taken and 0 < taken < 20


def test_computing_again_draws_the_same_masks():
    x, weight = tf.random.normal([50, 8]), tf.Variable(tf.random.normal([8, 8]))
    key = new_key(2**31 - 1, 5)

    def part(x, key):
        return tf.tanh(dropout(x @ weight, 0.5, key))

    def gradients(function):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x, key)
        return [y, *tape.gradient(y, [x, weight], output_gradients=tf.cos(x))]

    plain, again = gradients(part), gradients(lambda x, key: recomputed(part, x, key))
    for one, other in zip(plain, again, strict=True):
        np.testing.assert_array_equal(one, other)
