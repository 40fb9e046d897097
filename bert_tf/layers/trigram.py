"""MobileBERT's embeddings: each word's narrow vector beside those of its neighbours, made wide."""

from keras import ops

from bert_tf.layers.embeddings import Embeddings
from bert_tf.layers.linear import Linear


class TrigramEmbeddings(Embeddings):
    """Words and their neighbours through a linear layer, plus wide positions and types, normalized
    (Sun et al. 2020, section 3.1: a convolution of width 3 over narrow vectors).

    Beyond the ends of a row the neighbour is zero; padding behind a text is a neighbour like any
    other. A packed example has zero before it and the vector of padding behind it, as it would
    alone in a row with padding.

    Args:
      vocab_size, max_position_embeddings, type_vocab_size: int, rows of the three tables.
      word_width, width: int, columns of the words' table, and of the other two.
      trigram: bool; without it the words' own vectors go in alone, and those as wide as `width` go
        past the linear layer.
      norm: layer.
      padding_id: int, the word that is padding.
      dropout_rate: float, after the normalization.
      initializer: of tables and kernel.
    """

    def __init__(
        self,
        tables,
        word_width,
        width,
        norm,
        trigram=True,
        padding_id=0,
        dropout_rate=0.0,
        initializer=None,
        **kwargs,
    ):
        super().__init__(*tables, word_width, dropout_rate, None, initializer, **kwargs)
        self.wide = width
        self.trigram, self.padding_id = trigram, padding_id
        self.norm = norm
        self.transformation = Linear(width, initializer, dtype=self.dtype_policy)

    def build(self, shape=None):
        super().build(shape)
        self.transformation.build((None, self.width * (3 if self.trigram else 1)))

    def _words(self, input_ids, shift, groups):
        """float [X, D], the words beside their neighbours, made wide."""
        words_BLE = ops.take(self.word_embeddings, input_ids, axis=0)
        if shift is not None:
            words_BLE = words_BLE + ops.cast(shift, words_BLE.dtype)
        if self.trigram:
            padding_E = self.word_embeddings[self.padding_id]
            words_BLE = ops.concatenate(beside_neighbours(words_BLE, groups, padding_E), axis=-1)
        x_XD = ops.reshape(words_BLE, (-1, words_BLE.shape[-1]))
        if self.trigram or self.width != self.wide:
            x_XD = ops.cast(self.transformation(x_XD), "float32")
        return x_XD


def beside_neighbours(words_BLE, groups_BL, padding_E):
    """The vectors of each next word, of the words, and of each word before.

    Args:
      words_BLE: float.
      groups_BL: int, equal positive numbers are one text; None: a row is one.
      padding_E: float, what stands behind a text that another follows.
    Returns:
      list of three float [B, L, E].
    """
    none_B1E = ops.zeros_like(words_BLE[:, :1])
    after_BLE = ops.concatenate([words_BLE[:, 1:], none_B1E], axis=1)
    before_BLE = ops.concatenate([none_B1E, words_BLE[:, :-1]], axis=1)
    if groups_BL is not None:
        none_B1 = ops.zeros_like(groups_BL[:, :1])
        following_BL = ops.concatenate([groups_BL[:, 1:], none_B1], axis=1)
        preceding_BL = ops.concatenate([none_B1, groups_BL[:, :-1]], axis=1)
        after_BLE = ops.where(_another(following_BL, groups_BL), padding_E, after_BLE)
        before_BLE = ops.where(_another(preceding_BL, groups_BL), 0.0, before_BLE)
    return [after_BLE, words_BLE, before_BLE]


def _another(neighbours_BL, groups_BL):
    """Where a neighbour is of another text, bool [B, L, 1]."""
    texts_BL = ops.logical_and(neighbours_BL > 0, groups_BL > 0)
    return ops.logical_and(texts_BL, neighbours_BL != groups_BL)[:, :, None]
