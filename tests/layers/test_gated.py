"""The gated feed-forward layer is its formula, with and without biases, in training too."""

import numpy as np
import oracles
import pytest
import tensorflow as tf

from bert_tf.layers import GatedFeedForward, new_key

X = np.random.default_rng(4).standard_normal((5, 6)).astype("float32")


@pytest.mark.parametrize("activation", ["gelu", "silu"])
@pytest.mark.parametrize("use_bias", [True, False])
def test_one_half_opens_the_other(activation, use_bias):
    layer = GatedFeedForward(7, activation, use_bias=use_bias)
    layer.build((None, 6))
    oracles.randomize(layer)
    bias = [oracles.get(layer, f"{x}.bias") if use_bias else 0 for x in ("expand", "contract")]
    both = X.astype(float) @ oracles.get(layer, "expand.kernel") + bias[0]
    act = oracles.ACTIVATIONS["gelu"] if activation == "gelu" else lambda x: x / (1 + np.exp(-x))
    inner = act(both[:, :7]) * both[:, 7:]
    want = inner @ oracles.get(layer, "contract.kernel") + bias[1]
    np.testing.assert_allclose(layer(X), want, atol=2e-5)
    np.testing.assert_allclose(layer(X, key=new_key(0, 0)), want, atol=2e-5)
    gradients = []
    for key in (None, new_key(0, 0)):  # the one written out and the automatic one
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(tf.constant(X), key=key) ** 2)
        gradients.append(tape.gradient(loss, [w.value for w in layer.trainable_weights]))
    for one, other in zip(*gradients, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_dropout_stands_before_the_last_product():
    layer = GatedFeedForward(400, dropout_rate=0.5, use_bias=False)
    layer.build((None, 6))
    layer.contract.kernel.assign(np.ones((400, 6), "float32"))
    one, other = (layer(X, key=new_key(0, step)).numpy() for step in (0, 1))
    assert np.abs(one - other).max() > 1e-3
    np.testing.assert_allclose(one, one[:, :1].repeat(6, 1), rtol=1e-4)  # of all outputs alike
