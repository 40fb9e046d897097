"""The blocks against the papers."""

import dataclasses

import numpy as np
import oracles
import pytest

from bert_tf.encoders import BertConfig
from bert_tf.layers import Context, EncoderBlock, PreNormBlock, new_key

CONFIG = BertConfig(
    hidden_size=12, num_attention_heads=3, intermediate_size=20, layer_norm_eps=1e-3
)
X = np.random.default_rng(3).standard_normal((2, 5, 12)).astype("float32")
MASK = np.random.default_rng(4).random((2, 1, 5, 5)) < 0.7
CONTEXT = Context(2, 5, MASK)


def block_of(kind=EncoderBlock, **changes):
    config = dataclasses.replace(CONFIG, **changes)
    block = kind.of(config)
    block.build((None, 12))
    return oracles.randomize(block), config


@pytest.mark.parametrize("activation", ["relu", "gelu", "gelu_new", "swish"])
def test_block_is_post_norm(activation):
    block, config = block_of(hidden_act=activation)
    got, probs = block(X.reshape(10, 12), context=CONTEXT)
    for row in range(2):
        want, want_probs = oracles.block(block, X[row].astype(float), MASK[row, 0], config)
        np.testing.assert_allclose(got[5 * row : 5 * row + 5], want, atol=1e-5)
        np.testing.assert_allclose(probs[row], want_probs, atol=1e-6)


def test_pre_norm_is_table_1():
    block, config = block_of(kind=PreNormBlock)
    got, probs = block(X.reshape(10, 12), context=CONTEXT)
    for row in range(2):
        x = X[row].astype(float)
        read = oracles.norm(block, "attention_norm", x, 1e-3)
        attended, want_probs = oracles.multi_head(block.attention, read, MASK[row, 0], 3)
        x = x + attended
        read = oracles.norm(block, "feed_forward_norm", x, 1e-3)
        x = x + oracles.feed_forward(block.feed_forward, read, config.hidden_act)
        np.testing.assert_allclose(got[5 * row : 5 * row + 5], x, atol=1e-5)
        np.testing.assert_allclose(probs[row], want_probs, atol=1e-6)


@pytest.mark.parametrize("kind", [EncoderBlock, PreNormBlock])
def test_where_the_first_position_alone_goes_on_it_is_the_first_of_all(kind):
    block, _ = block_of(kind=kind)
    x, first = X.reshape(10, 12), CONTEXT.for_first()
    (whole, probs), (one, probs_of_one) = (block(x, context=each) for each in (CONTEXT, first))
    np.testing.assert_allclose(one, np.reshape(whole, (2, 5, 12))[:, 0], atol=1e-6)
    np.testing.assert_allclose(probs_of_one, probs[:, :, :1], atol=1e-6)
    for context, wanted in ((CONTEXT, x), (first, X[:, 0])):
        skipped, none = block.skip(x, context)
        np.testing.assert_array_equal(skipped, wanted)
        assert none.shape == block(x, context=context)[1].shape and not np.any(none)


@pytest.mark.parametrize("rate", ["hidden_dropout_prob", "attention_probs_dropout_prob"])
def test_each_dropout_rate_counts_by_itself_and_only_with_a_key(rate):
    rates = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    block, _ = block_of(**rates | {rate: 0.3})
    x = X.reshape(10, 12)
    plain, *dropped = (
        block(x, context=CONTEXT, key=key)[0]
        for key in (None, new_key(0, 1), new_key(0, 1), new_key(0, 2))
    )
    np.testing.assert_array_equal(dropped[0], dropped[1])
    assert np.abs(dropped[0] - plain).max() > 0.01
    assert np.abs(dropped[2] - dropped[0]).max() > 0.01
