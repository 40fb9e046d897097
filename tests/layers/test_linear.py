"""The linear layer and its initializer."""

import numpy as np
import oracles

from bert_tf.layers import Linear, truncated_normal


def test_rows_times_kernel_plus_bias():
    layer = Linear(3)
    layer.build((None, 5))
    assert not layer.bias.numpy().any()
    oracles.randomize(layer)
    x = np.random.default_rng(0).standard_normal((4, 5)).astype("float32")
    want = x @ oracles.get(layer, "kernel") + oracles.get(layer, "bias")
    np.testing.assert_allclose(layer(x), want, atol=1e-6)


def test_initial_weights_are_a_normal_cut_at_two_deviations():
    values = truncated_normal(0.02)((400, 400)).numpy()
    assert abs(values).max() <= 0.04 and abs(values.mean()) < 1e-4
    # A normal cut at two deviations has 0.8796 of the deviation.
    assert abs(values.std() - 0.02 * 0.8796) < 1e-4
