"""Fresh weights whose first block looks at neighbours, so that a short run learns from context."""

import math

import numpy as np

from bert_tf.errors import ConfigError
from bert_tf.layers import sinusoidal

# Of the neighbour a head looks at, before the softmax, as far as the positions decide.
SCORE = 5.0


def initialize_positional_heads(encoder):
    """Gives the first block of a fresh encoder heads that look at neighbours.

    The table of positions becomes sinusoidal, as large as it was, and each head of the first block
    begins to look one before, one behind, two before, two behind, and so on; words begin with
    nothing in the columns by which it does, or it would look at its own word. All of it is learned
    further. Trained encoders come to have such heads (Voita et al. 2019, arXiv 1905.09418, section
    5.2), but before they do, a run learns the frequencies of words and little else.

    Args:
      encoder: a built encoder with a table of positions and embeddings as wide as its blocks.
    Raises:
      ConfigError: it is another one.
    """
    config = encoder.config
    head_width = config.head_width
    if encoder.embeddings_projection is not None:
        unfit = "a projection between embeddings and blocks, wanted none"
    elif getattr(encoder.embeddings, "position_embeddings", None) is None:
        unfit = "no table of positions, wanted one that is learned"
    elif not hasattr(encoder.blocks[0].attention, "qkv"):
        unfit = "values made of another input than queries and keys, wanted one for all three"
    elif head_width < 2:
        unfit = f"heads of width {head_width}, wanted 2 or more"
    else:
        unfit = None
    if unfit is not None:
        raise ConfigError(f"model.positional_heads: the {config.model_type} has {unfit}")
    width, table = config.hidden_size, encoder.embeddings.position_embeddings
    places = np.asarray(sinusoidal(np.arange(table.shape[0]), width))
    # A sine's mean square is a half.
    table.assign(config.initializer_range * math.sqrt(2.0) * places)
    attention = encoder.blocks[0].attention
    words = encoder.embeddings.word_embeddings
    others = np.arange(width) >= width // attention.num_heads
    words.assign(words * others.astype("float32"))
    looks = np.concatenate(positional_kernels(width, attention.num_heads), axis=1)
    kernel = attention.qkv.kernel.numpy()
    kernel[:, : 2 * width] += looks
    attention.qkv.kernel.assign(kernel)


def positional_kernels(width, num_heads, score=SCORE):
    """Kernels of query and key by which each head looks at one neighbour.

    Turning each pair of sine and cosine by its own angle moves a sinusoidal position by any number
    of places (Vaswani et al. 2017, section 3.5). The keys of a head are as many pairs as it has
    room for, those of highest frequency, which tell near places apart; its queries are the same
    pairs, turned.

    Args:
      width: int, D, of the positions, which are a third of the variance of what comes in, as of
        words, positions and types of equal size after the norm.
      num_heads: int, N, divides the width.
      score: float, what the place looked at gets, after the division by the root of D / N.
    Returns:
      float32 [D, D] twice, query and key: heads one after the other, as in `MultiHeadAttention`.
    """
    head_width = width // num_heads
    pairs = head_width // 2
    scale = math.sqrt(score * math.sqrt(head_width) / (pairs * 2.0 / 3.0))
    sines, cosines = 2 * np.arange(pairs), 2 * np.arange(pairs) + 1

    def head(step):
        kernel = np.zeros((width, head_width), "float32")
        angles = step * 10000.0 ** (-2.0 * np.arange(pairs) / width)
        kernel[sines, sines] = kernel[cosines, cosines] = scale * np.cos(angles)
        kernel[cosines, sines], kernel[sines, cosines] = (
            scale * np.sin(angles),
            -scale * np.sin(angles),
        )
        return kernel

    queries = [head(step) for step in neighbours(num_heads)]
    return np.concatenate(queries, axis=1), np.concatenate([head(0)] * num_heads, axis=1)


def neighbours(num_heads):
    """The places that heads look at, from their own: -1, 1, -2, 2, ..."""
    return [(number // 2 + 1) * (1 if number % 2 else -1) for number in range(num_heads)]
