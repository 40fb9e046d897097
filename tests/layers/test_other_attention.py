"""Other kinds of attention are other functions: spikes that keep the shape of blocks open.

A decoder with a cache, and biases by distance, stand here with the very blocks that encoders have;
nothing of theirs is in the package but the fields of Context.
"""

import dataclasses

import numpy as np
import oracles
import pytest
import tensorflow as tf
from keras import ops

from bert_tf.encoders import BertConfig
from bert_tf.layers import (
    Context,
    EncoderBlock,
    FeedForward,
    MultiHeadAttention,
    PreNormBlock,
    attend,
)

ROWS, LENGTH, WIDTH, HEADS = 2, 6, 12, 3
CONFIG = BertConfig(hidden_size=WIDTH, num_attention_heads=HEADS, intermediate_size=20)
X = np.random.default_rng(7).standard_normal((ROWS, LENGTH, WIDTH)).astype("float32")


def causal_mask(first, queries, keys):
    """bool [1, 1, F, T]: the query at position `first` + f attends to keys up to its own."""
    places = first + ops.arange(queries)
    return (ops.arange(keys)[None, :] <= places[:, None])[None, None]


class CachedAttention(MultiHeadAttention):
    """Attention whose context holds the keys and values of earlier positions: a tuple, or ()."""

    def call(self, x, context, key=None):
        """As MultiHeadAttention; beside the output the cache with the new positions."""
        query_BNFH, *new = self.heads(x, context)
        past = context.cache or [part[:, :, :0] for part in new]
        cache = tuple(ops.concatenate(pair, axis=2) for pair in zip(past, new, strict=True))
        attended_BNFH, _ = attend(query_BNFH, *cache, context.mask)
        return self.merge(attended_BNFH), cache


def block_of(kind, attention):
    block = kind(attention(HEADS), FeedForward(20))
    block.build((None, WIDTH))
    return oracles.randomize(block)


@pytest.mark.parametrize("kind", [EncoderBlock, PreNormBlock])
@pytest.mark.parametrize("steps", [(1,) * LENGTH, (3, 1, 2)], ids=["one by one", "prompt first"])
def test_a_causal_block_decodes_with_a_cache_as_without(kind, steps):
    plain, cached = block_of(kind, MultiHeadAttention), block_of(kind, CachedAttention)
    cached.set_weights(plain.get_weights())
    context = Context(ROWS, LENGTH, causal_mask(0, LENGTH, LENGTH))
    want, _ = plain(X.reshape(-1, WIDTH), context=context)
    want = np.reshape(want, X.shape)

    @tf.function(reduce_retracing=True)
    def step(x, cache):
        first, new = ops.shape(cache[0])[2] if cache else 0, ops.shape(x)[1]
        context = Context(ROWS, new, causal_mask(first, new, first + new), cache=cache)
        y, cache = cached(ops.reshape(x, (-1, WIDTH)), context=context)
        return ops.reshape(y, (ROWS, new, WIDTH)), cache

    cache, done = (), 0
    for new in steps:
        y, cache = step(X[:, done : done + new], cache)
        np.testing.assert_allclose(y, want[:, done : done + new], atol=1e-5)
        done += new
    assert [tuple(part.shape) for part in cache] == [(ROWS, HEADS, LENGTH, WIDTH // HEADS)] * 2


def test_a_bias_by_distance_is_the_formula_in_numpy():
    # Press et al. 2022 (ALiBi), section 3; the slopes of three heads at will.
    slopes = np.array([0.5, 0.25, 0.125])
    distance = np.abs(np.arange(LENGTH)[:, None] - np.arange(LENGTH)[None, :])
    bias = (-slopes[:, None, None] * distance)[None].astype("float32")
    mask = np.array([[1, 1, 1, 1, 0, 0], [1] * 6])
    seen = mask[:, None, :, None] == mask[:, None, None, :]
    block = block_of(EncoderBlock, MultiHeadAttention)
    context = Context(ROWS, LENGTH, seen, bias)
    got, probs = block(X.reshape(-1, WIDTH), context=context)
    for row in range(ROWS):
        x = X[row].astype(float)
        parts = np.split(oracles.linear(block.attention, "qkv", x), 3, axis=1)
        heads = [np.split(part, HEADS, axis=1) for part in parts]
        attended = []
        for head, (query, key, value) in enumerate(zip(*heads, strict=True)):
            scores = query @ key.T / np.sqrt(WIDTH // HEADS) + bias[0, head]
            shares = oracles.softmax(np.where(seen[row, 0], scores, -np.inf))
            np.testing.assert_allclose(probs[row, head], shares, atol=1e-6)
            attended.append(shares @ value)
        attended = oracles.linear(block.attention, "projection", np.concatenate(attended, axis=1))
        x = oracles.norm(block, "attention_norm", x + attended, 1e-12)
        fed_forward = oracles.feed_forward(block.feed_forward, x, "gelu")
        x = oracles.norm(block, "feed_forward_norm", x + fed_forward, 1e-12)
        np.testing.assert_allclose(np.reshape(got, X.shape)[row], x, atol=2e-5)
    first, _ = block(X.reshape(-1, WIDTH), context=context.for_first())
    np.testing.assert_allclose(first, np.reshape(got, X.shape)[:, 0], atol=1e-5)


def test_a_learned_bias_has_a_gradient_and_keeps_its_precision():
    table = tf.Variable(np.random.default_rng(0).standard_normal((1, HEADS, LENGTH, LENGTH)) * 50)
    block = EncoderBlock.of(CONFIG, dtype="mixed_bfloat16")
    block.build((None, WIDTH))
    oracles.randomize(block)
    with tf.GradientTape() as tape:
        bias = tf.cast(table, tf.float32)
        context = Context(ROWS, LENGTH, bias=bias)
        y, probs = block(X.reshape(-1, WIDTH), context=context)
        loss = tf.reduce_sum(tf.cast(y, tf.float32)[:, 0])
    assert np.any(tape.gradient(loss, table))
    # In bfloat16 a bias of 50 would be known to a quarter.
    rounded = dataclasses.replace(context, bias=tf.cast(tf.cast(bias, tf.bfloat16), tf.float32))
    assert np.abs(probs - block(X.reshape(-1, WIDTH), context=rounded)[1]).max() > 1e-3
