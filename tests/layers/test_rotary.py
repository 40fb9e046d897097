"""Rotary positions and local attention are their formulas, whatever the length and the window."""

import dataclasses

import numpy as np
import oracles
import pytest
import tensorflow as tf

from bert_tf.layers import Context, LocalAttention, RotaryPositions, make_attention_mask
from bert_tf.layers.bands import all_pairs, blocks_of, make_bands, rows_of, with_neighbours
from bert_tf.layers.rotary import rotary_table, rotate

WIDTH, HEADS = 12, 3
numbers = np.random.default_rng(2)


def test_a_pair_is_turned_by_its_place_over_a_power_of_theta():
    x, places = numbers.standard_normal((1, 1, 5, 6)).astype("float32"), np.array([[0, 1, 2, 9, 3]])
    turned = rotate(x, rotary_table(places, 6, 50.0)).numpy()
    for index, place in enumerate(places[0]):
        for pair in range(3):
            angle = place / 50.0 ** (2 * pair / 6)
            one, other = x[0, 0, index, pair], x[0, 0, index, pair + 3]
            want = (one + 1j * other) * np.exp(1j * angle)
            got = turned[0, 0, index, pair] + 1j * turned[0, 0, index, pair + 3]
            assert abs(got - want) < 1e-5


def test_a_score_depends_on_how_far_apart_two_positions_are():
    query, key = numbers.standard_normal((2, 1, 1, 1, 8)).astype("float32")
    scores = [
        float(
            np.sum(
                rotate(query, rotary_table([[3 + shift]], 8, 100.0))
                * rotate(key, rotary_table([[1 + shift]], 8, 100.0))
            )
        )
        for shift in (0, 1, 700)
    ]
    np.testing.assert_allclose(scores, scores[0], atol=1e-4)


def masks(length):
    """Attention masks of one row: whole, padded, packed."""
    yield np.ones((1, length), "int32")
    yield (np.arange(length)[None] < length - length // 3).astype("int32")
    yield 1 + (np.arange(length)[None] >= length // 2).astype("int32")


@pytest.mark.parametrize("window", [0, 1, 2, 5])
def test_bands_hold_each_pair_within_the_window_once(window):
    for length in range(1, 3 * window + 4):
        for groups in masks(length):
            bands = make_bands(groups, window)
            distance = np.abs(np.arange(length)[:, None] - np.arange(length)[None])
            want = (groups[0][:, None] == groups[0][None]) & (distance <= window)
            got = all_pairs(tf.cast(bands.mask, "float32"), bands)[0, 0].numpy()
            np.testing.assert_array_equal(got, want)
            # The rest is what the last block is filled up with: it sees itself alone.
            filling = int(bands.count) * int(bands.size) - length
            alone = np.asarray(bands.mask)[0, 0, -1][int(bands.size) - filling :]
            assert np.asarray(bands.mask).sum() == want.sum() + alone.sum()
            x = numbers.standard_normal((2, 1, length, 3)).astype("float32")
            np.testing.assert_array_equal(rows_of(blocks_of(x, bands), bands), x)


def test_a_block_sees_no_more_than_four_windows():
    for window in (1, 3, 64):
        for length in (1, window, 2 * window, 2 * window + 1, 5 * window + 1, 50 * window + 7):
            bands = make_bands(np.ones((1, length), "int32"), window)
            count, size, seen = *bands.mask.shape[2:4], bands.mask.shape[4]
            assert count * size - length < count and seen <= max(4 * window, size)
            block = np.zeros((1, 1, count, size, 1), "float32")
            assert with_neighbours(block, bands).shape[3] == seen


class Attended:
    """A LocalAttention and what a Context tells it."""

    def __init__(self, window):
        self.layer = LocalAttention(HEADS, window=window)
        self.layer.build((None, WIDTH))
        oracles.randomize(self.layer)
        self.positions = RotaryPositions(WIDTH // HEADS, 7.0, 90.0, window)

    def __call__(self, x, groups, **changes):
        batch, length = tf.shape(x)[0] if x.shape[0] is None else x.shape[0], x.shape[1]
        length = tf.shape(x)[1] if length is None else length
        context = Context(batch, length, make_attention_mask(groups), **changes)
        context = self.positions.tell(context, None, groups)
        return self.layer(tf.reshape(x, (-1, WIDTH)), context=context), context


@pytest.mark.parametrize("window", [1, 3])
def test_local_attention_is_attention_under_a_mask_of_near_pairs(window):
    attended = Attended(window)
    compiled = tf.function(
        lambda x, groups: attended(x, groups)[0],
        input_signature=[
            tf.TensorSpec((None, None, WIDTH)),
            tf.TensorSpec((None, None), tf.int32),
        ],
    )
    for length in (2, 5, 13):
        x = numbers.standard_normal((1, length, WIDTH)).astype("float32")
        for groups in masks(length):
            (got, probs), context = attended(x, tf.constant(groups))
            qkv = oracles.linear(attended.layer, "qkv", x[0].astype(float))
            parts = qkv.reshape(length, 3, HEADS, WIDTH // HEADS).transpose(1, 2, 0, 3)
            query, key = (
                rotate(part[None].astype("float32"), context.positions.local).numpy()[0]
                for part in parts[:2]
            )
            distance = np.abs(np.arange(length)[:, None] - np.arange(length)[None])
            seen = (groups[0][:, None] == groups[0][None]) & (distance <= window)
            scores = query @ key.swapaxes(1, 2) / np.sqrt(WIDTH // HEADS)
            shares = oracles.softmax(np.where(seen, scores, -np.inf))
            np.testing.assert_allclose(probs[0], shares, atol=1e-6)
            inner = (shares @ parts[2]).transpose(1, 0, 2).reshape(length, WIDTH)
            want = oracles.linear(attended.layer, "projection", inner)
            np.testing.assert_allclose(got, want, atol=1e-5)
            for one, other in zip(compiled(x, groups), (got, probs), strict=True):
                np.testing.assert_allclose(one, other, atol=1e-6)
            first = dataclasses.replace(context.for_first(), positions=context.positions)
            alone, share = attended.layer(tf.reshape(x, (-1, WIDTH)), context=first)
            np.testing.assert_allclose(alone, got[:1], atol=1e-6)
            np.testing.assert_allclose(share[:, :, 0], probs[:, :, 0], atol=1e-6)


def test_nobody_asks_for_probabilities_and_none_are_made():
    x, groups = numbers.standard_normal((2, 9, WIDTH)).astype("float32"), tf.ones((2, 9), tf.int32)
    (_, probs), _ = Attended(2)(x, groups, wants_probs=False)
    assert probs is None
