"""What a classifier takes for what: its confusion matrix, drawn, and a class it is stuck on."""

import os

import numpy as np

from bert_tf.atomic import new_file
from bert_tf.errors import shown_name
from bert_tf.training.lettering import lettering, plain

# More classes than that are points too small to read, without names and numbers.
NAMED, NUMBERED = 60, 25
# The columns of the picture of several labels a row, by their place in each label's matrix.
_DECISIONS = {"right": (1, 1), "missed": (1, 0), "wrong": (0, 1)}


def stuck(figures, label_names):
    """What is told of a model that never gives some answer, one clause, or None.

    Args:
      figures: dict of figures with, perhaps, `confusion_matrix`: [K][K] counts, a row a true class,
        or for each label [2][2], absent and present; or `labels` and `words` of a tagger; or
        `HasAns_f1` and `HasAns_total` where some questions have no answer.
      label_names: list of K str, or None.
    """
    counts = _counts(figures, label_names)
    if counts is None and figures.get("HasAns_total") and not figures["HasAns_f1"]:
        return f"none of the {figures['HasAns_total']} questions that have an answer gets one"
    if counts is None:
        return _stuck_on_words(figures)
    if counts.ndim == 3:
        never = [
            name
            for name, ((_, wrong), (missed, right)) in zip(label_names, counts, strict=True)
            if wrong + right == 0 and missed
        ]
        if not never:
            return None
        listed = ", ".join(map(shown_name, never[:5])) + ", ..." * (len(never) > 5)
        return f"{len(never)} of {len(counts)} labels are never predicted: {listed}"
    predicted, there = np.flatnonzero(counts.sum(axis=0)), np.flatnonzero(counts.sum(axis=1))
    if len(predicted) != 1 or len(there) < 2:
        return None
    (only,) = predicted
    return (
        f"all {counts.sum()} rows are predicted as {shown_name(label_names[only])}, "
        f"and {counts[only].sum()} are"
    )


def _stuck_on_words(figures):
    """The same of a tagger that finds no span, or has one label for every word."""
    labels = figures.get("labels") or {}
    there, found = (
        {name: x[key] for name, x in labels.items() if x[key]} for key in ("support", "predicted")
    )
    if there and not found:
        return f"no span is predicted, and there are {sum(there.values())}"
    words = figures.get("words")
    if len(found) == 1 < len(there) and sum(found.values()) == sum(there.values()) == words:
        (only,) = found
        return (
            f"all {words} words are predicted as {shown_name(only)}, and {there.get(only, 0)} are"
        )
    return None


def draw_confusion(figures, label_names, path, title=""):
    """Draws a confusion matrix, whose colors are shares of each true class.

    Of several labels a row the picture has a line for each label: how often it was rightly given,
    missed, and wrongly given.

    Args:
      figures, label_names: as `stuck`.
      path: str, a .png.
      title: str.
    Returns:
      str, the path; None where there is no matrix, and no picture.
    Raises:
      InputError: it cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    counts = _counts(figures, label_names)
    if counts is None:
        return None
    several = counts.ndim == 3
    columns = list(_DECISIONS) if several else label_names
    shares = counts.sum(axis=-1, keepdims=True)
    if several:
        shares = counts[:, 1].sum(axis=-1, keepdims=True)
        counts = np.stack([counts[:, row, column] for row, column in _DECISIONS.values()], axis=1)
    shares = np.minimum(counts / np.maximum(shares, 1), 1)
    size = max(4.0, min(14.0, 2 + 0.5 * len(counts)))
    with lettering(label_names, os.fspath(path)):
        figure = Figure(figsize=(5 if several else size + 1, size), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        drawn = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        figure.colorbar(drawn, ax=axes, label="share of the rows with the true label")
        axes.set(
            xlabel="decision" if several else "predicted label", ylabel="true label", title=title
        )
        for axis, names in ((axes.xaxis, columns), (axes.yaxis, label_names)):
            if len(names) <= NAMED:
                axis.set_ticks(range(len(names)), [_short(name) for name in names])
        axes.tick_params(axis="x", rotation=0 if several else 90)
        if len(counts) <= NUMBERED:
            for row, column in np.ndindex(*counts.shape):
                color = "white" if shares[row, column] > 0.5 else "black"
                text = f"{counts[row, column]}"
                axes.text(column, row, text, ha="center", va="center", color=color, fontsize=8)
        with new_file(path, "wb") as file:
            figure.savefig(file, dpi=100, format="png")
    return os.fspath(path)


def _counts(figures, label_names):
    """The matrix as int array [K, K] or [K, 2, 2]; None where it is not there for these labels."""
    matrix = figures.get("confusion_matrix")
    if not matrix or label_names is None or len(matrix) != len(label_names):
        return None
    return np.asarray(matrix, int)


def _short(name):
    """A label's name for an axis."""
    return plain(name if len(name) <= 20 else f"{name[:19]}…")
