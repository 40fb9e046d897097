"""Pretraining: masked words and sentence pairs against numpy, and the (sum, weight) law."""

import json

import keras
import numpy as np
import oracles
import pytest
import tensorflow as tf

from bert_tf import BertConfig, InputError, Pretraining, build_encoder, load_task
from tests import tiny

CONFIG = BertConfig(**tiny.sizes(num_hidden_layers=1, layer_norm_eps=1e-6))
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


@pytest.mark.parametrize("activation", ["relu", "gelu", "gelu_new", "swish"])
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
    return {"masked_lm": (words, words_weight), "sentence": (sentences, sum(row_weights))}


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
    terms = model.metric_terms(outputs, LABELS)
    np.testing.assert_allclose(terms["masked_lm_accuracy"], (3, 4))
    np.testing.assert_allclose(terms["sentence_accuracy"], (1, 2))


@pytest.mark.slow  # the contract takes a step
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


EXTRA = {
    "topic": {"of": "sentence", "num_labels": 4},
    "tags": {"of": "token", "num_labels": 3},
}
MORE_LABELS = LABELS | {
    "topic": np.array([[3], [-1]], "int32"),
    "tags": np.array([[-1, 0, 2, 1, -1], [-1, 1, -1, -1, -1]], "int32"),
}


def labelled(**changes):
    options = {"sentence_objective": "sentence_order_3", "extra_labels": EXTRA}
    return oracles.randomize(Pretraining(build_encoder(CONFIG), **{**options, **changes}))


def test_further_labels_have_a_head_a_loss_and_an_accuracy_each():
    model = labelled()
    outputs = model(MASKED)
    shapes = {name: x.shape for name, x in outputs.items()}
    assert shapes == {
        "masked_lm_logits": (2, 3, 20),
        "sentence_logits": (2, 3),
        "topic_logits": (2, 4),
        "tags_logits": (2, 5, 3),
    }
    terms = model.terms(outputs, MORE_LABELS)
    topic = oracles.cross_entropy(outputs["topic_logits"][0], 3)
    np.testing.assert_allclose(terms["topic"], (topic, 1), rtol=1e-5)
    tags = sum(
        oracles.cross_entropy(outputs["tags_logits"][row, place], tag)
        for row, place, tag in ((0, 1, 0), (0, 2, 2), (0, 3, 1), (1, 1, 1))
    )
    np.testing.assert_allclose(terms["tags"], (tags, 4), rtol=1e-5)
    assert {f"{name}_accuracy" for name in model.loss_names} <= set(terms)
    assert float(terms["tags_accuracy"][1]) == 4
    assert {name: float(x) for name, x in model.loss_weights(MORE_LABELS).items()} == {
        "masked_lm": 4,
        "sentence": 2,
        "topic": 1,
        "tags": 4,
    }
    model.compile(loss_factors={"topic": 0.5, "tags": 0.0})
    shown = model.test_step((MASKED, MORE_LABELS))
    want = float(shown["masked_lm"] + shown["sentence"] + 0.5 * shown["topic"])
    assert float(shown["loss"]) == pytest.approx(want, rel=1e-6)


def test_rows_weigh_further_labels_too():
    model, weights = labelled(), np.array([0.5, 2.0])
    terms = model.loss_terms(model(MASKED), MORE_LABELS, weights)
    assert {name: float(term[1]) for name, term in terms.items()} == {
        "masked_lm": 3.5,
        "sentence": 2.5,
        "topic": 0.5,
        "tags": 3.5,
    }


def test_each_packed_example_has_its_own_label_or_none():
    model = labelled(extra_labels={"topic": EXTRA["topic"]})
    numbers = np.random.default_rng(3)
    outputs = {
        "masked_lm_logits": numbers.standard_normal((2, 3, 20)).astype("float32"),
        "sentence_logits": numbers.standard_normal((2, 2, 3)).astype("float32"),
        "topic_logits": numbers.standard_normal((2, 2, 4)).astype("float32"),
    }
    packed = LABELS | {
        "next_sentence_labels": np.array([[1, 2], [0, -1]], "int32"),
        "topic": np.array([[3, -1], [0, -1]], "int32"),
    }
    terms = model.loss_terms(outputs, packed, np.array([2.0, 1.0]))
    logits = outputs["sentence_logits"]
    want = 2 * oracles.cross_entropy(logits[0, 0], 1) + 2 * oracles.cross_entropy(logits[0, 1], 2)
    want += oracles.cross_entropy(logits[1, 0], 0)
    np.testing.assert_allclose(terms["sentence"], (want, 5), rtol=1e-5)
    topics = outputs["topic_logits"]
    want = 2 * oracles.cross_entropy(topics[0, 0], 3) + oracles.cross_entropy(topics[1, 0], 0)
    np.testing.assert_allclose(terms["topic"], (want, 3), rtol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"extra_labels": None},
        {"sentence_objective": "none", "extra_labels": {"tags": EXTRA["tags"]}},
    ],
)
def test_what_transformers_lacks_is_saved_as_ours_and_comes_back(options, tmp_path):
    model = labelled(**options)
    model.save_pretrained(str(tmp_path))
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["model_type"] == "bert_tf"
    back = load_task(str(tmp_path))
    assert back.sentence_objective == model.sentence_objective
    assert back.extra_labels == model.extra_labels
    for name, logits in model(MASKED).items():
        np.testing.assert_array_equal(back(MASKED)[name], logits)


@pytest.mark.parametrize("objective", ["next_sentence", "sentence_order"])
def test_two_answers_are_saved_as_the_published_class_and_say_which(objective, tmp_path):
    model = labelled(sentence_objective=objective, extra_labels=None)
    model.save_pretrained(str(tmp_path))
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["architectures"] == ["BertForPreTraining"]
    back = load_task(str(tmp_path))
    assert back.sentence_objective == objective and back.data_settings == {}


@pytest.mark.parametrize(
    "options, parts",
    [
        ({"sentence_objective": "next_sentense"}, ["'next_sentense'", "nearest: next_sentence"]),
        ({"sentence_objective": "none"}, ["none", "MaskedLM"]),
        ({"sentence_objective": [["none"]]}, ["[['none']]"]),
        ({"extra_labels": "topic"}, ["'topic'", "wanted a label by its name"]),
        ({"extra_labels": [1]}, ["[1]", "wanted a label by its name"]),
        (
            {"extra_labels": {"topic": {"of": "row", "num_labels": 2}}},
            ["'topic'", "token or cloze"],
        ),
        ({"extra_labels": {"topic": {"of": "token", "num_labels": 1}}}, ["'topic'", "2 or more"]),
        ({"extra_labels": {"sentence": EXTRA["topic"]}}, ["'sentence'", "another loss"]),
    ],
)
def test_what_cannot_be_meant_is_one_line(options, parts):
    with pytest.raises(InputError) as caught:
        Pretraining(build_encoder(CONFIG), **options)
    assert all(part in str(caught.value) for part in parts) and "\n" not in str(caught.value)
