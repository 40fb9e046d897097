"""The encoder block against section 3.1 of the paper."""

import dataclasses

import numpy as np
import oracles
import pytest

from bert_tf.encoders import BertConfig
from bert_tf.layers import EncoderBlock, new_key

CONFIG = BertConfig(
    hidden_size=12, num_attention_heads=3, intermediate_size=20, layer_norm_eps=1e-3
)
X = np.random.default_rng(3).standard_normal((2, 5, 12)).astype("float32")
MASK = np.random.default_rng(4).random((2, 1, 5, 5)) < 0.7


def block_of(**changes):
    config = dataclasses.replace(CONFIG, **changes)
    block = EncoderBlock.of(config)
    block.build((None, 12))
    return oracles.randomize(block), config


@pytest.mark.parametrize("activation", ["relu", "gelu", "gelu_new", "swish"])
def test_block_is_post_norm(activation):
    block, config = block_of(hidden_act=activation)
    got, probs = block(X.reshape(10, 12), MASK)
    for row in range(2):
        want, want_probs = oracles.block(block, X[row].astype(float), MASK[row, 0], config)
        np.testing.assert_allclose(got[5 * row : 5 * row + 5], want, atol=1e-5)
        np.testing.assert_allclose(probs[row], want_probs, atol=1e-6)


@pytest.mark.parametrize("rate", ["hidden_dropout_prob", "attention_probs_dropout_prob"])
def test_each_dropout_rate_counts_by_itself_and_only_with_a_key(rate):
    rates = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    block, _ = block_of(**rates | {rate: 0.3})
    x = X.reshape(10, 12)
    plain, key = block(x, MASK)[0], new_key(0, 1)
    np.testing.assert_array_equal(block(x, MASK, key=key)[0], block(x, MASK, key=key)[0])
    assert np.abs(block(x, MASK, key=key)[0] - plain).max() > 0.01
    assert np.abs(block(x, MASK, key=new_key(0, 2))[0] - block(x, MASK, key=key)[0]).max() > 0.01
