"""What no encoder can have: fields or sizes that do not fit, ids outside of the vocabulary."""

import dataclasses

from keras import ops

from bert_tf.errors import InputError, nearest, shown
from bert_tf.layers import ACTIVATIONS

# Fields that the family `transformer` alone has -> their values in every published family.
OF_TRANSFORMER = {
    "position_embedding": "learned",
    "norm": "post",
    "word_embedding": "normed",
    "num_languages": None,
    "is_decoder": False,
    "add_cross_attention": False,
}
# The fields that embeddings are made of.
OF_EMBEDDINGS = (
    "vocab_size",
    "max_position_embeddings",
    "type_vocab_size",
    "embedding_size",
    "layer_norm_eps",
    "position_embedding",
    "word_embedding",
    "num_languages",
)
# Sizes that no other package's configs have.
OWN_SIZES = ("attention_head_size", "linear_rank", "word_rank")
# Where layers share their weights no tensor tells how many there are.
MOST_LAYERS = 1000


def unknown_field(config_class, name):
    """What is wrong with a field's name.

    Args:
      config_class: a family's config class.
      name: str.
    Returns:
      str, one line that offers the nearest name or all of them; None for a field there is.
    """
    fields = [field.name for field in dataclasses.fields(config_class)]
    if name in fields:
        return None
    said = f"{name}: no field of {config_class.__name__}"
    if name in OF_TRANSFORMER:
        return f"{said}; TransformerConfig, of the family transformer, has it"
    near = nearest(name, fields)
    return said + (f" (nearest: {near})" if near else f"; there are {', '.join(fields)}")


def check_config(config):
    """Refuses a value that no encoder's config can have.

    Args:
      config: a family's config.
    Raises:
      InputError: such a value, in one line with the field and what was wanted.
    """
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if field.type is bool and not isinstance(value, bool):
            raise InputError(f"{field.name}: {shown(value)}, wanted true or false")
        if field.type not in (int, int | None) or (value is None and field.type == int | None):
            continue
        if not isinstance(value, int) or isinstance(value, bool):
            raise InputError(f"{field.name}: {shown(value)}, wanted a whole number")
        smallest = 0 if field.name.endswith("_token_id") or field.name == "type_vocab_size" else 1
        smallest = config.least.get(field.name, smallest)
        if value < smallest:
            raise InputError(f"{field.name}: {shown(value)}, wanted {smallest} or more")
    if config.num_hidden_layers > MOST_LAYERS:
        raise InputError(
            f"num_hidden_layers: {shown(config.num_hidden_layers)}, wanted at most {MOST_LAYERS}"
        )
    check_shares(
        config,
        "hidden_dropout_prob",
        "attention_probs_dropout_prob",
        "layer_drop_rate",
        *([] if config.classifier_dropout is None else ["classifier_dropout"]),
    )
    for name in ("initializer_range", "layer_norm_eps"):
        value = getattr(config, name)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 <= value < 1e6:  # neither NaN nor infinity
            raise InputError(f"{name}: {shown(value)}, wanted a number from 0 to below 1000000")
    name, heads = config.width_of_heads, config.num_attention_heads
    size, together = config.attention_head_size, getattr(config, name)
    for own in OWN_SIZES:
        value = getattr(config, own)
        if value is not None and own not in config.own_sizes:
            raise InputError(f"{own}: {value}, wanted None: a {config.model_type} has none")
        if value is not None and value > config.hidden_size:
            raise InputError(f"{own}: {value}, wanted at most hidden_size: {config.hidden_size}")
    if size is not None and size * heads > together:
        raise InputError(
            f"attention_head_size: {size}, wanted at most {together // heads} with {heads} heads "
            f"and {name}: {together}"
        )
    if size is None and heads and together % heads:
        raise InputError(
            f"{name}: {getattr(config, name)} does not divide into num_attention_heads: {heads}"
        )
    check_choice(config, "hidden_act", ACTIVATIONS)


def check_shares(config, *names):
    """Refuses a field's value that is no share of what is dropped.

    Args:
      config: a family's config.
      *names: the fields.
    Raises:
      InputError: a value is no number from 0 to below 1.
    """
    for name in names:
        rate = getattr(config, name)
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate < 1:
            raise InputError(f"{name}: {shown(rate)}, wanted a share from 0 to below 1")


def check_absent(config, *names):
    """Refuses a number of parts that a family has none of.

    Args:
      config: a family's config.
      *names: the fields.
    Raises:
      InputError: a value is not 0.
    """
    for name in names:
        if value := getattr(config, name):
            family = config.model_type
            raise InputError(f"{name}: {shown(value)}, wanted 0: a {family} has none")


def check_choice(config, field, known):
    """Refuses a field's value that is none of some names.

    Args:
      config: a family's config.
      field: str.
      known: the names, a container of str.
    Raises:
      InputError: another value, in one line with the nearest name.
    """
    value = getattr(config, field)
    if not isinstance(value, str) or value not in known:
        near = nearest(value, known)
        hint = f" (nearest: {near})" if near else ""
        raise InputError(f"{field}: {shown(value)}, wanted one of {', '.join(known)}{hint}")


def check_padding_id(config):
    """Refuses an id of padding that is no word, where a family reads its vector or its position.

    Args:
      config: a family's config.
    Raises:
      InputError: it is beyond the vocabulary.
    """
    if config.pad_token_id >= config.vocab_size:
        raise InputError(
            f"pad_token_id: {config.pad_token_id}, wanted an id below vocab_size: "
            f"{config.vocab_size}"
        )


def check_groups(config):
    """Refuses more groups of shared weights than layers.

    Args:
      config: a config with `num_hidden_groups`.
    Raises:
      InputError: there are more.
    """
    if config.num_hidden_groups > config.num_hidden_layers:
        raise InputError(
            f"num_hidden_groups: {config.num_hidden_groups}, wanted "
            f"num_hidden_layers: {config.num_hidden_layers} or fewer"
        )


def check_same_tables(config, other, part):
    """Refuses a model over the embeddings of another one whose own would be of another kind.

    Args:
      config: config of the encoder whose embeddings are shared.
      other: config of the model that is to have them too.
      part: str, what messages call that model.
    Raises:
      InputError: a field of the embeddings differs.
    """
    for name in OF_EMBEDDINGS:
        own, given = (getattr(each, name, OF_TRANSFORMER.get(name)) for each in (config, other))
        if name == "embedding_size":
            own, given = own or config.hidden_size, given or other.hidden_size
        if given != own:
            raise InputError(
                f"{part}: {name}: {given!r}, wanted {own!r} as in the encoder "
                "whose embeddings it shares"
            )


def check_inputs(inputs, config):
    """Refuses rows that are too long and, where the numbers are at hand, ids without a vector.

    Args:
      inputs: dict of int [B, L], `input_ids` and perhaps `token_type_ids`; in a graph only their
        shapes are looked at.
      config: a family's config.
    Raises:
      InputError: more tokens than positions, or an id outside of the vocabulary or of the types.
    """
    length, most = inputs["input_ids"].shape[1], config.longest_row
    if length is not None and length > most and inputs.get("position_ids") is None:
        raise InputError(f"input_ids: rows of {length} tokens, the model has {most} positions")
    _check_ids("input_ids", inputs["input_ids"], config.vocab_size, "the vocabulary has")
    if config.type_vocab_size:
        types = inputs.get("token_type_ids")
        _check_ids("token_type_ids", types, config.type_vocab_size, "the model has types")
    languages = getattr(config, "num_languages", None)
    if languages:
        _check_ids("language_ids", inputs.get("language_ids"), languages, "the model has languages")


def _check_ids(name, ids, rows, what):
    if hasattr(ids, "numpy") and getattr(ids, "shape", None) and ids.shape[0]:
        ids = ops.convert_to_numpy(ids)
        low, high = int(ids.min()), int(ids.max())
        if low < 0 or high >= rows:
            wrong = low if low < 0 else high
            raise InputError(f"{name}: id {wrong}, {what} 0 to {rows - 1}")
