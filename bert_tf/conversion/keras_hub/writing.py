"""An encoder as a preset of KerasHub: config.json, metadata.json, model.weights.h5."""

import dataclasses
import json

import numpy as np
from absl import logging

from bert_tf.conversion.keras_hub.places import BACKBONES, KEYS, places, rows_added
from bert_tf.conversion.keras_hub.reading import CONFIG_FILE, WEIGHTS_FILE
from bert_tf.conversion.saving import FAMILIES, OWN, refuse_own_sizes
from bert_tf.conversion.table import find, read_out
from bert_tf.errors import InputError

# Of the packages whose layout this is.
VERSIONS = {"keras_version": "3.15.1", "keras_hub_version": "0.32.0"}


def save_keras_hub(encoder, directory):
    """Write an encoder as a preset of KerasHub: config.json, metadata.json, model.weights.h5.

    What KerasHub's class lacks is said in a warning: another gelu, a pooler that is not there.

    Args:
      encoder: an encoder of one of BACKBONES.
      directory: Path, an existing directory that nobody reads yet.
    Returns:
      dict: config.json.
    Raises:
      InputError: KerasHub has no such backbone, or it computes otherwise.
    """
    import h5py

    config, name = dataclasses.asdict(encoder.config), encoder.config.model_type
    if name not in BACKBONES:
        raise InputError(f"{directory}: KerasHub's format here has no family {name}")
    refuse_own_sizes(encoder, directory, "KerasHub")
    _check_expressible(encoder, config, name, directory)
    arrays, count = _arrays(encoder, name, config), 0
    with h5py.File(directory / WEIGHTS_FILE, "w") as file:
        for at, array in arrays.items():
            file.create_dataset(at, data=array)
            count += array.size
    class_name, kind = BACKBONES[name]
    theirs = {ours: key for key, ours in KEYS.items()}
    fields = {theirs[key]: value for key, value in config.items() if key in theirs}
    fields = {key: value for key, value in fields.items() if value is not None}
    if name == "electra":
        fields["vocab_size"] = fields.pop("vocabulary_size")
    if name in ("bert", "gpt2"):
        fields.pop("embedding_dim", None)
    if not kind.types:
        fields.pop("num_segments", None)
    fields["max_sequence_length"] -= rows_added(name).get("_rows", 0)
    fields |= {"dropout": config["hidden_dropout_prob"], "name": kind.module.split(".")[1]}
    whole = {
        "module": f"keras_hub.src.models.{kind.module}",
        "class_name": class_name,
        "config": fields | {"trainable": True},
        "registered_name": f"keras_hub>{class_name}",
    }
    about = VERSIONS | {"parameter_count": count}
    for file, content in ((CONFIG_FILE, whole), ("metadata.json", about | {"tasks": []})):
        (directory / file).write_text(json.dumps(content, indent=4) + "\n", encoding="utf-8")
    return whole


def _check_expressible(encoder, config, name, directory):
    """Refuses what KerasHub's class computes otherwise; a near gelu and dropout are named."""
    kind = BACKBONES[name][1]
    act, eps = config["hidden_act"], config["layer_norm_eps"]
    if eps != kind.layer_norm_eps:
        raise InputError(
            f"{directory}: layer_norm_eps: {eps}, KerasHub's {name} has only {kind.layer_norm_eps}"
        )
    near = {"gelu", "gelu_new", "gelu_pytorch_tanh", "gelu_python"}
    if act != kind.hidden_act and not {act, kind.hidden_act} <= near:
        raise InputError(
            f"{directory}: hidden_act: {act}, KerasHub's {name} has {kind.hidden_act} only"
        )
    if name.endswith("roberta") and (config["pad_token_id"], config["type_vocab_size"]) != (1, 1):
        raise InputError(
            f"{directory}: KerasHub's {name} has pad_token_id 1 and one token type only"
        )
    for key, wanted in kind.fixed:
        given = config.get(key, wanted)
        alike = set(given) == set(wanted) if isinstance(wanted, tuple) else given == wanted
        if not alike:
            raise InputError(f"{directory}: {key}: {given}, KerasHub's {name} has {wanted} only")
    differs = []
    if act != kind.hidden_act:
        differs.append(f"hidden_act {act} becomes {kind.hidden_act}, at most 4.8e-4 from it")
    for key in ("attention_probs_dropout_prob", "embedding_dropout_prob"):
        if config.get(key, config["hidden_dropout_prob"]) != config["hidden_dropout_prob"]:
            differs.append(f"{key} becomes hidden_dropout_prob")
    if kind.pooler and find(encoder, "pooler.dense") is None:
        differs.append("there is no pooler, and its weights become 0")
    if not kind.pooler and find(encoder, "pooler.dense") is not None:
        differs.append("there is no place for the pooler")
    if differs:
        logging.warning("in KerasHub's format %s", "; ".join(differs))


def _arrays(encoder, name, config):
    """Where in the file -> array, for every variable of their backbone."""
    at, heads, kind = places(name, config), config["num_attention_heads"], BACKBONES[name][1]
    ours = read_out(encoder, FAMILIES[name].layouts[OWN].encoder_table())
    if name.endswith("roberta"):
        row = ours.pop("embeddings.token_type_embeddings")[0]
        table = ours["embeddings.position_embeddings"]
        ours["embeddings.position_embeddings"] = table[2:] + row
    width = config["hidden_size"]
    if "pooler.dense.kernel" in at and "pooler.dense.kernel" not in ours:
        ours |= {"pooler.dense.kernel": np.zeros((width, width), "float32")}
        ours |= {"pooler.dense.bias": np.zeros(width, "float32")}
    if not kind.pooler:
        ours = {path: array for path, array in ours.items() if not path.startswith("pooler.")}
    lost = sorted(set(ours) ^ set(at))
    if lost:
        raise InputError(f"KerasHub's {name} and this one differ in {', '.join(lost[:4])}")
    found = {}
    for path, array in ours.items():
        parts = np.split(array, len(at[path]), axis=-1)
        for place, part in zip(at[path], parts, strict=True):
            if ".attention.qkv." in path:
                part = part.reshape(*part.shape[:-1], heads, -1)
            elif path.endswith("attention.projection.kernel") and not kind.relative:
                part = part.reshape(heads, -1, part.shape[-1])
            found[place] = np.ascontiguousarray(part, "float32")
    return found
