"""Which format lies at a place, and what its files say; no number is read."""

import re
import typing
from pathlib import Path

from absl import logging

from bert_tf.conversion import google, huggingface, model_garden, openai
from bert_tf.conversion.files import read_json
from bert_tf.conversion.keras_hub import reading
from bert_tf.conversion.leftovers import model_tensors
from bert_tf.conversion.saving import FAMILIES, OWN
from bert_tf.conversion.sizes import config_of, sizes_of
from bert_tf.conversion.table import StoredTensor
from bert_tf.errors import InputError


class Found(typing.NamedTuple):
    """What the files at a place say, as the Contents that are made of it have it.

    Attributes:
      format: str, a key of `Family.layouts`.
      config_file: Path; that of the weights where there is no config.
      config: dict.
      weights_file: Path.
      tensors: dict of name to StoredTensor.
    """

    format: str
    config_file: Path
    config: dict
    weights_file: Path
    tensors: dict[str, StoredTensor]


def look_into(place, named):
    """Tell the format of what lies at a place, and read its config and the names of its tensors.

    Args:
      place: Path, a directory or the prefix of a checkpoint.
      named: function of a Path, giving the one that messages name.
    Returns:
      Found, its paths as messages name them.
    Raises:
      InputError: there is no model, or its files are damaged.
    """
    config_file = huggingface.config_file(place)
    checkpoint = google.checkpoint_prefixes(place) or google.data_files(place)
    # Google's checkpoint goes before weights that only have Google's config beside them.
    if config_file and not (checkpoint and config_file.name != huggingface.CONFIG_FILE):
        config = read_json(config_file)
        tensors, weights_file = huggingface.read_huggingface(place)
        tensors = model_tensors(tensors, named(weights_file))
        format = OWN if config.get("model_type") == OWN else "huggingface"
    elif reading.has_preset(place):
        config, tensors, weights_file = reading.read_preset(place, named)
        format, config_file = OWN, place / reading.CONFIG_FILE
    elif (place / model_garden.SAVED_MODEL).is_file():
        format = "google"  # whose names it is given
        tensors, config, weights_file = model_garden.read_saved_model(place, named)
        tensors, config_file = model_tensors(tensors, named(weights_file)), weights_file
    elif checkpoint:
        format, config_file, config, weights_file, tensors = _checkpoint(place, named)
    else:
        raise InputError(_nothing_there(place))
    return Found(format, named(config_file), config, named(weights_file), tensors)


def _checkpoint(place, named):
    """Found, of a checkpoint of TensorFlow: Google's, OpenAI's or the Model Garden's."""
    tensors, prefix = google.read_google(place)
    source, format = named(prefix), "google"
    if openai.is_openai(tensors):
        tensors, format = openai.huggingface_names(tensors, source), "huggingface"
        file, config = openai.openai_config(place)
    elif model_garden.is_object_based(tensors):
        tensors, heads = model_garden.google_names(tensors, source)
        tensors = model_tensors(tensors, source)
        file, config = model_garden.garden_config(place, tensors, heads, source)
        return Found(format, file, config, prefix, tensors)
    tensors = model_tensors(tensors, source)
    if format == "google":
        file, config = _google_config(place, tensors, source)
    return Found(format, file, config, prefix, tensors)


def _nothing_there(place):
    if (place / huggingface.CONFIG_FILE).is_file():
        return f"{place}: config.json is there, no model.safetensors or other weights beside it"
    suffixes = (".safetensors", ".bin", ".h5")
    weights = [path.name for path in place.glob("*") if path.suffix in suffixes]
    if weights:
        return f"{place}: {weights[0]} is there, no {huggingface.CONFIG_FILE} beside it"
    return (
        f"{place}: no model: wanted config.json with model.safetensors, tf_model.h5 or "
        "pytorch_model.bin, bert_config.json with bert_model.ckpt.*, or a SavedModel of TF-Hub"
    )


def _google_config(place, tensors, weights_file):
    """The config of a Google checkpoint and its file; where there never was one, its sizes."""
    markers = {
        name: family.google_marker for name, family in FAMILIES.items() if family.google_marker
    }
    seen = [name for name in markers if any(re.search(markers[name], key) for key in tensors)]
    name = seen[0] if seen else "bert"
    family, file = FAMILIES[name], google.config_file(place)
    config = {"model_type": name, **family.google_defaults}
    if file is not None:
        stored = read_json(file)
        return file, config | {key: value for key, value in stored.items() if value is not None}
    if family.google_head_width is None:
        folder = place if place.is_dir() else place.parent
        raise InputError(
            f"{folder}: no {google.CONFIG_FILE.format(name)} beside the checkpoint; "
            "copy the one it was trained with"
        )
    found = sizes_of(family.sizes, family.layouts["google"].encoder, tensors)
    sizes = config_of(found, family.google_head_width)
    logging.warning(
        "%s: no %s beside it; its sizes are read off the tensors, and num_attention_heads is "
        "taken to be %d, for heads of %d as in every published %s; its generator's likewise",
        weights_file,
        google.CONFIG_FILE.format(name),
        sizes["num_attention_heads"],
        family.google_head_width,
        name.upper(),
    )
    return weights_file, config | sizes
