"""What a task model says of a whole data set: the means of its losses, and its metrics."""

import numpy as np
import tensorflow as tf


def evaluate(model, dataset, table=None):
    """Every figure of a task.

    Args:
      model: a TaskModel.
      dataset: tf.data.Dataset of (inputs, labels), perhaps with the numbers of the rows.
      table: the Table of these rows, for tasks whose figures need more of it than the labels.
    Returns:
      dict, ready for JSON: `loss`; and what the task's `final_metrics` gives or, of a task without
      them, the mean of each loss and streaming metric (see `mean_terms`).
    """
    means, predictions, labels, rows = _run(model, dataset)
    if predictions[0] is None:
        return means
    return {"loss": means["loss"], **model.final_metrics(predictions, labels, rows, table)}


def collect(model, dataset):
    """The predictions and labels of a whole data set, lists of a batch each, and the mean loss."""
    means, predictions, labels, _ = _run(model, dataset)
    return predictions, labels, means["loss"]


def mean_terms(model, dataset):
    """The losses and streaming metrics of a task model over a whole data set.

    Args:
      model: a TaskModel.
      dataset: tf.data.Dataset of (inputs, labels).
    Returns:
      dict of floats: `loss`, the total, and each loss and metric by its name; what no row of the
      data set has a label for is absent.
    """
    return _run(model, dataset)[0]


def _run(model, dataset):
    """The means of the terms, and of each batch its predictions, labels and row numbers."""
    batches, predictions, labels, rows = [], [], [], []
    graph = tf.types.experimental.PolymorphicFunction  # an engine may stand in its place
    if isinstance(model.evaluated, graph) and isinstance(dataset, tf.data.Dataset):
        inputs, expected, *_ = dataset.element_spec
        model.evaluated.get_concrete_function(inputs, expected)  # for batches of any shape
    for inputs, expected, *numbers in dataset:
        terms, found = model.evaluated(inputs, expected)
        rows += map(np.asarray, numbers)
        batches.append(terms)
        predictions.append(None if found is None else _numpy(found))
        labels.append(None if found is None else _numpy(expected))
    means = {}
    for name in batches[0]:
        total, weight = (sum(float(batch[name][place]) for batch in batches) for place in (0, 1))
        if weight:
            means[name] = total / weight
    measured = [name for name in model.loss_names if name in means]
    loss = sum(model.factor(name) * means[name] for name in measured)
    return {"loss": loss, **means}, predictions, labels, rows


def _numpy(values):
    return tf.nest.map_structure(np.asarray, values)


def first_figure(model, figures):
    """The first of a task's figures that rank models, among those that were measured.

    Args:
      model: TaskModel.
      figures: dict, as `evaluate` gives them.
    Returns:
      (str, float), its name and value.
    """
    name = next(name for name in (*model.monitors, "loss") if name in figures)
    return name, figures[name]
