"""Folders of sentence-transformers: an encoder as Hugging Face lays it out, and what makes one
vector of its tokens', module by module.

Sources: sentence-transformers' `modules.json`, `sentence_bert_config.json` and the `config.json` of
its modules Pooling, Dense and Normalize, from version 0.2 to 6.
"""

import json
import shutil
import typing
from pathlib import Path

import numpy as np
from absl import logging

from bert_tf.conversion.files import read_json
from bert_tf.conversion.huggingface import WEIGHTS_FILES, read_huggingface
from bert_tf.errors import InputError, shown

# The class of the task that such a folder holds.
TASK = "SentenceEncoder"
# What of a task's arguments the modules say.
OF_MODULES = ("pooling", "normalize", "dense")
MODULES_FILE = "modules.json"
_CONFIG_FILE, _LENGTH_FILE = "config_sentence_transformers.json", "sentence_bert_config.json"
_TYPE = "sentence_transformers.models."
# Our pooling -> their key before version 6, which all versions read, and their name of it since.
_POOLINGS = {
    "cls": ("pooling_mode_cls_token", "cls"),
    "mean": ("pooling_mode_mean_tokens", "mean"),
    "max": ("pooling_mode_max_tokens", "max"),
    "weighted": ("pooling_mode_weightedmean_tokens", "weightedmean"),
    "last": ("pooling_mode_lasttoken", "lasttoken"),
}
_OLDEST = ("cls", "mean", "max", "weighted")  # those that version 2.2 knows, too
_ACTIVATIONS = {
    "tanh": "torch.nn.modules.activation.Tanh",
    "relu": "torch.nn.modules.activation.ReLU",
    "gelu": "torch.nn.modules.activation.GELU",
    "identity": "torch.nn.modules.linear.Identity",
}


class Modules(typing.NamedTuple):
    """What the modules of a folder say of its vectors.

    Attributes:
      arguments: dict of the task's arguments `pooling`, `normalize` and `dense`.
      max_length: int or None, tokens of a row.
      kernel, bias: numpy arrays [in, out] and [out] of the dense layer, or None.
    """

    arguments: dict
    max_length: int | None
    kernel: np.ndarray | None = None
    bias: np.ndarray | None = None


def modules_of(folder):
    """The modules of a folder in their order, list of (class name, Path of its own folder).

    Returns:
      None where the folder is none of sentence-transformers, or nothing in it is pooled: then
      its encoder or its head stands for itself.
    Raises:
      InputError: the file is damaged.
    """
    file = Path(folder) / MODULES_FILE
    if not file.is_file():
        return None
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
        found = [(str(x["type"]).split(".")[-1], file.parent / str(x["path"])) for x in entries]
    except (OSError, ValueError, TypeError, KeyError):
        raise InputError(f"{file}: wanted a list of modules, each with `type` and `path`") from None
    for _, path in found:
        if not path.resolve().is_relative_to(file.parent.resolve()):
            raise InputError(f"{file}: path {shown(str(path))} leads out of the folder")
    return found if any(name == "Pooling" for name, _ in found) else None


def read_modules(folder):
    """What the modules of a folder say, Modules.

    Raises:
      InputError: they are none, or others than this package has, or in another order.
    """
    found = modules_of(folder)
    names, file = tuple(name for name, _ in found), Path(folder) / MODULES_FILE
    for name in names:
        if name not in ("Transformer", "Pooling", "Dense", "Normalize"):
            raise InputError(f"{file}: a module {shown(name)}, no part of a sentence encoder here")
    bare = tuple(name for name in names if name not in ("Dense", "Normalize"))
    optional = [name for name in names if name in ("Dense", "Normalize")]
    in_order = names == (*bare, *optional) and optional == sorted(set(optional))
    if bare != ("Transformer", "Pooling") or not in_order:
        raise InputError(
            f"{file}: the modules {', '.join(names)}, wanted Transformer, Pooling, and perhaps one "
            "Dense and Normalize after them"
        )
    places = dict(found)
    arguments = {"pooling": _pooling(places["Pooling"] / "config.json")}
    arguments["normalize"] = "Normalize" in places
    kernel = bias = None
    if "Dense" in places:
        arguments["dense"], kernel, bias = _dense(places["Dense"])
    length_file = places["Transformer"] / _LENGTH_FILE
    length = read_json(length_file).get("max_seq_length") if length_file.is_file() else None
    if length is not None and (not isinstance(length, int) or isinstance(length, bool)):
        raise InputError(f"{length_file}: max_seq_length: {shown(length)}, wanted a whole number")
    beside = Path(folder) / _CONFIG_FILE
    prompt = read_json(beside).get("default_prompt_name") if beside.is_file() else None
    if prompt is not None:
        logging.warning(
            "%s: default_prompt_name: %s, a prompt that sentence-transformers puts before every "
            "text; here texts are read as they are",
            *(beside, shown(prompt)),
        )
    return Modules(arguments, length, kernel, bias)


def module_files(model):
    """The files beside encoder and config that make a folder of sentence-transformers.

    Args:
      model: a SentenceEncoder.
    Returns:
      dict of name -> value of a .json, or dict of the tensors of a .safetensors.
    """
    config = model.encoder.config
    width, length = config.hidden_size, model.data_settings.get("max_length")
    kinds = ["Transformer", "Pooling"]
    kinds += ["Dense"] * (model.dense is not None) + ["Normalize"] * model.normalize
    paths = [""] + [f"{place}_{kind}" for place, kind in enumerate(kinds) if place]
    files = {
        MODULES_FILE: [
            {"idx": place, "name": str(place), "path": path, "type": _TYPE + kind}
            for place, (kind, path) in enumerate(zip(kinds, paths, strict=True))
        ],
        _LENGTH_FILE: {
            "max_seq_length": length or min(512, config.max_position_embeddings),
            "do_lower_case": False,
        },
        _CONFIG_FILE: {
            "prompts": {},
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
        f"{paths[1]}/config.json": {
            "word_embedding_dimension": width,
            **{
                key: model.pooling == name
                for name, (key, _) in _POOLINGS.items()
                if name in (*_OLDEST, model.pooling)
            },
            "include_prompt": True,
        },
    }
    if model.dense is not None:
        files[f"{paths[2]}/config.json"] = {
            "in_features": width,
            "out_features": model.dense[0],
            "bias": True,
            "activation_function": _ACTIVATIONS[model.dense[1]],
        }
        kernel, bias = (np.asarray(x.numpy()) for x in (model.head.kernel, model.head.bias))
        files[f"{paths[2]}/model.safetensors"] = {
            "linear.weight": np.ascontiguousarray(kernel.T),
            "linear.bias": bias,
        }
    return files


def copy_modules(folder, directory):
    """Copies the modules of a folder, and what is told beside them, to an encoder's directory.

    Args:
      folder, directory: Path.
    """
    entries = json.loads((folder / MODULES_FILE).read_text(encoding="utf-8"))
    for entry, (name, path) in zip(entries, modules_of(folder), strict=True):
        if name == "Transformer":
            entry["path"] = ""
            if (path / _LENGTH_FILE).is_file():
                shutil.copy(path / _LENGTH_FILE, directory)
        elif path.is_dir():
            shutil.copytree(path, directory / entry["path"])
    if (folder / _CONFIG_FILE).is_file():
        shutil.copy(folder / _CONFIG_FILE, directory)
    (directory / MODULES_FILE).write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")


def fill_dense(model, modules, source):
    """Puts the dense layer of a folder into a SentenceEncoder that has one.

    Raises:
      InputError: it is of another shape.
    """
    if modules.kernel is None:
        return
    wanted, found = tuple(model.head.kernel.shape), modules.kernel.shape
    if wanted != found:
        raise InputError(f"{source}: the dense layer is {list(found)}, wanted {list(wanted)}")
    model.head.kernel.assign(modules.kernel)
    model.head.bias.assign(modules.bias)


def _pooling(file):
    config = read_json(file)
    modes = config.get("pooling_mode")
    modes = [modes] if isinstance(modes, str) else modes
    if modes is None:
        flags = [key for key in config if key.startswith("pooling_mode_") and config[key]]
        names = {key: name for key, name in _POOLINGS.values()}
        modes = [names.get(key, key) for key in flags] or ["mean"]
    ours = {name: pooling for pooling, (_, name) in _POOLINGS.items()}
    if not isinstance(modes, list) or len(modes) != 1 or modes[0] not in ours:
        raise InputError(f"{file}: pools by {shown(modes)}, wanted one of {', '.join(ours)}")
    return ours[modes[0]]


def _dense(folder):
    """(the argument `dense`, kernel, bias)."""
    file = folder / "config.json"
    config = read_json(file)
    activation = config.get("activation_function") or _ACTIVATIONS["identity"]
    names = {theirs.split(".")[-1]: ours for ours, theirs in _ACTIVATIONS.items()}
    name = names.get(str(activation).split(".")[-1])
    if name is None:
        raise InputError(
            f"{file}: activation_function: {shown(activation)}, wanted one of {', '.join(names)}"
        )
    if config.get("use_residual"):
        raise InputError(f"{file}: use_residual: true, which sentence encoders here do not have")
    if not any((folder / weights).is_file() for weights in WEIGHTS_FILES):
        raise InputError(f"{folder}: no model.safetensors or pytorch_model.bin")
    tensors, source = read_huggingface(folder)
    weight, bias = (tensors.get(f"linear.{part}") for part in ("weight", "bias"))
    others = set(tensors) - {"linear.weight", "linear.bias"}
    if weight is None or len(weight.shape) != 2 or others:
        raise InputError(f"{source}: wanted linear.weight and linear.bias, a matrix and its bias")
    kernel = np.asarray(weight.read(), np.float32).T
    width = kernel.shape[1]
    values = np.zeros(width, np.float32) if bias is None else np.asarray(bias.read(), np.float32)
    if values.shape != (width,):
        raise InputError(f"{source}: linear.bias is {list(values.shape)}, wanted [{width}]")
    return [width, name], kernel, values
