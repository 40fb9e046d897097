"""Matrices as products of two smaller ones, by their singular values."""

import dataclasses

import numpy as np

from bert_tf.encoders import build_encoder
from bert_tf.errors import InputError
from bert_tf.layers.low_rank import adaptable
from bert_tf.loading.cutting import copy_around, task_over


def factorized(model, linear_rank=None, word_rank=None):
    """A task model whose linear layers, or words' vectors, are products of two smaller matrices:
    of all of this rank the nearest ones (Eckart & Young 1936).

    Args:
      model: TaskModel.
      linear_rank: of the linear layers in blocks, queries, keys and values in one; int, or a float
        below 1: the smallest rank that keeps this share of the sum of all their squared singular
        values. None leaves them.
      word_rank: the same of the table of words.
    Returns:
      TaskModel.
    Raises:
      InputError: a rank above what there is, or a family whose config has none.
    """
    encoder = model.encoder
    blocks = list({id(block): block for block in encoder.blocks}.values())
    wide = {"linear_rank": linear_rank, "word_rank": word_rank}
    for name, rank in wide.items():
        if rank is not None and name not in encoder.config.own_sizes:
            raise InputError(f"{name}: {rank}, and a {encoder.config.model_type} here has none")
        if rank is not None and getattr(encoder.config, name) is not None:
            raise InputError(f"{name}: {rank}, and the model is factorized already")
    linears = [linear for block in blocks for linear, _ in adaptable(block)]
    kernels = [np.asarray(x.kernel, np.float64) for x in linears] if linear_rank else []
    table = np.asarray(encoder.embeddings.word_embeddings, np.float64) if word_rank else None
    parts = [_principal(kernel) for kernel in kernels]
    of_words = None if table is None else _principal(table)
    ranks = {
        "linear_rank": linear_rank and _rank("linear_rank", linear_rank, parts),
        "word_rank": word_rank and _rank("word_rank", word_rank, [of_words]),
    }
    config = dataclasses.replace(encoder.config, **ranks)
    pooled, policy = encoder.pooler is not None, encoder.dtype_policy
    smaller = build_encoder(config, pooler=pooled, dtype=policy)
    _copy(
        encoder,
        smaller,
        [_factors(x, y, config.linear_rank) for x, y in zip(kernels, parts, strict=True)],
    )
    if table is not None:
        down, up = _factors(table, of_words, config.word_rank)
        smaller.embeddings.word_embeddings.assign(down)
        smaller.embeddings.word_projection.assign(up)
    return task_over(smaller, model)


def _principal(matrix):
    """(squared singular values, descending; the singular vectors of the shorter side, a column
    each) of a float64 matrix."""
    tall = matrix.shape[0] > matrix.shape[1]
    values, vectors = np.linalg.eigh(matrix.T @ matrix if tall else matrix @ matrix.T)
    return np.maximum(values[::-1], 0.0), vectors[:, ::-1]


def _rank(name, wanted, parts):
    """A rank as it was given, or the smallest that keeps a share of the squared singular values."""
    most = min(len(values) for values, _ in parts)
    if wanted < 1:
        kept = np.cumsum(sum(values[:most] for values, _ in parts))
        whole = sum(values.sum() for values, _ in parts)
        return min(int(np.searchsorted(kept, wanted * whole)) + 1, most)
    if wanted > most:
        raise InputError(f"{name}: {wanted}, wanted at most {most}, the rank there is")
    return wanted


def _factors(matrix, principal, rank):
    """Two matrices [rows, rank] and [rank, columns], alike in size, the nearest product."""
    values, vectors = principal[0][:rank], principal[1][:, :rank]
    roots = np.maximum(values, 1e-24) ** 0.25
    if matrix.shape[0] > matrix.shape[1]:
        return matrix @ vectors / roots, vectors.T * roots[:, None]
    return vectors * roots, vectors.T @ matrix / roots[:, None]


def _copy(encoder, smaller, factors):
    """Gives an encoder the weights of another one, factors in the place of kernels if there are."""
    words = {"word_embeddings", "word_projection"}
    narrow = smaller.config.word_rank is not None
    copy_around(encoder, smaller, without=("embeddings",) if narrow else ())
    if narrow:
        old, new = (
            [x for x in each.embeddings.weights if x.name not in words]
            for each in (encoder, smaller)
        )
        for one, other in zip(old, new, strict=True):
            other.assign(one)
    pairs = {id(old): (old, new) for old, new in zip(encoder.blocks, smaller.blocks, strict=True)}
    factors = iter(factors)
    for old, new in pairs.values():
        if smaller.config.linear_rank is None:
            new.set_weights(old.get_weights())
            continue
        replaced = {}
        for linear, _ in adaptable(old):
            down, up = next(factors)
            replaced[id(linear.kernel)] = [down, up]
        arrays = [y for x in old.weights for y in replaced.get(id(x), [x.numpy()])]
        new.set_weights(arrays)
