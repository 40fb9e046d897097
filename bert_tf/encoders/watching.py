"""To see what goes on inside an encoder that somebody else calls, such as a task."""

import contextlib
import contextvars

from keras import ops

from bert_tf.errors import InputError
from bert_tf.layers import EncoderBlock, MultiHeadAttention, PreNormBlock

_WATCHES = contextvars.ContextVar("watches", default=())


class Watch:
    """What an encoder was given and gave, call by call.

    Attributes:
      encoder: Encoder.
      blocks: list of what it runs, its blocks or others in their place, called as they are.
      calls: list of (inputs, outputs) as in `Encoder.call`, the outputs with hidden states and
        attentions.
    """

    def __init__(self, encoder, blocks=None):
        self.encoder, self.calls = encoder, []
        self.blocks = encoder.blocks if blocks is None else blocks

    def seen(self, inputs, outputs):
        """Keeps what a call was given and gave; returns the outputs."""
        self.calls.append((inputs, outputs))
        return outputs


@contextlib.contextmanager
def watched(encoder, blocks=None):
    """Within it every call of an encoder, by whomever, is made whole and kept; yields the Watch.
    Other `blocks` may stand in the place of its own.

    In a graph that is when it is traced: the Watch is to be read in the same graph. An encoder
    that nobody watches does nothing more than without this.
    """
    watch = Watch(encoder, blocks)
    token = _WATCHES.set((*_WATCHES.get(), watch))
    try:
        yield watch
    finally:
        _WATCHES.reset(token)


def watch_of(encoder):
    """The innermost Watch of an encoder, or None."""
    return next((x for x in reversed(_WATCHES.get()) if x.encoder is encoder), None)


def has_heads(encoder):
    """bool, whether `queries_keys_values` can tell what the heads of an encoder compare."""
    of_blocks = [getattr(block, "attention", None) for block in encoder.blocks]
    return all(isinstance(attention, MultiHeadAttention) for attention in of_blocks)


def queries_keys_values(encoder, inputs, hidden_states, layer):
    """What the heads of a layer compare, computed once more of what the layer was given.

    Args:
      encoder: Encoder.
      inputs: dict, as it was called with.
      hidden_states: list of float [B, L, D], as it gave them.
      layer: int, from 1.
    Returns:
      three tensors, float [B, N, L, H].
    Raises:
      InputError: the family's layers have no such heads.
    """
    block = encoder.blocks[layer - 1]
    attention = getattr(block, "attention", None)
    if not isinstance(attention, MultiHeadAttention):
        raise InputError(
            f"layers of a {encoder.config.model_type} have no queries, keys and values of heads"
        )
    x_XD = ops.reshape(hidden_states[layer - 1], (-1, encoder.config.hidden_size))
    post_norm = isinstance(block, EncoderBlock) and not isinstance(block, PreNormBlock)
    if not post_norm and block.attention_norm is not None:
        x_XD = block.attention_norm(x_XD)
    return attention.heads(x_XD, encoder._context(inputs, True, None))


def probabilities(attentions, heads):
    """What blocks gave beside their outputs, as outputs of the encoder."""
    cross = {}
    if attentions and isinstance(attentions[0], tuple):  # with a memory
        attentions, told = zip(*attentions, strict=True)
        cross = {"cross_attentions": list(told)}
    return ({"attentions": list(attentions)} if heads else {}) | cross
