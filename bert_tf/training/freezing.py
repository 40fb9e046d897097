"""Which part of a model learns, from when on, and how fast."""

import tensorflow as tf

from bert_tf.errors import ConfigError


def freeze(model, how):
    """Sets which layers are trained for the whole run; frozen ones get no gradient at all.

    Args:
      model: a TaskModel, before it is compiled.
      how: None or "gradual" (everything), "encoder" (the head only), or int n (the head, the
        pooler and the last n blocks).
    Raises:
      ConfigError: more blocks than there are.
    """
    encoder = model.encoder
    if how is None or how == "gradual":
        return
    if how == "encoder":
        encoder.trainable = False
        return
    if how > len(encoder.blocks):
        raise ConfigError(
            f"train.freeze: {how} blocks to train, the encoder has {len(encoder.blocks)}"
        )
    encoder.embeddings.trainable = False
    for block in encoder.blocks[: len(encoder.blocks) - how]:
        block.trainable = False


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
    """Of each trainable variable: 0 in the embeddings, n + 1 in block n of L, L + 1 elsewhere in
    the encoder, L + 2 in the head.
    """
    encoder = model.encoder
    above = len(encoder.blocks) + 1
    depth = {id(variable): above for variable in encoder.variables}
    for place, part in enumerate([encoder.embeddings, *encoder.blocks]):
        depth.update((id(variable), place) for variable in part.variables)
    return [depth.get(id(variable), above + 1) for variable in model.trainable_variables]
