"""Replaced tokens: draws, truth, losses and gradients by hand; the generator kept beside."""

import dataclasses
import json
import shutil

import keras
import numpy as np
import oracles
import pytest
import tensorflow as tf

from bert_tf import (
    BertConfig,
    ElectraConfig,
    ElectraPretraining,
    InputError,
    MaskedLM,
    build_encoder,
    load_encoder,
    load_task,
)
from bert_tf.layers import new_key
from tests import tiny

CONFIG = ElectraConfig(**tiny.sizes(embedding_size=6, layer_norm_eps=1e-6))
SMALL = dataclasses.replace(CONFIG, hidden_size=4, num_attention_heads=1, num_hidden_layers=1)
INPUTS = {
    "input_ids": np.array([[2, 4, 4, 4, 3], [2, 8, 4, 3, 0]], "int32"),
    "attention_mask": np.array([[1, 1, 1, 1, 1], [1, 1, 1, 1, 0]], "int32"),
    "token_type_ids": np.array([[0, 0, 1, 1, 1], [0, 0, 0, 0, 0]], "int32"),
    "masked_positions": np.array([[1, 3, 2], [2, 0, 0]], "int32"),
}
LABELS = {
    "masked_ids": np.array([[5, 7, 6], [9, 0, 0]], "int32"),
    "masked_weights": np.array([[1, 1, 1], [1, 0, 0]], "float32"),
}
PLAIN = {name: INPUTS[name] for name in ("input_ids", "attention_mask", "token_type_ids")}
ORIGINAL = np.array([[2, 5, 6, 7, 3], [2, 8, 9, 3, 0]])


def joint(**changes):
    encoder = build_encoder(CONFIG, **changes)
    generator = MaskedLM(encoder.generator(dataclasses.replace(SMALL, **changes)))
    return oracles.randomize(ElectraPretraining(encoder, generator))


def replaced_ids(outputs):
    """What the discriminator read, by hand."""
    ids = INPUTS["input_ids"].copy()
    for row, place in ((0, 0), (0, 1), (0, 2), (1, 0)):
        ids[row, INPUTS["masked_positions"][row, place]] = outputs["drawn_ids"][row, place]
    return ids


def by_hand(outputs, row_weights=(1, 1)):
    truth = replaced_ids(outputs) != ORIGINAL
    logits = np.asarray(outputs["replaced_token_logits"], np.float64)
    words = replaced = asked = right = found = wrong = 0.0
    for row, weight in enumerate(row_weights):
        for place in range(3):
            filled = weight * LABELS["masked_weights"][row, place]
            word = LABELS["masked_ids"][row, place]
            words += filled * oracles.cross_entropy(outputs["masked_lm_logits"][row, place], word)
        for place in range(5):
            real, logit = weight * INPUTS["attention_mask"][row, place], logits[row, place]
            probability = 1 / (1 + np.exp(-logit if truth[row, place] else logit))
            replaced -= real * np.log(probability)
            right += real * (truth[row, place] == (logit > 0))
            asked += real
            found += real * (truth[row, place] and logit > 0)
            wrong += real * truth[row, place]
    return {
        "masked_lm": (words, 3 * row_weights[0] + row_weights[1]),
        "replaced_token": (replaced, asked),
        "replaced_token_accuracy": (right, asked),
        "replaced_token_recall": (found, wrong),
    }


def test_the_discriminator_is_dense_activation_and_one_logit_in_numpy():
    model = joint()
    states = np.asarray(model.encoder(PLAIN)["sequence_output"], np.float64)
    inner = oracles.ACTIVATIONS["gelu"](oracles.linear(model.head, "hidden.0", states))
    want = oracles.linear(model.head, "projection", inner)[..., 0]
    got = model(PLAIN)
    assert got.shape == (2, 5) and got.dtype == tf.float32
    np.testing.assert_allclose(got, want, atol=2e-5)


def test_masked_words_are_replaced_by_the_generator_s_draws_and_nothing_else_is():
    model = joint()
    outputs = model(INPUTS)
    np.testing.assert_allclose(outputs["masked_lm_logits"], model.generator(INPUTS), atol=1e-6)
    alone = model.without_companions()(PLAIN | {"input_ids": replaced_ids(outputs)})
    np.testing.assert_allclose(outputs["replaced_token_logits"], alone, atol=1e-6)
    np.testing.assert_array_equal(outputs["token_weights"], INPUTS["attention_mask"])


def test_draws_repeat_with_the_key_and_outside_training():
    model = joint(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)

    def drawn(**options):
        return model(INPUTS, **options)["drawn_ids"].numpy()

    np.testing.assert_array_equal(drawn(), drawn())
    one = drawn(training=True, key=new_key(1, 0))
    np.testing.assert_array_equal(one, drawn(training=True, key=new_key(1, 0)))
    others = [drawn(training=True, key=new_key(1, step)) for step in range(1, 6)]
    assert any((one != other).any() for other in others)


def test_draws_follow_the_generator():
    model = joint()
    model.generator.masked_lm_head.output_bias.assign(np.eye(20)[11] * 100)
    outputs = model(INPUTS)
    assert (outputs["drawn_ids"].numpy() == 11).all()
    assert (replaced_ids(outputs)[0] == [2, 11, 11, 11, 3]).all()


@pytest.mark.parametrize("row_weights", [None, [0.5, 2.0]])
def test_losses_are_sums_with_their_weights_by_hand(row_weights):
    model = joint()
    # The second word is drawn right: nothing is replaced there.
    model.generator.masked_lm_head.output_bias.assign(np.eye(20)[7] * 100)
    outputs = model(INPUTS)
    assert outputs["drawn_ids"][0, 1] == 7
    rows = None if row_weights is None else np.array(row_weights)
    terms = model.terms(outputs, LABELS, rows)
    want = by_hand(outputs, row_weights or (1, 1))
    for name in want:
        np.testing.assert_allclose(terms[name], want[name], rtol=1e-5, atol=1e-6)
    labels = model.complete_labels(INPUTS, LABELS)
    weights = model.loss_weights(labels, rows)
    assert {name: float(x) for name, x in weights.items()} == pytest.approx(
        {name: want[name][1] for name in model.loss_names}
    )


def test_a_step_descends_the_generator_s_loss_and_fifty_times_the_discriminator_s():
    model = joint()
    model.compile(keras.optimizers.SGD(0.0), seed=5)
    key = model.step_key(0, 0, 0)
    outputs = model(INPUTS, training=True, key=key)
    logs = model.train_step(tf.nest.map_structure(tf.constant, (INPUTS, LABELS)))
    want = by_hand(outputs)
    means = {name: want[name][0] / want[name][1] for name in model.loss_names}
    assert float(logs["loss"]) == pytest.approx(
        means["masked_lm"] + 50 * means["replaced_token"], rel=1e-5
    )


def test_micro_batches_with_other_counts_of_words_and_tokens_make_the_same_step():
    ends = []
    for parts in (1, 2):
        keras.utils.set_random_seed(4)
        model = joint(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
        # Certain draws: each micro-batch draws under a key of its own.
        model.generator.masked_lm_head.output_bias.assign(np.eye(20)[11] * 60)
        model.compile(keras.optimizers.SGD(0.1), accumulate=parts)
        logs = model.train_step(tf.nest.map_structure(tf.constant, (INPUTS, LABELS)))
        ends.append((float(logs["loss"]), model.get_weights()))
    assert ends[0][0] == pytest.approx(ends[1][0], rel=1e-6)
    for one, other in zip(ends[0][1], ends[1][1], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_the_generator_learns_nothing_from_the_discriminator():
    model = joint()
    own = [model.generator.masked_lm_head, *model.generator.encoder.blocks]
    own = [weight for part in own for weight in part.trainable_variables]
    with tf.GradientTape() as tape:
        outputs = model(INPUTS, training=True, key=new_key(0, 0))
        loss = model.loss_terms(outputs, LABELS)["replaced_token"][0]
    assert own and tape.gradient(loss, [weight.value for weight in own]) == [None] * len(own)


def test_steps_move_every_weight_and_the_discriminator_learns():
    model = joint(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    # Almost certain draws: what is to be told apart stays the same.
    model.generator.masked_lm_head.output_bias.assign(np.eye(20)[11] * 20)
    before = [weight.numpy() for weight in model.weights]
    model.compile(keras.optimizers.Adam(0.02))
    losses = []
    for _ in range(6):
        model.reset_metrics()
        logs = model.train_step(tf.nest.map_structure(tf.constant, (INPUTS, LABELS)))
        losses.append(float(logs["replaced_token"]))
    assert losses[-1] < 0.8 * losses[0]
    for weight, old in zip(model.weights, before, strict=True):
        assert (weight.numpy() != old).any(), weight.path


def test_tables_are_there_once():
    model = joint()
    assert sum(weight.shape == (20, 6) for weight in model.weights) == 1


def test_alone_the_discriminator_takes_labels_of_tokens_and_ignores_below_zero():
    model = joint().without_companions()
    labels = np.array([[0, 1, 0, 1, 0], [0, 0, 1, -100, -100]])
    logits = model(PLAIN)
    losses = [
        np.log1p(np.exp(-x if y else x))
        for x, y in zip(np.asarray(logits, np.float64).ravel(), labels.ravel(), strict=True)
        if y >= 0
    ]
    terms = model.loss_terms(logits, labels)
    assert set(terms) == {"replaced_token"}
    np.testing.assert_allclose(terms["replaced_token"], (sum(losses), 8), rtol=1e-5)
    assert float(model.loss_weights(labels)["replaced_token"]) == 8
    model.compile()
    data = tf.data.Dataset.from_tensors((PLAIN, labels))
    found = model.evaluate(data, verbose=0, return_dict=True)
    assert found["loss"] == pytest.approx(sum(losses) / 8, rel=1e-5)  # not fifty times as much


def test_what_cannot_be_trained_together_is_refused():
    encoder = build_encoder(CONFIG)
    with pytest.raises(InputError, match="generator: its embeddings are not the encoder's"):
        ElectraPretraining(encoder, MaskedLM(build_encoder(SMALL)))
    sizes = {name: getattr(CONFIG, name) for name in ("vocab_size", "hidden_size")}
    with pytest.raises(InputError, match="encoder: a bert, whose family has no head"):
        ElectraPretraining(build_encoder(BertConfig(**sizes, num_attention_heads=2)))


def same_weights(first, second):
    pairs = list(zip(first.weights, second.weights, strict=True))
    return all(np.array_equal(a.numpy(), b.numpy()) for a, b in pairs)


def test_both_models_come_back_and_the_discriminator_is_hugging_face_s(tmp_path):
    model = joint()
    model.data_settings = {"text": "line"}
    model.save_pretrained(str(tmp_path))
    read = json.loads((tmp_path / "config.json").read_text())
    assert read["architectures"] == ["ElectraForPreTraining"] and read["model_type"] == "electra"
    read = json.loads((tmp_path / "generator" / "config.json").read_text())
    assert read["architectures"] == ["ElectraForMaskedLM"] and read["hidden_size"] == 4
    back = load_task(tmp_path)
    assert (
        same_weights(model, back)
        and back.generator.encoder.config == model.generator.encoder.config
    )
    assert back.generator.encoder.embeddings is back.encoder.embeddings
    assert back.data_settings == {"text": "line"}
    np.testing.assert_array_equal(
        back(INPUTS)["replaced_token_logits"], model(INPUTS)["replaced_token_logits"]
    )
    np.testing.assert_array_equal(load_task(tmp_path / "generator")(PLAIN), model.generator(PLAIN))
    assert same_weights(load_encoder(tmp_path), model.encoder)


def test_a_generator_of_another_model_is_not_taken_for_this_one_s(tmp_path):
    joint().save_pretrained(str(tmp_path))
    other = joint()
    other.encoder.embeddings.word_embeddings.assign_add(np.ones((20, 6)))
    other.without_companions().save_pretrained(str(tmp_path))
    with pytest.raises(InputError, match="its embeddings are not those of") as caught:
        load_task(tmp_path)
    assert "\n" not in str(caught.value)
    shutil.rmtree(tmp_path / "generator")
    assert load_task(tmp_path).generator is None
