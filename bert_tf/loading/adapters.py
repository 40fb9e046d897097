"""A base and an adapter as one model, and a trained model taken apart into both."""

import contextlib
import dataclasses
import os

import numpy as np
from absl import logging

from bert_tf.conversion.adapters import (
    MODEL_FILE,
    base_sha256,
    factors,
    kernel_names,
    merge,
    read_adapter,
    save_adapter,
)
from bert_tf.conversion.contents import contents_of, opened, with_task
from bert_tf.conversion.family import attribute_paths
from bert_tf.conversion.formats import Found
from bert_tf.conversion.saving import OWN
from bert_tf.conversion.table import StoredTensor, find, read_out
from bert_tf.encoders.low_rank import (
    has_low_rank,
    merge_low_rank,
    updatable,
    with_updates,
    without_low_rank,
)
from bert_tf.errors import InputError, shown, shown_name
from bert_tf.loading.cutting import task_over
from bert_tf.loading.encoders import load_encoder, refuse_size_name


@contextlib.contextmanager
def adapted(source, adapter):
    """What a base and an adapter hold together, as `conversion.contents.opened` tells it of files.

    An adapter of ours says in its config.json what both are; one of PEFT's leaves it to the base.

    Args:
      source: str, the base, as in `load_encoder`.
      adapter: str, a directory as `bert-tf finetune` with `lora` and PEFT write it.
    Yields:
      Contents.
    Raises:
      InputError: either cannot be read, or they do not belong together.
    """
    found = read_adapter(adapter)
    with opened(source) as base:
        if found.model is None:
            tensors = merge(base.tensors, found, base.layout.prefix)
            yield dataclasses.replace(base, tensors=tensors)
            return
        file = found.file.parent / MODEL_FILE
        format = OWN if found.model.get("model_type") == OWN else "huggingface"
        both = Found(format, file, found.model, found.file, {})
        of_modules = found.file.parent if (found.file.parent / "modules.json").is_file() else None
        both = with_task(contents_of(both, base.folder, of_modules), format)
        layout = both.layout
        prefix = layout.prefix if both.task and not of_modules else ""
        encoder = load_encoder(base)
        arrays = read_out(encoder, layout.encoder_table())
        # A task that reads it has it in the adapter.
        left = {*layout.encoder_names("pooler")}
        tensors = {
            prefix + name: StoredTensor(str(base.weights_file), x.shape, "float32", lambda x=x: x)
            for name, x in arrays.items()
            if name not in left
        }
        merged = merge(tensors, found, layout.prefix)
        layers = [name.removeprefix(layout.prefix) for name in found.updates]
        if found.model.get("base_sha256") not in (None, base_sha256(layers, arrays)):
            logging.warning(
                "%s: trained over other weights than those of %s: what both answer together may "
                "be worth nothing",
                *(found.file, base.weights_file),
            )
        yield dataclasses.replace(both, tensors=merged)


def taken_apart(model, directory, base):
    """Writes the adapter of a task model that was trained with low-rank updates; of several tasks
    one for each, in a folder of its name, for each has the updates of all and a head of its own.

    Args:
      model: TaskModel over an encoder with updates; they are added to the weights below.
      directory: str, where the adapter goes, made when absent.
      base: str, where the weights below were read.
    Returns:
      TaskModel without updates that answers the same, which can be saved; `model` itself where its
      encoder has none, and then nothing is written.
    Raises:
      InputError: the place cannot be written.
    """
    if not has_low_rank(model.encoder):
        return model
    plain = task_over(without_low_rank(model.encoder), model)
    pairs = {
        id(update): (linear, update)
        for block in model.encoder.blocks
        for linear, update in zip(block.linears, block.updates, strict=True)
    }
    for name, part in (plain.parts or {"": plain}).items():
        save_adapter(list(pairs.values()), part, os.path.join(directory, name), base)
    merge_low_rank(model.encoder)
    return plain


def load_adapters(directory, adapters):
    """Several adapters over one base, whose weights are there once: a model of several tasks.

    It answers, and is exported, as any model of several tasks, with a signature for each; the
    updates stay apart from the weights, so that a text takes a little longer.

    Args:
      directory: str, the base, as in `load_encoder`.
      adapters: dict of name (letters, digits, _ and -) -> str, a directory as in `load_task`.
    Returns:
      MultiTask; its `parts` are the task models.
    Raises:
      InputError: one cannot be read, does not belong to this base, or changes more of it than
        the linear layers of its blocks and the pooler.
    """
    from bert_tf.loading.tasks import load_task
    from bert_tf.tasks import TASKS

    refuse_size_name(directory)
    parts = {}
    with opened(directory) as base:
        encoder, prefix = load_encoder(base), base.layout.prefix
        for name, folder in adapters.items():
            merged, adapter = load_task(base, adapter=folder), read_adapter(folder)
            key = _other_setting(merged.encoder.config, encoder.config)
            if key is not None:
                values = [shown(getattr(x.config, key)) for x in (merged.encoder, encoder)]
                raise InputError(
                    f"{adapter.file}: trained with {key} {values[0]}, and the shared base has "
                    f"{values[1]}; load_task(base, adapter={os.fspath(folder)!r}) has its own"
                )
            names = kernel_names(merged)
            updates = _updates(adapter, merged, encoder, names, prefix)
            own = with_updates(encoder, lambda linear, _, updates=updates: updates.get(id(linear)))
            changed = _not_updated(own, encoder, merged.encoder)
            if changed is not None:
                tensor = shown_name(_name_there(adapter, names[id(changed)], prefix))
                raise InputError(
                    f"{adapter.file}: changes {tensor}, and over a shared base wanted are updates "
                    "of the blocks' linear layers, a pooler and a head alone; load_task(base, "
                    f"adapter={os.fspath(folder)!r}) merges it"
                )
            if merged.encoder.pooler is not None and own.pooler is not None:
                own.pooler.set_weights(merged.encoder.pooler.get_weights())
            parts[name] = task_over(own, merged)
    return TASKS["multi_task"](encoder, parts)


def _other_setting(config, shared):
    """The first field by which an encoder answers otherwise than a shared one; None: there is
    none. What counts in training or for fresh weights alone may differ."""
    for field in dataclasses.fields(config):
        apart = any(part in field.name for part in ("dropout", "drop_rate", "initializer"))
        if not apart and getattr(config, field.name) != getattr(shared, field.name, None):
            return field.name
    return None


def _updates(adapter, model, encoder, names, prefix):
    """An adapter's updates over an encoder, as `with_updates` takes them: dict of id of the Linear
    -> what `factors` gives; `model` is what both make together, with its `kernel_names`."""
    pairs = zip(updatable(model.encoder), updatable(encoder), strict=True)
    return {
        id(own): factors(adapter, names[id(linear.kernel)], parts, prefix)
        for (linear, parts), (own, _) in pairs
    }


def _not_updated(updated, encoder, merged):
    """The first variable of a merged encoder, the pooler's aside, that is another than in the one
    with updates over `encoder`; None: they are the same."""
    added = {
        id(linear.kernel): np.asarray(update.product())
        for block in updated.blocks
        for linear, update in zip(block.linears, block.updates, strict=True)
    }
    for path in attribute_paths(encoder, ("pooler",)):
        below, wanted = find(encoder, path), find(merged, path)
        product, values = added.get(id(below)), np.asarray(wanted)
        found = np.asarray(below) if product is None else np.asarray(below) + product
        # The sum of the same numbers, in another order.
        allowed = 0 if product is None else 1e-5 * max(1.0, np.abs(values).max(initial=0.0))
        if not np.allclose(found, values, rtol=0, atol=allowed, equal_nan=True):
            return wanted
    return None


def _name_there(adapter, names, prefix):
    """What an adapter calls one of a model's tensors, str."""
    known = {name.removeprefix(prefix) for name in names}
    known |= {name.rpartition(".")[0] for name in known}
    given = (*adapter.others, *adapter.updates)
    return next((name for name in given if name.removeprefix(prefix) in known), names[0])
