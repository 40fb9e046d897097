"""The parts an encoder is made of, in `keras.ops` only.

Dimension key, used as suffixes of tensor names and as letters of einsum strings:

    B  batch                    N  attention heads        E  embedding width
    L  positions in a row       H  width of one head      V  vocabulary
    F  query positions          D  width of the model     P  predictions
    T  key positions            M  feed-forward width     K  labels

`X` stands for "tokens", B and L flattened into one axis: linear layers work on
[X, D], the form in which one fused matrix product serves a whole batch.
"""

from bert_tf.layers.attention import MultiHeadAttention, attend
from bert_tf.layers.biaffine import Biaffine
from bert_tf.layers.blocks import EncoderBlock, PreNormBlock
from bert_tf.layers.bottleneck import BottleneckBlock, BottleneckPlan
from bert_tf.layers.causal import CausalAttention, causal_mask
from bert_tf.layers.context import Context
from bert_tf.layers.convolution import ConvolvedBlock, RowConvolution
from bert_tf.layers.crf import CRF
from bert_tf.layers.cross import CrossAttention, DecoderBlock, PostNormDecoderBlock
from bert_tf.layers.depth import layer_drop, recomputed, run_block
from bert_tf.layers.disentangled import DisentangledAttention, RelativePositions
from bert_tf.layers.dropout import dropout, fold_in, key_for, new_key
from bert_tf.layers.embeddings import (
    Embeddings,
    FactoredEmbeddings,
    FixedPositionEmbeddings,
    LanguageEmbeddings,
    PaddedEmbeddings,
    WordEmbeddings,
)
from bert_tf.layers.feed_forward import ACTIVATIONS, FeedForward
from bert_tf.layers.gated import GatedBlock, GatedFeedForward
from bert_tf.layers.heads import (
    ACTIVATIONS_OF_HEADS,
    HeadLayer,
    Pooler,
    ProjectionHead,
    pool,
    pool_examples,
    pool_firsts,
)
from bert_tf.layers.linear import Linear, truncated_normal
from bert_tf.layers.masks import LOWEST, MASKED_SCORE, make_attention_mask
from bert_tf.layers.normalization import LayerNorm, ScaleShift
from bert_tf.layers.positions import sinusoidal
from bert_tf.layers.real_tokens import RealTokens, real_places
from bert_tf.layers.recurrent import SCORES, AttentiveLSTM, Beginnings, LSTMBlock
from bert_tf.layers.rotary import LocalAttention, RotaryAttention, RotaryPositions
from bert_tf.layers.sampling import draw, draw_frequent, log_expected
from bert_tf.layers.steps import Steps, done_by
from bert_tf.layers.trigram import TrigramEmbeddings
from bert_tf.layers.two_way import Doubled, LayerMix, StateResets, TwoWayLSTM
from bert_tf.layers.word_heads import (
    ContextHead,
    MaskedLMHead,
    NextWordHead,
    SplitMaskedLMHead,
    WordHead,
)

__all__ = [
    "ACTIVATIONS",
    "ACTIVATIONS_OF_HEADS",
    "CRF",
    "LOWEST",
    "MASKED_SCORE",
    "SCORES",
    "AttentiveLSTM",
    "Beginnings",
    "Biaffine",
    "BottleneckBlock",
    "BottleneckPlan",
    "CausalAttention",
    "Context",
    "ContextHead",
    "ConvolvedBlock",
    "DisentangledAttention",
    "CrossAttention",
    "DecoderBlock",
    "Doubled",
    "Embeddings",
    "EncoderBlock",
    "FactoredEmbeddings",
    "FeedForward",
    "FixedPositionEmbeddings",
    "GatedBlock",
    "GatedFeedForward",
    "HeadLayer",
    "LanguageEmbeddings",
    "LSTMBlock",
    "LayerMix",
    "LayerNorm",
    "Linear",
    "LocalAttention",
    "MaskedLMHead",
    "MultiHeadAttention",
    "NextWordHead",
    "PaddedEmbeddings",
    "Pooler",
    "PostNormDecoderBlock",
    "PreNormBlock",
    "ProjectionHead",
    "RealTokens",
    "RelativePositions",
    "RotaryAttention",
    "RotaryPositions",
    "ScaleShift",
    "StateResets",
    "SplitMaskedLMHead",
    "Steps",
    "TrigramEmbeddings",
    "TwoWayLSTM",
    "RowConvolution",
    "WordEmbeddings",
    "WordHead",
    "attend",
    "causal_mask",
    "done_by",
    "draw",
    "draw_frequent",
    "dropout",
    "fold_in",
    "key_for",
    "layer_drop",
    "log_expected",
    "make_attention_mask",
    "new_key",
    "pool",
    "pool_examples",
    "pool_firsts",
    "real_places",
    "recomputed",
    "run_block",
    "sinusoidal",
    "truncated_normal",
]
