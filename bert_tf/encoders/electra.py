"""ELECTRA (Clark et al. 2020, arXiv 2003.10555): BERT that tells replaced tokens from real ones."""

import dataclasses
import functools

from bert_tf.encoders import parts
from bert_tf.encoders.checks import check_choice, check_shares
from bert_tf.encoders.config import EncoderConfig
from bert_tf.encoders.family import Family, Published
from bert_tf.errors import InputError
from bert_tf.layers import ACTIVATIONS_OF_HEADS, HeadLayer


@dataclasses.dataclass(frozen=True)
class ElectraConfig(EncoderConfig):
    """The sizes of an ELECTRA, discriminator or generator; by default small's.

    `embedding_size`: where it is not `hidden_size` a linear layer follows the embeddings.
    `summary_activation`, `summary_last_dropout`: of the head for multiple choice, which has a dense
    layer over the first token; files say so in `summary_type`, "first", and `summary_use_proj`.
    """

    hidden_size: int = 256
    num_attention_heads: int = 4
    intermediate_size: int = 1024
    embedding_size: int = 128
    summary_type: str = "first"
    summary_use_proj: bool = True
    summary_activation: str = "gelu"
    summary_last_dropout: float = 0.1

    model_type = "electra"
    own_sizes = ("attention_head_size", "linear_rank")
    unseen = (*EncoderConfig.unseen, "summary_activation")

    def __post_init__(self):
        super().__post_init__()
        check_choice(self, "summary_type", ("first",))
        check_shares(self, "summary_last_dropout")
        if not self.summary_use_proj:
            raise InputError("summary_use_proj: false, here only true")
        check_choice(self, "summary_activation", ACTIVATIONS_OF_HEADS)


def _size(layers, width, embedding_size):
    return ElectraConfig(
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        intermediate_size=4 * width,
        embedding_size=embedding_size,
    )


# Every ELECTRA that Google published (google-research/electra, README.md). The released small
# generator is as large as its discriminator, the others are a third and a quarter as wide.
SIZES = {
    "electra-small-discriminator": _size(12, 256, 128),
    "electra-base-discriminator": _size(12, 768, 768),
    "electra-large-discriminator": _size(24, 1024, 1024),
    "electra-small-generator": _size(12, 256, 128),
    "electra-base-generator": _size(12, 256, 768),
    "electra-large-generator": _size(24, 256, 1024),
}


def _published(config):
    """No pooler; heads for sentences and choices are transformers' `ElectraClassificationHead` and
    `ElectraSequenceSummary`."""
    summary = HeadLayer(config.hidden_size, config.summary_activation, dropout_rate=0.0)
    return Published(
        has_pooler=False,
        pooling="cls",
        head_layers=((config.hidden_size, "gelu"),),
        choice_head_layers=(summary,),
        choice_dropout=config.summary_last_dropout,
        sentence_objective=None,
        replaces_tokens=True,
    )


def _embeddings_projection(config, initializer, dtype):
    """Only where the widths differ."""
    if config.embedding_size == config.hidden_size:
        return None
    return parts.embeddings_projection(config, initializer, dtype)


ELECTRA = Family(
    config=ElectraConfig,
    sizes=SIZES,
    published=_published,
    embeddings=parts.embeddings,
    embeddings_projection=_embeddings_projection,
    blocks=parts.blocks,
    # The generator's has the exact GELU whatever the blocks have, as published.
    masked_lm_head=functools.partial(parts.masked_lm_head, activation="gelu", idle_bias=False),
    replaced_token_head=parts.replaced_token_head,
)
