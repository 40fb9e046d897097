"""Word2Vec (Mikolov et al. 2013, arXiv 1301.3781, 1310.4546): a vector for each word, wherever."""

import dataclasses

import keras

from bert_tf.encoders.checks import check_absent
from bert_tf.encoders.config import EncoderConfig
from bert_tf.encoders.family import Family, Published
from bert_tf.layers import ContextHead, WordEmbeddings


@dataclasses.dataclass(frozen=True)
class Word2VecConfig(EncoderConfig):
    """The sizes of word vectors: `vocab_size` of them, `hidden_size` wide.

    `hidden_dropout_prob`: behind the vectors, in training.
    `max_position_embeddings`: tokens of the longest row; no weight depends on it.
    Of the other fields nothing is read: there are no blocks.
    """

    hidden_size: int = 100
    num_hidden_layers: int = 0
    num_attention_heads: int = 0
    hidden_dropout_prob: float = 0.0
    attention_probs_dropout_prob: float = 0.0
    max_position_embeddings: int = 4096
    type_vocab_size: int = 0

    model_type = "word2vec"
    unseen = ("hidden_dropout_prob", "max_position_embeddings")
    least = {"num_hidden_layers": 0, "num_attention_heads": 0}

    def __post_init__(self):
        super().__post_init__()
        check_absent(self, "num_hidden_layers", "num_attention_heads", "type_vocab_size")


def _embeddings(config, dtype):
    """Small vectors at first (word2vec.c: InitNet), however wide they are."""
    most = 0.5 / config.hidden_size
    return WordEmbeddings(
        config.vocab_size,
        config.hidden_size,
        None,
        config.hidden_dropout_prob,
        keras.initializers.RandomUniform(-most, most),
        dtype=dtype,
    )


WORD2VEC = Family(
    config=Word2VecConfig,
    sizes={},
    published=lambda config: Published(has_pooler=False, pooling="mean", sentence_objective=None),
    embeddings=_embeddings,
    blocks=lambda config, dtype: [],
    context_head=lambda config, dtype: ContextHead(config.vocab_size, dtype=dtype),
)


def words_alone_config(config, width):
    """The config of vectors for the vocabulary of another encoder.

    Args:
      config: config of any family.
      width: int.
    """
    return Word2VecConfig(
        vocab_size=config.vocab_size, hidden_size=width, pad_token_id=config.pad_token_id
    )
