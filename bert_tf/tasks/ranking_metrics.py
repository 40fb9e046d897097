"""How good a ranking is: the figures of each query's candidates, and their means."""

import numpy as np

from bert_tf.errors import InputError
from bert_tf.tasks.ranking_losses import NO_SCORE

# How many of the first candidates count.
FIRST = 10


def measure(predictions, labels):
    """Every figure of a data set.

    A candidate with a label above 0 is relevant. Queries without a relevant candidate are left out
    of the means and counted.

    Args:
      predictions, labels: lists of float [B, T], a batch each; labels NO_SCORE where a query has
        fewer candidates.
    Returns:
      dict, ready for JSON: `rows`, the queries; `candidates`; `without_relevant`; `ndcg@10`
      (Järvelin & Kekäläinen 2002; gains are the labels, the gains of equal scores are averaged, as
      scikit-learn has it); `mrr@10`, the mean of one over the rank of the first relevant
      candidate, 0 beyond ten; of equal scores the relevant one counts as the last.
    Raises:
      InputError: a score is not finite.
    """
    ndcg, mrr, candidates, queries, odd = [], [], 0, 0, 0
    for scores_of, labels_of in zip(predictions, labels, strict=True):
        scores_of, labels_of = np.asarray(scores_of), np.asarray(labels_of)
        for scores, relevance in zip(scores_of, labels_of[:, : scores_of.shape[1]], strict=True):
            there = relevance > NO_SCORE / 2
            scores, relevance = scores[there].astype(float), np.maximum(relevance[there], 0)
            queries, candidates = queries + 1, candidates + len(scores)
            odd += int((~np.isfinite(scores)).sum())
            if (relevance > 0).any() and not odd:
                ndcg.append(ndcg_of(scores, relevance))
                mrr.append(reciprocal_rank(scores, relevance > 0))
    if odd:
        raise InputError(f"the model's answer for {odd} of {candidates} rows is no finite number")
    return {
        "rows": queries,
        "candidates": candidates,
        "without_relevant": queries - len(ndcg),
        f"ndcg@{FIRST}": float(np.mean(ndcg)) if ndcg else 0.0,
        f"mrr@{FIRST}": float(np.mean(mrr)) if mrr else 0.0,
    }


def ndcg_of(scores, relevance, first=FIRST):
    """nDCG of one query, float: scores [T] and labels [T], 0 or more, one above 0."""
    from sklearn.metrics import ndcg_score

    if len(scores) == 1:  # which scikit-learn refuses
        return 1.0
    return float(ndcg_score([relevance], [scores], k=first))


def reciprocal_rank(scores, relevant, first=FIRST):
    """One over the rank of the first relevant candidate, or 0 if it is beyond `first`."""
    best = scores[relevant].max()
    rank = 1 + int((scores[~relevant] >= best).sum())
    return 1 / rank if rank <= first else 0.0
