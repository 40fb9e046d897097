"""Buckets of distances, scores by distance, the convolution within an example: their formulas."""

import math

import numpy as np
import oracles
import pytest
import tensorflow as tf

from bert_tf.layers import (
    Context,
    DisentangledAttention,
    RelativePositions,
    RowConvolution,
    make_attention_mask,
)
from bert_tf.layers.disentangled import by_distance, log_bucket_edges

WIDTH, HEADS, LENGTH = 12, 3, 9
numbers = np.random.default_rng(8)


def bucket_of(distance, buckets, furthest):
    """The formula, in whole numbers where logarithms would be of equal powers."""
    half = buckets // 2
    if abs(distance) <= half:
        return distance
    share = math.log(abs(distance) / half) / math.log((furthest - 1) / half) * (half - 1)
    return int(math.copysign(half + math.ceil(share - 1e-9), distance))


@pytest.mark.parametrize(
    ("buckets", "furthest"), [(256, 512), (32, 129), (16, 64), (7, 20), (6, 24), (2, 9), (3, 40)]
)
def test_far_distances_share_buckets_that_grow(buckets, furthest):
    layer = RelativePositions(buckets, WIDTH, furthest)
    distances = np.arange(-furthest + 1, furthest)
    want = [bucket_of(int(each), buckets, furthest) for each in distances]
    got = layer.buckets(tf.constant(distances, tf.int32)).numpy()
    np.testing.assert_array_equal(got, want)
    assert np.all(np.diff(got) >= 0) and np.max(got) < 2 * max(buckets, 2)
    # Beyond, there is no row that is left out, and none that is missing.
    beyond = layer.buckets(tf.constant([furthest, 100 * furthest], tf.int32)).numpy()
    assert beyond[0] <= beyond[1] and log_bucket_edges(buckets, furthest)


def test_scores_by_distance_are_each_at_its_query_and_key():
    scores = numbers.standard_normal((2, 3, 5, 9)).astype("float32")
    got = by_distance(scores).numpy()
    for query in range(5):
        for key in range(5):
            want = scores[:, :, query, 4 - (query - key)]
            np.testing.assert_array_equal(got[:, :, query, key], want)


@pytest.mark.parametrize("kinds", [("c2p",), ("p2c",), ("p2c", "c2p"), ()])
@pytest.mark.parametrize("own", [True, False])
def test_disentangled_attention_is_its_formula(kinds, own):
    layer = DisentangledAttention(HEADS, kinds=kinds, own_projections=own)
    layer.build((None, WIDTH))
    positions = RelativePositions(4, WIDTH, 9)
    positions.build()
    for each in (layer, positions):
        oracles.randomize(each)
    x = numbers.standard_normal((2, LENGTH, WIDTH)).astype("float32")
    groups = np.array([[1] * 6 + [0] * 3, [1] * 4 + [2] * 5], "int32")
    context = Context(2, LENGTH, make_attention_mask(groups))
    context = positions.tell(context, None, tf.constant(groups))
    got, probs = layer(x.reshape(-1, WIDTH), context=context)

    def heads(values):
        return values.reshape(-1, HEADS, WIDTH // HEADS).transpose(1, 0, 2)

    table = oracles.get(positions, "vectors")
    words = np.split(oracles.get(layer, "qkv.kernel"), 3, axis=1)
    biases = np.split(oracles.get(layer, "qkv.bias"), 3)
    of_distance = {}
    for kind, part, name in (("c2p", 1, "position_key"), ("p2c", 0, "position_query")):
        if own and kind in kinds:
            of_distance[kind] = heads(oracles.linear(layer, name, table))
        else:
            of_distance[kind] = heads(table @ words[part] + biases[part])
    places = np.array(
        [[np.clip(bucket_of(q - k, 4, 9) + 4, 0, 7) for k in range(9)] for q in range(9)]
    )
    for row in range(2):
        query, key, value = (
            heads(x[row] @ kernel + bias) for kernel, bias in zip(words, biases, strict=True)
        )
        scores = query @ key.swapaxes(1, 2)
        if "c2p" in kinds:
            scores = scores + np.einsum("nqh,nqkh->nqk", query, of_distance["c2p"][:, places])
        if "p2c" in kinds:
            scores = scores + np.einsum("nkh,nqkh->nqk", key, of_distance["p2c"][:, places])
        seen = groups[row][:, None] == groups[row][None]
        scores = scores / np.sqrt(WIDTH // HEADS * (1 + len(kinds)))
        shares = oracles.softmax(np.where(seen, scores, -np.inf))
        np.testing.assert_allclose(probs[row], shares, atol=1e-5)
        inner = (shares @ value).transpose(1, 0, 2).reshape(LENGTH, WIDTH)
        want = oracles.linear(layer, "projection", inner)
        np.testing.assert_allclose(np.reshape(got, x.shape)[row], want, atol=2e-5)
    first, share = layer(x.reshape(-1, WIDTH), context=context.for_first())
    np.testing.assert_allclose(first, np.reshape(got, x.shape)[:, 0], atol=1e-5)
    np.testing.assert_allclose(share, probs[:, :, :1], atol=1e-6)


def test_no_more_rows_of_the_table_are_read_than_a_row_has_distances():
    for span, furthest in ((256, 512), (40, None)):
        layer = RelativePositions(span, 4, furthest)
        layer.build()
        for length in (1, 5, 40, 300):
            groups = tf.ones((1, length), tf.int32)
            told = layer.tell(Context(1, length), None, groups)
            places = told.positions.places.numpy()
            first, last = told.positions.rows
            rows = last - first
            assert rows <= min(2 * length - 1, 2 * span)
            assert places.min() == 0 and places.max() == rows - 1
            want = tf.gather(told.vectors[first:last], places)
            got = tf.function(
                lambda n, layer=layer: tf.gather(
                    (told := layer.tell(Context(1, n), None, None)).vectors,
                    told.positions.places,
                ),
                input_signature=[tf.TensorSpec((), tf.int32)],
            )(tf.constant(length))
            np.testing.assert_array_equal(got, want)


def test_a_convolution_sees_its_own_example_alone():
    layer = RowConvolution(3)
    layer.build((None, 4))
    oracles.randomize(layer)
    x = numbers.standard_normal((1, 7, 4)).astype("float32")
    groups = np.array([[1, 1, 1, 2, 2, 0, 0]], "int32")
    got = layer(x, tf.constant(groups)).numpy()
    kernel, bias = oracles.get(layer, "kernel"), oracles.get(layer, "bias")
    for place in range(7):
        want = bias.copy()
        for tap, other in enumerate((place - 1, place, place + 1)):
            if 0 <= other < 7 and groups[0, other] == groups[0, place] > 0:
                want += x[0, other] @ kernel[tap]
        np.testing.assert_allclose(got[place], want, atol=1e-5)
