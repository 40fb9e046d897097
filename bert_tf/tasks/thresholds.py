"""From which probability on a label is given: the thresholds of several labels a row."""

import numpy as np

HALF = 0.5


def is_given(logits, thresholds=None):
    """Which labels rows are given.

    Args:
      logits: float [N, K].
      thresholds: list of K floats, or None for 0.5.
    Returns:
      bool [N, K].
    """
    if thresholds is None:
        return logits >= 0
    return probabilities_of(logits) >= np.asarray(thresholds, np.float32)


def probabilities_of(logits):
    """The sigmoid of logits, float32."""
    return (1 / (1 + np.exp(-np.clip(np.asarray(logits, np.float64), -80, 80)))).astype(np.float32)


def best_thresholds(labels, logits):
    """For each label the threshold with the highest F1 on given rows.

    A threshold lies in the middle between two probabilities that occur. 0.5 stays where no other
    has a higher F1, so for a label that no row bears; of several best ones the nearest to 0.5 is
    taken. Source: Lipton et al. 2014 (arXiv 1402.1892), section 3, for one label; macro F1 is the
    mean over labels, so that each may be tuned by itself.

    Args:
      labels: 0/1 float [N, K].
      logits: float [N, K].
    Returns:
      list of K floats.
    """
    columns = zip(np.asarray(labels).T > 0.5, probabilities_of(logits).T, strict=True)
    return [_best(there, probabilities) for there, probabilities in columns]


def _best(there, probabilities):
    ranks = np.argsort(-probabilities, kind="stable")
    ordered, right = probabilities[ranks], np.cumsum(there[ranks])
    f1 = 2 * right / (np.arange(1, len(ranks) + 1) + max(1, right[-1]))
    given = int((probabilities >= HALF).sum())
    half = f1[given - 1] if given else 0.0
    lower = np.append(ordered[1:], 0.0)
    cuts = (ordered + lower) / 2
    cuts = np.clip(np.round(cuts, 4), 1e-4, 1 - 1e-4)
    sound = (cuts <= ordered) & (cuts > lower)  # rounding may not move it past a probability
    best = max(f1[sound], default=0.0)
    if best <= half:
        return HALF
    at = cuts[sound & (f1 >= best)]
    return float(min(at, key=lambda cut: abs(cut - HALF)))
