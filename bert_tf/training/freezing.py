"""Frozen layers, gradual unfreezing, and learning rates that decay by layer."""

import tensorflow as tf

from bert_tf.errors import ConfigError


def freeze(model, how):
    """Sets which layers are trainable for the whole run; frozen ones get no gradient.

    Args:
      model: a TaskModel, before it is compiled.
      how: None or "gradual" (everything), "encoder" (the head only, and a mixture of layers, which
        each task learns anew), or int n (the head, the pooler and the last n blocks).
    Raises:
      ConfigError: more blocks than there are, or blocks that share their weights with lower ones;
        nothing is left to train.
    """
    encoder = model.encoder
    if how is None or how == "gradual":
        return
    if how == "encoder":
        encoder.trainable = False
        if encoder.mix is not None:
            encoder.mix.trainable = True
        if not model.trainable_variables:
            raise ConfigError(
                f"train.freeze: encoder, and a {type(model).__name__} has nothing else to learn; "
                "wanted a number of blocks to train, or null"
            )
        return
    if how > len(encoder.blocks):
        raise ConfigError(
            f"train.freeze: {how} blocks to train, the encoder has {len(encoder.blocks)}"
        )
    first = len(encoder.blocks) - how
    lower, upper = encoder.blocks[:first], encoder.blocks[first:]
    if {id(block) for block in lower} & {id(block) for block in upper}:
        raise ConfigError(
            f"train.freeze: {how} blocks to train, which share their weights with those below; "
            "wanted encoder or nothing"
        )
    for part in (*_below(encoder), *lower):
        part.trainable = False


def _below(encoder):
    """What stands below the blocks: the embeddings and, in some families, their projection."""
    parts = (encoder.embeddings, encoder.embeddings_projection)
    return [part for part in parts if part is not None]


def gradual_factors(model, every):
    """Unfreezing from the top (Howard & Ruder 2018, section 3.3), as factors on the learning rate.

    The head and the pooler learn from the start; after every `every` updates one more block does,
    the last one first, and the embeddings last of all.

    Args:
      model: a TaskModel.
      every: int, updates between two unfreezings.
    Returns:
      A function of the step, an integer scalar: float32 [number of trainable variables], 0 or 1.
    """
    top = len(model.encoder.blocks) + 1
    starts = [max(0, top - depth) * every for depth in _depths(model)]

    def factors(step):
        return tf.cast(tf.cast(step, tf.int64) >= tf.constant(starts, tf.int64), tf.float32)

    return factors


def layer_decay_factors(model, decay):
    """A learning rate that shrinks by `decay` with each layer away from the head, as factors.

    decay^(L + 2 - depth) for L blocks (google-research/electra, model/optimization.py,
    _get_layer_lrs). There is no pooler there; ours gets the depth L + 1 they leave out.

    Args:
      model: a TaskModel.
      decay: float, such as 0.8.
    Returns:
      A function of the step, an integer scalar: float32 [number of trainable variables].
    """
    head = len(model.encoder.blocks) + 2
    shares = [decay ** (head - depth) for depth in _depths(model)]
    return lambda step: tf.constant(shares, tf.float32)


def _depths(model):
    """Of each trainable variable: 0 in the embeddings and their projection, n + 1 in block n of L,
    the last one that shares it, L + 1 elsewhere in the encoder, L + 2 in the head.
    """
    encoder = model.encoder
    above = len(encoder.blocks) + 1
    depth = {id(variable): above for variable in encoder.variables}
    for part in _below(encoder):
        depth.update((id(variable), 0) for variable in part.variables)
    for place, block in enumerate(encoder.blocks, start=1):
        depth.update((id(variable), place) for variable in block.variables)
    return [depth.get(id(variable), above + 1) for variable in model.trainable_variables]
