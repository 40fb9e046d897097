"""MobileBERT's embeddings: each word's narrow vector beside those of its neighbours, made wide."""

import keras
from keras import ops

from bert_tf.layers.dropout import dropout
from bert_tf.layers.linear import Linear, with_own_seed


class TrigramEmbeddings(keras.layers.Layer):
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
        super().__init__(**kwargs)
        self.rows = dict(zip(("word", "position", "token_type"), tables, strict=True))
        self.width, self.wide = word_width, width
        self.trigram, self.padding_id = trigram, padding_id
        self.norm = norm
        self.dropout_rate = dropout_rate
        self.initializer = initializer
        self.transformation = Linear(width, initializer, dtype=self.dtype_policy)

    def build(self, shape=None):
        for name, rows in self.rows.items():
            table = self.add_weight(
                name=f"{name}_embeddings",
                shape=(rows, self.width if name == "word" else self.wide),
                initializer=with_own_seed(self.initializer),
                autocast=False,
            )
            setattr(self, f"{name}_embeddings", table)
        self.transformation.build((None, self.width * (3 if self.trigram else 1)))
        self.norm.build((None, self.wide))

    def call(
        self,
        input_ids,
        token_type_ids=None,
        position_ids=None,
        key=None,
        shift=None,
        groups=None,
    ):
        """As Embeddings; `groups` int [B, L] is the encoder's `attention_mask`, or None."""
        words_BLE = ops.take(self.word_embeddings, input_ids, axis=0)
        if shift is not None:
            words_BLE = words_BLE + ops.cast(shift, words_BLE.dtype)
        if self.trigram:
            padding_E = self.word_embeddings[self.padding_id]
            words_BLE = ops.concatenate(beside_neighbours(words_BLE, groups, padding_E), axis=-1)
        x_XD = ops.reshape(words_BLE, (-1, words_BLE.shape[-1]))
        if self.trigram or self.width != self.wide:
            x_XD = ops.cast(self.transformation(x_XD), "float32")
        batch, length = ops.shape(input_ids)[0], ops.shape(input_ids)[1]
        if position_ids is None:
            x_XD = x_XD + ops.tile(self.position_embeddings[:length], (batch, 1))
        else:
            at_X = ops.reshape(position_ids, (-1,))
            x_XD = x_XD + ops.take(self.position_embeddings, at_X, axis=0)
        if token_type_ids is None:
            x_XD = x_XD + self.token_type_embeddings[0]
        else:
            types_X = ops.reshape(token_type_ids, (-1,))
            hot_XT = ops.one_hot(types_X, self.rows["token_type"], dtype="float32")
            x_XD = x_XD + ops.matmul(hot_XT, self.token_type_embeddings)
        return dropout(self.norm(x_XD), self.dropout_rate, key)


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
