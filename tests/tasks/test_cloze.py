"""A cloze question is answered by the masked-LM head, at the blank, among its candidates alone."""

import json

import keras
import numpy as np
import oracles
import pytest

from bert_tf import BertConfig, InputError, Pretraining, build_encoder, load_task
from tests.tasks.test_pretraining import CONFIG, EXTRA, INPUTS, LABELS, MASKED, MORE_LABELS

CLOZE = {"animal": {"of": "cloze", "num_labels": 3}}
# Candidates of one piece, of two, of one; of three pieces and of one, with no third.
CANDIDATES = np.array(
    [[[5, -1, -1], [6, 7, -1], [9, -1, -1]], [[8, 9, 10], [11, -1, -1], [-1, -1, -1]]], "int32"
)
POSITIONS = np.array([3, 2], "int32")
ASKED = MASKED | {"animal_positions": POSITIONS, "animal_candidates": CANDIDATES}
ANSWERS = LABELS | {"animal": np.array([1, 0], "int32")}


def model_of(**options):
    return oracles.randomize(Pretraining(build_encoder(CONFIG), extra_labels=CLOZE, **options))


def test_a_candidate_scores_the_mean_logit_of_its_pieces_at_the_blank():
    model = model_of()
    scores = model(ASKED)["animal_logits"].numpy()
    words = model(INPUTS)["masked_lm_logits"].numpy()
    assert scores.shape == (2, 3) and scores.dtype == "float32"
    for row in range(2):
        logits = words[row, POSITIONS[row]]
        for place, pieces in enumerate(CANDIDATES[row]):
            if pieces[0] >= 0:
                want = logits[pieces[pieces >= 0]].mean()
                assert scores[row, place] == pytest.approx(want, abs=1e-5)
    assert scores[1, 2] < -1000


def test_a_candidate_that_is_not_there_takes_no_part_in_the_loss():
    model = model_of()
    outputs = model(ASKED)
    terms = model.terms(outputs, ANSWERS)
    scores = outputs["animal_logits"].numpy()
    want = oracles.cross_entropy(scores[0], 1) + oracles.cross_entropy(scores[1, :2], 0)
    np.testing.assert_allclose(terms["animal"], (want, 2), rtol=1e-5)
    right = (scores[0].argmax() == 1) + (scores[1].argmax() == 0)
    np.testing.assert_allclose(terms["animal_accuracy"], (right, 2))


def test_rows_without_a_question_or_an_answer_count_nothing():
    model = model_of()
    model.compile(keras.optimizers.SGD(0.1))
    nothing = {"animal_candidates": np.full_like(CANDIDATES, -1)}
    labels = LABELS | {"animal": np.array([-1, -1], "int32")}
    shown = model.train_step((ASKED | nothing, labels))
    assert float(shown["animal"]) == 0 and float(shown["applied"]) == 1
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
    labels["animal"] = np.array([-1, 1], "int32")
    assert float(model.loss_terms(model(ASKED), labels)["animal"][1]) == 1


def test_packed_rows_are_asked_example_by_example():
    model = model_of()
    packed = INPUTS | {
        "sentence_positions": np.zeros([2, 2], "int32"),
        "animal_positions": np.array([[3, 1], [2, 2]], "int32"),
        "animal_candidates": np.stack([CANDIDATES, CANDIDATES[::-1]], axis=1),
    }
    scores = model(packed)["animal_logits"].numpy()
    assert scores.shape == (2, 2, 3)
    np.testing.assert_allclose(scores[:, 0], model(ASKED)["animal_logits"], rtol=1e-5)
    answers = np.array([[1, 0], [0, -1]], "int32")
    labels = {"animal": answers, "sentence_weights": np.array([[1, 1], [1, 0]], "float32")}
    labels |= {"next_sentence_labels": answers, **LABELS} | {"next_sentence_labels": answers}
    _, weight = model.loss_terms(model(packed | MASKED), labels)["animal"]
    assert float(weight) == 3


def test_a_question_needs_no_weights_and_no_pooler_and_may_stay_unasked():
    plain = Pretraining(build_encoder(CONFIG))
    assert len(model_of().weights) == len(plain.weights)
    alone = Pretraining(build_encoder(CONFIG), "none", CLOZE)
    assert set(alone(ASKED)) == {"masked_lm_logits", "animal_logits"}
    assert set(alone(INPUTS)) == {"masked_lm_logits"}
    # A pooler that nothing reads would have no gradient.
    alone.compile()
    assert float(alone.train_step((ASKED, ANSWERS))["applied"]) == 1


def test_scores_are_float32_under_low_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    assert model_of()(ASKED)["animal_logits"].dtype == "float32"


@pytest.mark.parametrize("objective", ["none", "sentence_order"])
def test_what_was_saved_answers_the_same_and_knows_the_names_of_classes(objective, tmp_path):
    named = EXTRA["topic"] | {"names": ["art", "law", "sport", "war"]}
    labels = {"topic": named, **CLOZE, "tags": EXTRA["tags"]}
    model = Pretraining(build_encoder(CONFIG), objective, labels)
    oracles.randomize(model).save_pretrained(str(tmp_path))
    told = json.loads((tmp_path / "config.json").read_text())["bert_tf"]["extra_labels"]
    assert told == labels
    back = load_task(str(tmp_path))
    assert back.extra_labels == labels
    for name, logits in model(ASKED).items():
        np.testing.assert_array_equal(back(ASKED)[name], logits)
    assert {"topic_logits", "animal_logits", "tags_logits"} <= set(back(ASKED))


def test_a_question_is_learned_beside_classes():
    config = BertConfig.from_dict(
        CONFIG.to_dict()
        | {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "num_hidden_layers": 1}
    )
    model = oracles.randomize(Pretraining(build_encoder(config), extra_labels=CLOZE | EXTRA))
    model.compile(keras.optimizers.Adam(0.02))
    labels = MORE_LABELS | ANSWERS
    first = float(model.train_step((ASKED, labels))["animal"])
    for _ in range(15):
        model.train_step((ASKED, labels))
    loss, weight = model.loss_terms(model(ASKED), labels)["animal"]
    assert float(loss / weight) < 0.5 * first


@pytest.mark.parametrize(
    "label",
    [
        {"of": "cloze", "num_labels": 1},
        {"of": "cloze", "num_labels": 2, "names": ["a", "b"]},
        {"of": "token", "num_labels": 2, "names": ["a"]},
        {"of": "token", "num_labels": 2, "names": ["a", "a"]},
        {"of": "sentence", "num_labels": 2, "names": "ab"},
    ],
)
def test_labels_that_cannot_be_meant_are_one_line(label):
    with pytest.raises(InputError, match="'x' is .*wanted `of`") as caught:
        Pretraining(build_encoder(CONFIG), extra_labels={"x": label})
    assert "\n" not in str(caught.value)
