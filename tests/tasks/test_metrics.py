"""The figures against scikit-learn's own, and where definitions end."""

import json
import types
import warnings

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as reference

from bert_tf.errors import InputError
from bert_tf.tasks.metrics import measure, metric_names

SINGLE, MULTI = "single_label_classification", "multi_label_classification"


def model(problem_type):
    return types.SimpleNamespace(problem_type=problem_type)


def drawn(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_two_classes_equal_scikit_learn_with_class_1_positive():
    labels, logits = (drawn(200) > 0.3).astype(np.int32), drawn((200, 2), 1)
    predicted = logits.argmax(1)
    figures = measure(labels, logits, model(SINGLE))
    assert figures["rows"] == 200
    assert figures["accuracy"] == reference.accuracy_score(labels, predicted)
    assert figures["precision"] == reference.precision_score(labels, predicted)
    assert figures["recall"] == reference.recall_score(labels, predicted)
    assert figures["f1"] == reference.f1_score(labels, predicted)
    assert figures["matthews"] == reference.matthews_corrcoef(labels, predicted)
    assert figures["confusion_matrix"] == reference.confusion_matrix(labels, predicted).tolist()


def test_several_classes_have_averages_and_no_positive_class():
    labels, logits = np.arange(150, dtype=np.int32) % 3, drawn((150, 3))
    figures = measure(labels, logits, model(SINGLE))
    for average in ("macro", "micro"):
        expected = reference.f1_score(labels, logits.argmax(1), average=average)
        assert figures[f"f1_{average}"] == pytest.approx(expected, abs=1e-15)
    assert "f1" not in figures and "f1" not in metric_names(SINGLE, 3)


def test_confusion_matrix_of_many_classes_is_left_out():
    labels = np.arange(3000) % 300
    for classes in (200, 300):
        rows = labels[labels < classes]
        figures = measure(rows, np.eye(classes)[rows], model(SINGLE))
        assert ("confusion_matrix" in figures) == (classes == 200) and figures["accuracy"] == 1


def test_confusion_matrix_keeps_the_place_of_a_class_that_never_occurs():
    figures = measure(np.array([0, 2]), np.array([[1.0, 0, 0], [1, 0, 0]]), model(SINGLE))
    assert figures["confusion_matrix"] == [[1, 0, 0], [0, 0, 0], [1, 0, 0]]


def test_multi_label_decides_at_one_half():
    labels = np.array([[1, 0, 1], [0, 0, 1], [1, 1, 0]], np.float32)
    logits = np.array([[2, -1, 0.0], [0.1, -3, 1], [1, 1, -1]])
    figures = measure(labels, logits, model(MULTI))
    assert figures["accuracy"] == pytest.approx(8 / 9)
    assert figures["exact_match"] == pytest.approx(2 / 3)
    assert figures["precision_micro"] == pytest.approx(5 / 6)
    assert figures["recall_macro"] == pytest.approx(1.0)
    assert figures["confusion_matrix"][0] == [[0, 1], [0, 2]]


def test_multi_label_with_one_label_counts_that_label_only():
    labels, logits = np.array([[1.0], [0], [1]]), np.array([[1.0], [1], [-1]])
    figures = measure(labels, logits, model(MULTI))
    assert figures["precision_macro"] == figures["precision_micro"] == 0.5
    assert figures["recall_micro"] == 0.5


def test_regression_equals_scipy():
    labels, logits = drawn(80), drawn((80, 1), 1)
    figures = measure(labels, logits, model("regression"))
    assert figures["pearson"] == pytest.approx(stats.pearsonr(labels, logits[:, 0])[0], abs=1e-6)
    assert figures["spearman"] == pytest.approx(stats.spearmanr(labels, logits[:, 0])[0], abs=1e-12)
    assert figures["mean_squared_error"] == pytest.approx(np.mean((labels - logits[:, 0]) ** 2))


@pytest.mark.parametrize(
    "problem_type, labels, logits",
    [
        (SINGLE, np.zeros(3, int), np.array([[1.0, 0]] * 3)),
        (SINGLE, np.array([1]), np.array([[1.0, 0]])),
        (MULTI, np.zeros((2, 2)), -np.ones((2, 2))),
        ("regression", np.array([1.0, 2]), np.ones((2, 1))),
        ("regression", np.array([1.0]), np.ones((1, 1))),
    ],
)
def test_undefined_figures_are_zero_and_everything_is_json(problem_type, labels, logits):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures = measure(labels, logits, model(problem_type))
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    for name in metric_names(problem_type, 2):
        assert isinstance(figures[name], float)


def test_an_answer_that_is_no_number_is_refused():
    with pytest.raises(InputError, match="1 of 2 rows is not a finite number"):
        measure(np.array([0, 1]), np.array([[0.0, np.nan], [0, 1]]), model(SINGLE))
