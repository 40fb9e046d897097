"""Sinusoidal positions against the formula in the paper."""

import numpy as np
import pytest

from bert_tf.layers import Embeddings, sinusoidal


@pytest.mark.parametrize("width", [8, 7])
def test_sines_and_cosines_are_those_of_the_paper(width):
    got = np.asarray(sinusoidal(np.arange(600, dtype="int32"), width))
    assert got.shape == (600, width) and got.dtype == "float32"
    for entry in range(width):
        angles = np.arange(600) / 10000 ** ((entry - entry % 2) / width)
        want = np.cos(angles) if entry % 2 else np.sin(angles)
        np.testing.assert_allclose(got[:, entry], want, atol=1e-4)


def test_ids_may_have_any_shape_and_order():
    table = np.asarray(sinusoidal(np.arange(9), 6))
    ids = np.array([[3, 0, 8], [8, 1, 3]])
    np.testing.assert_allclose(sinusoidal(ids, 6), table[ids], atol=1e-6)


def test_embeddings_with_them_hold_no_table_of_positions():
    layer = Embeddings(11, 5, 2, 6, positions=sinusoidal)
    layer.build()
    assert {weight.shape for weight in layer.weights} == {(11, 6), (2, 6), (6,)}
    assert layer.position_embeddings is None
    ids, turned = np.array([[4, 7, 9]], "int32"), np.array([[2, 1, 0]], "int32")
    np.testing.assert_allclose(
        layer(ids, position_ids=turned)[::-1], layer(ids[:, ::-1]), atol=1e-6
    )
