"""The biaffine form: a score for two vectors and each of R relations."""

import keras
from keras import ops

from bert_tf.layers.linear import with_own_seed


class Biaffine(keras.layers.Layer):
    """Scores of pairs of vectors, [x; 1] U_r [y; 1] for each relation r.

    Source: Dozat and Manning 2017, "Deep biaffine attention for neural dependency parsing", section
    2.2: the bilinear term, the linear terms of both vectors and the bias are entries of one tensor.

    Args:
      relations: int, R.
      initializer: of the tensor.
    """

    def __init__(self, relations, initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        self.relations = relations
        self.initializer = with_own_seed(initializer)

    def build(self, shape):
        self.kernel = self.add_weight(
            name="kernel",
            shape=(shape[-1] + 1, self.relations, shape[-1] + 1),
            initializer=self.initializer,
        )

    def call(self, x_XD, y_XD):
        """float [X, D], float [X, D] -> float32 [X, R], row by row."""
        x_XD, y_XD = (ops.pad(z, ((0, 0), (0, 1)), constant_values=1) for z in (x_XD, y_XD))
        flat = ops.reshape(self.kernel, (self.kernel.shape[0], -1))
        rows_XRD = ops.reshape(ops.matmul(x_XD, flat), (-1, *self.kernel.shape[1:]))
        return ops.cast(ops.matmul(rows_XRD, y_XD[:, :, None])[:, :, 0], "float32")
