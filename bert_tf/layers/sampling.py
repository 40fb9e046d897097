"""Drawing from a distribution, as a function of a key."""

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
