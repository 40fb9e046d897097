"""A family that is not the package's: no attention, every position takes the mean of all.

It stands for the next family somebody adds: what it has of its own is one layer, and its names in
files are its own. `FAMILY` goes into encoders.FAMILIES, `FILES` into conversion.FAMILIES.
"""

import dataclasses

import keras
from keras import ops

from bert_tf import conversion
from bert_tf.conversion import rows
from bert_tf.conversion.family import Layout, own_layout
from bert_tf.conversion.table import Row
from bert_tf.encoders import Family, Published, parts
from bert_tf.encoders.config import EncoderConfig
from bert_tf.layers import EncoderBlock, FeedForward, Linear, truncated_normal


@dataclasses.dataclass(frozen=True)
class MeanConfig(EncoderConfig):
    """The sizes of such an encoder."""

    num_attention_heads: int = 1

    model_type = "meannet"


class MeanMixing(keras.layers.Layer):
    """The mean of the tokens that may be attended to, projected; in the place of attention."""

    num_heads = 1

    def build(self, shape):
        self.projection = Linear(shape[-1], dtype=self.dtype_policy)
        self.projection.build((None, shape[-1]))

    def call(self, x, context, key=None):
        """float [B * F, D] -> float [B * F, D] and its weights, float32 [B, 1, F, T]."""
        shares_B1FT = ops.cast(context.mask, "float32")
        shares_B1FT = shares_B1FT / ops.sum(shares_B1FT, axis=-1, keepdims=True)
        x_BTD = ops.reshape(x, (context.batch, context.length, x.shape[-1]))
        mixed_BFD = ops.matmul(ops.cast(shares_B1FT[:, 0], x.dtype), x_BTD)
        return self.projection(ops.reshape(mixed_BFD, (-1, x.shape[-1]))), shares_B1FT


def _blocks(config, dtype):
    initial = truncated_normal(config.initializer_range)

    def block():
        feed_forward = FeedForward(config.intermediate_size, "gelu", initial, dtype=dtype)
        mixing = MeanMixing(dtype=dtype)
        return EncoderBlock(mixing, feed_forward, config.hidden_dropout_prob, dtype=dtype)

    return [block() for _ in range(config.num_hidden_layers)]


FAMILY = Family(
    config=MeanConfig,
    sizes={"meannet-small": MeanConfig(hidden_size=128, num_hidden_layers=2)},
    published=lambda config: Published(
        has_pooler=False, pooling="mean", head_layers=((8, "tanh"),), sentence_objective=None
    ),
    embeddings=parts.embeddings,
    blocks=_blocks,
    masked_lm_head=parts.masked_lm_head,
)


def _block_rows():
    theirs, ours = "layers.{i}", "blocks.{i}"
    return (
        *rows.hf_dense(f"{theirs}.mix", f"{ours}.attention.projection"),
        *rows.hf_norm(f"{theirs}.mix_norm", f"{ours}.attention_norm"),
        *rows.hf_dense(f"{theirs}.up", f"{ours}.feed_forward.expand"),
        *rows.hf_dense(f"{theirs}.down", f"{ours}.feed_forward.contract"),
        *rows.hf_norm(f"{theirs}.norm", f"{ours}.feed_forward_norm"),
    )


_HUGGINGFACE = Layout(
    encoder=(
        Row("words", "embeddings.word_embeddings"),
        Row("places", "embeddings.position_embeddings"),
        Row("kinds", "embeddings.token_type_embeddings"),
        *rows.hf_norm("words_norm", "embeddings.norm"),
        *_block_rows(),
    ),
    heads={
        "SequenceClassifier": (
            *rows.hf_dense("classifier.dense", "head.hidden.0"),
            *rows.hf_dense("classifier.out", "head.projection"),
        )
    },
    any_head=r"^classifier\.",
    prefix="meannet.",
)
FILES = conversion.Family(
    encoder_class="MeanNetModel",
    classes={"SequenceClassifier": "MeanNetForSequenceClassification"},
    pooled=(),
    layouts={"huggingface": _HUGGINGFACE, "bert_tf": own_layout(_HUGGINGFACE)},
    sizes=rows.sizes("blocks.{i}", num_hidden_layers=("blocks.{i}.attention_norm.gamma", "i")),
)
