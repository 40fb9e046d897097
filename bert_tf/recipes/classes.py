"""The classes of a table and of a classifier: how many rows bear each, what is told of them."""

import collections

import numpy as np
from absl import logging

from bert_tf.data.cells import KINDS
from bert_tf.errors import ConfigError, nearest, shown, shown_name
from bert_tf.tags import TagSet
from bert_tf.training.confusion import stuck

# The counts of so many labels are told.
MOST_COUNTS = 10
# Rows whose cells are looked through at once.
_CHUNK = 4096


def label_counts(table):
    """How many rows of a table bear each label, dict of name -> int, the most frequent first; None
    where it has no column of labels."""
    if table.label_names is None or table.label is None:
        return None
    labels = table.labels(np.arange(len(table)))
    classes = len(table.label_names)
    counts = labels.sum(axis=0) if labels.ndim == 2 else np.bincount(labels, minlength=classes)
    ranks = np.argsort(-counts, kind="stable")
    return {table.label_names[place]: int(counts[place]) for place in ranks}


def report_stuck(model, measured):
    """Warns, for each part measured, of a classifier that never gives some answer."""
    for part, figures in measured.items():
        told = stuck(figures, getattr(model, "label_names", None))
        if told is not None:
            logging.warning("%s: %s", part, told)


def report_labels(table):
    """What the line of the rows says of a table's labels, str: how many, and the rows of each."""
    if table.label_names is None:
        return ""
    number, counts, named = len(table.label_names), label_counts(table), "labels"
    if counts is None:
        counts = _counts_in_cells(table)
        tags = TagSet(table.label_names)
        if "spans" in table.kinds.values() and not tags.plain:
            number, named = len(tags.labels), f"kind{'s' * (len(tags.labels) != 1)} of spans"
    told = [f"{shown_name(name)} {count}" for name, count in counts.items()][:MOST_COUNTS]
    if not told:
        return f", {number} {named}"
    return f", {number} {named} ({', '.join(told)}{', ...' * (len(counts) > MOST_COUNTS)})"


def _counts_in_cells(table):
    """How often each name stands in the cells of a table's rows, such as the labels of its spans;
    dict as of `label_counts`, without those that stand nowhere."""
    column = next((x for x, kind in table.kinds.items() if KINDS[kind].names is not None), None)
    if column is None:
        return {}
    of_spans, counts = table.kinds[column] == "spans", collections.Counter()
    rows = np.arange(len(table))
    if hasattr(table, "rows"):  # windows
        rows = np.unique(table.rows, return_index=True)[1]
    for start in range(0, len(rows), _CHUNK):
        for cell in table.cells(rows[start : start + _CHUNK])[column]:
            counts.update(
                cell.labels if of_spans else (table.label_names[x] for x in cell if x >= 0)
            )
    return dict(counts.most_common())


def weigh_classes(model, config, table):
    """Gives a model the weights of its classes that `train.class_weights` asks for.

    Balanced means, of N rows and K classes, N / (K rows of the class) for each row; where a row has
    several labels, rows without a label / rows with it, for the label where it is there.

    Raises:
      ConfigError: the model has no classes, or none of that name.
    """
    given = config.train.class_weights
    if given is None:
        return
    counts = label_counts(table)
    if counts is None or not hasattr(model, "class_weights"):
        kind = f"task {config.task}" if table.problem_type is None else table.problem_type
        raise ConfigError(f"train.class_weights is {given}, and {kind} has no classes to weigh")
    if given == "balanced":
        rows, several = len(table), table.problem_type == "multi_label_classification"
        given = {
            name: (rows - count) / count if several else rows / (len(counts) * count)
            for name, count in counts.items()
            if 0 < count < rows
        }
    for name in given:
        if name not in counts:
            near = nearest(name, counts)
            hint = f"did you mean {near}?" if near else f"there are {', '.join(list(counts)[:10])}"
            raise ConfigError(f"train.class_weights: no label {shown(name)}; {hint}")
    model.class_weights = [given.get(name, 1.0) for name in table.label_names]
    told = [f"{shown_name(name)} {given.get(name, 1.0):.3g}" for name in counts]
    more = ", ..." * (len(counts) > MOST_COUNTS)
    logging.info("class weights: %s%s", ", ".join(told[:MOST_COUNTS]), more)
