"""A classifier of a sentence encoder and a few labelled texts: a logistic regression on vectors."""

import numpy as np

from bert_tf.errors import InputError
from bert_tf.tasks.sentence_encoder import SentenceEncoder
from bert_tf.tasks.sequence_classification import SequenceClassifier


def sentence_encoder(model):
    """A SentenceEncoder to be trained on pairs with scores 0 and 1.

    Args:
      model: a SentenceEncoder, or an encoder, whose vectors it means.
    Returns:
      SentenceEncoder over the same layers.
    Raises:
      InputError: a classifier has no such dense layer as this model.
    """
    if not isinstance(model, SentenceEncoder):
        return SentenceEncoder(model, objective="cosine")
    if (model.dense or "?")[-1] == "identity":
        raise InputError(
            "dense: identity, which a classifier does not have: few_shot takes no such model"
        )
    model.objective, model.highest_score = "cosine", 1.0
    return model


def classifier_of(model, vectors, classes, label_names):
    """A SequenceClassifier whose projection is fitted to vectors.

    Args:
      model: SentenceEncoder; the classifier has its very encoder, pooling and dense layer.
      vectors: float [N, D], of the labelled texts, before unit length.
      classes: int [N].
      label_names: list of str.
    Returns:
      SequenceClassifier. Its projection is a logistic regression with a penalty of half the squared
      weights (scikit-learn's, C = 1) on the vectors over their mean length.
    """
    from sklearn.linear_model import LogisticRegression

    layers = [] if model.dense is None else [tuple(model.dense)]
    names = list(label_names)
    problem = "single_label_classification"
    classifier = SequenceClassifier(
        model.encoder, len(names), names, problem, model.pooling, layers
    )
    for layer in classifier.head.hidden:
        layer.kernel.assign(model.head.kernel)
        layer.bias.assign(model.head.bias)
    vectors = np.asarray(vectors, np.float64)
    length = np.linalg.norm(vectors, axis=-1).mean()
    fitted = LogisticRegression(max_iter=1000).fit(vectors / length, classes)
    weights, biases = fitted.coef_.T / length, fitted.intercept_
    if len(names) == 2:  # one score, of the second class
        weights, biases = (np.concatenate([0 * x, x], axis=-1) for x in (weights, biases))
    classifier.head.projection.kernel.assign(weights.astype(np.float32))
    classifier.head.projection.bias.assign(biases.astype(np.float32))
    return classifier
