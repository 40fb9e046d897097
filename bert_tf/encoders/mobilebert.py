"""MobileBERT (Sun et al. 2020, arXiv 2004.02984): deep and narrow, a bottleneck in each block."""

import dataclasses

from bert_tf.encoders.checks import check_choice, check_padding_id
from bert_tf.encoders.config import EncoderConfig
from bert_tf.encoders.family import Family, Published
from bert_tf.errors import InputError
from bert_tf.layers import (
    BottleneckBlock,
    BottleneckPlan,
    LayerNorm,
    Pooler,
    ScaleShift,
    SplitMaskedLMHead,
    TrigramEmbeddings,
    truncated_normal,
)

# The values of `normalization_type`.
NORMS = ("no_norm", "layer_norm")
# What norms have that are told no epsilon: PyTorch's.
_DEFAULT_EPSILON = 1e-5
_MOST_FEED_FORWARDS = 100


@dataclasses.dataclass(frozen=True)
class MobileBertConfig(EncoderConfig):
    """The sizes of a MobileBERT, by default those of the published one.

    `embedding_size`: columns of the words' table.
    `trigram_input`: whether a word's vector goes in beside those of both neighbours.
    `use_bottleneck`: whether blocks are `intra_bottleneck_size` wide inside, not `hidden_size`.
    `key_query_shared_bottleneck`: whether queries and keys have a bottleneck of their own, and
    values none; `use_bottleneck_attention`: whether all three have that of the residual.
    `num_feedforward_networks`: feed-forward layers of a block.
    `normalization_type`: "no_norm", a scale and a shift, or "layer_norm", whose epsilon is
    `layer_norm_eps` but 1e-5 behind the embeddings and the last feed-forward layer of a block.
    `classifier_activation`: whether the pooler has a dense layer and tanh, or is the first token.
    """

    hidden_size: int = 512
    num_hidden_layers: int = 24
    num_attention_heads: int = 4
    intermediate_size: int = 512
    hidden_act: str = "relu"
    hidden_dropout_prob: float = 0.0
    embedding_size: int = 128
    trigram_input: bool = True
    use_bottleneck: bool = True
    intra_bottleneck_size: int = 128
    use_bottleneck_attention: bool = False
    key_query_shared_bottleneck: bool = True
    num_feedforward_networks: int = 4
    pad_token_id: int = 0
    normalization_type: str = "no_norm"
    classifier_activation: bool = True

    model_type = "mobilebert"
    unseen = (
        *(*EncoderConfig.unseen, "normalization_type", "trigram_input", "use_bottleneck"),
        *("use_bottleneck_attention", "key_query_shared_bottleneck", "classifier_activation"),
        "pad_token_id",
    )

    def __post_init__(self):
        super().__post_init__()
        check_choice(self, "normalization_type", NORMS)
        check_padding_id(self)
        if self.num_feedforward_networks > _MOST_FEED_FORWARDS:
            raise InputError(
                f"num_feedforward_networks: {self.num_feedforward_networks}, wanted at most "
                f"{_MOST_FEED_FORWARDS}"
            )
        if self.embedding_size > self.hidden_size:
            raise InputError(
                f"embedding_size: {self.embedding_size}, wanted at most hidden_size: "
                f"{self.hidden_size}"
            )
        wide = not self.use_bottleneck_attention and not self.key_query_shared_bottleneck
        if self.use_bottleneck and wide and self.true_hidden_size != self.hidden_size:
            raise InputError(
                "key_query_shared_bottleneck: false, wanted true, or use_bottleneck_attention: "
                "queries and keys of narrow blocks come from a bottleneck"
            )

    @property
    def width_of_heads(self):
        """As EncoderConfig's."""
        return "intra_bottleneck_size" if self.use_bottleneck else "hidden_size"

    @property
    def true_hidden_size(self):
        """int, the width inside of a block, under the name that files have for it."""
        return getattr(self, self.width_of_heads)


# google-research/google-research, mobilebert/README.md.
SIZES = {"mobilebert-uncased": MobileBertConfig()}


def _norm(config):
    def make(epsilon, dtype):
        if config.normalization_type == "no_norm":
            return ScaleShift(dtype=dtype)
        return LayerNorm(_DEFAULT_EPSILON if epsilon is None else epsilon, dtype=dtype)

    return make


def _embeddings(config, dtype):
    return TrigramEmbeddings(
        (config.vocab_size, config.max_position_embeddings, config.type_vocab_size),
        config.embedding_size,
        config.hidden_size,
        _norm(config)(None, dtype),
        config.trigram_input,
        config.pad_token_id,
        config.hidden_dropout_prob,
        truncated_normal(config.initializer_range),
        dtype=dtype,
    )


def _blocks(config, dtype):
    plan = BottleneckPlan(
        num_heads=config.num_attention_heads,
        inner_width=config.true_hidden_size,
        bottleneck=config.use_bottleneck,
        narrow_queries=config.key_query_shared_bottleneck,
        narrow_values=config.use_bottleneck_attention,
        feed_forwards=config.num_feedforward_networks,
        feed_forward_width=config.intermediate_size,
        activation=config.hidden_act,
        dropout_rate=config.hidden_dropout_prob,
        attention_dropout_rate=config.attention_probs_dropout_prob,
        norm=_norm(config),
        epsilon=config.layer_norm_eps,
        initializer=truncated_normal(config.initializer_range),
    )
    count = config.num_hidden_layers
    return [BottleneckBlock(config.hidden_size, plan, dtype=dtype) for _ in range(count)]


def _masked_lm_head(config, width, dtype):
    return SplitMaskedLMHead(
        config.hidden_size,
        config.vocab_size,
        config.hidden_act,
        config.layer_norm_eps,
        truncated_normal(config.initializer_range),
        config.tie_word_embeddings,
        word_width=width,
        dtype=dtype,
    )


def _pooler(config, initializer, dtype):
    return Pooler(initializer, config.classifier_activation, dtype=dtype)


MOBILEBERT = Family(
    config=MobileBertConfig,
    sizes=SIZES,
    published=lambda config: Published(),
    embeddings=_embeddings,
    blocks=_blocks,
    masked_lm_head=_masked_lm_head,
    pooler=_pooler,
)
