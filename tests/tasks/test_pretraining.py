"""Pretraining: masked words and sentence pairs against numpy, and the (sum, weight) law."""

import keras
import numpy as np
import oracles
import pytest
import tensorflow as tf

from bert_tf import BertConfig, InputError, Pretraining, build_encoder
from bert_tf.layers import ACTIVATIONS

CONFIG = BertConfig(
    vocab_size=20,
    hidden_size=8,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=12,
    max_position_embeddings=10,
    layer_norm_eps=1e-6,
)
INPUTS = {
    "input_ids": np.array([[2, 4, 6, 7, 3], [2, 8, 4, 3, 0]], "int32"),
    "attention_mask": np.array([[1, 1, 1, 1, 1], [1, 1, 1, 1, 0]], "int32"),
    "token_type_ids": np.array([[0, 0, 1, 1, 1], [0, 0, 0, 0, 0]], "int32"),
}
POSITIONS = np.array([[1, 3, 2], [2, 0, 0]], "int32")
LABELS = {
    "masked_ids": np.array([[5, 7, 6], [9, 0, 0]], "int32"),
    "masked_weights": np.array([[1, 1, 1], [1, 0, 0]], "float32"),
    "next_sentence_labels": np.array([0, 1], "int32"),
}
MASKED = INPUTS | {"masked_positions": POSITIONS}


def model_of(**changes):
    return oracles.randomize(Pretraining(build_encoder(CONFIG, **changes)))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_outputs_are_the_paper_in_numpy(activation):
    model = model_of(hidden_act=activation)
    outputs = model(INPUTS)
    assert {name: x.shape for name, x in outputs.items()} == {
        "masked_lm_logits": (2, 5, 20),
        "sentence_logits": (2, 2),
    }
    for row in range(2):
        want = oracles.bert(
            model.encoder,
            INPUTS["input_ids"][row],
            INPUTS["attention_mask"][row],
            INPUTS["token_type_ids"][row],
        )
        words = oracles.masked_lm(model, want["hidden_states"][-1])
        np.testing.assert_allclose(outputs["masked_lm_logits"][row], words, atol=3e-5)
        sentence = oracles.linear(model, "sentence_head.projection", want["pooled_output"])
        np.testing.assert_allclose(outputs["sentence_logits"][row], sentence, atol=1e-5)


def test_gathered_positions_have_the_logits_of_the_whole_row():
    model = model_of()
    gathered, whole = model(MASKED), model(INPUTS)
    assert gathered["masked_lm_logits"].shape == (2, 3, 20)
    want = np.take_along_axis(whole["masked_lm_logits"].numpy(), POSITIONS[:, :, None], axis=1)
    np.testing.assert_allclose(gathered["masked_lm_logits"], want, atol=1e-5)
    np.testing.assert_array_equal(gathered["sentence_logits"], whole["sentence_logits"])


def by_hand(outputs, row_weights=(1, 1)):
    words = sentences = words_weight = 0.0
    for row, weight in enumerate(row_weights):
        for place in range(3):
            filled = weight * LABELS["masked_weights"][row, place]
            logits = outputs["masked_lm_logits"][row, place]
            words += filled * oracles.cross_entropy(logits, LABELS["masked_ids"][row, place])
            words_weight += filled
        sentences += weight * oracles.cross_entropy(
            outputs["sentence_logits"][row], LABELS["next_sentence_labels"][row]
        )
    return {"masked_lm": (words, words_weight), "next_sentence": (sentences, sum(row_weights))}


@pytest.mark.parametrize("row_weights", [None, [0.5, 2.0]])
def test_losses_are_sums_with_their_weights_and_filling_counts_nothing(row_weights):
    model = model_of()
    outputs = model(MASKED)
    weights = None if row_weights is None else np.array(row_weights)
    terms = model.loss_terms(outputs, LABELS, weights)
    for name, want in by_hand(outputs, row_weights or (1, 1)).items():
        np.testing.assert_allclose(terms[name], want, rtol=1e-5)
        assert float(model.loss_weights(LABELS, weights)[name]) == pytest.approx(want[1])
    other = LABELS | {"masked_ids": np.array([[5, 7, 6], [9, 13, 3]], "int32")}
    np.testing.assert_array_equal(
        model.loss_terms(outputs, other, weights)["masked_lm"][0], terms["masked_lm"][0]
    )


def test_a_batch_without_masked_words_has_no_loss_and_no_nan():
    model = model_of()
    model.compile(keras.optimizers.SGD(0.1))
    labels = LABELS | {"masked_weights": np.zeros((2, 3), "float32")}
    history = model.fit(tf.data.Dataset.from_tensors((MASKED, labels)), verbose=0).history
    assert history["masked_lm"] == [0.0] and np.isfinite(history["loss"]).all()
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_evaluate_weighs_masked_words_not_batches():
    model = model_of()
    model.compile()
    data = tf.data.Dataset.from_tensor_slices((MASKED, LABELS)).batch(1)
    got = model.evaluate(data, verbose=0, return_dict=True)
    means = {name: term[0] / term[1] for name, term in by_hand(model(MASKED)).items()}
    for name, mean in means.items():
        assert got[name] == pytest.approx(mean, rel=1e-5)
    assert got["loss"] == pytest.approx(sum(means.values()), rel=1e-5)


def test_accuracies_count_what_is_weighed():
    model = model_of()
    words = np.zeros((2, 3, 20), "float32")
    for row, place, word in [(0, 0, 5), (0, 1, 7), (0, 2, 1), (1, 0, 9), (1, 1, 4), (1, 2, 4)]:
        words[row, place, word] = 1
    outputs = {
        "masked_lm_logits": words,
        "sentence_logits": np.array([[1, 0], [1, 0]], "float32"),
    }
    terms = model.quality_terms(outputs, LABELS)
    np.testing.assert_allclose(terms["masked_lm_accuracy"], (3, 4))
    np.testing.assert_allclose(terms["next_sentence_accuracy"], (1, 2))


def test_fit_learns_the_batch_and_every_weight_moves():
    model = model_of(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    before = [weight.numpy() for weight in model.weights]
    model.compile(keras.optimizers.Adam(0.02))
    data = tf.data.Dataset.from_tensors((MASKED, LABELS)).repeat(25)
    losses = model.fit(data, epochs=2, verbose=0).history["loss"]
    assert losses[1] < losses[0]
    for weight, old in zip(model.weights, before, strict=True):
        assert (weight.numpy() != old).any(), weight.path


def test_the_output_matrix_is_the_word_embeddings():
    model = model_of()
    assert not any(weight.shape == (8, 20) for weight in model.weights)
    before = model(INPUTS)["masked_lm_logits"].numpy()
    table = model.encoder.embeddings.word_embeddings
    moved = table.numpy()
    moved[19] += 1  # a word that does not occur in the rows
    table.assign(moved)
    changed = (model(INPUTS)["masked_lm_logits"].numpy() != before).any(axis=(0, 1))
    assert changed.tolist() == [False] * 19 + [True]


def test_logits_are_float32_under_low_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    assert {x.dtype for x in model_of()(MASKED).values()} == {tf.float32}


def test_an_encoder_without_pooler_is_refused():
    with pytest.raises(InputError, match="pooler"):
        Pretraining(build_encoder(CONFIG).without_pooler())
