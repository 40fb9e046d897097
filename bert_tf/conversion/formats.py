"""Which format lies at a place, and what its files say; no number is read."""

import re
import typing
from pathlib import Path

from absl import logging

from bert_tf.conversion import google, huggingface, model_garden, openai, word2vec
from bert_tf.conversion.files import read_json
from bert_tf.conversion.keras_hub import reading
from bert_tf.conversion.leftovers import model_tensors
from bert_tf.conversion.saving import FAMILIES, OWN
from bert_tf.conversion.sizes import config_of, sizes_of
from bert_tf.conversion.table import StoredTensor
from bert_tf.conversion.transformers_h5 import with_own_matrix
from bert_tf.errors import ConfigError, InputError, nearest

# Those that `convert` writes.
WRITTEN = (
    *("huggingface", "google", "keras_hub", "sentence_transformers"),
    *("word2vec", "word2vec_binary"),
)


def require_written(format):
    """Raises ConfigError unless a format is one of WRITTEN."""
    if format not in WRITTEN:
        near = nearest(format, WRITTEN)
        hint = f" (nearest: {near})" if near else ""
        raise ConfigError(f"format: {format!r}, wanted one of {', '.join(WRITTEN)}{hint}")


class Found(typing.NamedTuple):
    """What the files at a place say, as the Contents that are made of it have it.

    Attributes:
      format: str, a key of `Family.layouts`.
      config_file: Path; that of the weights where there is no config.
      config: dict.
      weights_file: Path.
      tensors: dict of name to StoredTensor.
      aside: list of str, the tensors that training left, which are not among them.
      keys: tuple of str, the keys that configs of this kind have for what no shape tells; None: one
        for each such field.
    """

    format: str
    config_file: Path
    config: dict
    weights_file: Path
    tensors: dict[str, StoredTensor]
    aside: tuple[str, ...] = ()
    keys: tuple[str, ...] | None = None


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
        found = _huggingface(place, config_file, named)
    elif reading.has_preset(place):
        config, tensors, weights_file = reading.read_preset(place, named)
        found = Found(OWN, place / reading.CONFIG_FILE, config, weights_file, tensors, keys=())
    elif (place / model_garden.SAVED_MODEL).is_file():
        tensors, config, weights_file = model_garden.read_saved_model(place, named)
        # By Google's names.
        found = Found("google", weights_file, config, weights_file, tensors, keys=())
    elif checkpoint:
        found = _checkpoint(place, named)
    elif word2vec.vectors_at(place):
        config, tensors, vectors_file = word2vec.read_vectors_at(place)
        found = Found(OWN, vectors_file, config, vectors_file, tensors, keys=())
    else:
        raise InputError(_nothing_there(place))
    return found._replace(
        config_file=named(found.config_file), weights_file=named(found.weights_file)
    )


def require_model(place):
    """Raises InputError, as `look_into`, where no files of a model are at a place, by their names
    alone.

    Args:
      place: Path, a directory.
    """
    files = huggingface.config_file(place) or reading.has_preset(place)
    files = files or (place / model_garden.SAVED_MODEL).is_file()
    files = files or google.checkpoint_prefixes(place) or google.data_files(place)
    if not files and not word2vec.vectors_at(place):
        raise InputError(_nothing_there(place))


def _huggingface(place, config_file, named):
    """Found, of a directory as Hugging Face lays it out, or ours."""
    config = read_json(config_file)
    tensors, weights_file = huggingface.read_huggingface(place)
    tensors, aside = _of_model(tensors, named(weights_file))
    if weights_file.name.startswith(huggingface.H5_FILE):
        config, tensors = with_own_matrix(config, tensors)
    format = OWN if config.get("model_type") == OWN else "huggingface"
    keys = None if config_file.name == huggingface.CONFIG_FILE else google.UNSEEN
    return Found(format, config_file, config, weights_file, tensors, aside, keys)


def _checkpoint(place, named):
    """Found, of a checkpoint of TensorFlow: Google's, OpenAI's or the Model Garden's."""
    tensors, prefix = google.read_google(place)
    source, format, heads, keys = named(prefix), "google", None, ()
    of_openai = openai.is_openai(tensors)
    of_garden = model_garden.is_object_based(tensors)
    if of_openai:
        tensors, format = openai.huggingface_names(tensors, source), "huggingface"
    elif of_garden:
        tensors, heads = model_garden.google_names(tensors, source)
    tensors, aside = _of_model(tensors, source)
    if of_openai:
        file, config = openai.openai_config(place)
    elif of_garden:
        file, config = model_garden.garden_config(place, tensors, heads, source)
    else:
        file, config = _google_config(place, tensors, source)
        keys = () if file == source else google.UNSEEN
    return Found(format, file, config, prefix, tensors, aside, keys)


def _of_model(tensors, source):
    """The tensors that `model_tensors` keeps, and the names of the others."""
    kept = model_tensors(tensors, source)
    stay = {id(tensor) for tensor in kept.values()}
    return kept, tuple(name for name, tensor in tensors.items() if id(tensor) not in stay)


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
