"""Encoders that nobody published: other families' parts with sinusoidal positions or pre-norm."""

import dataclasses
import functools

from bert_tf.encoders import parts
from bert_tf.encoders.checks import OF_TRANSFORMER, check_choice, check_groups
from bert_tf.encoders.config import EncoderConfig
from bert_tf.encoders.electra import ELECTRA
from bert_tf.encoders.family import Family, Published
from bert_tf.errors import InputError
from bert_tf.layers import EncoderBlock, LanguageEmbeddings, LayerNorm, PreNormBlock, sinusoidal

# The values of `position_embedding`; None is a table that is learned.
POSITIONS = {"learned": None, "sinusoidal": sinusoidal}
# The values of `norm`: where the norms of a block stand.
NORMS = {"post": EncoderBlock, "pre": PreNormBlock}
# The values of `parts_of`: family -> the further fields that its parts need.
PARTS = {
    "bert": (),
    "albert": ("embedding_size", "num_hidden_groups", "inner_group_num"),
    "electra": ("embedding_size",),
}


@dataclasses.dataclass(frozen=True)
class TransformerConfig(EncoderConfig):
    """The sizes of an encoder, and choices that no published family here leaves open.

    `position_embedding`: learned (a table) or sinusoidal (Vaswani et al. 2017, section 3.5).
    `norm`: post, behind each sum, or pre, before each layer and once behind the last block
    (Xiong et al. 2020).
    `parts_of`: bert, albert or electra, whose parts and heads it has otherwise.
    `num_languages`: rows of a table of languages, one of which may be added to each token (Lample &
    Conneau 2019); None: there is none.
    `embedding_size`, `num_hidden_groups`, `inner_group_num`: as in that family, None where it has
    no such field.
    """

    position_embedding: str = OF_TRANSFORMER["position_embedding"]
    norm: str = OF_TRANSFORMER["norm"]
    num_languages: int | None = OF_TRANSFORMER["num_languages"]
    parts_of: str = "bert"
    embedding_size: int | None = None
    num_hidden_groups: int | None = None
    inner_group_num: int | None = None

    model_type = "transformer"
    # Of ELECTRA's head for multiple choice, as its config has them by default.
    summary_activation, summary_last_dropout = "gelu", 0.1

    def __post_init__(self):
        super().__post_init__()
        choices = {"position_embedding": POSITIONS, "norm": NORMS, "parts_of": PARTS}
        for field, known in choices.items():
            check_choice(self, field, known)
        for field in PARTS["albert"]:
            value, needed = getattr(self, field), field in PARTS[self.parts_of]
            if needed != (value is not None):
                wanted = "a whole number" if needed else "None"
                raise InputError(f"{field}: {value}, wanted {wanted}: parts_of is {self.parts_of}")
        if self.num_hidden_groups is not None:
            check_groups(self)


def as_transformer(config):
    """The same encoder as one of this family, whose further choices can then be changed.

    Args:
      config: BertConfig, AlbertConfig or ElectraConfig.
    Returns:
      TransformerConfig.
    """
    fields = {field.name for field in dataclasses.fields(TransformerConfig)}
    values = {name: x for name, x in dataclasses.asdict(config).items() if name in fields}
    return TransformerConfig(parts_of=config.model_type, **values)


def _published(config):
    if config.parts_of == "electra":
        return ELECTRA.published(config)
    order = config.parts_of == "albert"
    return Published(sentence_objective="sentence_order" if order else "next_sentence")


def _embeddings(config, dtype):
    positions = POSITIONS[config.position_embedding]
    if config.num_languages is None:
        return parts.embeddings(config, dtype, positions)
    kind = functools.partial(LanguageEmbeddings, num_languages=config.num_languages)
    return parts.embeddings(config, dtype, positions, kind)


def _embeddings_projection(config, initializer, dtype):
    same = config.embedding_size in (None, config.hidden_size)
    if same and config.parts_of != "albert":
        return None
    return parts.embeddings_projection(config, initializer, dtype)


def _blocks(config, dtype):
    make = parts.blocks if config.num_hidden_groups is None else parts.shared_blocks
    return make(config, dtype, NORMS[config.norm])


def _groups(config, blocks):
    return None if config.num_hidden_groups is None else parts.groups_of(config, blocks)


def _final_norm(config, dtype):
    return LayerNorm(config.layer_norm_eps, dtype=dtype) if config.norm == "pre" else None


def _masked_lm_head(config, width, dtype):
    of_electra = config.parts_of == "electra"
    activation = "gelu" if of_electra else None
    return parts.masked_lm_head(config, width, dtype, activation, idle_bias=not of_electra)


TRANSFORMER = Family(
    config=TransformerConfig,
    sizes={},
    published=_published,
    embeddings=_embeddings,
    embeddings_projection=_embeddings_projection,
    blocks=_blocks,
    groups=_groups,
    final_norm=_final_norm,
    masked_lm_head=_masked_lm_head,
    replaced_token_head=parts.replaced_token_head,
)
