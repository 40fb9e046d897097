"""Pooling, projections, and the head that predicts words."""

import numpy as np
import oracles
import pytest
import tensorflow as tf

from bert_tf.layers import MaskedLMHead, Pooler, ProjectionHead, new_key, pool

NUMBERS = np.random.default_rng(5)
SEQUENCE = NUMBERS.standard_normal((3, 4, 6)).astype("float32") - 2
MASK = np.array([[1, 1, 1, 0], [1, 0, 0, 0], [1, 2, 2, 3]])


def built(layer, width=6):
    layer.build((None, width))
    return oracles.randomize(layer)


def test_pooler_is_dense_and_tanh():
    layer = built(Pooler())
    want = np.tanh(oracles.linear(layer, "dense", SEQUENCE[:, 0].astype(float)))
    np.testing.assert_allclose(layer(SEQUENCE[:, 0]), want, atol=1e-6)


@pytest.mark.parametrize("how", ["mean", "max"])
@pytest.mark.parametrize("filling", [0.0, 900.0, -900.0])
def test_mean_and_max_take_the_real_tokens_and_no_padding(how, filling):
    sequence = np.where(MASK[:, :, None] > 0, SEQUENCE, np.float32(filling))
    got = pool(sequence, MASK, how)
    for row in range(3):
        real = SEQUENCE[row][MASK[row] > 0]
        np.testing.assert_allclose(got[row], getattr(real, how)(axis=0), atol=1e-6)


def test_cls_takes_the_first_token_and_no_mask_means_no_padding():
    np.testing.assert_array_equal(pool(SEQUENCE, MASK, "cls"), SEQUENCE[:, 0])
    np.testing.assert_allclose(pool(SEQUENCE, None, "mean"), SEQUENCE.mean(1), atol=1e-6)
    np.testing.assert_allclose(pool(SEQUENCE, None, "max"), SEQUENCE.max(1), atol=1e-6)


@pytest.mark.parametrize("how", ["mean", "max"])
def test_a_row_of_padding_is_zeros_with_a_finite_gradient(how):
    x = tf.constant(SEQUENCE)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = pool(x, np.zeros((3, 4), "int32"), how)
    assert not y.numpy().any() and np.isfinite(tape.gradient(y, x)).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("how", ["mean", "max"])
def test_long_rows_of_large_numbers_neither_overflow_nor_stall_in_low_precision(how, dtype):
    numbers = NUMBERS.random((2, 511, 3)) * 400 + 100
    low = tf.cast(numbers, dtype)
    got = pool(low, np.ones((2, 511), "int32"), how)
    assert got.dtype == dtype
    want = getattr(tf.cast(low, "float64").numpy(), how)(axis=1)
    np.testing.assert_allclose(tf.cast(got, "float64"), want, rtol=5e-3)


@pytest.mark.parametrize("how", ["cls", "mean", "max"])
def test_no_rows_are_no_vectors(how):
    assert pool(SEQUENCE[:0], MASK[:0], how).shape == (0, 6)


def test_a_name_that_is_no_pooling_is_refused():
    with pytest.raises(ValueError, match="pooling: 'first', wanted one of cls, mean, max"):
        pool(SEQUENCE, MASK, "first")


def test_dense_layers_then_a_projection():
    head = built(ProjectionHead(3, [(5, "relu"), (4, "tanh")], dropout_rate=0.4))
    x = SEQUENCE[:, 0]
    want = np.maximum(oracles.linear(head, "hidden.0", x.astype(float)), 0)
    want = oracles.linear(head, "projection", np.tanh(oracles.linear(head, "hidden.1", want)))
    np.testing.assert_allclose(head(x), want, atol=1e-5)
    key = new_key(0, 0)
    np.testing.assert_array_equal(head(x, key=key), head(x, key=key))
    assert np.abs(head(x, key=key) - want).max() > 0.01


def test_logits_are_float32_under_low_precision():
    head = built(ProjectionHead(3, [(5, "relu")], dtype="mixed_float16"))
    assert head(SEQUENCE[:, 0]).dtype == "float32"
    words = built(MaskedLMHead(6, 9, dtype="mixed_bfloat16"))
    assert words(SEQUENCE[:, 0], NUMBERS.random((9, 6)).astype("float32")).dtype == "float32"


@pytest.mark.parametrize("activation", ["relu", "gelu", "gelu_new", "swish"])
def test_masked_lm_head_is_dense_activation_norm_and_the_tied_table(activation):
    head = built(MaskedLMHead(6, 9, activation, epsilon=1e-3))
    table, x = NUMBERS.standard_normal((9, 6)).astype("float32"), SEQUENCE[:, 0]
    want = oracles.ACTIVATIONS[activation](oracles.linear(head, "dense", x.astype(float)))
    want = oracles.norm(head, "norm", want, 1e-3) @ table.T + oracles.get(head, "output_bias")
    np.testing.assert_allclose(head(x, table), want, atol=1e-5)
