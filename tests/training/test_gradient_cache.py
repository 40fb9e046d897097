"""A loss over a whole batch: micro-batches give the plain loss's gradients, under dropout too."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_tf import SentenceEncoder, build_encoder
from bert_tf.training.step import _cached, loss_and_gradients, loss_weights
from tests import oracles, tiny


@pytest.fixture(scope="module")
def batch():
    draws = np.random.default_rng(3)
    ids = draws.integers(5, 40, (7, 2, 6)).astype("int32")
    inputs = {"input_ids": ids, "attention_mask": (ids > 9).astype("int32")}
    inputs["attention_mask"][:, :, 0] = 1
    return {name: tf.constant(x) for name, x in inputs.items()}, {
        "texts": tf.constant(np.arange(14).reshape(7, 2)),
        "score": tf.constant(draws.uniform(0, 5, 7).astype("float32")),
    }


def model_of(objective, dropout):
    rates = dict(hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout)
    model = SentenceEncoder(
        build_encoder(tiny.config(**rates)), objective=objective, matryoshka=[8]
    )
    oracles.randomize(model)
    return model


@pytest.mark.parametrize(
    "objective", ("multiple_negatives", pytest.param("cosent", marks=pytest.mark.slow), "simcse")
)
def test_the_gradients_of_micro_batches_are_those_of_the_batch(batch, objective):
    inputs, labels = batch
    if objective == "simcse":
        inputs = {name: x[:, :1] for name, x in inputs.items()}
        labels = {"texts": labels["texts"][:, :1]}
    model = model_of(objective, 0.0)
    model.compile(keras.optimizers.SGD(0.1), accumulate=3)
    weights = loss_weights(model, labels, None)
    step = (model, model.trainable_variables, weights, False, tf.constant(4), 0)
    rows = (inputs, labels, None)
    want, terms = loss_and_gradients(*step, rows, 0)
    cached = tf.function(lambda rows: _cached(step, rows, 3), autograph=False)
    got, cached_terms = cached(rows)
    np.testing.assert_allclose(
        cached_terms["embedding"], [float(x) for x in terms["embedding"]], rtol=1e-5
    )
    largest = max(np.abs(x).max() for x in want)
    for one, other in zip(got, want, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4 * largest)


def test_both_passes_draw_the_same_masks(batch):
    """With masks the cached gradients are those of one tape over all micro-batches."""
    inputs, labels = batch
    model = model_of("multiple_negatives", 0.3)
    model.compile(keras.optimizers.SGD(0.1), accumulate=3)
    weights = loss_weights(model, labels, None)
    variables = model.trainable_variables
    step = (model, variables, weights, False, tf.constant(4), 0)
    got, _ = _cached(step, (inputs, labels, None), 3)
    with tf.GradientTape() as tape:
        parts = [slice(0, 3), slice(3, 6), slice(6, 7)]
        outputs = [
            model(
                {n: x[rows] for n, x in inputs.items()}, training=True, key=model.step_key(4, 0, i)
            )
            for i, rows in enumerate(parts)
        ]
        total, weight = model.loss_terms(tf.concat(outputs, 0), labels)["embedding"]
        loss = total / weight
    want = tape.gradient(loss, variables)
    largest = max(np.abs(tf.convert_to_tensor(x)).max() for x in want)
    for one, other in zip(got, want, strict=True):
        np.testing.assert_allclose(one, tf.convert_to_tensor(other), atol=1e-4 * largest)


def test_a_step_with_more_micro_batches_than_rows_is_sound(batch):
    inputs, labels = batch
    model = model_of("multiple_negatives", 0.0)
    model.compile(keras.optimizers.SGD(0.1), accumulate=4)
    few = tf.nest.map_structure(lambda x: x[:3], (inputs, labels))
    logs = model.train_step(few)
    assert float(logs["applied"]) == 1 and np.isfinite(float(logs["loss"]))
