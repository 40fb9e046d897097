"""How good sentence vectors are: rated pairs, finding partners, neighbours of one category."""

import numpy as np

from bert_tf.errors import InputError

# Anchors that are compared with all texts at once.
_BLOCK = 1024


def measure(predictions, labels, sizes=()):
    """Every figure of a data set.

    Args:
      predictions: list of float [B, T, D], a batch each.
      labels: list of dict, the labels of SentenceEncoder.
      sizes: ints; for each the figures of the first so many numbers, too.
    Returns:
      dict, ready for JSON.
    Raises:
      InputError: a vector is not finite.
    """
    vectors, texts = _joined(predictions), _joined([x["texts"] for x in labels], -1)
    odd = int((~np.isfinite(vectors).all(axis=(1, 2))).sum())
    if odd:
        raise InputError(
            f"the model's answer for {odd} of {len(vectors)} rows is not a finite number"
        )
    beside = {
        name: np.concatenate([x[name] for x in labels])
        for name in ("score", "category")
        if name in labels[0]
    }
    figures = {"rows": len(vectors), **_figures(vectors, texts, beside)}
    for size in sizes:
        part = _figures(vectors[:, :, :size], texts, beside)
        figures |= {f"{name}_{size}": value for name, value in part.items()}
    return figures


def _figures(vectors, texts, beside):
    """What `embedding_arguments.figures_of` names."""
    vectors, figures = unit_length(vectors), {}
    if "category" in beside:
        figures["nearest_accuracy"] = nearest_accuracy(vectors[:, 0], beside["category"])
    if vectors.shape[1] > 1 and "score" in beside:
        figures |= rated(np.sum(vectors[:, 0] * vectors[:, 1], axis=-1), beside["score"])
    elif vectors.shape[1] > 1:
        figures |= retrieval(vectors, texts)
    return figures


def unit_length(vectors):
    """Vectors [..., D] at length 1, float64; zeros stay zeros."""
    vectors = np.asarray(vectors, np.float64)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def rated(cosines, scores):
    """Spearman's and Pearson's correlation of cosines with people's scores; 0 of a constant."""
    from scipy import stats

    varied = np.ptp(cosines) > 0 and np.ptp(scores) > 0
    return {
        "spearman": float(stats.spearmanr(cosines, scores).statistic) if varied else 0.0,
        "pearson": float(stats.pearsonr(cosines, scores).statistic) if varied else 0.0,
    }


def retrieval(vectors, texts):
    """How well each anchor finds its positives among all texts that are no anchors.

    Equal texts stand there once, and an anchor that stands in several rows is one question with
    several right answers. The anchor itself, where it is among the texts, is left out.

    Args:
      vectors: float [N, T, D] of unit length.
      texts: int [N, T], equal for equal texts, -1 where there is none.
    Returns:
      dict of floats: `mrr@10`, the mean of one over the first right one's rank, 0 beyond ten;
      `ndcg@10` (Järvelin & Kekäläinen 2002, eq. 4, relevance 0 or 1); `recall@k`, the share of
      the right ones among the first k, for k = 1 and 10.
    """
    flat, places = texts[:, 1:].ravel(), np.flatnonzero(texts[:, 1:].ravel() >= 0)
    corpus, first = np.unique(flat[places], return_index=True)
    corpus_vectors = vectors[:, 1:].reshape(-1, vectors.shape[-1])[places[first]]
    anchors, first, question_of = np.unique(texts[:, 0], return_index=True, return_inverse=True)
    right = [set() for _ in anchors]
    for question, place in zip(question_of, np.searchsorted(corpus, texts[:, 1]), strict=True):
        right[question].add(int(place))
    found = []
    for start in range(0, len(anchors), _BLOCK):
        cosines = vectors[first[start : start + _BLOCK], 0] @ corpus_vectors.T
        cosines[anchors[start : start + _BLOCK, None] == corpus[None]] = -np.inf
        ranked = np.argsort(-cosines, axis=1, kind="stable")[:, :10]
        found += [
            [place in right[start + row] for place in places_of]
            for row, places_of in enumerate(ranked)
        ]
    return _ranking(found, [len(x) for x in right])


def _ranking(found, counts):
    """Figures of the first ten of each question, lists of bool, and how many are right at all."""
    mrr, ndcg, recalls = [], [], {1: [], 10: []}
    for hits, count in zip(found, counts, strict=True):
        mrr.append(next((1 / rank for rank, hit in enumerate(hits, 1) if hit), 0.0))
        gains = 1 / np.log2(np.arange(2, 12))
        ndcg.append(gains[: len(hits)][hits].sum() / gains[: min(count, 10)].sum())
        for k, values in recalls.items():
            values.append(sum(hits[:k]) / count)
    figures = {"mrr@10": mrr, "ndcg@10": ndcg}
    figures |= {f"recall@{k}": values for k, values in recalls.items()}
    return {name: float(np.mean(values)) for name, values in figures.items()}


def nearest_accuracy(vectors, categories):
    """How often the nearest other row has a row's category; float, 0 of one row."""
    right = 0
    if len(vectors) < 2:
        return 0.0
    for start in range(0, len(vectors), _BLOCK):
        cosines = vectors[start : start + _BLOCK] @ vectors.T
        rows = np.arange(len(cosines))
        cosines[rows, start + rows] = -np.inf
        nearest = cosines.argmax(axis=1)
        right += int((categories[nearest] == categories[start + rows]).sum())
    return right / len(vectors)


def _joined(batches, fill=0):
    """Batches [B, T, ...] as one array; where a batch has fewer texts a row, `fill`."""
    most = max(batch.shape[1] for batch in batches)
    wide = [
        np.pad(
            batch,
            [(0, 0), (0, most - batch.shape[1]), *[(0, 0)] * (batch.ndim - 2)],
            constant_values=fill,
        )
        for batch in map(np.asarray, batches)
    ]
    return np.concatenate(wide)
