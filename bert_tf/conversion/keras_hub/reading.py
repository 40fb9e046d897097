"""A preset of KerasHub: config.json and model.weights.h5, or its shards with model.weights.json.

Nothing of it is built by Keras: config.json names a class, which is looked up among those here, and
the weights are read as numbers.
"""

import math
import re
from pathlib import Path

import numpy as np
from absl import logging

from bert_tf.conversion.files import read_json
from bert_tf.conversion.hdf5_file import read_hdf5
from bert_tf.conversion.keras_hub.heads import read_head
from bert_tf.conversion.keras_hub.places import BACKBONES, KEYS, places, rows_added
from bert_tf.conversion.saving import FAMILIES, OWN
from bert_tf.conversion.table import StoredTensor
from bert_tf.errors import InputError, shown, shown_name

CONFIG_FILE, WEIGHTS_FILE, SHARDS_FILE = "config.json", "model.weights.h5", "model.weights.json"
DROPOUT = 0.1  # of their classes
MOST = 2000  # layers in a config, before anything is counted up to it


def has_preset(place):
    """Whether a preset's weights and config lie at a place."""
    there = [place / name for name in (WEIGHTS_FILE, SHARDS_FILE)]
    return (place / CONFIG_FILE).is_file() and any(file.is_file() for file in there)


def read_preset(place, named):
    """The config of a preset and its variables, in our own format.

    Args:
      place: Path of the directory.
      named: function of a Path, giving the one that messages name.
    Returns:
      (dict, the config; dict of attribute path to StoredTensor, what no encoder has under its name
      in the file, those of a task with its head; Path of the weights).
    Raises:
      InputError: a file is damaged, or the preset is of no family here.
    """
    file, weights = place / CONFIG_FILE, place / WEIGHTS_FILE
    weights = weights if weights.is_file() else place / SHARDS_FILE
    name, config = _config(read_json(file), named(file))
    stored = read_hdf5(weights)[0] if weights.suffix == ".h5" else _of_shards(weights, named)
    stored = {
        re.sub("^_layer_checkpoint_dependencies/", "layers/", at): x for at, x in stored.items()
    }
    tensors = {}
    for ours, theirs in places(name, config).items():
        parts = [stored.pop(at, None) for at in theirs]
        if ours.startswith("pooler.") and name == "electra":
            continue  # no published ELECTRA has one, and KerasHub's is not trained
        if all(part is not None for part in parts):
            tensors[ours] = _joined(parts, ours)
    tensors |= {at: x for at, x in stored.items() if "seed_generator" not in at}
    _add_what_theirs_lack(name, config, tensors, str(named(weights)))
    config |= {"model_type": OWN, OWN: {"family": name}}
    found = read_head(place, name, config, named)
    if found is None:
        config |= {"architectures": [f"{OWN}.{FAMILIES[name].encoder_class}"]}
        return config, tensors, weights
    task, head = found
    config[OWN]["task"] = task
    config |= {"architectures": [f"{OWN}.{task}"]}
    return config, {f"encoder.{at}": x for at, x in tensors.items()} | head, weights


def _of_shards(index, named):
    """The variables in the shards that an index names, dict of place to StoredTensor.

    Source: keras 3.15, `src/saving/saving_lib.py: ShardedH5IOStore`: `weight_map`, an object of
    layer to the file that holds its variables, or the list of those that do.
    """
    places = read_json(index).get("weight_map")
    values = places.values() if isinstance(places, dict) else ()
    lists = [x if isinstance(x, list) else [x] for x in values]
    files = list(dict.fromkeys(str(file) for each in lists for file in each))
    if not files:
        raise InputError(f"{named(index)}: wanted `weight_map`, an object of layer to file name")
    stored = {}
    for file in files:
        if Path(file).name != file or file in ("", ".", "..") or "\\" in file or "\0" in file:
            raise InputError(f"{named(index)}: {shown(file)}, wanted a file name beside it")
        if not (index.parent / file).is_file():
            raise InputError(f"{named(index)}: names {shown_name(file)}, which is missing")
        for at, tensor in read_hdf5(index.parent / file)[0].items():
            if at in stored:
                raise InputError(f"{named(index.parent / file)}: {shown_name(at)} is in two shards")
            stored[at] = tensor
    return stored


def _config(whole, file):
    """(family, config with our keys) of a parsed config.json of KerasHub."""
    named, stored = whole.get("registered_name") or whole.get("class_name"), whole.get("config")
    found = [
        name for name, (kind, _) in BACKBONES.items() if named in (kind, f"keras_hub>{kind}")
    ]  # fmt: skip
    if not found or found[0] not in FAMILIES or not isinstance(stored, dict):
        there = ", ".join(kind for name, (kind, _) in BACKBONES.items() if name in FAMILIES)
        raise InputError(f"{file}: {shown(named)} is no backbone here; there are {there}")
    name, kind = found[0], BACKBONES[found[0]][1]
    config = {KEYS.get(key, key): value for key, value in stored.items() if key in KEYS}
    config |= {"vocab_size": stored.get("vocab_size", config.get("vocab_size"))}
    for key in ("vocab_size", *KEYS.values()):
        value = config.get(key)
        wrong = type(value) is not int or not 0 < value < 2**31
        if key in config and (wrong or key.startswith("num_") and value > MOST):
            raise InputError(
                f"{file}: {key}: {shown(value)}, wanted a whole number that a model has"
            )
    missing = [key for key in ("hidden_size", "num_hidden_layers", "num_attention_heads",
                               "max_position_embeddings") if key not in config]  # fmt: skip
    if missing:
        raise InputError(f"{file}: says no {', '.join(missing)} (under KerasHub's names)")
    if kind.joined:
        config |= rows_added(name)
        config["max_position_embeddings"] += config.pop("_rows", 0)
    rate = stored.get("dropout", DROPOUT)
    if "dropout" not in stored:
        logging.warning("%s: taken without being told is dropout %s", file, DROPOUT)
    for where in ("hidden", "attention_probs", "embedding"):
        config[f"{where}_dropout_prob"] = rate
    told = {"hidden_act": kind.hidden_act, "layer_norm_eps": kind.layer_norm_eps}
    return name, config | told | dict(kind.fixed)


def _add_what_theirs_lack(name, config, tensors, source):
    """RoBERTa's positions begin in the third row, and its only token type is added to each."""
    if not name.endswith("roberta"):
        return
    at, width = "embeddings.position_embeddings", config["hidden_size"]
    stored = tensors.get(at)
    if stored is not None and len(stored.shape) == 2:

        def read():
            return np.concatenate([np.zeros((2, stored.shape[1]), "float32"), stored.read()])

        tensors[at] = stored._replace(shape=(stored.shape[0] + 2, stored.shape[1]), read=read)
    tensors["embeddings.token_type_embeddings"] = StoredTensor(
        source, (1, width), "float32", lambda: np.zeros((1, width), "float32")
    )


def _joined(parts, ours):
    """One variable of ours from one of theirs, or from query's, key's and value's."""
    if any(not part.shape for part in parts):
        return parts[0]
    shapes = [_flat_shape(part.shape, ours) for part in parts]
    alike = len({(shape[:-1], part.dtype) for shape, part in zip(shapes, parts, strict=True)}) == 1
    if not alike:
        raise InputError(
            f"{parts[0].file}: query, key and value of {shown_name(ours)} do not fit each other"
        )
    shape = (*shapes[0][:-1], sum(shape[-1] for shape in shapes))

    def read():
        arrays = [part.read().reshape(flat) for part, flat in zip(parts, shapes, strict=True)]
        return arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=-1)

    return StoredTensor(parts[0].file, shape, parts[0].dtype, read)


def _flat_shape(shape, ours):
    """A shape whose heads and their width are one axis."""
    if ours.endswith("attention.projection.kernel") and len(shape) == 3:
        return math.prod(shape[:2]), shape[2]
    wanted = {"attention.qkv.kernel": 3, "attention.qkv.bias": 2}
    if len(shape) == next((n for end, n in wanted.items() if ours.endswith(end)), 0):
        return *shape[:-2], math.prod(shape[-2:])
    return tuple(shape)
