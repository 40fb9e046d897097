"""A model written again with other vocabulary rows; everything else in it stays as it is."""

import re

import numpy as np

from bert_tf.conversion.huggingface import write_huggingface
from bert_tf.conversion.sentence_transformers import copy_modules
from bert_tf.conversion.table import FLOATS
from bert_tf.errors import InputError, shown, shown_name

# What our variables with a row for each entry of the vocabulary are called, in every family.
_OURS = ("word_embeddings", "output_embeddings", "output_bias", "decoder_bias")
# That with a column for each.
_COLUMNS = "output_columns"
# Tokens whose ids a tokenizer knows.
_SPECIAL = ("pad", "unk", "cls", "sep", "mask")


def require_changeable(contents):
    """Raises InputError for a model that `write_with_rows` does not write."""
    if contents.is_google:
        raise InputError(
            f"{contents.weights_file}: is Google's; bert-tf convert --format=huggingface makes it "
            "a model directory whose vocabulary can be changed"
        )
    if contents.decoder is not None:
        raise InputError(
            f"{contents.config_file}: an encoder and a decoder, wanted one of both: the vocabulary "
            "of both together cannot be changed here"
        )


def told_ids(config):
    """The ids that a config tells of tokens, those aside that the tokenizer knows; set of int."""
    own = {f"{token}_token_id" for token in _SPECIAL}
    given = (x for key, x in config.items() if key.endswith("_token_id") and key not in own)
    return {x for value in given for x in (value if isinstance(value, list) else [value])} - {None}


def write_with_rows(contents, directory, tokenizer, change, places=None):
    """Write a model directory whose vocabulary is another one.

    Args:
      contents: Contents of a model in Hugging Face's layout or our own.
      directory: Path, an existing directory that nobody reads yet.
      tokenizer: Tokenizer with the new vocabulary.
      change: function from an array with a row for each old row, [rows, width] embeddings or [rows]
        bias, to one with a row for each entry of the new vocabulary.
      places: dict of an entry's id -> where it is now; None: where it was.
    Raises:
      InputError: as `require_changeable`, or a tensor has vocabulary rows that no table names.
    """
    require_changeable(contents)
    named, columns = _vocabulary_tensors(contents), _names(contents.layout, (_COLUMNS,))
    tensors = {}
    for name, tensor in contents.tensors.items():
        if tensor.dtype not in FLOATS and (name in named or "float" in tensor.dtype):
            raise InputError(
                f"{contents.weights_file}: {shown_name(name)} is {tensor.dtype}, wanted "
                f"{', '.join(FLOATS)}"
            )
        array = tensor.read()
        if name in columns:
            array = np.stack([change(each) for each in array]) if len(array) else array
        tensors[name] = change(array) if name in named else array
    config = _config(contents, tokenizer, places or {})
    write_huggingface(directory, config, tensors, tokenizer)
    if contents.modules:
        copy_modules(contents.modules, directory)


def embedding_width(contents):
    """int, the width of the word embeddings."""
    return next(
        contents.tensors[name].shape[1]
        for name in _vocabulary_tensors(contents)
        if len(contents.tensors[name].shape) == 2
    )


def _rows(layout):
    """All rows of a layout, a list."""
    heads = [*layout.heads.values(), *layout.instead.values(), *layout.untied.values()]
    return [*layout.encoder, *(row for head in heads for row in head)]


def _names(layout, ours):
    """The names in a layout of the variables that are called so here; set of str."""
    rows = [row for row in _rows(layout) if row.ours.split(".")[-1] in ours]
    return {name for row in rows for name in row.names}


def _vocabulary_tensors(contents):
    """The names, in the file, of the tensors with a row for each entry; set of str."""
    layout, rows = contents.layout, contents.config.get("vocab_size")
    known, bare = _rows(layout), _names(layout, _OURS)
    for pairs in layout.tied.values():
        bare |= {name for name, original in pairs if original.removeprefix(layout.prefix) in bare}
    # Layer numbers stand in the tables as {i}.
    others = [re.escape(name).replace(r"\{i\}", r"\d+") for row in known for name in row.names]
    other = re.compile("|".join(others))
    found = set()
    for name, tensor in contents.tensors.items():
        stem = name.removeprefix(layout.prefix)
        if stem in bare:
            if not tensor.shape or tensor.shape[0] != rows:
                raise InputError(
                    f"{contents.weights_file}: {shown_name(name)} has shape {list(tensor.shape)}, "
                    f"wanted {shown(rows)} rows (vocab_size)"
                )
            found.add(name)
        elif tensor.shape[:1] == (rows,) and not other.fullmatch(stem):
            raise InputError(
                f"{contents.weights_file}: {shown_name(name)} has {rows} rows, as the vocabulary "
                "has, and stands in no table here; it cannot be carried over"
            )
    if not any(len(contents.tensors[name].shape) == 2 for name in found):
        raise InputError(f"{contents.weights_file}: holds no word embeddings")
    return found


def _config(contents, tokenizer, places):
    """The model's config with the new size, and the special tokens' ids where they are now."""
    config = {**contents.config, "vocab_size": tokenizer.vocab_size}
    for key in [key for key in config if key.endswith("_token_id")]:
        value = config[key]
        several = isinstance(value, list)
        config[key] = [places.get(x, x) for x in value] if several else places.get(value, value)
    for token in _SPECIAL:
        key = f"{token}_token_id"
        if config.get(key) is not None or key == "pad_token_id":
            config[key] = getattr(tokenizer, f"{token}_id")
    return config
