"""The adversarial part of the step, against the same written out with tapes."""

import keras
import numpy as np
import oracles
import pytest
import tensorflow as tf

from bert_tf import BertConfig, Pretraining, build_encoder
from tests import tiny

INPUTS = {
    "input_ids": np.array([[2, 4, 6, 7, 3], [2, 8, 4, 3, 0]], "int32"),
    "attention_mask": np.array([[1, 1, 1, 1, 1], [1, 1, 1, 1, 0]], "int32"),
    "masked_positions": np.array([[1, 3], [2, 0]], "int32"),
}
LABELS = {
    "masked_ids": np.array([[5, 7], [9, 0]], "int32"),
    "masked_weights": np.array([[1, 1], [1, 0]], "float32"),
    "next_sentence_labels": np.array([0, 1], "int32"),
}


def model_of(accumulate=1, adversarial=0.7):
    """A model without dropout that descends by exactly its gradient."""
    keras.utils.set_random_seed(4)
    config = BertConfig(
        **tiny.sizes(num_hidden_layers=1, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    )
    model = oracles.randomize(Pretraining(build_encoder(config)))
    model.compile(
        keras.optimizers.SGD(1.0), accumulate=accumulate, clip_norm=None, adversarial=adversarial
    )
    return model


def slopes(model, shift):
    """The loss, and its gradients by the weights and by the shift."""
    with tf.GradientTape() as tape:
        tape.watch(shift)
        outputs = model(INPUTS | {"embedding_shift": shift})
        terms = model.loss_terms(outputs, LABELS)
        loss = tf.add_n([total / weight for total, weight in terms.values()])
    variables = model.trainable_variables
    gradients, slope = tape.gradient(loss, (variables, shift))
    return float(loss), [tf.convert_to_tensor(x).numpy() for x in gradients], slope.numpy()


def test_a_step_descends_the_loss_here_and_where_the_words_were_moved_uphill():
    model = model_of()
    loss, here, slope = slopes(model, tf.zeros([2, 5, 8]))
    lengths = np.sqrt((slope**2).sum(axis=(1, 2), keepdims=True))
    moved, there, _ = slopes(model, tf.constant(0.7 * slope / lengths))
    assert moved > loss + 0.05
    before = [variable.numpy() for variable in model.trainable_variables]
    logs = model.train_step((INPUTS, LABELS))
    assert float(logs["loss"]) == pytest.approx(loss, rel=1e-5)
    for variable, old, one, other in zip(
        model.trainable_variables, before, here, there, strict=True
    ):
        np.testing.assert_allclose(variable.numpy(), old - one - other, atol=2e-5)


def test_it_is_the_same_however_the_batch_is_cut():
    whole, parts = model_of(), model_of(accumulate=2)
    for model in (whole, parts):
        model.train_step((INPUTS, LABELS))
    for one, other in zip(whole.trainable_variables, parts.trainable_variables, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), atol=2e-5)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_it_trains_in_low_precision(policy):
    keras.config.set_dtype_policy(policy)
    model = model_of()
    before = [variable.numpy() for variable in model.trainable_variables]
    logs = model.train_step((INPUTS, LABELS))
    assert float(logs["applied"]) == 1 and np.isfinite(float(logs["gradient_norm"]))
    exact = np.concatenate([(x - y).ravel() for x, y in zip(full(), before, strict=True)])
    ours = [x.numpy() - y for x, y in zip(model.trainable_variables, before, strict=True)]
    np.testing.assert_allclose(np.concatenate([x.ravel() for x in ours]), exact, atol=0.2)


def full():
    """The weights after the step in full precision."""
    keras.config.set_dtype_policy("float32")
    model = model_of()
    model.train_step((INPUTS, LABELS))
    return [variable.numpy() for variable in model.trainable_variables]


def test_nothing_is_moved_where_nothing_is_said():
    plain, moved = model_of(adversarial=None), model_of()
    for model in (plain, moved):
        model.train_step((INPUTS, LABELS))
    table, other = (model.encoder.embeddings.word_embeddings for model in (plain, moved))
    assert np.abs(table.numpy() - other.numpy()).max() > 1e-3
