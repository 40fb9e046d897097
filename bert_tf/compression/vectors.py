"""How far a student's sentence vectors are from its teacher's."""

import keras
from keras import ops

from bert_tf.layers import Linear, truncated_normal
from bert_tf.tasks.embedding_losses import unit_length
from bert_tf.tasks.losses import mean_there


class Vectors(keras.layers.Layer):
    """1 - cosine, or the squared distance, to the teacher's vector of the same text (Reimers &
    Gurevych 2020, arXiv 2004.09813, eq. 1, which has the latter); the student's is projected where
    the teacher's is of another width.

    Args:
      student, teacher: task models with `soft_vectors`.
      settings: dict with `distance`, "cosine" or "squared".
    """

    def __init__(self, student, teacher, settings):
        super().__init__(dtype="float32")
        self.distance, self.projection = settings["distance"], None
        if student.width != teacher.width:
            initial = truncated_normal(student.width**-0.5)
            self.projection = Linear(teacher.width, initial, use_bias=False, dtype="float32")
            self.projection.build((None, student.width))
        self.built = True

    def call(self, own, taught):
        """The mean over a row's texts.

        Args:
          own: (vectors float32 [B, T, D], there bool [B, T]) of the student.
          taught: a list of one such of the teacher, which may have fewer texts a row.
        Returns:
          float32 [B].
        """
        (vectors_BTD, _), (wanted_BTD, there_BT) = own, taught[0]
        vectors_BTD = vectors_BTD[:, : ops.shape(wanted_BTD)[1]]
        if self.projection is not None:
            flat = self.projection(ops.reshape(vectors_BTD, (-1, vectors_BTD.shape[-1])))
            vectors_BTD = ops.reshape(flat, ops.shape(wanted_BTD))
        if self.distance == "cosine":
            products = unit_length(vectors_BTD) * unit_length(wanted_BTD)
            losses_BT = 1 - ops.sum(products, axis=-1)
        else:
            losses_BT = ops.sum(ops.square(vectors_BTD - wanted_BTD), axis=-1)
        return mean_there(losses_BT, there_BT)
