"""Task models of files: load_task, load_with_tokenizer."""

import dataclasses
import re

import numpy as np
from absl import logging

from bert_tf import encoders
from bert_tf.conversion import FAMILIES, encoder_decoder
from bert_tf.conversion.contents import opened
from bert_tf.conversion.data_settings import data_settings
from bert_tf.conversion.files import TOKENIZER_FILES
from bert_tf.conversion.labels import labels
from bert_tf.conversion.leftovers import encoder_tensors
from bert_tf.conversion.sentence_transformers import fill_dense, read_modules
from bert_tf.conversion.sizes import check_own_heads, check_sizes
from bert_tf.conversion.table import canonical_names, fill
from bert_tf.errors import InputError, shown_name
from bert_tf.loading.cutting import kept_layers_of_task
from bert_tf.loading.encoders import (
    config_of_files,
    encoder_of_files,
    no_task,
    opened_with,
    refuse_size_name,
    told_config,
)


def load_task(directory, keep_layers=None, adapter=None):
    """The task model in a directory, an archive or a checkpoint.

    Which task it is, Hugging Face files say in `architectures`, others by the tensors of the head.

    Args:
      directory: str, as in `load_encoder`.
      keep_layers: list of int, the layers of its encoder to keep, as in `load_encoder`.
      adapter: str, as in `load_encoder`; its head takes the place of one that the directory holds.

    Returns:
      The task model, with its label names, problem type and data settings as far as the files know
      them.

    Raises:
      InputError: as in `load_encoder`; or the files hold no head, or one that no task here reads.
    """
    refuse_size_name(directory)
    with opened_with(directory, adapter) as contents:
        model = task_of_files(contents)
        if keep_layers is not None:
            model = kept_layers_of_task(model, keep_layers)
        if hasattr(model, "tokenizer"):  # which has to read and write texts by itself
            model.tokenizer = _tokenizer_of(contents.folder)
        return model


def _tokenizer_of(folder):
    """The Tokenizer of a directory, None where there are no files of one."""
    from bert_tf.text import Tokenizer

    there = any((folder / name).is_file() for name in TOKENIZER_FILES)
    return Tokenizer.from_pretrained(str(folder)) if there else None


def load_with_tokenizer(directory, adapters=None):
    """The task model in a directory and the tokenizer it was trained with.

    Args:
      directory: str, as in `load_encoder`; it is opened, and an archive unpacked, once.
      adapters: dict, as in `load_adapters`; None: there are none.

    Returns:
      (TaskModel, Tokenizer).

    Raises:
      InputError: as `load_task` and `Tokenizer.from_pretrained`.
    """
    from bert_tf.text import Tokenizer

    refuse_size_name(directory)
    with opened(directory) as contents:
        if adapters:
            from bert_tf.loading.adapters import load_adapters

            model = load_adapters(contents, adapters)
            return model, Tokenizer.from_pretrained(str(contents.folder))
        return task_of_files(contents), Tokenizer.from_pretrained(str(contents.folder))


def task_of_files(contents):
    """The task model of files that are open."""
    kind = task_class(contents)
    if kind is None:
        raise InputError(no_task(contents))
    if contents.modules:
        return _of_modules(contents, kind)
    encoder, _ = encoder_of_files(contents, pooler=contents.task_is_pooled)
    options = contents.options
    check_own_heads(options, contents.tensors, contents.config_file, contents.weights_file)
    arguments = {name: options.get(name) for name in kind.arguments}
    if "num_labels" in kind.arguments:
        arguments |= {name: x for name, x in labels(contents).items() if name in kind.arguments}
    arguments |= _companions(contents, kind, encoder)
    try:
        arguments |= _decoder(contents, encoder, arguments)
        model = kind(encoder, **arguments)
    except InputError as error:
        raise InputError(f"{contents.config_file}: {error}") from None
    beside = [] if contents.is_google else [name for name in kind.companions if arguments.get(name)]
    filled = model.without_companions() if beside else model
    layout = contents.layout
    table = layout.own_task_table(filled) if contents.is_own else layout.task_table(contents.task)
    fill(filled, table, contents.tensors, contents.weights_file)
    _say_unused(contents, table)
    for name in beside:
        _fill_companion(contents, model, name)
    model.data_settings = data_settings(contents, kind)
    return model


def _decoder(contents, encoder, arguments):
    """The argument `decoder` of a task that has one, whose sizes are those of the tensors."""
    given = arguments.get("decoder")
    if not isinstance(given, dict):
        return {}
    if contents.decoder is not None:
        kind, file = given["model_type"], f"{contents.config_file}: decoder"
        # How deep it is: refused below if it is another number than that of the tensors.
        config = told_config(kind, given, file, FAMILIES[kind].sizes)
        special = {name: given.get(name) for name in ("bos_token_id", "eos_token_id")}
        given = {**dataclasses.asdict(config), "model_type": config.model_type, **special}
    config = encoders.decoder_config(encoder.config, given)
    found = encoder_decoder.decoder_sizes(contents, config, FAMILIES)
    check_sizes(config, found, contents.config_file, contents.weights_file)
    return {"decoder": given}


def task_class(contents):
    """The TaskModel class of files that are open; None where they hold no head that one reads."""
    return kinds().get(str(contents.options.get("class"))) or kinds().get(contents.task)


def kinds():
    """The task models by the names of their classes."""
    from bert_tf import tasks  # TensorFlow; an encoder loads without it

    return {kind.__name__: kind for kind in tasks.TASKS.values()}


def _of_modules(contents, kind):
    """The task model of a folder of sentence-transformers."""
    modules = read_modules(contents.modules)
    encoder, _ = encoder_of_files(contents, pooler=contents.has_pooler)
    table = contents.layout.encoder_table()
    fill(encoder, table, encoder_tensors(contents), contents.weights_file)
    arguments = {name: contents.options.get(name) for name in kind.arguments}
    try:
        model = kind(encoder, **arguments | modules.arguments)
    except InputError as error:
        raise InputError(f"{contents.config_file}: {error}") from None
    fill_dense(model, modules, contents.modules)
    length = min(modules.max_length or 512, encoder.config.longest_row)
    model.data_settings = {"max_length": length, **data_settings(contents, kind)}
    return model


def _say_unused(contents, table):
    """One warning for what the files hold besides and this task has no use for."""
    pattern = contents.layout.unused.get(contents.task)
    there = canonical_names(table, contents.tensors, contents.weights_file)
    left = [name for name in there if pattern and re.search(pattern, name)]
    if left:
        logging.warning(
            "%s: %s has no use for %d tensors (%s, ...), and leaves them aside",
            contents.weights_file,
            contents.task,
            len(left),
            shown_name(left[0]),
        )


def _companions(contents, kind, encoder):
    """The models that are saved beside a task, name -> model with fresh weights; of absent ones
    None."""
    models = dict.fromkeys(kind.companions)
    for name in kind.companions:
        found = contents.companion(name)
        if found is None:
            continue
        sizes = config_of_files(found)
        check_sizes(sizes, found.sizes, found.config_file, found.weights_file)
        try:
            models[name] = kind.companion(encoder, name, sizes)
        except InputError as error:
            raise InputError(f"{found.config_file}: {error}") from None
    return models


def _fill_companion(contents, model, name):
    """Fills a model from its own folder; what it shares with the encoder must be equal there."""
    companion, encoder = getattr(model, name), model.encoder
    embeddings = [weight.numpy() for weight in encoder.embeddings.weights]
    with opened(contents.folder / name) as beside:
        layout = beside.layout
        own = beside.is_own
        table = layout.own_task_table(companion) if own else layout.task_table(beside.task)
        fill(companion, table, beside.tensors, beside.weights_file)
        after = [weight.numpy() for weight in encoder.embeddings.weights]
        if not all(map(np.array_equal, embeddings, after)):
            raise InputError(
                f"{beside.weights_file}: its embeddings are not those of {contents.weights_file}; "
                f"remove the folder {name} if it belongs to another model"
            )
