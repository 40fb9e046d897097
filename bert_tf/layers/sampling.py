"""Drawing from a distribution, as a function of a key."""

import math

import keras
from keras import ops

from bert_tf.layers.dropout import Key


def draw(logits, key):
    """One index for each row of logits, as often as their softmax says.

    The largest of the logits, each with Gumbel noise -log(-log u) added, is such an index (Maddison
    et al. 2014, section 2). No gradient goes through it.

    Args:
      logits: float [..., V].
      key: integer [2], see `bert_tf.layers.dropout`; equal keys draw equal indices.
    Returns:
      int32 [...].
    """
    logits = ops.cast(ops.stop_gradient(logits), "float32")
    uniform = keras.random.uniform(ops.shape(logits), dtype="float32", seed=Key(key))
    # A u of 0 gives -inf, which is never the largest.
    return ops.cast(ops.argmax(logits - ops.log(-ops.log(uniform)), axis=-1), "int32")


def draw_frequent(count, size, key):
    """Numbers below `size`, small ones more often: k with the probability log((k + 2) / (k + 1)) /
    log(size + 1), which is near Zipf's law where the numbers are ranks.

    Source: TensorFlow, core/kernels/range_sampler.cc, `LogUniformSampler`; here each is drawn
    apart from the others, so that one may come several times.

    Args:
      count: int, how many to draw.
      size: int.
      key: integer [2], see `bert_tf.layers.dropout`; equal keys draw equal numbers.
    Returns:
      int32 [count].
    """
    uniform = keras.random.uniform((count,), dtype="float32", seed=Key(key))
    numbers = ops.cast(ops.floor(ops.exp(uniform * math.log(size + 1.0))), "int32") - 1
    return ops.clip(numbers, 0, size - 1)


def log_expected(numbers, count, size):
    """The logarithm of how often `draw_frequent` draws each of some numbers on average.

    Args:
      numbers: int [...].
      count, size: as there.
    Returns:
      float32 [...].
    """
    probability = ops.log1p(1.0 / (ops.cast(numbers, "float32") + 1.0)) / math.log(size + 1.0)
    return ops.log(probability * count)
