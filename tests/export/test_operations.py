"""TensorFlow's own operations for steps of the layers give what the layers' own parts give."""

import numpy as np
import oracles
import pytest
import tensorflow as tf

from bert_tf.export.operations import Weights
from bert_tf.layers import LayerNorm, RealTokens, done_by, real_places

NUMBERS = np.random.default_rng(5)


@pytest.mark.parametrize("rows", [1, 7])
@pytest.mark.parametrize("epsilon", [1e-12, 0.1])
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("few", [False, True])
def test_a_layer_norm_of_an_export_is_equation_4(rows, epsilon, compiled, few):
    layer = LayerNorm(epsilon)
    layer.build((None, 12))
    oracles.randomize(layer)
    x = NUMBERS.standard_normal((rows, 12)).astype("float32") * 3 + 1

    def normed(x):
        with done_by(Weights(frozen=compiled).steps(few)):
            return layer(x)

    normed = tf.function(normed) if compiled else normed
    gamma, beta = oracles.get(layer, "gamma"), oracles.get(layer, "beta")
    want = oracles.layer_norm(x.astype(float), gamma, beta, epsilon)
    np.testing.assert_allclose(normed(tf.constant(x)), want, atol=3e-6)


def test_without_a_shift_the_norm_is_the_layers_own():
    layer = LayerNorm(center=False)
    layer.build((None, 12))
    x = NUMBERS.standard_normal((3, 12)).astype("float32")
    with done_by(Weights().steps()):
        found = layer(x)
    np.testing.assert_array_equal(found, layer(x))


def test_equal_rows_are_normalized_to_the_shift_and_not_to_nan():
    layer = LayerNorm()
    layer.build((None, 12))
    oracles.randomize(layer)
    with done_by(Weights().steps()):
        found = layer(np.full((2, 12), 3.0, "float32"))
    np.testing.assert_allclose(found, [oracles.get(layer, "beta")] * 2, atol=1e-5)


def test_rows_are_taken_from_where_the_layers_take_them():
    mask = np.array([[1, 1, 0], [1, 0, 0]], "int32")
    real = RealTokens.of(real_places(mask), mask)
    x = NUMBERS.standard_normal((6, 4)).astype("float32")
    with done_by(Weights().steps()):
        found = real.taken_out(x)
    np.testing.assert_array_equal(found, real.taken_out(x))
    np.testing.assert_array_equal(found, x[[0, 1, 3]])


def test_what_was_told_ends_with_its_block():
    layer = LayerNorm()
    layer.build((None, 12))
    with pytest.raises(ZeroDivisionError), done_by(Weights().steps()):
        raise ZeroDivisionError
    x = tf.constant(NUMBERS.standard_normal((3, 12)).astype("float32"))
    with tf.GradientTape() as tape:
        tape.watch(x)
        normed = layer(x)
    assert np.isfinite(tape.gradient(normed, x)).all()  # the trained form has a gradient of its own
