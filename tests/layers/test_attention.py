"""Attention against eq. 1 of the paper; rows that see nothing; who sees whom."""

import numpy as np
import oracles
import pytest
import tensorflow as tf

from bert_tf.layers import Context, MultiHeadAttention, attend, make_attention_mask, new_key

NUMBERS = np.random.default_rng(1)
QUERY, KEY, VALUE = (NUMBERS.standard_normal((2, 3, n, 4)).astype("float32") for n in (5, 6, 6))
MASK = NUMBERS.random((2, 1, 5, 6)) < 0.6
MASK[1, 0, 2] = False  # a row that sees nothing


@pytest.mark.parametrize("mask", [MASK, MASK[:, :, :1], None], ids=["full", "broadcast", "none"])
def test_attend_is_equation_1(mask):
    context, probs = attend(QUERY, KEY, VALUE, mask)
    seen = np.broadcast_to(True if mask is None else mask, (2, 3, 5, 6))
    for b in range(2):
        for n in range(3):
            parts = [x[b, n].astype(float) for x in (QUERY, KEY, VALUE)]
            want, want_probs = oracles.attention(*parts, seen[b, n])
            np.testing.assert_allclose(context[b, n], want, atol=1e-6)
            np.testing.assert_allclose(probs[b, n], want_probs, atol=1e-6)


@pytest.mark.parametrize("mask", [MASK, None], ids=["masked", "all"])
def test_a_bias_is_added_to_the_scaled_scores(mask):
    bias = NUMBERS.standard_normal((1, 3, 5, 6)).astype("float32")
    context, probs = attend(QUERY, KEY, VALUE, mask, bias)
    seen = np.broadcast_to(True if mask is None else mask, (2, 3, 5, 6))
    scores = QUERY.astype(float) @ KEY.swapaxes(-1, -2) / 2 + bias
    powers = np.exp(scores) * seen
    want = powers / np.maximum(powers.sum(-1, keepdims=True), 1e-30)
    np.testing.assert_allclose(probs, want, atol=1e-6)
    np.testing.assert_allclose(context, want @ VALUE, atol=1e-6)
    low = [tf.cast(x, "float16") for x in (QUERY, KEY, VALUE, bias)]
    _, probs = attend(*low[:3], mask, low[3])
    assert probs.dtype == "float32"
    np.testing.assert_allclose(probs, want, atol=5e-3)


def test_a_row_that_sees_nothing_yields_zeros_and_a_finite_gradient():
    inputs = [tf.constant(x) for x in (QUERY, KEY, VALUE)]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        context, probs = attend(*inputs, MASK)
    assert not context.numpy()[1, :, 2].any() and not probs.numpy()[1, :, 2].any()
    gradients = [x.numpy() for x in tape.gradient(context, inputs)]
    assert all(np.isfinite(x).all() for x in gradients)
    assert not gradients[0][1, :, 2].any()


def test_probabilities_sum_to_one_and_are_exactly_zero_where_hidden():
    _, probs = attend(100 * QUERY, KEY, VALUE, MASK)
    some = np.broadcast_to(MASK.any(-1), (2, 3, 5))
    np.testing.assert_allclose(probs.numpy().sum(-1), some.astype(float), atol=1e-6)
    assert not probs.numpy()[~np.broadcast_to(MASK, probs.shape)].any()


@pytest.mark.parametrize(("dtype", "near"), [("float16", 3e-3), ("bfloat16", 3e-2)])
def test_low_precision_attends_with_a_softmax_in_float32(dtype, near):
    low = [tf.cast(x, dtype) for x in (QUERY, KEY, VALUE)]
    context, probs = attend(*low, MASK)
    assert context.dtype == dtype and probs.dtype == "float32"
    want, _ = attend(QUERY, KEY, VALUE, MASK)
    np.testing.assert_allclose(tf.cast(context, "float32"), want, atol=near)
    np.testing.assert_allclose(probs.numpy().sum(-1)[0], 1, atol=1e-6)


def test_dropout_works_on_the_probabilities_and_they_are_returned_from_before():
    key = new_key(0, 0)
    context, probs = attend(QUERY, KEY, VALUE, MASK, None, 0.5, key)
    again, _ = attend(QUERY, KEY, VALUE, MASK, None, 0.5, key)
    plain, plain_probs = attend(QUERY, KEY, VALUE, MASK, None, 0.5, None)
    np.testing.assert_array_equal(context, again)
    np.testing.assert_array_equal(probs, plain_probs)
    assert np.abs(context - plain).max() > 0.1
    # Of a value that is the same everywhere attention takes the mean: what differs is dropped.
    shares = attend(QUERY, KEY, np.ones_like(VALUE), None, None, 0.5, key)[0].numpy()
    assert shares.std() > 0.1


def test_the_layer_of_many_heads_is_section_3_2_2():
    layer = MultiHeadAttention(3)
    layer.build((None, 12))
    oracles.randomize(layer)
    x = NUMBERS.standard_normal((2, 5, 12)).astype("float32")
    mask = NUMBERS.random((2, 1, 5, 5)) < 0.7
    got, probs = layer(x.reshape(10, 12), context=Context(2, 5, mask))
    for b in range(2):
        want, want_probs = oracles.multi_head(layer, x[b].astype(float), mask[b, 0], 3)
        np.testing.assert_allclose(got[5 * b : 5 * b + 5], want, atol=1e-5)
        np.testing.assert_allclose(probs[b], want_probs, atol=1e-6)


def test_equal_positive_numbers_see_each_other_and_padding_sees_only_padding():
    seen = make_attention_mask(np.array([[1, 1, 2, 0, 0]])).numpy()
    assert seen.shape == (1, 1, 5, 5) and seen.dtype == bool
    want = [[1, 1, 0, 0, 0], [1, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 1], [0, 0, 0, 1, 1]]
    assert seen[0, 0].astype(int).tolist() == want
