"""Find out what a folder holds, build it, fill it."""

import dataclasses
import re

import numpy as np
from absl import logging

from bert_tf import encoders
from bert_tf.atomic import new_directory
from bert_tf.conversion import save_google
from bert_tf.conversion.contents import opened
from bert_tf.conversion.electra import GENERATOR_FOLDER, generator_config, generator_sizes
from bert_tf.conversion.files import copy_tokenizer_files
from bert_tf.conversion.labels import labels
from bert_tf.conversion.leftovers import encoder_tensors
from bert_tf.conversion.saving import OPTIONS, OWN
from bert_tf.conversion.sizes import check_own_heads, check_sizes
from bert_tf.conversion.table import canonical_names, fill
from bert_tf.errors import ConfigError, InputError, nearest

FORMATS = ("huggingface", "google")
# What a task is told besides its encoder. A task that is not named here is told nothing.
TOLD = {
    "SequenceClassifier": ("num_labels", "label_names", "problem_type", "pooling", "head_layers"),
    "Pretraining": ("sentence_objective", "extra_labels"),
}


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
        fresh = fill(encoder, table, tensors, contents.weights_file, may_lack=("pooler",))
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
        if contents.task is None:
            raise InputError(_no_task(contents))
        return _task(contents)


def convert(source, target, format):
    """Rewrite a checkpoint in another format, head and tokenizer files included.

    Args:
      source: str, any checkpoint that `load_encoder` and `load_task` read.
      target: str, the directory to make; it must not exist yet or be empty. It appears when it is
        complete.
      format: "huggingface" or "google".

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
        if contents.task == "MaskedLM" and _holds(contents, "Pretraining"):
            # Named for its masked LM, as Google's BERTs are at Hugging Face: convert all of it.
            contents = dataclasses.replace(contents, task="Pretraining")
        model = _task(contents) if contents.task else _whole_encoder(contents)
        copied = copy_tokenizer_files(contents.folder, folder)
        if format == "google":
            save_google(model, folder)
        else:
            model.save_pretrained(str(folder))
            if getattr(model, "generator", None) is not None:
                copy_tokenizer_files(contents.folder, folder / GENERATOR_FOLDER)
            if "vocab.txt" in copied and "tokenizer_config.json" not in copied:
                # A bare vocab.txt: let the files say whether it is cased.
                from bert_tf.text import Tokenizer

                Tokenizer.from_pretrained(str(folder)).save_pretrained(str(folder))


def _no_task(contents):
    known = contents.family.classes
    named, where = contents.architecture, contents.config_file
    if contents.is_google or named in (None, contents.family.encoder_class):
        tasks_here = ", ".join(known)
        return f"{contents.weights_file}: no head of {tasks_here}; load_encoder reads the encoder"
    return (
        f"{where}: architectures: {named!r} is no task here; there are {', '.join(known.values())}"
    )


def _has_pooler(contents):
    table = contents.layout.encoder_table()
    there = canonical_names(table, contents.tensors, contents.weights_file)
    return any(name in there for name in contents.layout.encoder_names("pooler"))


def _holds(contents, task):
    """Whether the files hold the pooler and the whole head of a task of their family."""
    head = contents.layout.heads.get(task)
    there = canonical_names(contents.layout.encoder_table(), contents.tensors, "")
    return (
        bool(head) and _has_pooler(contents) and all(n in there for row in head for n in row.names)
    )


def _build_encoder(contents, changes=None, **options):
    """(the encoder, not filled; the config as the file has it, before the changes)."""
    config_class, encoder_class = encoders.FAMILIES[contents.family_name]
    fields = [field.name for field in dataclasses.fields(config_class)]
    for key in changes or {}:
        if key not in fields:
            near = nearest(key, fields)
            raise ConfigError(
                f"{key}: no field of {config_class.__name__}"
                + (f" (nearest: {near})" if near else f"; there are {', '.join(fields)}")
            )
    stored = _config(contents.config_file, config_class, contents.config)
    config = dataclasses.replace(stored, **(changes or {}))
    told = contents.sizes
    check_sizes(stored, told, contents.config_file, contents.weights_file)
    _check_layers(contents, stored, config)
    changed = {
        key: told[key] for key in told if key in (changes or {}) and key != "num_hidden_layers"
    }
    check_sizes(config, changed, "the changed config", contents.weights_file)
    return encoder_class(config, **options), stored


def _config(file, config_class, values):
    """The config of a family in the parsed file; null means that nothing is said."""
    try:
        return config_class.from_dict({key: v for key, v in values.items() if v is not None})
    except (InputError, TypeError) as error:
        raise InputError(f"{file}: {error}") from None


def _check_layers(contents, stored, config):
    depth, wanted = (getattr(each, "num_hidden_layers", None) for each in (stored, config))
    if wanted is not None and wanted > depth:
        raise InputError(
            f"num_hidden_layers: {wanted}, {contents.weights_file} holds {depth}; only less will do"
        )
    if wanted != depth and getattr(config, "num_hidden_groups", 1) > 1:
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
    encoder, _ = _build_encoder(contents, pooler=_has_pooler(contents))
    fill(encoder, contents.layout.encoder_table(), contents.tensors, contents.weights_file)
    return encoder


def _task(contents):
    from bert_tf import tasks  # TensorFlow; an encoder loads without it

    kinds = {kind.__name__: kind for kind in tasks.TASKS.values()}
    ours = contents.config.get(OWN)
    ours = dict(ours) if isinstance(ours, dict) else {}
    options = {key: ours.pop(key, None) for key in ("family", "task", "generator", *OPTIONS)}
    published = contents.config.get("model_type") != OWN
    pooler = (published and contents.task in contents.family.pooled) or _has_pooler(contents)
    encoder, _ = _build_encoder(contents, pooler=pooler)
    check_own_heads(options, contents.tensors, contents.config_file, contents.weights_file)
    told = {}
    if contents.task in TOLD:
        told_of = TOLD[contents.task]
        options |= labels(contents) if "num_labels" in told_of else {}
        told = {key: options[key] for key in told_of}
    if contents.task == "ElectraPretraining":
        told["generator"] = _generator(contents, encoder, tasks.MaskedLM)
    try:
        model = kinds[contents.task](encoder, **told)
    except InputError as error:
        raise InputError(f"{contents.config_file}: {error}") from None
    if told.get("generator") is not None and not contents.is_google:
        _fill_apart(contents, model)
    else:
        table = contents.layout.task_table(contents.task)
        fill(model, table, contents.tensors, contents.weights_file)
        _say_unused(contents, table)
    model.data_settings = ours
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
            left[0],
        )


def _generator(contents, encoder, kind):
    """ELECTRA's generator over the embeddings of the encoder, not filled; None if there is none.

    Google has it in the same checkpoint, we in a folder beside what Hugging Face reads.
    """
    if contents.is_google:
        config, told = generator_config(contents), generator_sizes(contents.tensors)
        if config is None:
            return None
        sizes = _config(contents.config_file, type(encoder.config), config)
        check_sizes(sizes, told, contents.config_file, contents.weights_file)
        file = contents.config_file
    elif (contents.folder / GENERATOR_FOLDER).is_dir():
        with opened(contents.folder / GENERATOR_FOLDER) as apart:
            file = apart.config_file
            if apart.family is not contents.family:
                raise InputError(
                    f"{file}: model_type: {apart.family_name!r}, wanted {contents.family_name!r}"
                )
            sizes = _config(file, type(encoder.config), apart.config)
            check_sizes(sizes, apart.sizes, file, apart.weights_file)
    else:
        return None
    try:
        return kind(encoder.generator(sizes))
    except InputError as error:
        raise InputError(f"{file}: {error}") from None


def _fill_apart(contents, model):
    """Fills discriminator and generator from their two folders; the embeddings must be equal."""
    table = contents.layout.task_table(contents.task)
    fill(model.without_generator(), table, contents.tensors, contents.weights_file)
    embeddings = [weight.numpy() for weight in model.encoder.embeddings.weights]
    with opened(contents.folder / GENERATOR_FOLDER) as apart:
        fill(
            model.generator, apart.layout.task_table("MaskedLM"), apart.tensors, apart.weights_file
        )
        after = model.encoder.embeddings.weights
        if not all(map(np.array_equal, embeddings, [weight.numpy() for weight in after])):
            raise InputError(
                f"{apart.weights_file}: its embeddings are not those of {contents.weights_file}; "
                f"remove the folder {GENERATOR_FOLDER} if it belongs to another model"
            )
