"""RoBERTa (Liu et al. 2019, arXiv 1907.11692) and XLM-RoBERTa (Conneau et al. 2020, 1911.02116)."""

import dataclasses
import functools

from bert_tf.encoders import parts
from bert_tf.encoders.checks import check_padding_id
from bert_tf.encoders.config import EncoderConfig
from bert_tf.encoders.family import Family, Published
from bert_tf.errors import InputError
from bert_tf.layers import PaddedEmbeddings


@dataclasses.dataclass(frozen=True)
class RobertaConfig(EncoderConfig):
    """The sizes of a RoBERTa; by default those transformers takes where a file is silent, which
    are no published model's.

    `max_position_embeddings`: rows of the table of positions. The first `pad_token_id` + 1 belong
    to no token of a text: the published models have 514 rows for 512 tokens.
    `bos_token_id`, `eos_token_id`: kept for transformers, and used nowhere here.
    """

    vocab_size: int = 50265
    pad_token_id: int = 1
    bos_token_id: int | None = 0
    eos_token_id: int | None = 2

    model_type = "roberta"
    own_sizes = ("attention_head_size", "linear_rank")
    counts_padding = True
    unseen = (*EncoderConfig.unseen, "pad_token_id")

    def __post_init__(self):
        super().__post_init__()
        if self.longest_row < 1:
            raise InputError(
                f"max_position_embeddings: {self.max_position_embeddings}, wanted more than "
                f"pad_token_id + 1: {self.pad_token_id + 1} rows belong to no token"
            )
        check_padding_id(self)

    @property
    def longest_row(self):
        """As EncoderConfig's."""
        return self.max_position_embeddings - self.pad_token_id - 1


@dataclasses.dataclass(frozen=True)
class XLMRobertaConfig(RobertaConfig):
    """The sizes of an XLM-RoBERTa: a RoBERTa of many languages, with the same fields."""

    vocab_size: int = 30522

    model_type = "xlm-roberta"
    own_sizes = ("attention_head_size", "linear_rank")


def _size(kind, vocab_size, layers, width):
    return kind(
        vocab_size=vocab_size,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        intermediate_size=4 * width,
        max_position_embeddings=514,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
    )


# facebookresearch/fairseq, examples/roberta/README.md; distilroberta-base is Hugging Face's
# (Sanh et al. 2019, arXiv 1910.01108).
SIZES = {
    "roberta-base": _size(RobertaConfig, 50265, 12, 768),
    "roberta-large": _size(RobertaConfig, 50265, 24, 1024),
    "distilroberta-base": _size(RobertaConfig, 50265, 6, 768),
}
# facebookresearch/fairseq, examples/xlmr/README.md.
XLM_SIZES = {
    "xlm-roberta-base": _size(XLMRobertaConfig, 250002, 12, 768),
    "xlm-roberta-large": _size(XLMRobertaConfig, 250002, 24, 1024),
}


def _published(config):
    """Sentences are read from the first token by a head of its own, choices by the pooler."""
    return Published(
        pooling="cls",
        head_layers=((config.hidden_size, "tanh"),),
        choice_pooling="pooler",
        choice_head_layers=(),
        sentence_objective=None,
    )


def _embeddings(config, dtype):
    kind = functools.partial(PaddedEmbeddings, padding_id=config.pad_token_id)
    return parts.embeddings(config, dtype, kind=kind)


ROBERTA = Family(
    config=RobertaConfig,
    sizes=SIZES,
    published=_published,
    embeddings=_embeddings,
    blocks=parts.blocks,
    # It has the exact GELU whatever the blocks have, as published.
    masked_lm_head=functools.partial(parts.masked_lm_head, activation="gelu"),
)
XLM_ROBERTA = dataclasses.replace(ROBERTA, config=XLMRobertaConfig, sizes=XLM_SIZES)
