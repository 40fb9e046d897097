"""Activations and the feed-forward layer against the papers."""

import keras
import numpy as np
import oracles
import pytest

from bert_tf.layers import ACTIVATIONS, ACTIVATIONS_OF_HEADS, FeedForward

# Other names that transformers has for the same functions.
TANH_FORMS = ("gelu_pytorch_tanh", "gelu_python_tanh", "gelu_fast", "gelu_accurate")
ALIASES = {"gelu_python": "gelu", "silu": "swish", **dict.fromkeys(TANH_FORMS, "gelu_new")}
X = np.linspace(-12, 12, 1201).astype("float32")


def test_these_are_the_activations_of_published_berts_and_of_transformers():
    assert set(ACTIVATIONS) == {*oracles.ACTIVATIONS, *ALIASES}
    assert set(ACTIVATIONS_OF_HEADS) == set(ACTIVATIONS)


@pytest.mark.parametrize("name", oracles.ACTIVATIONS)
def test_activation(name):
    want = oracles.ACTIVATIONS[name](X.astype(float))
    np.testing.assert_allclose(ACTIVATIONS_OF_HEADS[name](X), want, atol=2e-6)


def test_gelu_and_gelu_new_are_not_the_same_function():
    exact, tanh = (np.asarray(ACTIVATIONS[name](X)) for name in ("gelu", "gelu_new"))
    assert 1e-4 < abs(exact - tanh).max() < 1e-3


def test_another_name_is_the_same_function():
    assert all(ACTIVATIONS[other] is ACTIVATIONS[name] for other, name in ALIASES.items())


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name not in ALIASES])
def test_feed_forward_is_equation_2(name):
    layer = FeedForward(7, name)
    layer.build((None, 5))
    oracles.randomize(layer)
    x = np.random.default_rng(0).standard_normal((4, 5)).astype("float32")
    want = oracles.feed_forward(layer, x.astype(float), name)
    np.testing.assert_allclose(layer(x), want, atol=3e-6)


def test_low_precision_computes_low_and_stores_high():
    layer = FeedForward(7, dtype="mixed_bfloat16")
    layer.build((None, 5))
    assert layer.expand.kernel.dtype == "float32"
    assert layer(keras.ops.ones((2, 5))).dtype == "bfloat16"
