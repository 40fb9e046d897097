"""A base and an adapter as one model, and a trained model taken apart into both."""

import contextlib
import dataclasses
import os

from bert_tf.conversion.adapters import (
    MODEL_FILE,
    factors,
    kernel_names,
    merge,
    read_adapter,
    save_adapter,
)
from bert_tf.conversion.contents import contents_of, opened, with_task
from bert_tf.conversion.formats import Found
from bert_tf.conversion.saving import OWN
from bert_tf.conversion.table import StoredTensor, read_out
from bert_tf.encoders.low_rank import (
    has_low_rank,
    merge_low_rank,
    updatable,
    with_updates,
    without_low_rank,
)
from bert_tf.loading.cutting import task_over
from bert_tf.loading.encoders import load_encoder


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
        yield dataclasses.replace(both, tensors=merge(tensors, found, layout.prefix))


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
      InputError: one cannot be read, or does not belong to this base.
    """
    from bert_tf.loading.tasks import load_task
    from bert_tf.tasks import TASKS

    encoder, parts = load_encoder(directory), {}
    for name, folder in adapters.items():
        merged = load_task(directory, adapter=folder)
        updates = _updates(read_adapter(folder), merged, encoder)
        own = with_updates(encoder, lambda linear, _, updates=updates: updates.get(id(linear)))
        if merged.encoder.pooler is not None and own.pooler is not None:
            own.pooler.set_weights(merged.encoder.pooler.get_weights())
        parts[name] = task_over(own, merged)
    return TASKS["multi_task"](encoder, parts)


def _updates(adapter, model, encoder):
    """An adapter's updates over an encoder, as `with_updates` takes them: dict of id of the Linear
    -> what `factors` gives; `model` is what both make together."""
    names, pairs = (
        kernel_names(model),
        zip(updatable(model.encoder), updatable(encoder), strict=True),
    )
    return {
        id(own): factors(adapter, names[id(linear.kernel)], parts)
        for (linear, parts), (own, _) in pairs
    }
