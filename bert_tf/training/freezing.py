"""Which part of a model learns, and from when on."""

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
    encoder = model.encoder
    depth = {}
    for place, part in enumerate([encoder.embeddings, *encoder.blocks]):
        for variable in part.variables:
            depth[id(variable)] = place
    top = len(encoder.blocks) + 1
    starts = [(top - depth.get(id(v), top)) * every for v in model.trainable_variables]

    def factors(step):
        return tf.cast(tf.cast(step, tf.int64) >= tf.constant(starts, tf.int64), tf.float32)

    return factors
