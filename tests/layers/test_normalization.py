"""LayerNorm: values from the paper, the hand-written gradient against two others."""

import keras
import numpy as np
import oracles
import pytest
import tensorflow as tf

from bert_tf.layers import LayerNorm

NUMBERS = np.random.default_rng(2)
X = NUMBERS.standard_normal((7, 12)).astype("float32") * 3 + 1


def layer_of(width=12, epsilon=1e-12, **options):
    layer = LayerNorm(epsilon, **options)
    layer.build((None, width))
    return oracles.randomize(layer)


def oracle(x, layer):
    gamma, beta = oracles.get(layer, "gamma"), oracles.get(layer, "beta")
    return oracles.layer_norm(x.astype(float), gamma, beta, layer.epsilon)


def plain(x, layer):
    """The same from TensorFlow's own parts, differentiated by TensorFlow."""
    mean, variance = tf.nn.moments(x, -1, keepdims=True)
    unit = (x - mean) * tf.math.rsqrt(variance + layer.epsilon)
    return unit * layer.gamma + layer.beta


@pytest.mark.parametrize("epsilon", [1e-12, 1e-5, 0.1])
def test_values_are_equation_4(epsilon):
    layer = layer_of(epsilon=epsilon)
    np.testing.assert_allclose(layer(X), oracle(X, layer), atol=2e-6)


def test_without_a_shift_there_is_the_scale_alone():
    layer = layer_of(center=False)
    assert layer.beta is None and len(layer.weights) == 1
    want = oracles.layer_norm(X.astype(float), oracles.get(layer, "gamma"), 0.0)
    np.testing.assert_allclose(layer(X), want, atol=2e-6)


@pytest.mark.parametrize("epsilon", [1e-12, 0.1])
@pytest.mark.parametrize("compiled", [False, True])
def test_gradients_are_those_of_automatic_differentiation(epsilon, compiled):
    layer, x = layer_of(epsilon=epsilon), tf.constant(X)
    upstream = NUMBERS.standard_normal(X.shape).astype("float32")

    def gradients(call):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = call()
        return tape.gradient(y, [x, layer.gamma.value, layer.beta.value], upstream)

    ours = tf.function(gradients) if compiled else gradients
    for got, want in zip(ours(lambda: layer(x)), gradients(lambda: plain(x, layer)), strict=True):
        np.testing.assert_allclose(got, want, atol=1e-5)


def test_gradient_is_the_slope_of_the_values():
    layer, upstream = layer_of(), NUMBERS.standard_normal(X.shape)
    x = tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_sum(layer(x) * upstream.astype("float32"))
    got = tape.gradient(y, x).numpy()

    def value(x):
        return np.sum(oracle(x, layer) * upstream)

    for place in [(0, 0), (3, 5), (6, 11)]:
        step = np.zeros(X.shape)
        step[place] = 1e-6
        slope = (value(X + step) - value(X - step)) / 2e-6
        assert got[place] == pytest.approx(slope, abs=1e-5)


def test_rows_far_from_zero_keep_their_digits():
    far = (X + 1e4).astype("float32")
    layer = layer_of()
    np.testing.assert_allclose(layer(far), oracle(far, layer), atol=5e-3)


def test_a_constant_row_becomes_the_shift_and_its_gradient_is_finite():
    layer, x = layer_of(), tf.fill([2, 12], 3.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
    np.testing.assert_allclose(y[0], layer.beta, atol=1e-6)
    assert np.isfinite(tape.gradient(y, x)).all()


def test_no_rows_are_no_trouble():
    layer, x = layer_of(), tf.zeros([0, 12])
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(layer(x))
    assert not np.any(tape.gradient(y, layer.gamma.value))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_statistics_are_float32_under_low_precision(policy):
    layer = LayerNorm(dtype=policy)
    layer.build((None, 512))
    x = tf.cast(NUMBERS.standard_normal((3, 512)) * 300, layer.compute_dtype)
    got = layer(x)
    assert got.dtype == layer.compute_dtype and layer.gamma.dtype == "float32"
    want = oracles.layer_norm(tf.cast(x, "float64").numpy(), 1.0, 0.0)
    tolerance = 4e-3 if policy == "mixed_float16" else 4e-2
    np.testing.assert_allclose(keras.ops.cast(got, "float32"), want, atol=tolerance)
