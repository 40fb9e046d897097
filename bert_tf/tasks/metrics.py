"""How good answers are: every figure a task knows, from all logits and labels at once.

The figures are scikit-learn's and SciPy's; here stands only which of them a task has.
"""

import numpy as np
from scipy import stats
from sklearn import metrics as sklearn_metrics

from bert_tf.errors import InputError
from bert_tf.tasks.thresholds import best_thresholds, is_given

_OF_CLASSES = ("precision", "recall", "f1")
_AVERAGES = tuple(f"{name}_{average}" for average in ("macro", "micro") for name in _OF_CLASSES)

# problem type -> the figures that can say which of two models is better, the usual one first.
_NAMES = {
    "single_label_classification": ("accuracy", "matthews", *_OF_CLASSES, *_AVERAGES),
    "multi_label_classification": (
        "f1_micro",
        *(name for name in _AVERAGES if name != "f1_micro"),
        "accuracy",
        "exact_match",
    ),
    "regression": ("pearson", "spearman", "mean_squared_error"),
}
_LOWER_IS_BETTER = ("loss", "mean_squared_error")
# A confusion matrix of more classes is left out: of 3,000 it is a file of 100 MB.
MOST_CLASSES = 200


def metric_names(problem_type, num_labels=None):
    """The figures of `measure` that rank models, the default monitor first.

    Args:
      problem_type: str, as in Hugging Face's config.
      num_labels: int; precision, recall and f1 of "the positive class" exist for two classes only.
        None lists them all the same.
    Returns:
      tuple of str.
    """
    two = problem_type != "single_label_classification" or num_labels in (None, 2)
    return tuple(name for name in _NAMES[problem_type] if two or name not in _OF_CLASSES)


def higher_is_better(name):
    """bool, whether a larger value of this metric is a better one."""
    return name not in _LOWER_IS_BETTER


def measure(labels, logits, model):
    """Every figure of a sequence classifier's answers.

    Args:
      labels: int [N] classes, 0/1 float [N, K] multi-label, or float [N] regression.
      logits: float [N, K].
      model: SequenceClassifier, or anything else with `problem_type` and perhaps `thresholds`.
    Returns:
      dict, ready for JSON: `rows` (int), the floats that `metric_names` lists, and of
      classifications `confusion_matrix`: [K][K] counts, a row a true class, left out where K is
      above MOST_CLASSES (multi-label: for each label [2][2], absent and present). Of two classes
      the positive one is number 1. A multi-label `accuracy` is the share of single decisions that
      are right, `exact_match` that of whole rows; of a model with thresholds all
      figures are with them, and `f1_micro_at_0.5` and `f1_macro_at_0.5` without; of one without,
      `best_thresholds` [K] are those that would be best on these rows, and `f1_micro_tuned` and
      `f1_macro_tuned` with them.
      A figure without a definition, such as a precision where nothing was predicted or the
      correlation of a constant, is 0.
    Raises:
      InputError: a logit is not finite.
    """
    labels, logits = np.asarray(labels), np.asarray(logits, np.float64)
    odd = ~np.isfinite(logits).all(axis=-1)
    if odd.any():
        raise InputError(
            f"the model's answer for {int(odd.sum())} of {len(logits)} rows is not a finite number"
        )
    figures = {"rows": len(logits)}
    if model.problem_type == "regression":
        return figures | _regression(labels, logits)
    if model.problem_type == "single_label_classification":
        return figures | _single_label(labels, logits)
    thresholds = getattr(model, "thresholds", None)
    figures |= _multi_label(labels, is_given(logits, thresholds))
    others, suffix = None, "at_0.5"
    if thresholds is None:
        others, suffix = best_thresholds(labels, logits), "tuned"
        figures["best_thresholds"] = others
    other = _multi_label(labels, is_given(logits, others))
    figures |= {f"{name}_{suffix}": other[name] for name in ("f1_micro", "f1_macro")}
    return figures


def _single_label(labels, logits):
    classes, predicted = logits.shape[1], logits.argmax(axis=1)
    figures = {
        "accuracy": float(sklearn_metrics.accuracy_score(labels, predicted)),
        "matthews": _matthews(labels, predicted),
    }
    if classes == 2:
        figures |= _averaged(labels, predicted, "", average="macro", labels=[1])
    for average in ("macro", "micro"):
        figures |= _averaged(labels, predicted, f"_{average}", average=average)
    if classes <= MOST_CLASSES:
        counts = sklearn_metrics.confusion_matrix(labels, predicted, labels=range(classes))
        figures["confusion_matrix"] = counts.tolist()
    return figures


def _multi_label(labels, given):
    labels, predicted = np.asarray(labels, int), given.astype(int)
    figures = {
        "accuracy": float(np.mean(labels == predicted)),
        "exact_match": float(np.mean((labels == predicted).all(axis=1))),
    }
    # scikit-learn would read a single column as two classes.
    only = {"labels": [1]} if labels.shape[1] == 1 else {}
    for average in ("macro", "micro"):
        figures |= _averaged(labels, predicted, f"_{average}", average=average, **only)
    counts = [
        sklearn_metrics.confusion_matrix(*column, labels=[0, 1]).tolist()
        for column in zip(labels.T, predicted.T, strict=True)
    ]
    return {**figures, "confusion_matrix": counts}


def _regression(labels, logits):
    labels, scores = np.asarray(labels, np.float64).ravel(), logits.ravel()
    varied = np.ptp(labels) > 0 and np.ptp(scores) > 0
    return {
        "pearson": float(stats.pearsonr(labels, scores).statistic) if varied else 0.0,
        "spearman": float(stats.spearmanr(labels, scores).statistic) if varied else 0.0,
        "mean_squared_error": float(sklearn_metrics.mean_squared_error(labels, scores)),
    }


def _averaged(true, predicted, suffix, **options):
    values = sklearn_metrics.precision_recall_fscore_support(
        true, predicted, zero_division=0, **options
    )
    return {
        f"{name}{suffix}": float(value) for name, value in zip(_OF_CLASSES, values[:3], strict=True)
    }


def _matthews(labels, predicted):
    # One class throughout has no correlation; scikit-learn says 0 too, but warns about it.
    if len(np.union1d(labels, predicted)) < 2:
        return 0.0
    return float(sklearn_metrics.matthews_corrcoef(labels, predicted))
