"""ELMo (Peters et al. 2018, arXiv 1802.05365): LSTMs in both directions, and all layers mixed."""

import dataclasses

from bert_tf.encoders import parts
from bert_tf.encoders.checks import check_absent
from bert_tf.encoders.config import EncoderConfig
from bert_tf.encoders.family import Family, Published
from bert_tf.errors import InputError
from bert_tf.layers import (
    Doubled,
    LayerMix,
    StateResets,
    TwoWayLSTM,
    WordEmbeddings,
    truncated_normal,
)


@dataclasses.dataclass(frozen=True)
class ElmoConfig(EncoderConfig):
    """The sizes of an ELMo, by default the published one's but for its words, which it spells.

    `hidden_size`: of both directions together; words are half as wide.
    `intermediate_size`: cells of each direction.
    `max_position_embeddings`: tokens of the longest row; no weight depends on it.
    `tie_word_embeddings`: whether the output matrix of its language model is that of the words.
    Of `attention_probs_dropout_prob`, `hidden_act` and `layer_norm_eps` nothing is read.
    """

    hidden_size: int = 1024
    num_hidden_layers: int = 2
    num_attention_heads: int = 0
    intermediate_size: int = 4096
    max_position_embeddings: int = 4096
    type_vocab_size: int = 0

    model_type = "elmo"
    unseen = ("hidden_dropout_prob", "initializer_range", "max_position_embeddings")
    least = {"num_attention_heads": 0}

    def __post_init__(self):
        super().__post_init__()
        check_absent(self, "num_attention_heads", "type_vocab_size")
        if self.hidden_size % 2:
            raise InputError(
                f"hidden_size: {self.hidden_size}, wanted an even number: half of it is each "
                "direction's"
            )

    @property
    def embedding_size(self):
        """int, the width of words: that of a direction."""
        return self.hidden_size // 2


def _embeddings(config, dtype):
    return WordEmbeddings(
        config.vocab_size,
        config.embedding_size,
        None,
        config.hidden_dropout_prob,
        truncated_normal(config.initializer_range),
        dtype=dtype,
    )


def _blocks(config, dtype):
    cells, rate = config.intermediate_size, config.hidden_dropout_prob
    return [
        TwoWayLSTM(cells, rate, residual=layer > 0, dtype=dtype)
        for layer in range(config.num_hidden_layers)
    ]


ELMO = Family(
    config=ElmoConfig,
    sizes={},
    published=lambda config: Published(has_pooler=False, pooling="mean", sentence_objective=None),
    embeddings=_embeddings,
    embeddings_projection=lambda config, initializer, dtype: Doubled(dtype=dtype),
    positions=lambda config, dtype: StateResets(dtype=dtype),
    blocks=_blocks,
    mix=lambda config, dtype: LayerMix(config.num_hidden_layers + 1, dtype=dtype),
    two_way_head=parts.next_word_head,
)
