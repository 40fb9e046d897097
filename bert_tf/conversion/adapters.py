"""Adapters: low-rank updates of a model's weights, in files of their own, as PEFT writes them.

Source: huggingface/peft, `LoraConfig`, `PeftModel.save_pretrained` and the names it gives tensors.
Beside its two files there is the config.json of the model that base and adapter are together; its
`base_sha256` tells which base that was.
"""

import hashlib
import re
import typing
from pathlib import Path

import numpy as np

from bert_tf.conversion.files import read_json
from bert_tf.conversion.huggingface import CONFIG_FILE as MODEL_FILE
from bert_tf.conversion.huggingface import write_files
from bert_tf.conversion.safetensors_file import read_safetensors
from bert_tf.conversion.saving import files_of_task
from bert_tf.conversion.table import TRANSPOSED, StoredTensor, expand, find
from bert_tf.errors import InputError, shown, shown_name

CONFIG_FILE, WEIGHTS_FILE = "adapter_config.json", "adapter_model.safetensors"
_BEFORE, _DOWN, _UP = "base_model.model.", ".lora_A.weight", ".lora_B.weight"


class Update(typing.NamedTuple):
    """The low-rank update of one tensor: `scale` times up down.

    Attributes:
      down, up: StoredTensor [r, in] and [out, r].
      scale: float.
    """

    down: StoredTensor
    up: StoredTensor
    scale: float


class Adapter(typing.NamedTuple):
    """What the files of an adapter hold.

    Attributes:
      file: Path, of the tensors, for messages.
      updates: dict of the name of a layer in the base -> Update.
      others: dict of name -> StoredTensor, in the place of the base's or beside them.
      turned: bool, whether the base's kernels are [in, out].
      model: dict, the config.json of base and adapter together; None where PEFT wrote the adapter.
    """

    file: Path
    updates: dict[str, Update]
    others: dict[str, StoredTensor]
    turned: bool
    model: dict | None


def save_adapter(updates, model, directory, base):
    """Write low-rank updates, and what else was trained, in files that PEFT opens over the base.

    Args:
      updates: list of (Linear, LowRank), each once.
      model: task model over the encoder that they update, its own head trained with them.
      directory: str or Path, made when absent.
      base: str, where the base is, which PEFT asks for.
    Raises:
      InputError: the disk is full or the place cannot be written.
    """
    config, holder, table, beside = files_of_task(model)
    rows = expand(table.rows, holder)
    of_kernel = {id(find(holder, row.ours)): row for row in rows}
    tensors, ranks, alphas, below, turned = {}, {}, {}, {}, False
    for linear, update in updates:
        row = of_kernel[id(linear.kernel)]
        below |= _in_files(row, linear.kernel)
        turned |= row.transform is not TRANSPOSED
        for name, down, up in _modules(row.names, update):
            tensors[f"{_BEFORE}{name}{_DOWN}"], tensors[f"{_BEFORE}{name}{_UP}"] = down, up
            ranks[name] = len(down)
            alphas[name] = update.alpha * len(down) / update.rank
    frozen = {id(x) for x in model.encoder.weights}
    if model.encoder.pooler is not None:
        frozen -= {id(x) for x in model.encoder.pooler.weights}
    saved = {}
    for row in rows:
        variable = find(holder, row.ours)
        if id(variable) not in frozen:
            saved |= _in_files(row, variable)
    tensors |= {f"{_BEFORE}{name}": x for name, x in saved.items()}
    first = next(iter(updates))[1]
    peft = {
        "peft_type": "LORA",
        "task_type": None,
        "base_model_name_or_path": base,
        "inference_mode": True,
        "r": first.rank,
        "lora_alpha": first.alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": turned,
        "target_modules": list(ranks),
        "modules_to_save": list(dict.fromkeys(name.rpartition(".")[0] for name in saved)) or None,
        "rank_pattern": {name: rank for name, rank in ranks.items() if rank != first.rank},
        "alpha_pattern": {name: alphas[name] for name in ranks if ranks[name] != first.rank},
    }
    told = {**config, "base_sha256": base_sha256(ranks, below)}
    files = {WEIGHTS_FILE: tensors, **(beside or {}), CONFIG_FILE: peft, MODEL_FILE: told}
    write_files(directory, files)


def _in_files(row, variable):
    """What files hold of a variable, dict of name -> float32 array."""
    parts = row.transform.split(np.asarray(variable.numpy(), np.float32), len(row.names))
    return dict(zip(row.names, map(np.ascontiguousarray, parts), strict=True))


def base_sha256(layers, tensors):
    """Tells the base of an adapter from others, which may have the same shapes.

    Args:
      layers: names of the layers that are updated.
      tensors: dict of name -> array, the base's as files hold them; others may be among them.
    Returns:
      str, the SHA-256 of the layers' kernels as float32 in the order of their names.
    """
    found = hashlib.sha256()
    for layer in sorted(layers):
        name = next(x for x in (f"{layer}.weight", f"{layer}.kernel") if x in tensors)
        found.update(np.ascontiguousarray(tensors[name], "<f4"))
    return found.hexdigest()


def _modules(names, update):
    """(name of a layer in files, its down [r, in], its up [out, r]) of a LowRank: each part's, or
    one of all parts where the file has them in one tensor."""
    down, up = (np.asarray(x.numpy(), np.float32) for x in (update.down, update.up))
    names = [name.rpartition(".")[0] for name in names]
    rank, count = update.rank, len(update.chosen)
    if len(names) == len(update.parts):
        for name, part in zip(names, update.parts, strict=True):
            if part in update.chosen:
                place = update.chosen.index(part)
                of_part = down[:, place * rank : (place + 1) * rank]
                yield name, np.ascontiguousarray(of_part.T), np.ascontiguousarray(up[place].T)
        return
    (name,), width = names, up.shape[2]
    whole = np.zeros((len(update.parts) * width, count * rank), np.float32)
    for place, part in enumerate(update.chosen):
        start = update.parts.index(part) * width
        whole[start : start + width, place * rank : (place + 1) * rank] = up[place].T
    yield name, np.ascontiguousarray(down.T), whole


def read_adapter(directory):
    """Describe an adapter, ours or PEFT's.

    Args:
      directory: str or Path.
    Returns:
      Adapter; the numbers are read when asked for.
    Raises:
      InputError: there is none, it is damaged, or of another kind than LoRA.
    """
    directory = Path(directory)
    config_file, file = directory / CONFIG_FILE, directory / WEIGHTS_FILE
    if not config_file.is_file():
        raise InputError(f"{directory}: no adapter: wanted {CONFIG_FILE} and {WEIGHTS_FILE}")
    config = read_json(config_file)
    if config.get("peft_type") != "LORA" or config.get("use_dora"):
        kind = "DoRA" if config.get("use_dora") else shown(config.get("peft_type"))
        raise InputError(f"{config_file}: peft_type: {kind}, wanted LORA")
    tensors = read_safetensors(file)
    bare = {name.removeprefix(_BEFORE): tensor for name, tensor in tensors.items()}
    downs = {x.removesuffix(_DOWN): bare[x] for x in bare if x.endswith(_DOWN)}
    ups = {x.removesuffix(_UP): bare[x] for x in bare if x.endswith(_UP)}
    for module in {**downs, **ups}:
        shapes = [list(each[module].shape) if module in each else None for each in (downs, ups)]
        if not all(x is not None and len(x) == 2 for x in shapes) or shapes[0][0] != shapes[1][1]:
            raise InputError(
                f"{file}: {shown_name(module)}: lora_A is {shapes[0]} and lora_B {shapes[1]}, "
                "wanted [r, in] and [out, r]"
            )
    if not downs:
        raise InputError(f"{file}: holds no {_DOWN[1:]}")
    updates = {x: Update(downs[x], ups[x], _scale(config, config_file, x, downs)) for x in downs}
    others = {x: bare[x] for x in bare if not x.endswith((_DOWN, _UP))}
    model = read_json(directory / MODEL_FILE) if (directory / MODEL_FILE).is_file() else None
    return Adapter(file, updates, others, bool(config.get("fan_in_fan_out")), model)


def _scale(config, config_file, module, downs):
    """alpha / r of a layer, or alpha over the root of r."""
    own, rank = config.get("alpha_pattern") or {}, downs[module].shape[0]
    if not isinstance(own, dict):
        raise InputError(f"{config_file}: alpha_pattern: {shown(own)}, wanted numbers by layer")
    key = next((key for key in own if _is_for(key, config_file, module)), None)
    alpha = config.get("lora_alpha") if key is None else own[key]
    if not isinstance(alpha, int | float) or isinstance(alpha, bool) or not rank:
        raise InputError(f"{config_file}: lora_alpha: {shown(alpha)}, wanted a number")
    return alpha / (rank**0.5 if config.get("use_rslora") else rank)


def _is_for(key, config_file, module):
    """Whether a key of `alpha_pattern` means a layer: a regular expression of the end of its name
    (peft, utils/other.py: `get_pattern_key`)."""
    try:
        return re.match(rf"(.*\.)?({key})$", module) is not None
    except (re.error, OverflowError, RecursionError):
        raise InputError(
            f"{config_file}: alpha_pattern: {shown(key)}, wanted a layer's name or a regular "
            "expression"
        ) from None


def merge(tensors, adapter, prefix):
    """The tensors of base and adapter together.

    Args:
      tensors: dict of name -> StoredTensor, of the base.
      adapter: Adapter.
      prefix: str, before the names of an encoder where it is a task's, which either may have.
    Returns:
      dict of name -> StoredTensor; the updates are added when a tensor is read.
    Raises:
      InputError: the adapter updates a tensor that the base has not, or has in another shape.
    """
    names = {name.removeprefix(prefix): name for name in tensors}
    merged = dict(tensors)
    for module, update in adapter.updates.items():
        stem = module.removeprefix(prefix)
        name = names.get(f"{stem}.weight") or names.get(f"{stem}.kernel")
        shape = (update.up.shape[0], update.down.shape[1])
        there = tuple(tensors[name].shape) if name else None
        if there != (shape[::-1] if adapter.turned else shape):
            said = "none" if there is None else f"one of {list(there)}"
            raise InputError(
                f"{adapter.file}: updates {shown_name(module)} [out, in] {list(shape)}, and the "
                f"base has {said}"
            )
        merged[name] = tensors[name]._replace(read=_read(tensors[name], update, adapter.turned))
    for name, tensor in adapter.others.items():
        merged[names.get(name.removeprefix(prefix), name)] = tensor
    return merged


def _read(tensor, update, turned):
    def read():
        product = update.up.read() @ update.down.read() * np.float32(update.scale)
        return tensor.read() + (product.T if turned else product)

    return read


def factors(adapter, names, parts, prefix):
    """The update of a linear layer of ours.

    Args:
      adapter: Adapter.
      names: tuple of str, the kernels that it is made of in files, as in `Row.names`.
      parts: tuple of str, the names of its parts.
      prefix: as in `merge`.
    Returns:
      what it is made of here, one of `parts` for each name or, where a file has all in one tensor,
      ("whole",); the ones of these that are updated, list of str; down, float32 [in, r * updated];
      up, float32 [updated, r, out], scaled. None: it has no update.
    """
    updates = {name.removeprefix(prefix): update for name, update in adapter.updates.items()}
    modules = [name.rpartition(".")[0].removeprefix(prefix) for name in names]
    owners = parts if len(modules) == len(parts) else ("whole",)
    found = [(x, updates[y]) for x, y in zip(owners, modules, strict=True) if y in updates]
    if not found:
        return None
    rank = max(update.down.shape[0] for _, update in found)
    down, up = [], []
    for _, update in found:
        below = ((0, rank - update.down.shape[0]), (0, 0))
        down.append(np.pad(update.down.read(), below).T)
        up.append(np.pad(update.up.read().T * np.float32(update.scale), below))
    return owners, [owner for owner, _ in found], np.concatenate(down, axis=1), np.stack(up)


def kernel_names(model):
    """The names in files of the variables of a task model: dict of id -> tuple of str."""
    _, holder, table, _ = files_of_task(model)
    return {id(find(holder, row.ours)): row.names for row in expand(table.rows, holder)}
