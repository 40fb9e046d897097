"""How far an engine's answers are those of its model, where no labels say how good they are."""

import numpy as np

from bert_tf.tasks.thresholds import is_given

# Numbers that spread no more than this, of size 1 and in proportion above, are a constant.
_CONSTANT = 1e-4


def agreement(found, wanted, batches, problem_type=None, thresholds=None, outside=None):
    """Compares what an engine says of real texts with what its model says.

    Of vectors it is the mean cosine. Of numbers, those of regression and a single one a row, it is
    their concordance over the rows (Lin 1989), which is 0 of an engine that says the same of all.
    Else it is the share of answers that are alike: the largest logit of each row or token is at the
    same place; of several labels a row exactly the same ones are given.

    Args:
      found, wanted: lists of dict of float arrays, a batch each, as `TaskModel.outputs_of_ids`.
      batches: list of dict of int64 [B, L], what was asked.
      problem_type: str, as in Hugging Face's config; None of a task that has none.
      thresholds: list of float, of several labels a row; None for 0.5.
      outside: int, the place of the tag O; None of models that have none.
    Returns:
      dict, ready for JSON: `agreement` float, at most 1; `agreement_of`, "cosine", "concordance" or
      "answers"; `rows` int.
    """
    cosine = "sentence_embedding" in wanted[0]
    values = []
    for theirs, ours, batch in zip(found, wanted, batches, strict=True):
        names = ["sentence_embedding"] if cosine else list(ours)
        sides = [at_tokens(side, batch) for side in (theirs, ours)]
        values += [tuple(side[name] for side in sides) for name in names]
    kind = "answers"
    if cosine:
        kind, alike = "cosine", [_cosines(*pair) for pair in values]
    elif problem_type == "multi_label_classification":
        given = [[is_given(side, thresholds) for side in pair] for pair in values]
        alike = [(x == y).all(axis=-1) for x, y in given]
    elif problem_type == "regression" or all(ours.shape[-1] == 1 for _, ours in values):
        sides = map(np.concatenate, zip(*values, strict=True))
        kind, alike = "concordance", [_concordances(*sides)]
    else:
        said = [(x.argmax(-1), y.argmax(-1)) for x, y in values]
        inside = [(x != outside) | (y != outside) for x, y in said]
        alike = [x == y for x, y in said]
        if any(map(np.any, inside)):
            alike = [each[chosen] for each, chosen in zip(alike, inside, strict=True)]
    return {
        "agreement": float(np.concatenate(alike).mean()),
        "agreement_of": kind,
        "rows": sum(len(batch["attention_mask"]) for batch in batches),
    }


def at_tokens(outputs, batch):
    """Outputs without those of padding, which may be anything.

    Args:
      outputs: dict of arrays, of which those [B, L, numbers] have an entry a token.
      batch: dict with `attention_mask` int [B, L].
    Returns:
      dict of arrays, those of tokens [tokens, numbers].
    """
    real = batch["attention_mask"] > 0
    of_tokens = {name: x.ndim == 3 and x.shape[:2] == real.shape for name, x in outputs.items()}
    return {name: x[real] if of_tokens[name] else x for name, x in outputs.items()}


def _cosines(theirs, ours):
    """Of vectors [N, D] with each other, [N]; 1 of two that are nothing."""
    sizes = np.linalg.norm(theirs, axis=-1) * np.linalg.norm(ours, axis=-1)
    nothing = ~(np.abs(theirs).any(axis=-1) | np.abs(ours).any(axis=-1))
    found = (theirs * ours).sum(-1, dtype=np.float64) / np.where(sizes > 0, sizes, 1)
    return np.where(nothing, 1.0, found)


def _concordances(theirs, ours):
    """Of the columns of [N, K] over the rows, [K] (Lin 1989, eq. 1).

    A correlation would be 1 of an engine whose numbers are all too high or twice the model's. Where
    the model's number is the same in all rows, or there is one row, it is 1 less the mean
    difference, of a number of size 1 and in proportion above.
    """
    theirs, ours = np.asarray(theirs, np.float64), np.asarray(ours, np.float64)
    apart = np.square(theirs - ours).mean(axis=0)
    shift = theirs.mean(axis=0) - ours.mean(axis=0)
    unrelated = theirs.var(axis=0) + ours.var(axis=0) + np.square(shift)
    size = np.maximum(1.0, np.abs(ours).max(axis=0))
    constant = ours.std(axis=0) <= _CONSTANT * size
    near = 1 - np.abs(theirs - ours).mean(axis=0) / size
    return np.where(constant, near, 1 - apart / np.where(constant, 1.0, unrelated))
