"""What no encoder of this shape can have: sizes that do not fit, ids outside of the vocabulary."""

import dataclasses
import difflib

from keras import ops

from bert_tf.errors import InputError
from bert_tf.layers import ACTIVATIONS, NORMS, POSITIONS


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
            raise InputError(f"{field.name}: {value!r}, wanted a whole number")
        smallest = 0 if field.name == "pad_token_id" else 1
        if field.type is int and value < smallest:
            raise InputError(f"{field.name}: {value}, wanted {smallest} or more")
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
            raise InputError(f"{name}: {rate!r}, wanted a share from 0 to below 1")
    for name in ("initializer_range", "layer_norm_eps"):
        value = getattr(config, name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
            raise InputError(f"{name}: {value!r}, wanted a number of 0 or more")
    if config.hidden_size % config.num_attention_heads:
        raise InputError(
            f"hidden_size: {config.hidden_size} does not divide into "
            f"num_attention_heads: {config.num_attention_heads}"
        )
    names = {"hidden_act": ACTIVATIONS, "position_embedding": POSITIONS, "norm": NORMS}
    for field, known in names.items():
        value = getattr(config, field)
        if value not in known:
            near = difflib.get_close_matches(str(value), known, n=1)
            hint = f" (nearest: {near[0]})" if near else ""
            raise InputError(f"{field}: {value!r}, wanted one of {', '.join(known)}{hint}")


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
