"""The heads and generators that an encoder's family has; why it has not one that is asked for."""

from bert_tf.encoders.checks import check_same_tables
from bert_tf.errors import InputError

# Head -> what is said of families without it.
_WITHOUT = {
    "masked_lm_head": "which predicts no masked words",
    "next_word_head": "whose tokens attend to later ones; wanted a family that reads from left to "
    "right, such as gpt2",
    "two_way_head": "whose layers do not read in two directions apart; wanted a family that does, "
    "such as elmo",
    "context_head": "whose vectors are of words in their places; wanted a family of words alone, "
    "such as word2vec",
}
_LEFT_TO_RIGHT = (
    "which reads from left to right, where a masked word is told by both sides; CausalLM is its "
    "task"
)


def fresh_head(encoder, name, *sizes, reads=None):
    """A head of an encoder's family, built.

    Args:
      encoder: Encoder.
      name: str, an attribute of Family.
      *sizes: what its function takes between the config and the dtype.
      reads: int, the width of the vectors that it reads; None: the encoder's.
    Returns:
      A layer.
    Raises:
      InputError: the family has none.
    """
    family, config = encoder.family, encoder.config
    make = getattr(family, name)
    head = make and make(config, *sizes, encoder.dtype_policy)
    if head is None:
        reads_right = name == "masked_lm_head" and family.next_word_head is not None
        why = _LEFT_TO_RIGHT if reads_right else _WITHOUT[name]
        raise InputError(f"encoder: a {config.model_type}, {why}")
    head.build((None, reads or config.hidden_size))
    return head


def check_replaces_tokens(encoder):
    """Raises InputError unless an encoder's family tells replaced tokens."""
    if not encoder.published.replaces_tokens:
        raise InputError(
            f"encoder: a {encoder.config.model_type}, whose family has no generator and no head "
            "for replaced tokens"
        )


def check_generator(encoder, config):
    """Raises InputError unless a generator of this config can share an encoder's embeddings."""
    check_replaces_tokens(encoder)
    check_same_tables(encoder.config, config, "generator")
