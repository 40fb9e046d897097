"""The parts an encoder is made of, in `keras.ops` only.

Dimension key, used as suffixes of tensor names and as letters of einsum strings:

    B  batch                    N  attention heads        E  embedding width
    L  positions in a row       H  width of one head      V  vocabulary
    F  positions that look      D  width of the model     P  predictions
    T  positions looked at      M  feed-forward width     K  labels

`X` stands for "tokens", B and L flattened into one axis: linear layers work on
[X, D], the form in which one fused matrix product serves a whole batch.
"""

from bert_tf.layers.attention import MultiHeadAttention, attend
from bert_tf.layers.blocks import NORMS, EncoderBlock
from bert_tf.layers.depth import layer_drop, recomputed
from bert_tf.layers.dropout import dropout, fold_in, key_for, new_key
from bert_tf.layers.embeddings import Embeddings
from bert_tf.layers.feed_forward import ACTIVATIONS, FeedForward
from bert_tf.layers.heads import (
    ACTIVATIONS_OF_HEADS,
    MaskedLMHead,
    Pooler,
    ProjectionHead,
    pool,
    pool_examples,
)
from bert_tf.layers.linear import Linear, truncated_normal
from bert_tf.layers.masks import visibility
from bert_tf.layers.normalization import LayerNorm
from bert_tf.layers.positions import POSITIONS, sinusoidal
from bert_tf.layers.sampling import draw

__all__ = [
    "ACTIVATIONS",
    "ACTIVATIONS_OF_HEADS",
    "NORMS",
    "POSITIONS",
    "Embeddings",
    "EncoderBlock",
    "FeedForward",
    "LayerNorm",
    "Linear",
    "MaskedLMHead",
    "MultiHeadAttention",
    "Pooler",
    "ProjectionHead",
    "attend",
    "draw",
    "dropout",
    "fold_in",
    "key_for",
    "layer_drop",
    "new_key",
    "pool",
    "pool_examples",
    "recomputed",
    "sinusoidal",
    "truncated_normal",
    "visibility",
]
