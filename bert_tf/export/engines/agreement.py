"""How far an engine's answers are those of its model, where no labels say how good they are."""

import numpy as np


def agreement(found, wanted, batches):
    """Compares what an engine says of real texts with what its model says.

    Of vectors, and of a single number a row, it is the cosine; else the share of answers, those of
    each row or each token, whose largest logit is at the same place.

    Args:
      found, wanted: lists of dict of float arrays, a batch each, as `TaskModel.outputs_of_ids`.
      batches: list of dict of int64 [B, L], what was asked.
    Returns:
      dict, ready for JSON: `agreement` float, at most 1; `agreement_of`, "cosine" or "answers";
      `rows` int.
    """
    cosine = "sentence_embedding" in wanted[0]
    values = []
    for theirs, ours, batch in zip(found, wanted, batches, strict=True):
        names = ["sentence_embedding"] if cosine else list(ours)
        real = batch["attention_mask"] > 0
        values += [_pairs(theirs[name], ours[name], real) for name in names]
    numbers = not cosine and all(ours.shape[-1] == 1 for _, ours in values)
    if numbers:
        theirs, ours = (np.concatenate(side).reshape(1, -1) for side in zip(*values, strict=True))
        found_alike = _cosines(theirs, ours)
    elif cosine:
        found_alike = np.concatenate([_cosines(*pair) for pair in values])
    else:
        found_alike = np.concatenate([x.argmax(-1) == y.argmax(-1) for x, y in values])
    return {
        "agreement": float(found_alike.mean()),
        "agreement_of": "cosine" if cosine or numbers else "answers",
        "rows": sum(len(batch["attention_mask"]) for batch in batches),
    }


def _pairs(theirs, ours, real):
    """Two arrays [answers, numbers]: an answer is a row, or a token that is none of padding."""
    if ours.ndim == 3:
        return theirs[real], ours[real]
    return theirs, ours


def _cosines(theirs, ours):
    """Of vectors [N, D] with each other, [N]; 1 of two that are nothing."""
    sizes = np.linalg.norm(theirs, axis=-1) * np.linalg.norm(ours, axis=-1)
    nothing = ~(np.abs(theirs).any(axis=-1) | np.abs(ours).any(axis=-1))
    found = (theirs * ours).sum(-1, dtype=np.float64) / np.where(sizes > 0, sizes, 1)
    return np.where(nothing, 1.0, found)
