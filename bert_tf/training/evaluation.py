"""A model's answers on a whole dataset, for metrics that need all of them at once."""

import numpy as np
import tensorflow as tf


def collect(model, dataset, jit=False):
    """Runs a task model over labelled batches.

    Args:
      model: a TaskModel whose outputs are one tensor of logits.
      dataset: tf.data.Dataset of (inputs, labels).
      jit: bool, compile with XLA.
    Returns:
      logits float32 [rows, K], labels [rows, ...], and the mean loss, a float.
    """
    forward = forward_function(model, jit)
    logits, labels, terms = [], [], []
    for inputs, expected in dataset:
        outputs = forward(inputs)
        terms.append(model.loss_terms(outputs, expected))
        logits.append(outputs.numpy())
        labels.append(expected.numpy())
    loss = 0.0
    for name in model.loss_names:
        sums, weights = (float(np.sum([float(term[name][i]) for term in terms])) for i in (0, 1))
        loss += model.loss_factors.get(name, 1.0) * sums / weights
    return np.concatenate(logits), np.concatenate(labels), loss


def forward_function(model, jit=False):
    """The model outside training as one graph, kept with the model so that it is traced once."""
    if not hasattr(model, "_forward"):
        model._forward = tf.function(
            lambda inputs: model(inputs, training=False),
            autograph=False,
            jit_compile=jit,
            reduce_retracing=True,
        )
    return model._forward


def mean_terms(model, dataset, jit=False):
    """The losses and streaming metrics of a task model over a whole dataset.

    Args:
      model: a TaskModel.
      dataset: tf.data.Dataset of (inputs, labels).
      jit: bool, compile with XLA.
    Returns:
      dict of floats: `loss`, the total, and each loss and metric by its name; what no row of the
      dataset has a label for is absent.
    """
    if not hasattr(model, "_terms"):
        model._terms = tf.function(
            lambda inputs, labels: model.terms(model(inputs, training=False), labels),
            autograph=False,
            jit_compile=jit,
            reduce_retracing=True,
        )
    batches = [model._terms(inputs, labels) for inputs, labels in dataset]
    means = {}
    for name in batches[0]:
        total, weight = (sum(float(batch[name][place]) for batch in batches) for place in (0, 1))
        if weight:
            means[name] = total / weight
    told = [name for name in model.loss_names if name in means]
    loss = sum(model.loss_factors.get(name, 1.0) * means[name] for name in told)
    return {"loss": loss, **means}
