"""The linear layer and its initializer."""

import keras
import numpy as np
import oracles

from bert_tf import BertConfig, Pretraining, build_encoder
from bert_tf.layers import Linear, truncated_normal


def test_rows_times_kernel_plus_bias():
    layer = Linear(3)
    layer.build((None, 5))
    assert not layer.bias.numpy().any()
    oracles.randomize(layer)
    x = np.random.default_rng(0).standard_normal((4, 5)).astype("float32")
    want = x @ oracles.get(layer, "kernel") + oracles.get(layer, "bias")
    np.testing.assert_allclose(layer(x), want, atol=1e-6)


def test_without_a_bias_there_is_the_product_alone():
    layer = Linear(3, use_bias=False)
    layer.build((None, 5))
    x = np.random.default_rng(0).standard_normal((4, 5)).astype("float32")
    np.testing.assert_allclose(layer(x), x @ oracles.get(layer, "kernel"), atol=1e-6)
    assert layer.bias is None and [weight.shape for weight in layer.weights] == [(5, 3)]


def test_initial_weights_are_a_normal_cut_at_two_deviations():
    values = truncated_normal(0.02)((400, 400)).numpy()
    assert abs(values).max() <= 0.04 and abs(values.mean()) < 1e-4
    # A normal cut at two deviations has 0.8796 of the deviation.
    assert abs(values.std() - 0.02 * 0.8796) < 1e-4


def test_no_two_tensors_of_an_encoder_begin_with_the_same_numbers():
    config = BertConfig(
        vocab_size=40,
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=20,
    )
    model = Pretraining(build_encoder(config))
    drawn = [weight.numpy().ravel()[:8] for weight in model.weights if len(weight.shape) == 2]
    assert len(drawn) == 3 + 2 * 4 + 1 + 2
    for place, one in enumerate(drawn):
        assert not any(np.array_equal(one, other) for other in drawn[:place])


def test_initial_weights_repeat_with_the_random_seed():
    kernels = []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        layer = Linear(4, truncated_normal())
        layer.build((None, 4))
        kernels.append(layer.kernel.numpy())
    np.testing.assert_array_equal(*kernels)
