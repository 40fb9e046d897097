"""Find out what a folder holds, build it, fill it."""

import dataclasses
import re

import numpy as np
from absl import logging

from bert_tf import encoders
from bert_tf.atomic import new_directory
from bert_tf.conversion import save_google
from bert_tf.conversion.contents import opened, vocabulary_entries
from bert_tf.conversion.data_settings import data_settings
from bert_tf.conversion.files import copy_tokenizer_files
from bert_tf.conversion.labels import labels
from bert_tf.conversion.leftovers import encoder_tensors
from bert_tf.conversion.saving import OWN, TRANSFORMER
from bert_tf.conversion.sentence_transformers import TASK, fill_dense, read_modules
from bert_tf.conversion.sizes import check_own_heads, check_sizes
from bert_tf.conversion.table import canonical_names, fill
from bert_tf.errors import ConfigError, InputError, nearest, shown, shown_name

FORMATS = ("huggingface", "google", "sentence_transformers")


def load_encoder(directory, **config_changes):
    """The encoder in a directory, an archive or a checkpoint of any readable format.

    Heads in the files are left aside, those of other code named in one warning. A pooler the files
    lack is initialised afresh and named in one warning.

    Args:
      directory: str, a Hugging Face directory, a folder with a Google checkpoint, a .zip of either,
        or the prefix of a Google checkpoint such as `folder/bert_model.ckpt`; or the Contents of
        one (see `conversion.contents.opened`).
      **config_changes: fields of the family's config to change; `num_hidden_layers` may be lowered:
        the lower layers are read and the upper ones left aside.

    Returns:
      The encoder, a keras.Model.

    Raises:
      InputError: the files are missing, damaged or of a kind this package lacks, or a tensor is
        missing, left over or of another shape.
      ConfigError: `config_changes` names a field that the family's config lacks.
    """
    with opened(directory) as contents:
        encoder, stored = _build_encoder(contents, config_changes)
        tensors = encoder_tensors(contents)
        for name in _upper_layers(contents, encoder.config, stored):
            tensors.pop(name, None)
        table = contents.layout.encoder_table()
        fresh = fill(encoder, table, tensors, contents.weights_file, optional=("pooler",))
    if fresh:
        logging.warning(
            "%s: holds no pooler; a new one is initialized, and dropped by tasks that do not pool",
            contents.weights_file,
        )
    return encoder


def load_task(directory):
    """The task model in a directory, an archive or a checkpoint.

    Which task it is, Hugging Face files say in `architectures`, others by the tensors of the head.

    Args:
      directory: str, as in `load_encoder`.

    Returns:
      The task model, with its label names, problem type and data settings as far as the files know
      them.

    Raises:
      InputError: as in `load_encoder`; or the files hold no head, or one that no task here reads.
    """
    with opened(directory) as contents:
        return _task(contents)


def load_with_tokenizer(directory):
    """The task model in a directory and the tokenizer it was trained with.

    Args:
      directory: str, as in `load_encoder`; it is opened, and an archive unpacked, once.

    Returns:
      (TaskModel, Tokenizer).

    Raises:
      InputError: as `load_task` and `Tokenizer.from_pretrained`.
    """
    from bert_tf.text import Tokenizer

    with opened(directory) as contents:
        return _task(contents), Tokenizer.from_pretrained(str(contents.folder))


def convert(source, target, format):
    """Rewrite a checkpoint in another format, head and tokenizer files included.

    Args:
      source: str, any checkpoint that `load_encoder` and `load_task` read.
      target: str, the directory to make; it must not exist yet or be empty. It appears when it is
        complete.
      format: one of FORMATS. "sentence_transformers" takes a sentence encoder, or an encoder alone,
        whose vectors it then means; of a sentence encoder the others hold the encoder.

    Raises:
      ConfigError: there is no such format.
      InputError: the source cannot be read whole, the format cannot express it, or the target is in
        use.
    """
    if format not in FORMATS:
        near = nearest(format, FORMATS)
        raise ConfigError(
            f"format: {format!r}, wanted one of {', '.join(FORMATS)}"
            + (f" (nearest: {near})" if near else "")
        )
    with new_directory(target) as folder, opened(source) as contents:
        model = _to_convert(contents, format)
        _carry_tokenizer(contents.folder, folder, format)
        if format == "google":
            save_google(model, folder)
        else:
            model.save_pretrained(str(folder))
            for name in getattr(model, "companions", ()):
                if getattr(model, name) is not None:
                    copy_tokenizer_files(contents.folder, folder / name)


def _to_convert(contents, format):
    """The model of open files that a format is to hold."""
    if format != "sentence_transformers":
        task = None if contents.modules else contents.fullest_task
        contents = dataclasses.replace(contents, task=task)
        return _task(contents) if task else _whole_encoder(contents)
    if contents.task not in (None, TASK):
        raise InputError(
            f"{contents.config_file}: a {contents.task}, wanted a {TASK} or an encoder alone"
        )
    model = _task(contents) if contents.task else _kinds()[TASK](_whole_encoder(contents))
    if model.encoder.config.model_type == TRANSFORMER:
        raise InputError(f"{contents.config_file}: sentence-transformers has no such encoder")
    return model


def _carry_tokenizer(source, target, format):
    """Copy a tokenizer's files, or write what the format has in their place."""
    file, lines, entries = vocabulary_entries(source)
    line_by_line = file is not None and file.name == "vocab.txt" and lines == entries
    if format == "google" and file is not None and not line_by_line:
        # Google's ids are the lines of vocab.txt, those of added tokens too.
        from bert_tf.text.vocabulary_files import read_wordpiece, write_wordpiece

        settings = read_wordpiece(source)
        whole = len(settings.vocabulary)
        write_wordpiece(dataclasses.replace(settings, base_size=whole), target)
        return
    copied = copy_tokenizer_files(source, target)
    if format != "google" and "vocab.txt" in copied and "tokenizer_config.json" not in copied:
        # A bare vocab.txt: let the files say whether it is cased.
        from bert_tf.text import Tokenizer

        Tokenizer.from_pretrained(str(target)).save_pretrained(str(target))


def _no_task(contents):
    known = contents.family.classes
    named, where = contents.architecture, contents.config_file
    if contents.is_google or named in (None, contents.family.encoder_class):
        tasks_here = ", ".join(known)
        return f"{contents.weights_file}: no head of {tasks_here}; load_encoder reads the encoder"
    classes = ", ".join(known.values())
    return f"{where}: architectures: {shown(named)} is no task here; there are {classes}"


def _build_encoder(contents, changes=None, **options):
    """(the encoder, not filled; the config as the file has it, before the changes)."""
    stored = _config(contents)
    config = encoders.change_config(stored, changes or {})
    sizes = contents.sizes
    check_sizes(stored, sizes, contents.config_file, contents.weights_file)
    _check_layers(contents, stored, config)
    changed = {
        key: sizes[key] for key in sizes if key in (changes or {}) and key != "num_hidden_layers"
    }
    check_sizes(config, changed, "the changed config", contents.weights_file)
    return encoders.build_encoder(config, **options), stored


def _config(contents):
    """The encoder's config in Contents or a Companion; null means that nothing is said."""
    values = {key: value for key, value in contents.config.items() if value is not None}
    try:
        return encoders.read_config(contents.family_name, values)
    except (InputError, TypeError) as error:
        raise InputError(f"{contents.config_file}: {error}") from None


def _check_layers(contents, stored, config):
    depth, wanted = (getattr(each, "num_hidden_layers", None) for each in (stored, config))
    if wanted is not None and wanted > depth:
        raise InputError(
            f"num_hidden_layers: {wanted}, {contents.weights_file} holds {depth}; only less will do"
        )
    if wanted != depth and (getattr(config, "num_hidden_groups", None) or 1) > 1:
        raise InputError(
            f"num_hidden_layers: {wanted}, wanted {depth}: {config.num_hidden_groups} "
            "num_hidden_groups share the layers among them, and would share fewer otherwise"
        )


def _upper_layers(contents, config, stored):
    upper = range(config.num_hidden_layers, stored.num_hidden_layers)
    return contents.layout.encoder_names("blocks", "i", upper)


def _whole_encoder(contents):
    """The encoder of files that hold nothing else, with a pooler only if they have one."""
    alone = contents.family.encoder_class
    headless = (None, alone, f"{OWN}.{alone}")
    if not contents.is_google and contents.architecture not in headless:
        raise InputError(_no_task(contents))
    encoder, _ = _build_encoder(contents, pooler=contents.has_pooler)
    fill(encoder, contents.layout.encoder_table(), contents.tensors, contents.weights_file)
    return encoder


def _task(contents):
    """The task model of files that are open."""
    kind = _kinds().get(str(contents.options.get("class"))) or _kinds().get(contents.task)
    if kind is None:
        raise InputError(_no_task(contents))
    if contents.modules:
        return _of_modules(contents, kind)
    encoder, _ = _build_encoder(contents, pooler=contents.task_is_pooled)
    options = contents.options
    check_own_heads(options, contents.tensors, contents.config_file, contents.weights_file)
    arguments = {name: options.get(name) for name in kind.arguments}
    if "num_labels" in kind.arguments:
        arguments |= {name: x for name, x in labels(contents).items() if name in kind.arguments}
    arguments |= _companions(contents, kind, encoder)
    try:
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


def _kinds():
    """The task models by the names of their classes."""
    from bert_tf import tasks  # TensorFlow; an encoder loads without it

    return {kind.__name__: kind for kind in tasks.TASKS.values()}


def _of_modules(contents, kind):
    """The task model of a folder of sentence-transformers."""
    modules = read_modules(contents.modules)
    encoder, _ = _build_encoder(contents, pooler=contents.has_pooler)
    table = contents.layout.encoder_table()
    fill(encoder, table, encoder_tensors(contents), contents.weights_file)
    arguments = {name: contents.options.get(name) for name in kind.arguments}
    try:
        model = kind(encoder, **arguments | modules.arguments)
    except InputError as error:
        raise InputError(f"{contents.config_file}: {error}") from None
    fill_dense(model, modules, contents.modules)
    length = min(modules.max_length or 512, encoder.config.max_position_embeddings)
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
        sizes = _config(found)
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
