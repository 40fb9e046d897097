"""The heads that predict words: what stands before the words' table, and the table's place."""

import keras
from keras import ops

from bert_tf.layers.feed_forward import ACTIVATIONS
from bert_tf.layers.heads import ACTIVATIONS_OF_HEADS
from bert_tf.layers.linear import Linear, with_own_seed
from bert_tf.layers.normalization import LayerNorm


class MaskedLMHead(keras.layers.Layer):
    """Dense, activation, norm, then the word embeddings as output matrix (Devlin et al. 2019, code:
    `get_masked_lm_output`).

    Args:
      width: int, E of the word embeddings.
      vocab_size: int, V.
      activation: a key of ACTIVATIONS.
      epsilon: float, of the normalization.
      initializer: of the dense kernel, and of an output matrix of its own.
      tied: bool, whether the output matrix is that of the word embeddings.
      idle_bias: bool, whether an untied head has `output_bias`, which nothing reads, besides the
        bias that it adds, as transformers' classes keep it in files.
    """

    def __init__(
        self,
        width,
        vocab_size,
        activation="gelu",
        epsilon=1e-12,
        initializer=None,
        tied=True,
        idle_bias=True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.vocab_size, self.tied = vocab_size, tied
        self.table_width = width
        self.has_idle_bias = idle_bias and not tied
        self.activation = ACTIVATIONS[activation]
        self.initializer = initializer
        self.dense = Linear(width, initializer, dtype=self.dtype_policy)
        self.norm = LayerNorm(epsilon, dtype=self.dtype_policy)
        self.output_embeddings = self.decoder_bias = None

    def build(self, shape):
        self.dense.build((None, shape[-1]))
        self.norm.build((None, self.dense.width))
        self.output_bias = self.add_weight(
            name="output_bias",
            shape=(self.vocab_size,),
            initializer="zeros",
            trainable=not self.has_idle_bias,
        )
        if not self.tied:
            self.output_embeddings = self.add_weight(
                name="output_embeddings",
                shape=(self.vocab_size, self.table_width),
                initializer=with_own_seed(self.initializer),
                autocast=False,
            )
        if self.has_idle_bias:
            self.decoder_bias = self.add_weight(
                name="decoder_bias", shape=(self.vocab_size,), initializer="zeros"
            )

    def call(self, x_XD, word_embeddings_VE):
        """float [X, D], the table of the words [V, E] -> logits, float32 [X, V]."""
        x_XE = self.norm(self.activation(self.dense(x_XD)))
        table_VE = word_embeddings_VE if self.tied else self.output_embeddings
        logits_XV = ops.matmul(x_XE, self.matrix(ops.cast(table_VE, x_XE.dtype)))
        bias_V = self.decoder_bias if self.has_idle_bias else self.output_bias
        return ops.cast(logits_XV, "float32") + ops.cast(bias_V, "float32")

    def matrix(self, table_VE):
        """The output matrix [E, V] that goes with a table of words."""
        return ops.transpose(table_VE)


class SplitMaskedLMHead(MaskedLMHead):
    """The same for word embeddings that are narrower than D: the first E entries meet the words'
    table, the others a matrix of the head's own (google-research, mobilebert/run_pretraining.py).

    Args:
      word_width: int, E.
      Others as in MaskedLMHead; the width is D.
    """

    def __init__(self, *args, word_width, **kwargs):
        super().__init__(*args, **kwargs)
        self.table_width = word_width

    def build(self, shape):
        super().build(shape)
        self.output_columns = self.add_weight(
            name="output_columns",
            shape=(self.dense.width - self.table_width, self.vocab_size),
            initializer=with_own_seed(self.initializer),
        )

    def matrix(self, table_VE):
        """The output matrix [D, V]."""
        return ops.concatenate([ops.transpose(table_VE), self.output_columns], axis=0)


class NextWordHead(keras.layers.Layer):
    """The word embeddings, or a table of its own, as output matrix (Radford et al. 2019, code:
    `model`).

    Args:
      vocab_size: int, V.
      tied: bool, whether the matrix is that of the word embeddings.
      initializer: of a table of its own.
    """

    def __init__(self, vocab_size, tied=True, initializer=None, **kwargs):
        super().__init__(**kwargs)
        self.vocab_size, self.tied = vocab_size, tied
        self.initializer = initializer
        self.output_embeddings = None

    def build(self, shape):
        if not self.tied:
            self.output_embeddings = self.add_weight(
                name="output_embeddings",
                shape=(self.vocab_size, shape[-1]),
                initializer=with_own_seed(self.initializer),
                autocast=False,
            )

    def call(self, x_XD, word_embeddings_VE):
        """float [X, D], the table of the words [V, D] -> logits, float32 [X, V]."""
        table_VD = self.table(word_embeddings_VE)
        logits_XV = ops.matmul(x_XD, ops.transpose(ops.cast(table_VD, x_XD.dtype)))
        return ops.cast(logits_XV, "float32")

    def table(self, word_embeddings_VE):
        """The rows that vectors are multiplied by, [V, D], given the table of the words."""
        return word_embeddings_VE if self.tied else self.output_embeddings


class ContextHead(keras.layers.Layer):
    """The vectors that words have as neighbours of others, zeros at first (Mikolov et al. 2013,
    arXiv 1310.4546, v' of eq. 2; word2vec.c: syn1neg).

    Args:
      vocab_size: int, V.
    """

    def __init__(self, vocab_size, **kwargs):
        super().__init__(**kwargs)
        self.vocab_size = vocab_size

    def build(self, shape):
        self.word_embeddings = self.add_weight(
            name="word_embeddings",
            shape=(self.vocab_size, shape[-1]),
            initializer="zeros",
            autocast=False,
        )

    def call(self, ids):
        """int [...] -> float [..., D]."""
        return ops.cast(ops.take(self.word_embeddings, ids, axis=0), self.compute_dtype)


class WordHead(keras.layers.Layer):
    """Dense, activation, norm, then an output matrix; what it has of biases is told.

    Args:
      layer: HeadLayer with an `epsilon`; its width is E of the word embeddings.
      vocab_size: int, V.
      use_bias: bool, whether the logits have one.
      tied: bool, whether the matrix is that of the word embeddings.
      initializer: of the dense kernel and of a matrix of its own.
    """

    def __init__(self, layer, vocab_size, use_bias=True, tied=True, initializer=None, **kwargs):
        super().__init__(**kwargs)
        self.vocab_size, self.use_bias, self.tied = vocab_size, use_bias, tied
        self.activation = ACTIVATIONS_OF_HEADS[layer.activation]
        self.initializer, policy = initializer, self.dtype_policy
        self.dense = Linear(layer.width, initializer, layer.use_bias, dtype=policy)
        self.norm = LayerNorm(layer.epsilon, layer.center, dtype=policy)
        self.output_bias = self.output_embeddings = None

    def build(self, shape):
        width = self.dense.width
        self.dense.build((None, shape[-1]))
        self.norm.build((None, width))
        if not self.tied:
            self.output_embeddings = self.add_weight(
                name="output_embeddings",
                shape=(self.vocab_size, width),
                initializer=with_own_seed(self.initializer),
                autocast=False,
            )
        if self.use_bias:
            self.output_bias = self.add_weight(
                name="output_bias", shape=(self.vocab_size,), initializer="zeros"
            )

    def call(self, x_XD, word_embeddings_VE):
        """float [X, D], the table of the words [V, E] -> logits, float32 [X, V]."""
        x_XE = self.norm(self.activation(self.dense(x_XD)))
        table_VE = word_embeddings_VE if self.tied else self.output_embeddings
        logits_XV = ops.matmul(x_XE, ops.transpose(ops.cast(table_VE, x_XE.dtype)))
        logits_XV = ops.cast(logits_XV, "float32")
        if self.output_bias is None:
            return logits_XV
        return logits_XV + ops.cast(self.output_bias, "float32")
