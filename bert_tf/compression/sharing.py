"""Layers that share their weights, and narrow words, made of others: how a small student begins."""

import numpy as np

from bert_tf.encoders.sharing import sharing_encoder

# Directions of float32 vectors that are so much shorter than the longest one are rounding.
_ROUNDING = 1e-5


def shared_encoder(encoder, groups, start="mean", embedding_size=None):
    """An encoder of the same sizes whose layers share weights, which begin as another's.

    Of embeddings as wide as the model all is kept. Of narrower ones the tables are the first
    singular vectors of the three tables together, and what projects them is fitted by least
    squares to what the encoder makes of every word, each at a place drawn at random.

    Args:
      encoder, groups, embedding_size: as in `encoders.sharing.sharing_encoder`.
      start: "mean" of a group's layers, or its "first" one.
    Returns:
      Encoder.
    Raises:
      InputError: as there.
    """
    shared = sharing_encoder(encoder, groups, embedding_size)
    if encoder.pooler is not None:
        shared.pooler.set_weights(encoder.pooler.get_weights())
    runs = {}
    for block, own in zip(encoder.blocks, shared.blocks, strict=True):
        runs.setdefault(id(own), (own, []))[1].append(block.get_weights())
    for own, run in runs.values():
        run = run if start == "mean" else run[:1]
        own.set_weights([np.mean(each, axis=0) for each in zip(*run, strict=True)])
    _begin(encoder.embeddings, shared)
    return shared


def _begin(old, shared):
    """Gives narrow embeddings, and what projects them, the sense of others."""
    new, projection = shared.embeddings, shared.embeddings_projection
    if new.width == old.width:
        new.set_weights(old.get_weights())
        projection.kernel.assign(np.eye(old.width))
        projection.bias.assign(np.zeros(old.width))
        return
    names = ("word_embeddings", "position_embeddings", "token_type_embeddings")
    names = [name for name in names if getattr(old, name) is not None]
    tables = [np.asarray(getattr(old, name), np.float64) for name in names]
    whole = np.concatenate(tables)
    _, vectors = np.linalg.eigh(whole.T @ whole)
    vectors = vectors[:, ::-1][:, : new.width]
    for name, table in zip(names, tables, strict=True):
        getattr(new, name).assign(table @ vectors)
    ids = np.arange(len(tables[0]), dtype="int32")[:, None]
    places = np.random.default_rng(0).integers(0, len(tables[1]), ids.shape).astype("int32")
    narrow, wanted = (np.asarray(x(ids, position_ids=places), np.float64) for x in (new, old))
    given = np.concatenate([narrow, np.ones((len(narrow), 1))], axis=1)
    # Normalized vectors have no sum but rounding, which must not be made use of.
    fitted = np.linalg.lstsq(given, wanted, rcond=_ROUNDING)[0]
    projection.kernel.assign(fitted[:-1])
    projection.bias.assign(fitted[-1])
