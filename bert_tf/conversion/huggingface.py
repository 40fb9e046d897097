"""Hugging Face directories: config.json and model.safetensors, or shards, or torch's file."""

import json
from pathlib import Path

from bert_tf.conversion.files import read_json, writing
from bert_tf.conversion.safetensors_file import read_safetensors, write_safetensors
from bert_tf.conversion.table import StoredTensor
from bert_tf.errors import InputError

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
# In the order transformers looks for them.
INDEX_FILE, TORCH_FILE, TORCH_INDEX_FILE = (
    "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json",
)  # fmt: skip


def holds_huggingface(directory):
    """Whether a directory holds config.json and weights under a name of Hugging Face's."""
    directory = Path(directory)
    names = (WEIGHTS_FILE, INDEX_FILE, TORCH_FILE, TORCH_INDEX_FILE)
    return (directory / CONFIG_FILE).is_file() and any(
        (directory / name).is_file() for name in names
    )


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
    for name, read in ((WEIGHTS_FILE, read_safetensors), (TORCH_FILE, _read_torch)):
        if (directory / name).is_file():
            return read(directory / name), directory / name
        index = directory / f"{name}.index.json"
        if index.is_file():
            return _read_shards(index, read), index
    raise InputError(
        f"{directory}: no {WEIGHTS_FILE}, {INDEX_FILE}, {TORCH_FILE} or {TORCH_INDEX_FILE}"
    )


def write_huggingface(directory, config, tensors, tokenizer=None):
    """Write config.json, model.safetensors and the tokenizer's files; config.json comes last.

    Args:
      directory: str or Path, made when absent.
      config: dict, the content of config.json.
      tensors: dict of name to numpy array.
      tokenizer: object with `save_pretrained(directory)`, or None.

    Raises:
      InputError: the disk is full or the place cannot be written; what was there before still is.
    """
    with writing(directory, WEIGHTS_FILE, CONFIG_FILE) as (weights_path, config_path):
        write_safetensors(weights_path, tensors)
        config_path.write_text(
            json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        if tokenizer is not None:
            tokenizer.save_pretrained(str(directory))


def _read_shards(index, read):
    """The tensors of every shard an index names, each where the index says it is."""
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(shard, str) for shard in places.values()):
        raise InputError(f"{index}: wanted `weight_map`, an object of tensor name to file name")
    tensors = {}
    for shard in dict.fromkeys(places.values()):
        if Path(shard).name != shard or shard in ("", ".", "..") or "\\" in shard or "\0" in shard:
            raise InputError(
                f"{index}: names the shard {shard!r}, wanted a file name in the same directory"
            )
        if not (index.parent / shard).is_file():
            raise InputError(f"{index}: names the shard {shard}, which is missing")
        found = read(index.parent / shard)
        for name in found:
            if places.get(name) != shard:
                said = (
                    f"the index says {places[name]}"
                    if name in places
                    else "the index does not name it"
                )
                raise InputError(f"{index.parent / shard}: holds {name}; {said}")
        absent = [name for name, place in places.items() if place == shard and name not in found]
        if absent:
            raise InputError(
                f"{index.parent / shard}: lacks {absent[0]}, which {index.name} says it holds"
            )
        tensors.update(found)
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
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path}: torch cannot read it: {first_line}") from None
    if not isinstance(state, dict) or not all(
        isinstance(value, torch.Tensor) for value in state.values()
    ):
        raise InputError(f"{path}: wanted a dict of tensors, a state dict")
    return {name: _stored(path, value.detach()) for name, value in state.items()}


def _stored(path, tensor):
    dtype = str(tensor.dtype).removeprefix("torch.")

    def read():
        return (tensor.float() if dtype in ("float16", "bfloat16") else tensor).numpy()

    return StoredTensor(str(path), tuple(tensor.shape), dtype, read)
