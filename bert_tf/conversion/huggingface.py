"""Hugging Face directories: config.json and model.safetensors, or shards, or torch's file, or
TensorFlow's of transformers 4."""

import json
import re
from pathlib import Path

from bert_tf.atomic import new_files
from bert_tf.conversion import google
from bert_tf.conversion.files import read_json
from bert_tf.conversion.safetensors_file import read_safetensors, write_safetensors
from bert_tf.conversion.table import StoredTensor, check_count
from bert_tf.conversion.transformers_h5 import read_tf_h5, torch_name
from bert_tf.errors import InputError, shown, shown_name

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
H5_FILE, TORCH_FILE = "tf_model.h5", "pytorch_model.bin"
# In this order; PyTorch's last, which takes torch to read.
WEIGHTS_FILES = tuple(
    name for file in (WEIGHTS_FILE, H5_FILE, TORCH_FILE) for name in (file, f"{file}.index.json")
)


def config_file(directory):
    """The config of weights that a directory holds under one of Hugging Face's names.

    Args:
      directory: str or Path.
    Returns:
      Path of config.json; where there is none, of Google's config, which old conversions kept.
      None where there are no such weights, or neither.
    """
    directory = Path(directory)
    if not any((directory / name).is_file() for name in WEIGHTS_FILES):
        return None
    names = (CONFIG_FILE, *google.CONFIG_FILES)
    return next((directory / name for name in names if (directory / name).is_file()), None)


def read_huggingface(directory):
    """Describe the weights of a directory.

    Args:
      directory: str or Path.

    Returns:
      (dict of name to StoredTensor, Path of the file they are in or of the index of their shards).

    Raises:
      InputError: a file is truncated or damaged, a shard is missing, or torch is needed and not
        installed.
    """
    directory = Path(directory)
    for name, read in (
        (WEIGHTS_FILE, read_safetensors),
        (H5_FILE, read_tf_h5),
        (TORCH_FILE, _read_torch),
    ):
        if (directory / name).is_file():
            return read(directory / name), directory / name
        index = directory / f"{name}.index.json"
        if index.is_file():
            return _read_shards(index, read, torch_name if name == H5_FILE else str), index
    raise InputError(f"{directory}: no {', '.join(WEIGHTS_FILES)}")


def write_huggingface(directory, config, tensors, tokenizer=None, beside=None):
    """Write config.json, model.safetensors and the tokenizer's files; config.json comes last.

    Where no modules.json of sentence-transformers is among them, that of an earlier model goes.

    Args:
      directory: str or Path, made when absent.
      config: dict, the content of config.json.
      tensors: dict of name to numpy array.
      tokenizer: object with `save_pretrained(directory)`, or None.
      beside: dict of further names, perhaps with a folder -> what is in a .json, or the tensors of
        a .safetensors.

    Raises:
      InputError: the disk is full or the place cannot be written; what was there before still is.
    """
    files = {WEIGHTS_FILE: tensors, **(beside or {}), CONFIG_FILE: config}
    write_files(directory, files, tokenizer)
    if "modules.json" not in files:
        (Path(directory) / "modules.json").unlink(missing_ok=True)


def write_files(directory, files, tokenizer=None):
    """Write JSON and safetensors files, and the tokenizer's, all or none.

    Args:
      directory, tokenizer: as in `write_huggingface`.
      files: dict of name, perhaps with a folder -> what is in a .json, or the tensors of a
        .safetensors.
    Raises:
      InputError: as there.
    """
    with new_files(directory, *files) as paths:
        for path, (name, content) in zip(paths, files.items(), strict=True):
            if name.endswith(".safetensors"):
                write_safetensors(path, content)
            else:
                lines = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
                path.write_text(lines, encoding="utf-8")
        if tokenizer is not None:
            tokenizer.save_pretrained(str(directory))


def _read_shards(index, read, named):
    """The tensors of every shard an index names, each where the index says it is.

    `named` gives a tensor's name in the index the one that `read` gives it.
    """
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(shard, str) for shard in places.values()):
        raise InputError(f"{index}: wanted `weight_map`, an object of tensor name to file name")
    check_count(places, index)
    places = {named(name): shard for name, shard in places.items()}
    tensors = {}
    for shard in dict.fromkeys(places.values()):
        if Path(shard).name != shard or shard in ("", ".", "..") or "\\" in shard or "\0" in shard:
            raise InputError(
                f"{index}: names the shard {shown(shard)}, wanted a file name in the same directory"
            )
        file = index.parent / shard
        if not file.is_file():
            raise InputError(f"{index}: names the shard {shown_name(shard)}, which is missing")
        found = read(file)
        for name in found:
            if places.get(name) != shard:
                said = (
                    f"the index says {shown_name(places[name])}"
                    if name in places
                    else "the index does not name it"
                )
                raise InputError(f"{file}: holds {shown_name(name)}; {said}")
        tensors.update(found)
    for name, shard in places.items():
        if name not in tensors:
            raise InputError(
                f"{index.parent / shard}: lacks {shown_name(name)}, which {index.name} says it "
                "holds"
            )
    return tensors


def _read_torch(path):
    """The tensors of a pytorch_model.bin; only torch's weights_only loader may unpickle it."""
    try:
        import torch
    except ImportError:
        raise InputError(
            f"{path}: reading it takes PyTorch: install torch, or convert it to {WEIGHTS_FILE}"
        ) from None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises pickle, zip, EOF and runtime errors of many types
        raise InputError(f"{path}: {_why_not(error)}") from None
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in state.items()
    ):
        raise InputError(f"{path}: wanted a dict of tensors, a state dict")
    for name, tensor in state.items():
        # `expand` and the like make tensors far larger than what is stored of them.
        plain = tensor.layout == torch.strided and not tensor.is_quantized and not tensor.is_meta
        if not plain or tensor.nbytes > tensor.untyped_storage().nbytes():
            raise InputError(f"{path}: {shown_name(name)} is no plain tensor")
    return {name: _stored(path, value.detach()) for name, value in state.items()}


def _why_not(error):
    """What torch's refusal means; its own words advise to let the file run code."""
    said = (str(error).splitlines() or [type(error).__name__])[0].split(". ")[0]
    named = re.search(r"GLOBAL (\S+)", str(error))
    if named is None and not re.search(r"weights.only", str(error), re.IGNORECASE):
        return f"torch cannot read it: {shown_name(said, limit=200)}"
    what = f"it holds {shown_name(named.group(1))}" if named else "it is damaged or holds objects"
    return (
        f"refused: {what}, wanted tensors alone: to read other Python objects would run whatever "
        f"code the file names; ask for {WEIGHTS_FILE}"
    )


def _stored(path, tensor):
    dtype = str(tensor.dtype).removeprefix("torch.")

    def read():
        return (tensor.float() if dtype in ("float16", "bfloat16") else tensor).numpy()

    return StoredTensor(str(path), tuple(tensor.shape), dtype, read)
