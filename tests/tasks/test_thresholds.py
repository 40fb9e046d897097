"""Thresholds of several labels a row: the best by F1, kept with the model, used in its answers."""

import json

import numpy as np
import pytest
from sklearn.metrics import f1_score

from bert_tf import InputError, SequenceClassifier, load_task
from bert_tf.export import answer_with
from bert_tf.tasks.metrics import measure
from bert_tf.tasks.thresholds import best_thresholds, is_given, probabilities_of
from tests import tiny

MULTI = {"label_names": ("x", "y", "z"), "problem_type": "multi_label_classification"}


def drawn(rows, labels, seed):
    """Labels, and logits that know a little of them."""
    numbers = np.random.default_rng(seed)
    there = (numbers.random((rows, labels)) < np.linspace(0.05, 0.6, labels)).astype(np.float32)
    logits = numbers.normal(size=(rows, labels)) + 2 * there - 2
    return there, (np.round(logits, 1)).astype(np.float32)  # rounded: many are equal


@pytest.mark.parametrize("seed", range(4))
def test_no_other_threshold_has_a_higher_f1(seed):
    labels, logits = drawn(60, 3, seed)
    found, probabilities = best_thresholds(labels, logits), probabilities_of(logits)
    given = is_given(logits, found)
    for column in range(3):
        tried = [0.5, *np.unique(probabilities[:, column])]
        scores = [
            f1_score(labels[:, column], probabilities[:, column] >= at, zero_division=0)
            for at in tried
        ]
        best = f1_score(labels[:, column], given[:, column], zero_division=0)
        assert best == pytest.approx(max(scores))
        assert 0 < found[column] < 1 and (found[column] == 0.5 or scores[0] < best)


def test_a_label_that_no_row_bears_keeps_one_half():
    assert best_thresholds(np.zeros((3, 1)), np.array([[-4.0], [0.0], [4.0]])) == [0.5]
    assert best_thresholds(np.ones((2, 1)), np.array([[-4.0], [-3.0]]))[0] < 0.018
    assert best_thresholds(np.ones((2, 1)), np.array([[-99.0], [-99.0]])) == [0.5]


def test_figures_are_with_the_thresholds_and_with_one_half():
    labels, logits = drawn(200, 3, 0)
    model = tiny.classifier(**MULTI)
    plain = measure(labels, logits, model)
    assert plain["f1_micro_tuned"] > plain["f1_micro"]
    assert plain["f1_macro_tuned"] > plain["f1_macro"]
    model.settle(plain)
    tuned = measure(labels, logits, model)
    for name in ("f1_micro", "f1_macro"):
        assert tuned[name] == plain[f"{name}_tuned"] and tuned[f"{name}_at_0.5"] == plain[name]
    assert tuned["confusion_matrix"] != plain["confusion_matrix"]
    model.settle({"best_thresholds": [0.1] * 3})  # those it has stay
    assert model.thresholds == plain["best_thresholds"]
    json.dumps(tuned)


def test_they_are_kept_and_decide_what_is_answered(tmp_path):
    tokenizer = tiny.tokenizer(tmp_path / "vocabulary")
    model = tiny.classifier(**MULTI)
    model.head.projection.kernel.assign(model.head.projection.kernel * 0)
    model.head.projection.bias.assign([-1.0, 0.2, 2.0])
    model.thresholds = [0.2, 0.6, 0.8]
    model.save_pretrained(str(tmp_path / "m"), tokenizer)
    assert json.loads((tmp_path / "m" / "config.json").read_text())["architectures"] == [
        "BertForSequenceClassification"
    ]
    back = load_task(tmp_path / "m")
    assert back.thresholds == [0.2, 0.6, 0.8]
    answer = answer_with(back, tokenizer)
    assert answer(["good"])["label"] == ["x|z"]
    assert answer.settings["thresholds"] == [0.2, 0.6, 0.8]


@pytest.mark.parametrize(
    "thresholds, told",
    [
        ([0.5, 0.5], "thresholds: 2 numbers for num_labels: 3"),
        ([0.5, 1.5, 0.5], r"thresholds: \[0.5, 1.5, 0.5\], wanted numbers between 0 and 1"),
        ("half", "thresholds: 'half', wanted numbers between 0 and 1"),
        (True, "thresholds: True, wanted numbers"),
    ],
)
def test_wrong_thresholds_are_refused(thresholds, told):
    encoder = tiny.classifier().encoder
    with pytest.raises(InputError, match=told):
        SequenceClassifier(encoder, 3, None, MULTI["problem_type"], thresholds=thresholds)


def test_one_threshold_is_for_all_labels_and_for_several_labels_alone():
    encoder = tiny.classifier().encoder
    model = SequenceClassifier(encoder, 3, None, MULTI["problem_type"], thresholds=0.3)
    assert model.thresholds == [0.3] * 3
    with pytest.raises(InputError, match="and problem_type is single_label_classification"):
        SequenceClassifier(encoder, 3, thresholds=0.3)
