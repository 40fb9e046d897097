"""Masked LM: every family's head against numpy, two kinds of labels, the (sum, weight) law."""

import keras
import numpy as np
import oracles
import pytest
import tensorflow as tf

from bert_tf import AlbertConfig, BertConfig, ElectraConfig, MaskedLM, build_encoder
from tests import tiny

SIZES = tiny.sizes(layer_norm_eps=1e-6)
CONFIGS = {
    "bert": BertConfig(**SIZES),
    "albert": AlbertConfig(**SIZES, embedding_size=6),
    "electra": ElectraConfig(**SIZES, embedding_size=6),
    "electra of one width": ElectraConfig(**SIZES, embedding_size=8),
}
INPUTS = {
    "input_ids": np.array([[2, 4, 6, 7, 3], [2, 8, 4, 3, 0]], "int32"),
    "attention_mask": np.array([[1, 1, 1, 1, 1], [1, 1, 1, 1, 0]], "int32"),
    "token_type_ids": np.array([[0, 0, 1, 1, 1], [0, 0, 0, 0, 0]], "int32"),
}
POSITIONS = np.array([[1, 3, 2], [2, 0, 0]], "int32")
LABELS = {
    "masked_ids": np.array([[5, 7, 6], [9, 0, 0]], "int32"),
    "masked_weights": np.array([[1, 1, 1], [1, 0, 0]], "float32"),
}
PLAIN = np.array([[-100, 5, 6, 7, -100], [-100, -100, 9, -100, -100]], "int64")
MASKED = INPUTS | {"masked_positions": POSITIONS}


def model_of(config=CONFIGS["albert"], **changes):
    return oracles.randomize(MaskedLM(build_encoder(config, **changes)))


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_logits_are_the_head_over_the_tied_table_in_numpy(config):
    model = model_of(config)
    got, states = model(INPUTS), model.encoder(INPUTS)["sequence_output"]
    assert got.shape == (2, 5, 20) and got.dtype == tf.float32
    for row in range(2):
        want = oracles.masked_lm(model, np.asarray(states[row], np.float64))
        np.testing.assert_allclose(got[row], want, atol=3e-5)


def test_no_pooler_and_no_second_table_are_kept():
    model = model_of()
    assert model.encoder.pooler is None
    assert sum(20 in weight.shape for weight in model.weights) == 2  # the table and the bias


def test_gathered_positions_have_the_logits_of_the_whole_row():
    model = model_of()
    gathered, whole = model(MASKED), model(INPUTS)
    want = np.take_along_axis(whole.numpy(), POSITIONS[:, :, None], axis=1)
    np.testing.assert_allclose(gathered, want, atol=1e-5)


@pytest.mark.parametrize("row_weights", [None, [0.5, 2.0]])
def test_plain_labels_and_gathered_ones_give_the_same_sums_by_hand(row_weights):
    model = model_of()
    factors = row_weights or [1, 1]
    logits = model(MASKED).numpy()
    wanted = [(0, 0, 5), (0, 1, 7), (0, 2, 6), (1, 0, 9)]
    loss = sum(factors[r] * oracles.cross_entropy(logits[r, p], word) for r, p, word in wanted)
    right = sum(factors[r] * (logits[r, p].argmax() == word) for r, p, word in wanted)
    weight = 3 * factors[0] + factors[1]
    rows = None if row_weights is None else np.array(row_weights)
    for outputs, labels in ((logits, LABELS), (model(INPUTS), PLAIN)):
        terms = model.terms(outputs, labels, rows)
        np.testing.assert_allclose(terms["masked_lm"], (loss, weight), rtol=1e-5)
        np.testing.assert_allclose(terms["masked_lm_accuracy"], (right, weight), rtol=1e-6)
        assert float(model.loss_weights(labels, rows)["masked_lm"]) == pytest.approx(weight)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param((MASKED, LABELS), marks=pytest.mark.slow, id="gathered"),  # the contract's
        pytest.param((INPUTS, PLAIN), id="plain"),
    ],
)
def test_steps_take_both_kinds_of_labels_and_learn(data):
    model = model_of()
    model.compile(keras.optimizers.Adam(0.02))
    losses = []
    for _ in range(10):
        model.reset_metrics()
        losses.append(model.train_step(tf.nest.map_structure(tf.constant, data)))
    assert float(losses[-1]["loss"]) < float(losses[0]["loss"])
    assert set(losses[0]) == {"loss", "masked_lm_accuracy", "gradient_norm", "applied"}


def test_a_batch_without_masked_words_has_no_loss_and_no_nan():
    model = model_of()
    model.compile(keras.optimizers.SGD(0.1))
    data = tf.data.Dataset.from_tensors((INPUTS, np.full((2, 5), -100)))
    assert model.fit(data, verbose=0).history["loss"] == [0.0]
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_logits_are_float32_under_low_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    assert model_of()(MASKED).dtype == tf.float32
