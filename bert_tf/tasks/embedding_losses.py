"""Losses of sentence vectors, one number a row; those of a batch give every row its share.

Vectors are [B, T, D], T texts a row: the anchor, its positive, and its negatives; zeros where a row
has fewer. Which there are, the labels tell: `texts` int64 [B, T], -1 where there is none.
"""

from keras import ops

from bert_tf.layers import LOWEST

OBJECTIVES = (
    *("simcse", "multiple_negatives", "supervised_contrastive", "cosent", "triplet", "cosine"),
)
# Those whose rows are told apart from the other rows of the batch.
IN_BATCH = ("simcse", "multiple_negatives", "supervised_contrastive", "cosent")
# Objective -> the columns it reads besides the text, one of each tuple.
READS = {
    "simcse": (),
    "multiple_negatives": (("text_pair",),),
    "supervised_contrastive": (("category",),),
    "cosent": (("text_pair",), ("score",)),
    "triplet": (("text_pair",), ("negative", "negatives")),
    "cosine": (("text_pair",), ("score",)),
}


def loss_of_rows(objective, vectors, labels, settings):
    """The loss of every row of a batch.

    Args:
      objective: one of OBJECTIVES.
      vectors: float32 [B, T, D], of any length.
      labels: dict, see above; `score` float [B], `category` int [B].
      settings: dict of floats `scale`, `margin`, `highest_score`.
    Returns:
      float32 [B]; of no meaning where `row_weights` is 0.
    """
    vectors, scale = unit_length(vectors), settings["scale"]
    if not _has_columns(objective, labels):
        return ops.sum(vectors, axis=(1, 2)) * 0
    if objective == "simcse":
        return _simcse(vectors, labels["texts"], scale)
    if objective == "multiple_negatives":
        return multiple_negatives(vectors, labels["texts"], scale)
    if objective == "supervised_contrastive":
        return supervised_contrastive(vectors[:, 0], labels["category"], scale)
    if objective == "triplet":
        return triplet(vectors, labels["texts"], settings["margin"])
    cosines = ops.sum(vectors[:, 0] * vectors[:, 1], axis=-1)
    scores = ops.cast(labels["score"], "float32")
    if objective == "cosine":
        return ops.square(cosines - scores / settings["highest_score"])
    return ops.ones_like(cosines) * cosent(cosines, scores, scale)


def row_weights(objective, labels):
    """What each row counts for, from the labels alone: float32 [B], 1, or 0 where the row lacks
    what the objective compares."""
    texts = labels["texts"]
    ones = ops.cast(ops.ones_like(texts[:, 0]), "float32")
    if not _has_columns(objective, labels):
        return ones * 0
    if objective == "triplet":
        return ops.cast(ops.any(texts[:, 2:] >= 0, axis=1), "float32")
    if objective == "supervised_contrastive":
        same, others = _classes(labels["category"])
        some = ops.any(same, axis=1) & ops.any(others & ~same, axis=1)
        return ops.cast(some, "float32")
    return ones


def lacking(objective, labels):
    """What rows of a batch lack, without which they teach nothing.

    Args:
      objective, labels: as `loss_of_rows`.
    Returns:
      dict of what it is, str -> bool [B].
    """
    texts = labels["texts"]
    if objective == "triplet":
        return {"no negative": ~ops.any(texts[:, 2:] >= 0, axis=1)}
    if objective == "supervised_contrastive":
        same, others = _classes(labels["category"])
        return {
            "no other row of their category in their batch": ~ops.any(same, axis=1),
            "no row of another category in their batch": ~ops.any(others & ~same, axis=1),
        }
    if objective == "cosent":
        scores = labels["score"]
        alone = ~ops.any(scores[:, None] != scores[None], axis=1)
        return {"no row of another score in their batch": alone}
    if objective in IN_BATCH:
        texts = ops.repeat(texts[:, :1], 2, axis=1) if objective == "simcse" else texts
        own, left_out = _columns(texts)
        alone = ~ops.any(~own & ~left_out, axis=1)
        return {"no text in their batch to be told apart from": alone}
    return {}


def unit_length(vectors):
    """Vectors [..., D] at length 1; zeros stay zeros."""
    squares = ops.sum(ops.square(vectors), axis=-1, keepdims=True)
    return vectors * ops.rsqrt(ops.maximum(squares, 1e-24))


def multiple_negatives(vectors, texts, scale):
    """-log of the softmax over all texts of the batch but the anchors, at the row's own positive.

    The negatives are other rows' positives (Henderson et al. 2017, arXiv 1705.00652, section 4.4)
    and all rows' negatives (supervised SimCSE, Gao et al. 2021, arXiv 2104.08821, eq. 5). A text
    that equals the row's anchor or positive, and another positive of the same anchor, is no
    negative, and left out.

    Args:
      vectors: float32 [B, T, D] of unit length.
      texts: int64 [B, T].
      scale: float, one over the temperature.
    Returns:
      float32 [B].
    """
    anchors_BD, others_CD = vectors[:, 0], ops.reshape(vectors[:, 1:], (-1, ops.shape(vectors)[2]))
    own_BC, left_out_BC = _columns(texts)
    logits_BC = scale * ops.matmul(anchors_BD, ops.transpose(others_CD))
    logits_BC = ops.where(left_out_BC, LOWEST, logits_BC)
    own_B = ops.sum(ops.where(own_BC, logits_BC, 0.0), axis=1)
    return ops.logsumexp(logits_BC, axis=1) - own_B


def _columns(texts):
    """Which of a batch's texts but the anchors is a row's positive, and which are left out of its
    softmax: bool [B, C] each."""
    count = ops.shape(texts)[0]
    each = ops.maximum(ops.shape(texts)[1] - 1, 1)  # no rows may have no columns
    others_C = ops.reshape(texts[:, 1:], (-1,))
    places = ops.arange(count * each)
    rows, owners = ops.arange(count), places // each
    own_BC = places[None] == (rows * each)[:, None]
    known_BC = (others_C[None] == texts[:, :1]) | (others_C[None] == texts[:, 1:2])
    same_anchor_BB = texts[:, :1] == texts[None, :, 0]
    positive_C = places % each == 0
    known_BC = known_BC | (ops.take(same_anchor_BB, owners, axis=1) & positive_C[None])
    return own_BC, (known_BC | (others_C[None] < 0)) & ~own_BC


def _simcse(vectors, texts, scale):
    """Unsupervised SimCSE (Gao et al. 2021, eq. 4): the same text under another dropout mask is the
    positive. Outside training there is one vector of it, which is its own."""
    again = vectors[:, -1:] if texts.shape[1] == 1 else vectors[:, :1]
    pairs = ops.concatenate([vectors[:, :1], again], axis=1)
    return multiple_negatives(pairs, ops.repeat(texts[:, :1], 2, axis=1), scale)


def supervised_contrastive(vectors, categories, scale):
    """The mean over the others of a row's category of -log of the softmax over all other rows
    (Khosla et al. 2020, arXiv 2004.11362, eq. 2).

    Args:
      vectors: float32 [B, D] of unit length.
      categories: int [B].
      scale: float, one over the temperature.
    Returns:
      float32 [B].
    """
    same, others = _classes(categories)
    logits = ops.where(others, scale * ops.matmul(vectors, ops.transpose(vectors)), LOWEST)
    logs = logits - ops.logsumexp(logits, axis=1, keepdims=True)
    count = ops.maximum(ops.sum(ops.cast(same, "float32"), axis=1), 1)
    return -ops.sum(ops.where(same, logs, 0.0), axis=1) / count


def _classes(categories):
    """Which rows have a row's category, itself left out, and which are others: bool [B, B]."""
    others = ~ops.cast(ops.eye(ops.shape(categories)[0]), "bool")
    return (categories[:, None] == categories[None]) & others, others


def cosent(cosines, scores, scale):
    """log(1 + the sum over pairs of rows with score i > score j of exp(scale (cos j - cos i)))
    (Su 2022, "CoSENT", kexue.fm/archives/8847; Huang et al. 2024, ACM TASLP 32, eq. 8).

    Args:
      cosines, scores: float32 [B].
      scale: float.
    Returns:
      float32 scalar, the loss of the batch.
    """
    differences = scale * (cosines[None] - cosines[:, None])
    wrong = ops.where(scores[:, None] > scores[None], differences, LOWEST)
    flat = ops.concatenate([ops.zeros((1,), cosines.dtype), ops.reshape(wrong, (-1,))])
    return ops.logsumexp(flat)


def triplet(vectors, texts, margin):
    """max(0, |anchor - positive|^2 - |anchor - negative|^2 + margin), the mean over a row's
    negatives (Schroff et al. 2015, arXiv 1503.03832, eq. 3).

    Args:
      vectors: float32 [B, T, D] of unit length.
      texts: int64 [B, T].
      margin: float.
    Returns:
      float32 [B].
    """
    squares_BO = ops.sum(ops.square(vectors[:, :1] - vectors[:, 1:]), axis=-1)
    losses = ops.relu(squares_BO[:, :1] - squares_BO[:, 1:] + margin)
    there = ops.cast(texts[:, 2:] >= 0, "float32")
    return ops.sum(losses * there, axis=1) / ops.maximum(ops.sum(there, axis=1), 1)


def _has_columns(objective, labels):
    """Whether a table has what the objective reads; one that is only measured may not."""
    if objective in ("cosent", "cosine"):
        return "score" in labels
    if objective == "supervised_contrastive":
        return "category" in labels
    return objective == "simcse" or labels["texts"].shape[1] != 1
