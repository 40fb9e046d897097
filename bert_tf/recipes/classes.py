"""The classes of a table and of a classifier: how many rows bear each, what is told of them."""

import numpy as np
from absl import logging

from bert_tf.errors import shown_name
from bert_tf.training.confusion import stuck

# The counts of so many labels are told.
MOST_COUNTS = 10


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
    number, counts = len(table.label_names), label_counts(table)
    if counts is None:
        return f", {number} labels"
    told = [f"{shown_name(name)} {count}" for name, count in counts.items()][:MOST_COUNTS]
    return f", {number} labels ({', '.join(told)}{', ...' * (number > MOST_COUNTS)})"
