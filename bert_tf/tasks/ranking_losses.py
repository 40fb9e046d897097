"""Losses of the scores of a query's candidates: each by itself, in pairs, or all at once.

Scores and labels are float [B, T]; where a query has fewer candidates its labels are NO_SCORE. A
loss is float32 [B], one a query.
"""

from keras import ops

from bert_tf.layers import LOWEST

# The label of a place without a candidate.
NO_SCORE = -1e9


def is_candidate(labels):
    """Where there is a candidate, bool [B, T]."""
    return labels > NO_SCORE / 2


def pointwise(scores, labels):
    """Mean binary cross-entropy of sigmoid(score); a label above 1 counts as 1, below 0 as 0."""
    there = is_candidate(labels)
    scores, labels = ops.where(there, scores, 0.0), ops.clip(labels, 0.0, 1.0)
    return _mean(ops.softplus(scores) - labels * scores, there)


def regression(scores, labels):
    """Mean squared difference of score and label."""
    there = is_candidate(labels)
    return _mean(ops.square(ops.where(there, scores - labels, 0.0)), there)


def pairwise(scores, labels):
    """Mean of log(1 + exp(s_j - s_i)) over the pairs where i has the higher label.

    Source: Burges et al. 2005, "Learning to rank using gradient descent" (RankNet), equation 3 with
    target probability 1.
    """
    scores = ops.where(is_candidate(labels), scores, 0.0)
    differences = scores[:, :, None] - scores[:, None, :]
    shape = ops.shape(differences)
    flat = (shape[0], shape[1] * shape[2])
    return _mean(ops.reshape(ops.softplus(-differences), flat), ops.reshape(_better(labels), flat))


def listwise(scores, labels):
    """Cross-entropy of a softmax over the candidates with the labels' shares of their sum.

    Source: Bruch et al. 2019, "An analysis of the softmax cross entropy loss for learning-to-rank
    with binary relevance", equation 2; labels below 0 count as 0.
    """
    gains = _gains(labels)
    total = ops.maximum(ops.sum(gains, axis=-1, keepdims=True), 1e-9)
    return _cross_entropy(scores, gains / total, labels)


def listnet(scores, labels):
    """Cross-entropy of a softmax over the candidates with a softmax of their labels.

    Source: Cao et al. 2007, "Learning to rank: from pairwise approach to listwise approach",
    section 4.3, top one probabilities.
    """
    target = ops.softmax(ops.where(is_candidate(labels), labels, LOWEST), axis=-1)
    return _cross_entropy(scores, target, labels)


# Name -> (loss, function of labels [B, T] -> bool [B], the queries that it says something of).
RANKINGS = {
    "listwise": (listwise, lambda labels: ops.any(_gains(labels) > 0, axis=-1)),
    "listnet": (listnet, lambda labels: ops.any(is_candidate(labels), axis=-1)),
    "pairwise": (pairwise, lambda labels: ops.any(_better(labels), axis=(1, 2))),
    "pointwise": (pointwise, lambda labels: ops.any(is_candidate(labels), axis=-1)),
    "regression": (regression, lambda labels: ops.any(is_candidate(labels), axis=-1)),
}


def _gains(labels):
    return ops.where(is_candidate(labels), ops.maximum(labels, 0.0), 0.0)


def _better(labels):
    """Whether candidate i has a higher label than j, bool [B, T, T]."""
    there = is_candidate(labels)
    both = ops.logical_and(there[:, :, None], there[:, None, :])
    return ops.logical_and(both, labels[:, :, None] > labels[:, None, :])


def _cross_entropy(scores, target, labels):
    there = is_candidate(labels)
    logs = ops.log_softmax(ops.where(there, scores, LOWEST), axis=-1)
    return -ops.sum(ops.where(there, target * logs, 0.0), axis=-1)


def _mean(values, there):
    count = ops.sum(ops.cast(there, "float32"), axis=-1)
    return ops.sum(ops.where(there, values, 0.0), axis=-1) / ops.maximum(count, 1.0)
