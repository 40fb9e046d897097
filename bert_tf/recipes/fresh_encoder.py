"""Encoders as the section `model` of a configuration tells: fresh ones, and those of files."""

from bert_tf.encoders import FAMILIES, SIZES, build_encoder, change_config
from bert_tf.errors import ConfigError, InputError, hint
from bert_tf.loading import load_encoder
from bert_tf.text.special_ids import row_ends


def fresh_encoder(section, tokenizer):
    """An encoder of the size a configuration tells, with a row for each entry of the vocabulary.

    Args:
      section: the `model` section of a configuration, one of whose `family` and `size` is given.
      tokenizer: Tokenizer.
    Returns:
      Encoder.
    Raises:
      ConfigError: there is no such family, size or field.
      InputError: the tokenizer has no token that begins a text, which the family's config tells.
    """
    for key, known, what in (("size", SIZES, "published size"), ("family", FAMILIES, "family")):
        name = getattr(section, key)
        if name is not None and name not in known:
            raise ConfigError(f"model.{key}: {name!r} is no {what}; {hint(name, known)}")
    sized = section.size is not None
    sizes = SIZES[section.size] if sized else FAMILIES[section.family].config()
    of_text = {"vocab_size": tokenizer.vocab_size, "pad_token_id": tokenizer.pad_id}
    if hasattr(sizes, "eos_token_id"):
        start_id, end_id = row_ends(tokenizer)  # as the rows of its records
        of_text |= {"bos_token_id": start_id, "eos_token_id": end_id}
    return build_encoder(changed(sizes, {**of_text, **section.changes}, "model.changes"))


def changed_encoder(source, changes):
    """The encoder of a model, as `load_encoder` reads it, with the changes in `model.changes`; of
    which a wrong one is told with its key."""
    try:
        return load_encoder(source, **changes)
    except InputError as error:
        if str(error).partition(":")[0] not in changes:
            raise
        raise ConfigError(f"model.changes.{error}") from None


def changed(sizes, changes, where):
    """A family's config with some fields changed; a wrong value is told with the key `where`."""
    try:
        return change_config(sizes, changes)
    except InputError as error:
        raise ConfigError(f"{where}.{error}") from None
