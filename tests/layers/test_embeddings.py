"""Three tables, one sum, one norm."""

import numpy as np
import oracles
import pytest

from bert_tf.layers import Embeddings, new_key

IDS = np.array([[4, 1, 9], [0, 9, 9]])
TYPES = np.array([[0, 1, 2], [2, 2, 0]])
POSITIONS = np.array([[0, 1, 0], [5, 5, 3]])


@pytest.fixture
def layer():
    layer = Embeddings(10, 6, 3, 8, dropout_rate=0.5)
    layer.build()
    return oracles.randomize(layer)


def want(layer, types, positions):
    words, places, kinds = (
        oracles.get(layer, f"{name}_embeddings") for name in ("word", "position", "token_type")
    )
    x = (words[IDS] + places[positions] + kinds[types]).reshape(6, 8)
    return oracles.norm(layer, "norm", x, 1e-12)


def test_sum_of_three_tables_normalized(layer):
    np.testing.assert_allclose(
        layer(IDS, TYPES, POSITIONS), want(layer, TYPES, POSITIONS), atol=5e-6
    )


def test_absent_types_are_0_and_absent_positions_count_from_0(layer):
    zeros, counted = np.zeros_like(IDS), np.tile(np.arange(3), (2, 1))
    np.testing.assert_allclose(layer(IDS), want(layer, zeros, counted), atol=5e-6)
    np.testing.assert_array_equal(layer(IDS), layer(IDS, zeros, counted))


def test_without_token_types_there_is_no_table_and_their_ids_are_left_aside():
    layer = Embeddings(10, 6, 0, 8)
    layer.build()
    oracles.randomize(layer)
    assert layer.token_type_embeddings is None and len(layer.weights) == 4
    words, places = (oracles.get(layer, f"{name}_embeddings") for name in ("word", "position"))
    want = oracles.norm(layer, "norm", (words[IDS] + places[:3]).reshape(6, 8), 1e-12)
    np.testing.assert_allclose(layer(IDS), want, atol=5e-6)
    np.testing.assert_array_equal(layer(IDS, TYPES), layer(IDS))


def test_dropout_comes_last(layer):
    plain, dropped = layer(IDS).numpy(), layer(IDS, key=new_key(0, 0)).numpy()
    hit = dropped == 0
    assert 0 < hit.mean() < 1
    np.testing.assert_allclose(dropped[~hit], 2 * plain[~hit], rtol=1e-6)
