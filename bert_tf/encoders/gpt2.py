"""GPT-2 (Radford et al. 2019, "Language Models are Unsupervised Multitask Learners"): blocks that
read from left to right."""

import dataclasses
import math

from bert_tf.encoders import parts
from bert_tf.encoders.config import EncoderConfig
from bert_tf.encoders.family import Family, Published
from bert_tf.errors import InputError, shown
from bert_tf.layers import (
    DecoderBlock,
    Embeddings,
    LayerNorm,
    PreNormBlock,
    truncated_normal,
)

# Which OpenAI's models leave as they are, and files of before August 2021 do not speak of.
_SWITCHES = ("scale_attn_weights", "scale_attn_by_inverse_layer_idx", "reorder_and_upcast_attn")


@dataclasses.dataclass(frozen=True)
class Gpt2Config(EncoderConfig):
    """The sizes of a GPT-2, by default the smallest one's; files have OpenAI's names for them.

    `hidden_dropout_prob`: behind attention and feed-forward; `embedding_dropout_prob`: behind the
    embeddings.
    `scale_attn_weights`: whether scores are divided by the root of a head's width;
    `scale_attn_by_inverse_layer_idx`: whether those of block i, counted from 1, are by i, too.
    `reorder_and_upcast_attn`: scores are computed in float32 under every precision.
    `add_cross_attention`: whether each block attends to what an encoder gave, too.
    `tie_word_embeddings`: whether the output matrix of a language model is that of the words.
    """

    vocab_size: int = 50257
    hidden_act: str = "gelu_new"
    max_position_embeddings: int = 1024
    type_vocab_size: int = 0
    layer_norm_eps: float = 1e-5
    pad_token_id: int | None = None
    embedding_dropout_prob: float = 0.1
    scale_attn_weights: bool = True
    scale_attn_by_inverse_layer_idx: bool = False
    reorder_and_upcast_attn: bool = False
    add_cross_attention: bool = False
    tie_word_embeddings: bool = True
    bos_token_id: int | None = 50256
    eos_token_id: int | None = 50256

    model_type = "gpt2"
    unseen = (*EncoderConfig.unseen, "embedding_dropout_prob", *_SWITCHES)
    names_in_files = {
        "hidden_size": "n_embd",
        "num_hidden_layers": "n_layer",
        "num_attention_heads": "n_head",
        "intermediate_size": "n_inner",
        "hidden_act": "activation_function",
        "hidden_dropout_prob": "resid_pdrop",
        "embedding_dropout_prob": "embd_pdrop",
        "attention_probs_dropout_prob": "attn_pdrop",
        "max_position_embeddings": "n_positions",
        "layer_norm_eps": "layer_norm_epsilon",
    }

    def __post_init__(self):
        super().__post_init__()
        rate = self.embedding_dropout_prob
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate < 1:
            raise InputError(
                f"embedding_dropout_prob: {shown(rate)}, wanted a share from 0 to below 1"
            )
        if self.type_vocab_size:
            raise InputError(f"type_vocab_size: {self.type_vocab_size}, GPT-2 has no token types")

    @classmethod
    def told(cls, values):
        """As EncoderConfig; where `n_inner` is absent or null the feed-forward layer is four times
        as wide as the model."""
        values = {name: value for name, value in values.items() if name != "type_vocab_size"}
        if values.get("n_inner") is None and "intermediate_size" not in values:
            width = values.get("n_embd", values.get("hidden_size", cls.hidden_size))
            values["n_inner"] = 4 * width if isinstance(width, int) else width
        if not any(name in values for name in _SWITCHES):
            values |= {name: getattr(cls, name) for name in _SWITCHES}
        return super().told(values)

    def to_dict(self):
        """As EncoderConfig; there are no token types to be told of."""
        return {name: x for name, x in super().to_dict().items() if name != "type_vocab_size"}


def _size(layers, width, heads):
    return Gpt2Config(
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * width,
    )


# Every GPT-2 that OpenAI published, under the names of the Hugging Face hub; distilgpt2 is Hugging
# Face's (Sanh et al. 2019, arXiv 1910.01108).
SIZES = {
    "gpt2": _size(12, 768, 12),
    "gpt2-medium": _size(24, 1024, 16),
    "gpt2-large": _size(36, 1280, 20),
    "gpt2-xl": _size(48, 1600, 25),
    "distilgpt2": _size(6, 768, 12),
}


def _embeddings(config, dtype):
    """Tables of words and positions, without a norm."""
    return Embeddings(
        config.vocab_size,
        config.max_position_embeddings,
        0,
        config.hidden_size,
        config.embedding_dropout_prob,
        None,
        truncated_normal(config.initializer_range),
        dtype=dtype,
    )


def _blocks(config, dtype):
    return [_block(config, number, dtype) for number in range(1, config.num_hidden_layers + 1)]


def _block(config, number, dtype):
    """Kernels behind which a sum is taken begin smaller, by the root of how many such there are
    (Radford et al. 2019, section 2.3)."""
    width = config.hidden_size // config.num_attention_heads
    scale = 1.0 if config.scale_attn_weights else math.sqrt(width)
    if config.scale_attn_by_inverse_layer_idx:
        scale /= number
    initial, sums = config.initializer_range, 2 * config.num_hidden_layers
    kernels = (truncated_normal(initial), truncated_normal(initial / math.sqrt(sums)))
    kinds = (PreNormBlock, DecoderBlock)
    upcast = config.reorder_and_upcast_attn
    return parts.decoder_block(config, dtype, kinds, kernels, scale, upcast=upcast)


GPT2 = Family(
    config=Gpt2Config,
    sizes=SIZES,
    # transformers' `GPT2ForSequenceClassification` reads the last token and has no bias.
    published=lambda config: Published(
        has_pooler=False, pooling="last", head_bias=False, sentence_objective=None
    ),
    embeddings=_embeddings,
    blocks=_blocks,
    final_norm=lambda config, dtype: LayerNorm(config.layer_norm_eps, dtype=dtype),
    next_word_head=parts.next_word_head,
    decoder={"add_cross_attention": True},
)
