"""All answers on a dataset, in its order, and their mean loss."""

import numpy as np
import pytest
import tensorflow as tf

from bert_tf.training.evaluation import collect, mean_terms

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


class Half:
    """Two losses, of which the second has a label where the input says so."""

    loss_names, loss_factors = ("one", "other"), {"one": 3.0}

    def __call__(self, inputs, training):
        return inputs

    def terms(self, outputs, labels):
        weight = tf.reduce_sum(labels)
        return {"one": (tf.reduce_sum(outputs), 4.0), "other": (2.0 * weight, weight)}


@pytest.mark.parametrize("labels, want", [([1.0, 0.0], 3 * 0.5 + 2), ([0.0, 0.0], 3 * 0.5)])
def test_what_no_row_has_a_label_for_is_absent_and_does_not_spoil_the_loss(labels, want):
    means = mean_terms(Half(), tf.data.Dataset.from_tensors(([1.0, 1.0], labels)))
    assert means["loss"] == pytest.approx(want)
    assert ("other" in means) == any(labels)
