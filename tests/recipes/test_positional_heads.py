"""Heads that look at neighbours before the first step, and encoders that cannot have them."""

import keras
import numpy as np
import pytest

from bert_tf import (
    AlbertConfig,
    BertConfig,
    MobileBertConfig,
    ModernBertConfig,
    TransformerConfig,
    build_encoder,
)
from bert_tf.errors import ConfigError
from bert_tf.recipes.positional_heads import (
    initialize_positional_heads,
    neighbours,
    positional_kernels,
)

from .corpus import refused

SIZES = dict(vocab_size=90, hidden_size=96, intermediate_size=96, max_position_embeddings=40)


def first_probabilities(encoder, length=40):
    """What the heads of the first block look at; [N, L, L], the mean of 8 rows of words."""
    ids = np.random.default_rng(5).integers(5, 90, (8, length)).astype("int32")
    outputs = encoder({"input_ids": ids}, return_intermediates=True)
    return np.mean(outputs["attentions"][0], axis=0)


@pytest.mark.parametrize("heads", [1, 2, 6])
def test_each_head_of_the_first_block_looks_at_its_own_neighbour(heads):
    keras.utils.set_random_seed(2)
    encoder = build_encoder(BertConfig(num_hidden_layers=2, num_attention_heads=heads, **SIZES))
    before = first_probabilities(encoder)
    initialize_positional_heads(encoder)
    probabilities = first_probabilities(encoder)
    for head, step in enumerate(neighbours(heads)):
        places = range(-20, 21)
        found = [np.diagonal(probabilities[head], place).mean() for place in places]
        assert places[int(np.argmax(found))] == step
        assert max(found) > 3 * before[head].mean()


def test_neighbours_come_in_pairs_from_near_to_far():
    assert neighbours(6) == [-1, 1, -2, 2, -3, 3]


def test_the_score_of_the_place_looked_at_is_the_one_asked_for():
    query, key = positional_kernels(64, 2, score=7.0)
    rates = 10000.0 ** (-np.arange(0, 64, 2) / 64)
    angles = np.arange(20)[:, None] * rates
    # A third of the variance: the mean square of the sines and cosines is a half.
    places = np.stack([np.sin(angles), np.cos(angles)], -1).reshape(20, 64) * np.sqrt(2 / 3)
    for head, step in enumerate((-1, 1)):
        part = slice(32 * head, 32 * head + 32)
        scores = (places @ query[:, part]) @ (places @ key[:, part]).T / np.sqrt(32)
        np.testing.assert_allclose(np.diagonal(scores, step), 7.0, rtol=1e-5)
        assert scores.max() < 7.0001


def test_what_is_changed_keeps_its_size_and_the_rest_is_left_alone():
    encoder = build_encoder(BertConfig(num_hidden_layers=2, num_attention_heads=2, **SIZES))
    before = {weight.path: weight.numpy() for weight in encoder.weights}
    initialize_positional_heads(encoder)
    changed = [x for x in encoder.weights if not np.array_equal(before[x.path], x)]
    kernel, embeddings = encoder.blocks[0].attention.qkv.kernel, encoder.embeddings
    words, table = embeddings.word_embeddings, embeddings.position_embeddings
    assert {id(x) for x in changed} == {id(words), id(table), id(kernel)}
    assert not np.any(words[:, :48])
    np.testing.assert_array_equal(words[:, 48:], before[words.path][:, 48:])
    assert np.std(table) == pytest.approx(np.std(before[table.path]), rel=0.2)
    np.testing.assert_array_equal(kernel[:, 2 * 96 :], before[kernel.path][:, 2 * 96 :])


@pytest.mark.parametrize(
    "kind, sizes, parts",
    [
        (AlbertConfig, {"embedding_size": 32}, ["albert", "a projection between"]),
        (
            TransformerConfig,
            {"position_embedding": "sinusoidal"},
            ["transformer", "no table of positions"],
        ),
        (ModernBertConfig, {}, ["modernbert", "no table of positions"]),
        (MobileBertConfig, {"embedding_size": 32}, ["mobilebert", "values made of another"]),
        (BertConfig, {"num_attention_heads": 96}, ["bert", "heads of width 1, wanted 2"]),
    ],
)
def test_an_encoder_that_cannot_have_them_is_one_line(kind, sizes, parts):
    sizes = {"num_hidden_layers": 1, "num_attention_heads": 2, **SIZES, **sizes}
    encoder = build_encoder(kind(**sizes))
    refused(ConfigError, lambda: initialize_positional_heads(encoder), *parts)
