"""LSTMs (Hochreiter & Schmidhuber 1997), and the decoder of Luong et al. (2015, arXiv 1508.04025)
that attends to an encoder."""

import dataclasses

from bert_tf.encoders import parts
from bert_tf.encoders.checks import check_absent, check_choice
from bert_tf.encoders.config import EncoderConfig
from bert_tf.encoders.family import Family, Published
from bert_tf.layers import (
    SCORES,
    AttentiveLSTM,
    Beginnings,
    Embeddings,
    LSTMBlock,
    truncated_normal,
)


@dataclasses.dataclass(frozen=True)
class LstmConfig(EncoderConfig):
    """The sizes of a stack of LSTMs that read from left to right.

    `hidden_dropout_prob`: on what each LSTM reads, and on what a decoder gives.
    `is_decoder`: whether it writes: one step of all layers after the other, each with attention to
    what an encoder gave; `score`: dot, general or concat (Luong et al. 2015, eq. 8);
    `input_feeding`: whether a step reads the attentional vector of the one before (section 3.3).
    `max_position_embeddings`: tokens of the longest row; no weight depends on it.
    Of `intermediate_size`, `hidden_act` and `layer_norm_eps` nothing is read.
    """

    num_hidden_layers: int = 2
    num_attention_heads: int = 0
    hidden_dropout_prob: float = 0.2
    type_vocab_size: int = 0
    initializer_range: float = 0.05
    is_decoder: bool = False
    score: str = "general"
    input_feeding: bool = True
    bos_token_id: int | None = None
    eos_token_id: int | None = None

    model_type = "lstm"
    unseen = ("hidden_dropout_prob", "initializer_range", "max_position_embeddings")
    least = {"num_attention_heads": 0}

    def __post_init__(self):
        super().__post_init__()
        check_absent(self, "num_attention_heads", "type_vocab_size")
        check_choice(self, "score", SCORES)


def _embeddings(config, dtype):
    """The table of words alone."""
    initial = truncated_normal(config.initializer_range)
    return Embeddings(config.vocab_size, 0, 0, config.hidden_size, 0.0, None, initial, dtype=dtype)


def _blocks(config, dtype):
    """A block for each LSTM; of a decoder one block for all, since a step goes through all."""
    width, rate = config.hidden_size, config.hidden_dropout_prob
    initial, layers = truncated_normal(config.initializer_range), config.num_hidden_layers
    if not config.is_decoder:
        return [LSTMBlock(width, rate, initial, dtype=dtype) for _ in range(layers)]
    choices = (config.score, config.input_feeding)
    return [AttentiveLSTM(width, layers, *choices, rate, initial, dtype=dtype)]


def _next_word_head(config, dtype):
    return parts.next_word_head(config, dtype) if config.is_decoder else None


LSTM = Family(
    config=LstmConfig,
    sizes={},
    published=lambda config: Published(has_pooler=False, pooling="last", sentence_objective=None),
    embeddings=_embeddings,
    blocks=_blocks,
    positions=lambda config, dtype: None if config.is_decoder else Beginnings(dtype=dtype),
    next_word_head=_next_word_head,
    decoder={"is_decoder": True},
)
