"""Encoders of which low-rank updates alone are trained (LoRA), and what becomes of them."""

import typing

from bert_tf.encoders.encoder import Encoder
from bert_tf.errors import InputError, shown
from bert_tf.layers.low_rank import LowRank, LowRankBlock, adaptable


class _Parts(typing.NamedTuple):
    """What an Encoder shares with another one, see `share` there."""

    embeddings: object
    embeddings_projection: object
    positions: object
    blocks: list
    final_norm: object
    mix: object
    recompute: bool


def with_low_rank(encoder, rank, alpha, layers):
    """An encoder over another's weights, which are frozen, with low-rank updates of some of them
    (Hu et al. 2021, arXiv 2106.09685).

    Several of them may stand over one encoder. What is trained of each are its updates and, where
    there is one, the pooler, which is a copy: it is the dense layer of a head.

    Args:
      encoder: Encoder.
      rank: int, of the updates.
      alpha: float, the updates are scaled by alpha / rank.
      layers: list of str, what is updated in each block: names as in `layers.low_rank.PARTS`.
    Returns:
      Encoder.
    Raises:
      InputError: the blocks have no such layers.
    """
    names = {name for block in encoder.blocks for _, parts in adaptable(block) for name in parts}
    for name in layers:
        if name not in names:
            there = f"there are {', '.join(sorted(names))}" if names else "there are none to update"
            family = encoder.config.model_type
            raise InputError(
                f"layers: {shown(name)}, no such layer in a {family}'s blocks; {there}"
            )

    def update(linear, parts):
        return LowRank(linear, parts, layers, rank, alpha) if {*parts} & {*layers} else None

    return with_updates(encoder, update)


def with_updates(encoder, update):
    """An encoder over another's weights, which are frozen, with updates of some of its layers.

    Args:
      encoder: Encoder.
      update: function of a Linear in a block and the names of its parts, giving its LowRank,
        or (parts, chosen ones, down, up) of one that is scaled already, or None. Layers that share
        their weights share it.
    Returns:
      Encoder.
    """
    wrapped = {}
    for block in encoder.blocks:
        if id(block) not in wrapped:
            found = [(linear, update(linear, parts)) for linear, parts in adaptable(block)]
            some = [(x, _low_rank(x, each)) for x, each in found if each is not None]
            wrapped[id(block)] = LowRankBlock(block, some)
    encoder.trainable = False
    return _over(encoder, [wrapped[id(block)] for block in encoder.blocks])


def _low_rank(linear, given):
    """The LowRank of a Linear, given as it is or by its numbers."""
    if isinstance(given, LowRank):
        return given
    parts, chosen, down, up = given
    made = LowRank(linear, parts, chosen, up.shape[1], up.shape[1])
    made.set_weights([down, up])
    return made


def updatable(encoder):
    """The linear layers in an encoder's blocks that may have updates, with the names of their
    parts: list of (Linear, tuple of str)."""
    blocks = {id(block): block for block in encoder.blocks}.values()
    return [each for block in blocks for each in adaptable(block)]


def without_low_rank(encoder):
    """The encoder below the updates of another, with a copy of its pooler; its weights are those
    that the other one has, and can be trained."""
    plain = _over(encoder, [block.block for block in encoder.blocks])
    plain.trainable = False  # Keras does nothing where it is told what it has already
    plain.trainable = True
    return plain


def merge_low_rank(encoder):
    """Adds an encoder's updates to the weights below them; updates begin anew with none."""
    for block in {id(block): block for block in encoder.blocks}.values():
        block.merge()


def has_low_rank(encoder):
    """bool, whether an encoder has updates."""
    return any(isinstance(block, LowRankBlock) for block in encoder.blocks)


def _over(encoder, blocks):
    """An Encoder with the parts of another one, but for the blocks and its own pooler."""
    names = ("embeddings", "embeddings_projection", "positions", "final_norm", "mix", "recompute")
    parts = _Parts(**{name: getattr(encoder, name) for name in names}, blocks=blocks)
    pooled, policy = encoder.pooler is not None, encoder.dtype_policy
    made = Encoder(encoder.config, encoder.family, pooled, share=parts, dtype=policy)
    if pooled:
        made.pooler.set_weights(encoder.pooler.get_weights())
    return made
