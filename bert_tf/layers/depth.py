"""Blocks in training that are skipped at random, or computed a second time for the gradient."""

import dataclasses

import keras
from keras import ops

from bert_tf.layers.dropout import chance, fold_in


def run_block(block, x, context, key, drop_rate, recompute):
    """One block in training, with LayerDrop and with recomputation where they are asked for.

    Args:
      block: an EncoderBlock.
      x: float [B * F, D].
      context: Context; where blocks are recomputed only its vectors have a gradient (see
        `recomputed`).
      key: integer [2], of this block; the block itself folds 0, 1 and 2 into it.
      drop_rate: float in [0, 1), how often the block is skipped.
      recompute: bool.
    Returns:
      As the block; no probabilities where the Context does not want them.
    """
    # Neither `cond` nor `remat` takes a None among its results.
    read = slice(None) if context.wants_probs else slice(1)

    def run(x, key, *vectors):
        told = dataclasses.replace(context, vectors=vectors[0]) if vectors else context
        return layer_drop(
            lambda: block(x, context=told, key=key)[read],
            lambda: block.skip(x, told)[read],
            drop_rate,
            fold_in(key, 3),
        )

    vectors = () if context.vectors is None else (context.vectors,)
    results = recomputed(run, x, key, *vectors) if recompute else run(x, key, *vectors)
    return results if context.wants_probs else (*results, None)


def layer_drop(block, skip, rate, key):
    """A block, or with probability `rate` nothing in its place (Fan et al. 2020, section 3.2).

    Only the branch that is taken is computed. The paper rescales nothing for it, so that without a
    key, outside training, the block is just the block.

    Args:
      block, skip: functions of no arguments with results of one structure.
      rate: float in [0, 1).
      key: integer [2], which alone decides; None never skips.
    Returns:
      What `block` or `skip` returned. Outside a graph the weights of a skipped block have no
      gradient; in a graph it is zero.
    """
    if key is None or not rate:
        return block()
    return ops.cond(chance(rate, key), skip, block)


def recomputed(function, x, key, *vectors):
    """A function's results; its gradient computes them again instead of keeping what is inside.

    Memory for time (Chen et al. 2016, arXiv 1604.06174). The function must be pure: its randomness
    comes from the key, never from a stateful generator, which would draw other numbers. There is
    a gradient for x, for vectors and for variables, and none for tensors that the function closes
    over.

    Args:
      function: of (x, key, *vectors).
      x: float tensor.
      key: integer [2], entries below 2**31.
      *vectors: float tensors.
    Returns:
      What the function returned.
    """

    # The key is an argument, so that its masks are drawn again too, and in floats, each half of an
    # entry exact in float32, because TensorFlow warns of integers there.
    def compute(x, halves, *vectors):
        high, low = ops.unstack(ops.cast(halves, key.dtype), 2)
        return function(x, high * 65536 + low, *vectors)

    halves = ops.cast(ops.stack([key // 65536, key % 65536]), "float32")
    return keras.remat(compute)(x, halves, *vectors)
