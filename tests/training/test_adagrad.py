"""Adagrad against its definition in numpy, dense and by rows."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_tf.training.adagrad import Adagrad

from . import moves


def expected(weights, every, rate, decay=0.0):
    """Duchi et al. 2011, the diagonal form, float64."""
    weights, squares = weights.astype(np.float64), np.zeros(weights.shape)
    for gradient in every:
        squares = squares + gradient.astype(np.float64) ** 2
        weights = weights * (1 - rate * decay)
        weights = weights - rate * gradient / (np.sqrt(squares) + 1e-12)
    return weights


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_ten_steps_are_those_of_the_definition(decay):
    every = moves.gradients(10)
    weights = moves.Mover(lambda: Adagrad(0.05, decay)).move(every)
    for name, value in moves.start().items():
        own = decay if name == "kernel" else 0.0
        want = expected(value, [one[name] for one in every], 0.05, own)
        np.testing.assert_allclose(weights[name], want, rtol=1e-5, atol=1e-6)


def test_rows_move_as_the_whole_table_would_and_others_stay():
    start = np.random.default_rng(0).standard_normal((6, 3)).astype("float32")
    tables = [keras.Variable(start, name="word_embeddings") for _ in range(2)]
    optimizers = [Adagrad(0.1), Adagrad(0.1)]
    for seed in range(3):
        values = np.random.default_rng(seed).standard_normal((2, 3)).astype("float32") * 1e-6
        rows = tf.IndexedSlices(tf.constant(values), tf.constant([1, 4 - seed]), (6, 3))
        whole = tf.convert_to_tensor(rows)
        for table, optimizer, gradient in zip(tables, optimizers, (rows, whole), strict=True):
            optimizer.apply_scaled([gradient], [table], 0.5)
    np.testing.assert_allclose(tables[0].numpy(), tables[1].numpy(), rtol=1e-6)
    np.testing.assert_array_equal(tables[0].numpy()[[0, 5]], start[[0, 5]])
    # However small the gradients are, the first step is of the rate's size.
    assert 0.05 < np.abs(tables[0].numpy()[4] - start[4]).max() <= 0.1001
