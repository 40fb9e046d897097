"""DeBERTa of versions 2 and 3 (He et al. 2021, arXiv 2006.03654 and 2111.09543): BERT whose
attention knows what words say and how far apart they are by two vectors."""

import dataclasses

from bert_tf.encoders.checks import check_choice, check_shares
from bert_tf.encoders.config import EncoderConfig
from bert_tf.encoders.family import Family, Published
from bert_tf.errors import InputError, shown
from bert_tf.layers import (
    ACTIVATIONS,
    ACTIVATIONS_OF_HEADS,
    ConvolvedBlock,
    DisentangledAttention,
    Embeddings,
    EncoderBlock,
    FeedForward,
    HeadLayer,
    MaskedLMHead,
    RelativePositions,
    RowConvolution,
    truncated_normal,
)

KINDS = ("c2p", "p2c")


@dataclasses.dataclass(frozen=True)
class DebertaV2Config(EncoderConfig):
    """The sizes of a DeBERTa, by default as transformers'; the published ones stand in SIZES.

    `relative_attention`: whether attention knows distances; by which of `pos_att_type`, "c2p" and
    "p2c", see `DisentangledAttention`; with the projections of words (`share_att_key`) or its own.
    `position_buckets`: how many buckets of distances there are to either side; 0 and less: each
    distance has its own. `max_relative_positions`: the distance from which on they are alike; less
    than 1: `max_position_embeddings`.
    `norm_rel_ebd`: "layer_norm", whether the vectors of distances are normalized, or "none".
    `position_biased_input`: whether words have vectors of their places added, too.
    `conv_kernel_size`: how many tokens a convolution beside the first block sees, 0: there is none;
    `conv_act`: its activation.
    `classifier_dropout` is `cls_dropout` in files; `pooler_dropout` and `pooler_hidden_act` are of
    the dense layer before it.
    `legacy`: whether the head for masked words has the names of BERT's in files.
    """

    vocab_size: int = 128100
    hidden_size: int = 1536
    num_hidden_layers: int = 24
    num_attention_heads: int = 24
    intermediate_size: int = 6144
    type_vocab_size: int = 0
    layer_norm_eps: float = 1e-7
    relative_attention: bool = False
    max_relative_positions: int = -1
    position_buckets: int = -1
    norm_rel_ebd: str = "none"
    share_att_key: bool = False
    pos_att_type: tuple = ()
    position_biased_input: bool = True
    conv_kernel_size: int = 0
    conv_act: str = "tanh"
    pooler_dropout: float = 0.0
    pooler_hidden_act: str = "gelu"
    legacy: bool = True

    model_type = "deberta-v2"
    unseen = (
        *(*EncoderConfig.unseen, "relative_attention", "max_relative_positions", "pos_att_type"),
        *("position_buckets", "norm_rel_ebd", "share_att_key", "position_biased_input"),
        *("max_position_embeddings", "conv_act"),
    )
    names_in_files = {"classifier_dropout": "cls_dropout"}
    least = {
        **dict.fromkeys(("max_relative_positions", "position_buckets"), -(10**9)),
        "conv_kernel_size": 0,
    }

    def __post_init__(self):
        super().__post_init__()
        object.__setattr__(self, "pos_att_type", _kinds(self.pos_att_type))
        check_choice(self, "conv_act", ACTIVATIONS)
        check_choice(self, "pooler_hidden_act", ACTIVATIONS_OF_HEADS)
        if not isinstance(self.norm_rel_ebd, str):
            raise InputError(f"norm_rel_ebd: {shown(self.norm_rel_ebd)}, wanted layer_norm or none")
        check_shares(self, "pooler_dropout")
        if self.conv_kernel_size and not self.conv_kernel_size % 2:
            raise InputError(
                f"conv_kernel_size: {self.conv_kernel_size}, wanted an odd number or 0"
            )
        half = self.position_buckets // 2
        if self.relative_attention and (self.position_buckets == 1 or half >= self.furthest - 1):
            raise InputError(
                f"position_buckets: {self.position_buckets}, wanted none, or 2 to "
                f"{2 * self.furthest - 3} for distances below {self.furthest}"
            )

    @property
    def furthest(self):
        """int, the distance from which on all are alike."""
        most = self.max_relative_positions
        return self.max_position_embeddings if most < 1 else most

    @property
    def span(self):
        """int, how many distances to either side have a vector, 0 where none has."""
        if not self.relative_attention:
            return 0
        return self.position_buckets if self.position_buckets > 0 else self.furthest

    @property
    def relative_rows(self):
        """int, rows of the table of distances; None: there is none."""
        return 2 * self.span or None

    @property
    def position_rows(self):
        """int, rows of the table of places; None: there is none."""
        return self.max_position_embeddings if self.position_biased_input else None

    @property
    def type_rows(self):
        """int, rows of the table of token types; None: there is none."""
        return self.type_vocab_size or None

    @property
    def normalizes_distances(self):
        """bool, whether the vectors of distances have a norm."""
        return "layer_norm" in [part.strip() for part in self.norm_rel_ebd.lower().split("|")]

    @classmethod
    def told(cls, values):
        """As EncoderConfig.

        Raises:
          InputError: widths that differ, which no published model's do.
        """
        width, heads = (
            values.get(name, getattr(cls, name)) for name in ("hidden_size", "num_attention_heads")
        )
        same = {"pooler_hidden_size": width, "embedding_size": width}
        if isinstance(width, int) and isinstance(heads, int) and heads > 0:
            same["attention_head_size"] = width // heads
        for name, wanted in same.items():
            if values.get(name, wanted) != wanted:
                raise InputError(f"{name}: {shown(values[name])}, here only {wanted}")
        values = {name: value for name, value in values.items() if name != "embedding_size"}
        # What null means to transformers' layers.
        nulls = {"pos_att_type": (), "share_att_key": False}
        values |= {name: x for name, x in nulls.items() if values.get(name, x) is None}
        if not values.get("conv_kernel_size", cls.conv_kernel_size):  # nothing has it
            values.setdefault("conv_act", cls.conv_act)
        return super().told(values)

    def to_dict(self):
        """As EncoderConfig."""
        more = {"pooler_hidden_size": self.hidden_size}
        return super().to_dict() | {"pos_att_type": list(self.pos_att_type)} | more


def _kinds(said):
    """The tuple of kinds in a list of them or in a str such as "p2c|c2p"."""
    if isinstance(said, str):
        said = [part.strip() for part in said.lower().split("|")]
    if not isinstance(said, list | tuple) or not all(kind in KINDS for kind in said):
        raise InputError(f"pos_att_type: {shown(said)}, wanted some of {', '.join(KINDS)}")
    return tuple(dict.fromkeys(said))


def _size(layers, width, heads, **more):
    return DebertaV2Config(
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * width,
        relative_attention=True,
        position_buckets=256,
        norm_rel_ebd="layer_norm",
        share_att_key=True,
        pos_att_type=("p2c", "c2p"),
        position_biased_input=False,
        **more,
    )


# The models that Microsoft published (microsoft/DeBERTa, README.md), under the names of the hub.
SIZES = {
    "deberta-v2-xlarge": _size(24, 1536, 24, conv_kernel_size=3, conv_act="gelu"),
    "deberta-v2-xxlarge": _size(48, 1536, 24, conv_kernel_size=3, conv_act="gelu"),
    "deberta-v3-xsmall": _size(12, 384, 6),
    "deberta-v3-small": _size(6, 768, 12),
    "deberta-v3-base": _size(12, 768, 12),
    "deberta-v3-large": _size(24, 1024, 16),
    "mdeberta-v3-base": _size(12, 768, 12, vocab_size=251000),
}


def _published(config):
    """The dense layer over the first token is the classifiers' (transformers, `ContextPooler`)."""
    pooler = HeadLayer(
        config.hidden_size, config.pooler_hidden_act, dropout_rate=config.pooler_dropout
    )
    return Published(
        has_pooler=False, pooling="cls", head_layers=(pooler,), sentence_objective=None
    )


def _embeddings(config, dtype):
    return Embeddings(
        config.vocab_size,
        config.max_position_embeddings if config.position_biased_input else 0,
        config.type_vocab_size,
        config.hidden_size,
        config.hidden_dropout_prob,
        config.layer_norm_eps,
        truncated_normal(config.initializer_range),
        dtype=dtype,
    )


def _positions(config, dtype):
    buckets = config.position_buckets > 0 and config.relative_attention
    return RelativePositions(
        config.span,
        config.hidden_size,
        config.furthest if buckets else None,
        config.layer_norm_eps if config.normalizes_distances else None,
        truncated_normal(config.initializer_range),
        dtype=dtype,
    )


def _blocks(config, dtype):
    return [_block(config, number == 0, dtype) for number in range(config.num_hidden_layers)]


def _block(config, first, dtype):
    initial = truncated_normal(config.initializer_range)
    attention = DisentangledAttention(
        config.num_attention_heads,
        config.attention_probs_dropout_prob,
        initial,
        config.pos_att_type,
        config.relative_attention and not config.share_att_key,
        config.hidden_dropout_prob,
        dtype=dtype,
    )
    kind, more = EncoderBlock, {}
    if first and config.conv_kernel_size:
        convolution = RowConvolution(config.conv_kernel_size, initial, dtype=dtype)
        kind, more = ConvolvedBlock, {"convolution": convolution, "activation": config.conv_act}
    return kind(
        attention,
        FeedForward(config.intermediate_size, config.hidden_act, initial, dtype=dtype),
        config.hidden_dropout_prob,
        config.layer_norm_eps,
        dtype=dtype,
        **more,
    )


class LegacyHead(MaskedLMHead):
    """BERT's head for masked words; files know it by another name than the later one."""

    legacy = property(lambda self: self, doc="This head, for its rows in conversion.")


class LaterHead(MaskedLMHead):
    """The same under the names of microsoft/DeBERTa, where it can fill in masks."""

    later = property(lambda self: self, doc="This head, for its rows in conversion.")


def _masked_lm_head(config, width, dtype):
    kind, tied = (LegacyHead, config.tie_word_embeddings) if config.legacy else (LaterHead, True)
    initial = truncated_normal(config.initializer_range)
    activation, epsilon = config.hidden_act, config.layer_norm_eps
    return kind(width, config.vocab_size, activation, epsilon, initial, tied, dtype=dtype)


DEBERTA_V2 = Family(
    config=DebertaV2Config,
    sizes=SIZES,
    published=_published,
    embeddings=_embeddings,
    positions=_positions,
    blocks=_blocks,
    masked_lm_head=_masked_lm_head,
)
