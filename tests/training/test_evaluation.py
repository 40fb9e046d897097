"""All predictions on a data set, in its order; means of its losses and metrics."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_tf.training.evaluation import collect, evaluate, mean_terms

from .stand_in import DATA, LABELS, Line, line


class Predicting(Line):
    """A Line whose outputs are kept, for a metric that needs all of them at once."""

    def predictions(self, outputs, inputs):
        return outputs

    def final_metrics(self, predictions, labels, rows=None, table=None):
        errors = np.concatenate(predictions) - np.concatenate(labels)
        return {"largest": float(np.max(np.abs(errors)))}


def predicting(**options):
    keras.utils.set_random_seed(11)
    return Predicting(**options)


def data(rows):
    return tf.data.Dataset.from_tensor_slices(({"x": DATA}, LABELS)).batch(rows)


def test_predictions_labels_and_the_mean_loss_over_uneven_batches():
    model = predicting(factor=2.0)
    predictions, labels, loss = collect(model, data(24))
    assert [len(batch) for batch in predictions] == [len(batch) for batch in labels] == [24, 24, 16]
    found = np.concatenate(predictions)
    np.testing.assert_allclose(found, model({"x": DATA}), rtol=1e-6)
    np.testing.assert_array_equal(np.concatenate(labels), LABELS)
    assert loss == pytest.approx(2 * np.mean((found - LABELS) ** 2), rel=1e-5)
    largest = np.max(np.abs(found - LABELS))
    assert evaluate(model, data(24)) == pytest.approx({"loss": loss, "largest": largest})


def test_batches_of_many_shapes_are_one_trace():
    model = predicting()
    for rows in (24, 5):
        evaluate(model, data(rows))
    assert model.evaluated.experimental_get_tracing_count() == 1


def test_a_task_without_final_metrics_is_evaluated_by_its_means():
    model = line()
    errors = np.mean((model({"x": DATA}) - LABELS) ** 2)
    assert evaluate(model, data(24)) == pytest.approx({"loss": errors, "error": errors}, rel=1e-5)


def test_weights_that_change_later_count():
    model = predicting()
    before = collect(model, data(16))[0]
    model.encoder.bias.assign_add([1.0])
    np.testing.assert_allclose(collect(model, data(16))[0], np.add(before, 1), atol=1e-6)


class Half(Line):
    """Two losses, of which the second has a label where the input says so."""

    loss_names = ("one", "other")

    def __init__(self):
        super().__init__()
        self.loss_factors = {"one": 3.0}

    def call(self, inputs, training=False):
        return inputs["x"]

    def loss_terms(self, outputs, labels, sample_weight=None):
        weight = tf.reduce_sum(labels)
        return {"one": (tf.reduce_sum(outputs), 4.0), "other": (2.0 * weight, weight)}


@pytest.mark.parametrize("labels, want", [([1.0, 0.0], 3 * 0.5 + 2), ([0.0, 0.0], 3 * 0.5)])
def test_what_no_row_has_a_label_for_is_absent_and_does_not_spoil_the_loss(labels, want):
    means = mean_terms(Half(), tf.data.Dataset.from_tensors(({"x": [1.0, 1.0]}, labels)))
    assert means["loss"] == pytest.approx(want)
    assert ("other" in means) == any(labels)
