"""Words compared with a few drawn ones in training, and with all of them outside of it."""

import keras
import numpy as np
import oracles
import pytest
import tensorflow as tf

from bert_tf import BidirectionalLM, ElmoConfig, InputError, build_encoder
from bert_tf.layers import draw_frequent, log_expected, new_key
from bert_tf.tasks.sampled_words import sampled_word_loss

TINY = ElmoConfig(vocab_size=40, hidden_size=12, num_hidden_layers=1, intermediate_size=8)
INPUTS = {
    "input_ids": np.array([[2, 5, 6, 7, 3], [2, 8, 9, 3, 0]], "int32"),
    "attention_mask": np.array([[1] * 5, [1, 1, 1, 1, 0]], "int32"),
    "masked_positions": np.array([[0, 1, 1, 2], [0, 1, 0, 0]], "int32"),
}
LABELS = {
    "masked_ids": np.array([[5, 2, 6, 5], [8, 2, 0, 0]], "int32"),
    "masked_weights": np.array([[1, 1, 1, 1], [1, 1, 0, 0]], "float32"),
}


def model_of(**options):
    keras.utils.set_random_seed(3)
    return oracles.randomize(BidirectionalLM(build_encoder(TINY), **options))


def test_the_loss_is_tensorflow_s_of_the_same_candidates():
    numbers = np.random.default_rng(0)
    vectors, table = numbers.normal(size=(2, 4, 6)), numbers.normal(size=(40, 6))
    # Some are right; one came twice, but TensorFlow finds a right one only once.
    drawn = np.array([5, 0, 2, 17, 17, 31, 1], "int32")
    vectors, table = (tf.constant(x, tf.float32) for x in (vectors, table))
    rows = np.array([1.0, 2.0])
    total, weight = sampled_word_loss(vectors, table, tf.constant(drawn), LABELS, rows)
    right = LABELS["masked_ids"].reshape(-1, 1)
    expected = [np.exp(log_expected(x, 7, 40)) for x in (right, drawn)]
    losses = tf.nn.sampled_softmax_loss(
        table,
        tf.zeros(40),
        right,
        tf.reshape(vectors, (-1, 6)),
        num_sampled=7,
        num_classes=40,
        sampled_values=(drawn.astype("int64"), *expected),
    )
    weights = LABELS["masked_weights"] * rows[:, None]
    np.testing.assert_allclose(total, np.sum(losses * weights.ravel()), rtol=1e-5)
    assert float(weight) == weights.sum()


def test_words_are_drawn_as_often_as_is_expected_and_by_the_key_alone():
    drawn = np.asarray(draw_frequent(20000, 50, new_key(7, 3)))
    counts = np.bincount(drawn, minlength=50)
    expected = np.exp(log_expected(np.arange(50), 20000, 50))
    assert abs(expected.sum() - 20000) < 1 and len(counts) == 50
    assert (np.abs(counts - expected) < 5 * np.sqrt(expected)).all()
    one, again, other = (np.asarray(draw_frequent(9, 50, new_key(7, x))) for x in (3, 3, 4))
    assert (one == again).all() and (one != other).any()


def test_training_draws_words_and_everything_else_compares_with_all():
    model, whole = model_of(sampled_words=6), model_of()
    np.testing.assert_array_equal(model(INPUTS), whole(INPUTS))
    terms, want = (x.loss_terms(x(INPUTS), LABELS) for x in (model, whole))
    np.testing.assert_array_equal(terms["bidirectional_lm"], want["bidirectional_lm"])
    assert model.metric_names == () and model.metric_terms(model(INPUTS), LABELS) == {}
    model.compile(keras.optimizers.SGD(0.5), seed=3)
    before = [variable.numpy() for variable in model.trainable_variables]
    logs = model.train_step(tf.nest.map_structure(tf.constant, (INPUTS, LABELS)))
    again = model_of(sampled_words=6)
    made = again(INPUTS, training=True, key=model.step_key(0, 0, 0))
    assert made["drawn"].shape == (6,)
    total, weight = again.loss_terms(made, LABELS)["bidirectional_lm"]
    np.testing.assert_allclose(logs["loss"], total / weight, rtol=1e-5)
    for variable, value in zip(model.trainable_variables, before, strict=True):
        assert np.abs(variable.numpy() - value).max() > 0, variable.path


@pytest.mark.parametrize("count", [0, 40, True, "9"])
def test_a_number_of_words_that_cannot_be_drawn_is_one_line(count):
    with pytest.raises(InputError, match="sampled_words: .* wanted a whole number from 1, below"):
        model_of(sampled_words=count)
