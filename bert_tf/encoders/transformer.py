"""The Transformer of Vaswani et al. (2017, arXiv 1706.03762), encoder and decoder, and what lies
between it and BERT: other families' parts with its choices, BERTs that read from left to right."""

import dataclasses
import functools

from bert_tf.encoders import parts
from bert_tf.encoders.checks import OF_TRANSFORMER, check_choice, check_groups
from bert_tf.encoders.config import EncoderConfig
from bert_tf.encoders.electra import ELECTRA
from bert_tf.encoders.family import Family, Published
from bert_tf.errors import InputError
from bert_tf.layers import (
    DecoderBlock,
    Embeddings,
    EncoderBlock,
    LanguageEmbeddings,
    LayerNorm,
    PostNormDecoderBlock,
    PreNormBlock,
    sinusoidal,
    truncated_normal,
)

# The values of `position_embedding`; None is a table that is learned.
POSITIONS = {"learned": None, "sinusoidal": sinusoidal}
# The values of `norm`: where the norms of a block stand.
NORMS = {"post": EncoderBlock, "pre": PreNormBlock}
DECODERS = {"post": PostNormDecoderBlock, "pre": DecoderBlock}
# The values of `word_embedding`.
WORDS = ("normed", "scaled")
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
    `word_embedding`: normed, behind the sum with positions and types, or scaled by the root of
    their width without a norm, and then their table alone tells a decoder's next word (Vaswani et
    al. 2017, section 3.4).
    `is_decoder`: whether no token attends to a later one; `add_cross_attention`: whether each block
    of a decoder attends to what an encoder gave, too.
    `parts_of`: bert, albert or electra, whose parts and heads it has otherwise.
    `num_languages`: rows of a table of languages, one of which may be added to each token (Lample &
    Conneau 2019); None: there is none.
    `embedding_size`, `num_hidden_groups`, `inner_group_num`: as in that family, None where it has
    no such field.
    """

    position_embedding: str = OF_TRANSFORMER["position_embedding"]
    norm: str = OF_TRANSFORMER["norm"]
    word_embedding: str = OF_TRANSFORMER["word_embedding"]
    is_decoder: bool = OF_TRANSFORMER["is_decoder"]
    add_cross_attention: bool = OF_TRANSFORMER["add_cross_attention"]
    num_languages: int | None = OF_TRANSFORMER["num_languages"]
    parts_of: str = "bert"
    embedding_size: int | None = None
    num_hidden_groups: int | None = None
    inner_group_num: int | None = None
    bos_token_id: int | None = None
    eos_token_id: int | None = None

    model_type = "transformer"
    own_sizes = ("attention_head_size", "linear_rank")
    unseen = (*EncoderConfig.unseen, "is_decoder")
    # Of ELECTRA's head for multiple choice, as its config has them by default.
    summary_activation, summary_last_dropout = "gelu", 0.1

    def __post_init__(self):
        super().__post_init__()
        choices = {"position_embedding": POSITIONS, "norm": NORMS, "parts_of": PARTS}
        choices |= {"word_embedding": WORDS}
        for field, known in choices.items():
            check_choice(self, field, known)
        for field in PARTS["albert"]:
            value, needed = getattr(self, field), field in PARTS[self.parts_of]
            if needed != (value is not None):
                wanted = "a whole number" if needed else "None"
                raise InputError(f"{field}: {value}, wanted {wanted}: parts_of is {self.parts_of}")
        if self.num_hidden_groups is not None:
            check_groups(self)
        if self.is_decoder and self.parts_of != "bert":
            raise InputError(f"is_decoder: true, wanted parts_of: bert, and it is {self.parts_of}")
        for name in self.own_sizes:
            if self.is_decoder and getattr(self, name) is not None:
                said = f"{name}: {getattr(self, name)} and is_decoder: true"
                raise InputError(f"{said}, wanted one of them")
        if self.add_cross_attention and not self.is_decoder:
            raise InputError("add_cross_attention: true, wanted is_decoder: true with it")


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
    if config.is_decoder:
        return Published(has_pooler=False, pooling="last", sentence_objective=None)
    if config.parts_of == "electra":
        return ELECTRA.published(config)
    order = config.parts_of == "albert"
    return Published(sentence_objective="sentence_order" if order else "next_sentence")


def _embeddings(config, dtype):
    positions, kind = POSITIONS[config.position_embedding], Embeddings
    if config.num_languages is not None:
        kind = functools.partial(LanguageEmbeddings, num_languages=config.num_languages)
    return parts.embeddings(config, dtype, positions, kind, config.word_embedding == "scaled")


def _embeddings_projection(config, initializer, dtype):
    same = config.embedding_size in (None, config.hidden_size)
    if same and config.parts_of != "albert":
        return None
    return parts.embeddings_projection(config, initializer, dtype)


def _blocks(config, dtype):
    if config.is_decoder:
        kinds, kernels = (NORMS[config.norm], DECODERS[config.norm]), (_initializer(config),)
        count = range(config.num_hidden_layers)
        return [parts.decoder_block(config, dtype, kinds, kernels) for _ in count]
    make = parts.blocks if config.num_hidden_groups is None else parts.shared_blocks
    return make(config, dtype, NORMS[config.norm])


def _groups(config, blocks):
    return None if config.num_hidden_groups is None else parts.groups_of(config, blocks)


def _final_norm(config, dtype):
    return LayerNorm(config.layer_norm_eps, dtype=dtype) if config.norm == "pre" else None


def _initializer(config):
    return truncated_normal(config.initializer_range)


def _next_word_head(config, dtype):
    """BERT's head for masked words, as transformers' `BertLMHeadModel` has it, or the words' table
    alone."""
    if not config.is_decoder:
        return None
    if config.word_embedding == "normed":
        return parts.masked_lm_head(config, config.hidden_size, dtype)
    return parts.next_word_head(config, dtype)


def _masked_lm_head(config, width, dtype):
    if config.is_decoder:
        return None
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
    next_word_head=_next_word_head,
    decoder={"is_decoder": True, "add_cross_attention": True},
    replaced_token_head=parts.replaced_token_head,
)
