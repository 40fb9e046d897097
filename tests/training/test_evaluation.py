"""All answers on a dataset, in its order, and their mean loss."""

import numpy as np
import pytest
import tensorflow as tf

from bert_tf.training.evaluation import collect

from .stand_in import DATA, LABELS, line


def test_logits_labels_and_the_mean_loss_over_uneven_batches():
    model = line(factor=2.0)
    data = tf.data.Dataset.from_tensor_slices(({"x": DATA}, LABELS)).batch(24)
    logits, labels, loss = collect(model, data)
    np.testing.assert_allclose(logits, model({"x": DATA}), rtol=1e-6)
    np.testing.assert_array_equal(labels, LABELS)
    assert loss == pytest.approx(2 * np.mean((logits - LABELS) ** 2), rel=1e-5)


def test_weights_that_change_later_count():
    model = line()
    data = tf.data.Dataset.from_tensor_slices(({"x": DATA}, LABELS)).batch(16)
    before = collect(model, data)[0]
    model.encoder.bias.assign_add([1.0])
    np.testing.assert_allclose(collect(model, data)[0], before + 1, atol=1e-6)
