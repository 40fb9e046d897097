"""Parts that several families have, from a config to the layer; nothing is built yet.

`initializer` is of the kernels; each tensor draws numbers of its own by it. `dtype` is a Keras
dtype policy, or None for the global one.
"""

import functools
import math

from bert_tf.layers import (
    CausalAttention,
    CrossAttention,
    Embeddings,
    EncoderBlock,
    FactoredEmbeddings,
    FeedForward,
    Linear,
    MaskedLMHead,
    NextWordHead,
    ProjectionHead,
    truncated_normal,
)


def embeddings(config, dtype, positions=None, kind=Embeddings, scaled=False):
    """Tables of words, positions and token types, and a norm.

    Args:
      config: a family's config.
      dtype: as above.
      positions: function as `bert_tf.layers.sinusoidal`; None: a table that is learned.
      kind: Embeddings or a function like it.
      scaled: bool, whether the words' vectors are multiplied by the root of their width, and there
        is no norm (Vaswani et al. 2017, section 3.4).
    """
    width = config.embedding_size or config.hidden_size
    if config.word_rank is not None:
        kind = functools.partial(FactoredEmbeddings, rank=config.word_rank)
    return kind(
        config.vocab_size,
        config.max_position_embeddings,
        config.type_vocab_size,
        width,
        config.hidden_dropout_prob,
        None if scaled else config.layer_norm_eps,
        truncated_normal(config.initializer_range),
        positions,
        math.sqrt(width) if scaled else 1.0,
        dtype=dtype,
    )


def embeddings_projection(config, initializer, dtype):
    """A linear layer from the width of the embeddings to that of the blocks."""
    return Linear(config.hidden_size, initializer, dtype=dtype)


def blocks(config, dtype, kind=EncoderBlock):
    """A list of blocks with weights of their own, one for each layer.

    Args:
      config, dtype: as above.
      kind: EncoderBlock or PreNormBlock.
    """
    return [kind.of(config, dtype) for _ in range(config.num_hidden_layers)]


def decoder_block(config, dtype, kinds, kernels, scale=1.0, **attention):
    """A block whose positions attend to no later one and, perhaps, to an encoder's.

    Args:
      config: one with `add_cross_attention`.
      dtype: as above.
      kinds: the block's class without and with attention to an encoder, such as EncoderBlock and
        PostNormDecoderBlock.
      kernels: tuple of one or two initializers, as of CausalAttention.
      scale: float, a factor of the scaled scores of both attentions.
      **attention: further arguments of CausalAttention.
    """
    heads, rate = config.num_attention_heads, config.attention_probs_dropout_prob
    own = CausalAttention(heads, rate, *kernels, scale=scale, dtype=dtype, **attention)
    feed_forward = FeedForward(config.intermediate_size, config.hidden_act, *kernels, dtype=dtype)
    rest = dict(dropout_rate=config.hidden_dropout_prob, epsilon=config.layer_norm_eps, dtype=dtype)
    if not config.add_cross_attention:
        return kinds[0](own, feed_forward, **rest)
    cross = CrossAttention(heads, rate, *kernels, scale=scale, dtype=dtype)
    return kinds[1](own, feed_forward, cross, **rest)


def shared_blocks(config, dtype, kind=EncoderBlock):
    """A list of blocks in the order they are run, the same ones many times over: layers share the
    weights of a group in runs of equal length (Lan et al. 2020, section 3.1, and its code).

    Args:
      config: one with `num_hidden_groups` and `inner_group_num`.
      dtype, kind: as in `blocks`.
    """
    layers, count = config.num_hidden_layers, config.num_hidden_groups
    groups = [[kind.of(config, dtype) for _ in range(config.inner_group_num)] for _ in range(count)]
    return [block for layer in range(layers) for block in groups[layer * count // layers]]


def groups_of(config, blocks):
    """The blocks of `shared_blocks` as files name them, each once: list of groups, a group a list
    of blocks."""
    layers, count, inner = (
        config.num_hidden_layers,
        config.num_hidden_groups,
        config.inner_group_num,
    )
    # Rounded up: the first layer that `shared_blocks` gives to the group.
    starts = [-(-group * layers // count) * inner for group in range(count)]
    return [blocks[start : start + inner] for start in starts]


def next_word_head(config, dtype):
    """The words' table, or one of its own, as output matrix: a NextWordHead."""
    initial = truncated_normal(config.initializer_range)
    return NextWordHead(config.vocab_size, config.tie_word_embeddings, initial, dtype=dtype)


def masked_lm_head(config, width, dtype, activation=None, idle_bias=True):
    """The head that predicts masked words.

    Args:
      config, dtype: as above.
      width: int, E of the word embeddings.
      activation: a key of ACTIVATIONS; None: that of the blocks.
      idle_bias: bool, as in MaskedLMHead.
    """
    return MaskedLMHead(
        width,
        config.vocab_size,
        activation or config.hidden_act,
        config.layer_norm_eps,
        truncated_normal(config.initializer_range),
        config.tie_word_embeddings,
        idle_bias,
        dtype=dtype,
    )


def replaced_token_head(config, dtype):
    """The head that says of a token's vector how likely another word stood there (Clark et al.
    2020, code: `_get_discriminator_output`)."""
    return ProjectionHead(
        1,
        ((config.hidden_size, config.hidden_act),),
        initializer=truncated_normal(config.initializer_range),
        dtype=dtype,
    )
