"""ELECTRA (Clark et al. 2020, arXiv 2003.10555): BERT that tells replaced tokens from real ones."""

import dataclasses

from bert_tf.encoders.bert import BertConfig, BertEncoder
from bert_tf.errors import InputError
from bert_tf.layers import ProjectionHead, truncated_normal


@dataclasses.dataclass(frozen=True)
class ElectraConfig(BertConfig):
    """The sizes of an ELECTRA, discriminator or generator; by default small's.

    `embedding_size`: where it is not `hidden_size` a linear layer follows the embeddings.
    """

    hidden_size: int = 256
    num_attention_heads: int = 4
    intermediate_size: int = 1024
    embedding_size: int = 128

    model_type = "electra"


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


# The fields that embeddings are made of; a generator has those of its discriminator.
_OF_EMBEDDINGS = (
    "vocab_size",
    "max_position_embeddings",
    "type_vocab_size",
    "embedding_size",
    "layer_norm_eps",
    "position_embedding",
)


class ElectraEncoder(BertEncoder):
    """BERT's encoder without a pooler, behind embeddings of a width of their own.

    Args: as BertEncoder; `pooler` can only be False.
    """

    published_pooling = "cls"

    def __init__(self, config, pooler=False, **kwargs):
        if pooler:
            raise InputError("pooler: True, an ELECTRA has none")
        super().__init__(config, pooler=False, **kwargs)

    @property
    def published_head_layers(self):
        """Of the sentence classifier: one as wide as the encoder (Clark et al. 2020, code of
        transformers' `ElectraClassificationHead`)."""
        return ((self.config.hidden_size, "gelu"),)

    def masked_lm_head(self):
        """The generator's head, with the exact GELU whatever the blocks have, as published."""
        return super().masked_lm_head("gelu")

    def replaced_token_head(self):
        """A fresh head that says of a token's vector how likely another word stood there: float
        [X, D] -> logits, float32 [X, 1] (code: `_get_discriminator_output`)."""
        config = self.config
        head = ProjectionHead(
            1,
            ((config.hidden_size, config.hidden_act),),
            initializer=truncated_normal(config.initializer_range),
            dtype=self.dtype_policy,
        )
        head.build((None, config.hidden_size))
        return head

    def generator(self, config):
        """A fresh encoder over this one's embeddings, mostly a smaller one (section 3.2).

        Args:
          config: ElectraConfig with the tables of this one's.
        Returns:
          ElectraEncoder; `MaskedLM(it)` is the generator that `ElectraPretraining` takes.
        Raises:
          InputError: its tables would have another size.
        """
        own, given = dataclasses.asdict(self.config), dataclasses.asdict(config)
        for name in _OF_EMBEDDINGS:
            if given[name] != own[name]:
                raise InputError(
                    f"generator: {name}: {given[name]!r}, wanted {own[name]!r} as in the encoder "
                    "whose embeddings it shares"
                )
        return type(self)(config, embeddings=self.embeddings, dtype=self.dtype_policy)
