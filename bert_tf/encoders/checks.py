"""What no encoder of this shape can have: sizes that do not fit, ids outside of the vocabulary."""

import dataclasses

from keras import ops

from bert_tf.errors import InputError, nearest, shown
from bert_tf.layers import ACTIVATIONS, NORMS, POSITIONS

# Where layers share their weights no tensor tells how many there are.
MOST_LAYERS = 1000


def check_config(config):
    """Refuses a value that no config of BERT's shape can have.

    Args:
      config: BertConfig, or a family's that extends it.
    Raises:
      InputError: such a value, in one line with the field and what was wanted.
    """
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if field.type is int and (not isinstance(value, int) or isinstance(value, bool)):
            raise InputError(f"{field.name}: {shown(value)}, wanted a whole number")
        smallest = 0 if field.name == "pad_token_id" else 1
        if field.type is int and value < smallest:
            raise InputError(f"{field.name}: {shown(value)}, wanted {smallest} or more")
    if config.num_hidden_layers > MOST_LAYERS:
        raise InputError(
            f"num_hidden_layers: {shown(config.num_hidden_layers)}, wanted at most {MOST_LAYERS}"
        )
    for name in (
        "hidden_dropout_prob",
        "attention_probs_dropout_prob",
        "classifier_dropout",
        "layer_drop_rate",
    ):
        rate = getattr(config, name)
        if rate is None and name == "classifier_dropout":
            continue
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate < 1:
            raise InputError(f"{name}: {shown(rate)}, wanted a share from 0 to below 1")
    for name in ("initializer_range", "layer_norm_eps"):
        value = getattr(config, name)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 <= value < 1e6:  # neither NaN nor infinity
            raise InputError(f"{name}: {shown(value)}, wanted a number from 0 to below 1000000")
    if config.hidden_size % config.num_attention_heads:
        raise InputError(
            f"hidden_size: {config.hidden_size} does not divide into "
            f"num_attention_heads: {config.num_attention_heads}"
        )
    names = {"hidden_act": ACTIVATIONS, "position_embedding": POSITIONS, "norm": NORMS}
    for field, known in names.items():
        value = getattr(config, field)
        if not isinstance(value, str) or value not in known:
            near = nearest(value, known)
            hint = f" (nearest: {near})" if near else ""
            raise InputError(f"{field}: {shown(value)}, wanted one of {', '.join(known)}{hint}")


def check_input_ids(input_ids, config):
    """Refuses rows that are too long and, where the numbers are at hand, unknown ids.

    Args:
      input_ids: int [B, L]; in a graph only its shape is looked at.
      config: BertConfig.
    Raises:
      InputError: more tokens than positions, or an id outside of the vocabulary.
    """
    length, most = input_ids.shape[1], config.max_position_embeddings
    if length is not None and length > most:
        raise InputError(f"input_ids: rows of {length} tokens, the model has {most} positions")
    if hasattr(input_ids, "numpy") and getattr(input_ids, "shape", None) and input_ids.shape[0]:
        ids = ops.convert_to_numpy(input_ids)
        low, high = int(ids.min()), int(ids.max())
        if low < 0 or high >= config.vocab_size:
            wrong = low if low < 0 else high
            raise InputError(
                f"input_ids: id {wrong}, the vocabulary has 0 to {config.vocab_size - 1}"
            )
