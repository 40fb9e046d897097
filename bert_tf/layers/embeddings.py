"""From ids to vectors."""

import keras
from keras import ops

from bert_tf.layers.dropout import dropout
from bert_tf.layers.linear import with_own_seed
from bert_tf.layers.normalization import LayerNorm
from bert_tf.layers.positions import rows_from_padding, sinusoidal
from bert_tf.layers.steps import steps


class Embeddings(keras.layers.Layer):
    """The sum of word, position and token-type vectors, normalized (Devlin et al. 2019, figure 2).

    Args:
      vocab_size, max_position_embeddings, type_vocab_size: int, rows of the three tables; 0
        leaves positions or token types out.
      width: int, their columns.
      dropout_rate: float, after the normalization.
      epsilon: float, of the normalization; None: there is none.
      initializer: of the tables.
      positions: function of (int [...], width) giving their vectors, such as `sinusoidal`; None: a
        table that is learned.
      scale: float, a factor of the words' vectors (Vaswani et al. 2017, section 3.4: the root of
        their width).
    """

    # What `call` takes besides, by its name among the encoder's inputs.
    further_inputs = ()

    def __init__(
        self,
        vocab_size,
        max_position_embeddings,
        type_vocab_size,
        width,
        dropout_rate=0.0,
        epsilon=1e-12,
        initializer=None,
        positions=None,
        scale=1.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.scale = scale
        self.rows = {
            "word_embeddings": vocab_size,
            "position_embeddings": 0 if positions else max_position_embeddings,
            "token_type_embeddings": type_vocab_size,
        }
        self.word_embeddings = self.position_embeddings = self.token_type_embeddings = None
        self.positions = positions
        self.width = self.wide = width  # of words, and of what is added to them
        self.dropout_rate = dropout_rate
        self.initializer = initializer
        self.norm = None if epsilon is None else LayerNorm(epsilon, dtype=self.dtype_policy)

    def build(self, shape=None):
        for name, rows in self.rows.items():
            if rows:
                table = self.add_weight(
                    name=name,
                    shape=(rows, self.width if name == "word_embeddings" else self.wide),
                    initializer=with_own_seed(self.initializer),
                    autocast=False,
                )
                setattr(self, name, table)
        if self.norm is not None:
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
        """The vectors of every token.

        Args:
          input_ids: int [B, L].
          token_type_ids: int [B, L]; None means all 0. Left aside where there are no types.
          position_ids: int [B, L]; None means 0, 1, 2, ... in every row.
          key: integer [2] or None, for dropout.
          shift: float32 [B, L, E], added to the words' vectors; None adds nothing.
          groups: int [B, L], the encoder's `attention_mask`, or None; here it decides nothing.
        Returns:
          float [X, E]. The sum is taken in float32 under every precision.
        """
        batch, length = ops.shape(input_ids)[0], ops.shape(input_ids)[1]
        x_XE = self._words(input_ids, shift, groups)
        if self.positions is None and self.position_embeddings is None:
            pass
        elif position_ids is None:
            x_XE = x_XE + _exact(ops.tile(self._first_places(length), (batch, 1)))
        else:
            x_XE = x_XE + _exact(self._places(ops.reshape(position_ids, (-1,))))
        if self.token_type_embeddings is not None:
            x_XE = x_XE + _exact(self._types(token_type_ids))
        normed = ops.cast(x_XE, self.compute_dtype) if self.norm is None else self.norm(x_XE)
        return dropout(normed, self.dropout_rate, key)

    def _words(self, input_ids, shift, groups):
        """float [X, E], the words' own vectors."""
        x_XE = _exact(steps().rows(self.word_embeddings, ops.reshape(input_ids, (-1,))))
        if self.scale != 1:
            x_XE = x_XE * self.scale
        if shift is None:
            return x_XE
        return x_XE + ops.cast(ops.reshape(shift, (-1, self.width)), x_XE.dtype)

    def _types(self, token_type_ids):
        """float [X, E], or [E], the same for all tokens, of absent types."""
        table_TE = self.token_type_embeddings
        if token_type_ids is None:
            return table_TE[0]
        ids_X, rows = ops.reshape(token_type_ids, (-1,)), self.rows["token_type_embeddings"]
        return ops.matmul(ops.one_hot(ids_X, rows, dtype="float32"), table_TE)

    def _first_places(self, length):
        if self.positions is None:
            return self.position_embeddings[:length]
        return self.positions(ops.arange(length), self.wide)

    def _places(self, position_ids):
        if self.positions is None:
            return ops.take(self.position_embeddings, position_ids, axis=0)
        return self.positions(position_ids, self.wide)


class PaddedEmbeddings(Embeddings):
    """The same, but the first rows of the table of positions are padding's (Liu et al. 2019, code).

    Row `padding_id` belongs to padding, and the first token of a text has the row after it. Tokens
    with the id of padding are not counted, whatever the attention mask says of them.

    Args:
      padding_id: int.
      Others as in Embeddings.
    """

    def __init__(self, *args, padding_id, **kwargs):
        super().__init__(*args, **kwargs)
        self.padding_id = padding_id

    def call(
        self,
        input_ids,
        token_type_ids=None,
        position_ids=None,
        key=None,
        shift=None,
        groups=None,
    ):
        """As Embeddings; without `position_ids` tokens are counted as `rows_from_padding` says."""
        rows_BL = rows_from_padding(input_ids, position_ids, self.padding_id)
        return super().call(input_ids, token_type_ids, rows_BL, key, shift)


class WordEmbeddings(Embeddings):
    """The vectors of words alone, normalized: for attention that is told of positions itself.

    Args:
      vocab_size: int, rows of the table.
      width: int, their columns.
      norm: layer behind it, such as LayerNorm.
      dropout_rate: float, after the normalization.
      initializer: of the table.
    """

    def __init__(self, vocab_size, width, norm, dropout_rate=0.0, initializer=None, **kwargs):
        super().__init__(vocab_size, 0, 0, width, dropout_rate, None, initializer, **kwargs)
        self.norm = norm


class FixedPositionEmbeddings(Embeddings):
    """The same with a table of positions that holds sines and cosines, and is not trained."""

    def build(self, shape=None):
        super().build(shape)
        table_PE = self.position_embeddings
        table_PE.assign(sinusoidal(ops.arange(table_PE.shape[0]), self.width))
        table_PE.trainable = False


class LanguageEmbeddings(Embeddings):
    """The same, with a vector of its language added to each token (Lample & Conneau 2019, arXiv
    1901.07291, figure 1 and code).

    Args:
      num_languages: int, rows of the table of languages.
      Others as in Embeddings.
    """

    further_inputs = ("language_ids",)

    def __init__(self, *args, num_languages, **kwargs):
        super().__init__(*args, **kwargs)
        self.rows["language_embeddings"] = num_languages

    def call(
        self,
        input_ids,
        token_type_ids=None,
        position_ids=None,
        key=None,
        shift=None,
        groups=None,
        language_ids=None,
    ):
        """As Embeddings; `language_ids` int [B], of rows, or [B, L], of tokens; None adds none."""
        if language_ids is not None:
            vectors = ops.take(self.language_embeddings, language_ids, axis=0)
            if len(language_ids.shape) == 1:
                vectors = vectors[:, None] + ops.zeros((1, ops.shape(input_ids)[1], 1))
            shift = vectors if shift is None else shift + vectors
        return super().call(input_ids, token_type_ids, position_ids, key, shift, groups)


class FactoredEmbeddings(Embeddings):
    """The same with words' vectors that are narrower, and widened by one matrix for all.

    Args:
      rank: int, the columns of their table.
      Others as in Embeddings.
    """

    def __init__(self, *args, rank, **kwargs):
        super().__init__(*args, **kwargs)
        self.width = rank

    def build(self, shape=None):
        super().build(shape)
        self.word_projection = self.add_weight(
            name="word_projection",
            shape=(self.width, self.wide),
            initializer=with_own_seed(self.initializer),
            autocast=False,
        )

    def _words(self, input_ids, shift, groups):
        return ops.matmul(super()._words(input_ids, shift, groups), self.word_projection)


def _exact(x):
    """float -> float32, in which vectors are added."""
    return ops.cast(x, "float32")
