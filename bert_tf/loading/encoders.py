"""Encoders of files: load_encoder, and what tasks and conversion build on."""

import os

from absl import logging

from bert_tf import encoders
from bert_tf.conversion.contents import opened
from bert_tf.conversion.leftovers import encoder_tensors
from bert_tf.conversion.saving import OWN
from bert_tf.conversion.sizes import check_sizes
from bert_tf.conversion.table import fill
from bert_tf.errors import InputError, shown
from bert_tf.loading.cutting import kept_layers


def load_encoder(directory, /, keep_layers=None, adapter=None, **config_changes):
    """The encoder in a directory, an archive or a checkpoint of any readable format.

    Heads in the files are left aside, those of other code named in one warning. A pooler the files
    lack is initialised afresh and named in one warning.

    Args:
      directory: str, a folder of any format that README.md lists under "What it reads", a .zip of
        one, the prefix of a checkpoint such as `folder/bert_model.ckpt`, or hf://ORG/NAME; or the
        Contents of one (see `conversion.contents.opened`).
      keep_layers: list of int, the layers to keep, from 0, in rising order; None keeps all.
      adapter: str, a directory with low-rank updates of its weights, which are added to them; ours
        or PEFT's. None adds nothing.
      **config_changes: fields of the family's config to change; `num_hidden_layers` may be lowered:
        the lower layers are read and the upper ones left aside.

    Returns:
      The encoder, a keras.Model.

    Raises:
      InputError: the files are missing, damaged or of a kind this package lacks, or a tensor is
        missing, left over or of another shape.
      ConfigError: `config_changes` names a field that the family's config lacks.
    """
    refuse_size_name(directory)
    with opened_with(directory, adapter) as contents:
        encoder, stored = encoder_of_files(contents, config_changes)
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
    return encoder if keep_layers is None else kept_layers(encoder, keep_layers)


def opened_with(directory, adapter):
    """`opened`, or with the directory of an adapter `adapted`."""
    from bert_tf.loading.adapters import adapted

    if not isinstance(adapter, str | os.PathLike | None):
        raise InputError(f"adapter: {shown(adapter)}, wanted a directory")
    return opened(directory) if adapter is None else adapted(directory, adapter)


def refuse_size_name(source):
    """Raises InputError for the bare name of a published size, which is no folder.

    Args:
      source: what a loading function was given.
    """
    if isinstance(source, str) and source in encoders.SIZES and not os.path.exists(source):
        raise InputError(
            f"{source}: is the name of a size: bert_tf.build_encoder({source!r}) has it with "
            "random weights; trained ones are read from a folder, a checkpoint or hf://ORG/NAME"
        )


def encoder_of_files(contents, changes=None, **options):
    """The encoder of files that are open, not filled.

    Args:
      contents: Contents.
      changes: dict, fields of the family's config to change, as in `load_encoder`.
      **options: as in `encoders.build_encoder`.
    Returns:
      (Encoder, its config as the file has it, before the changes).
    """
    stored = config_of_files(contents)
    config = encoders.change_config(stored, changes or {})
    sizes = contents.sizes
    check_sizes(stored, sizes, contents.config_file, contents.weights_file)
    _check_layers(contents, stored, config)
    changed = {
        key: sizes[key] for key in sizes if key in (changes or {}) and key != "num_hidden_layers"
    }
    check_sizes(config, changed, "the changed config", contents.weights_file)
    return encoders.build_encoder(config, **options), stored


def config_of_files(contents):
    """The encoder's config in Contents or a Companion; null means that nothing is said.

    Raises:
      InputError: a value that no model of the family can have, or one that everything depends on is
        not there. Of others that are not there one warning names each and what is taken.
    """
    file, sizes = contents.config_file, contents.sizes
    return told_config(contents.family_name, contents.config, file, sizes, contents.keys)


def told_config(model_type, values, file, sizes, keys=None):
    """The config in a parsed file, see `config_of_files`.

    Args:
      model_type: a key of `encoders.FAMILIES`.
      values: dict.
      file: Path or str, for messages.
      sizes: dict of config key to Size, what the tensors tell.
      keys: as in `conversion.formats.Found`.
    """
    kind = encoders.FAMILIES[model_type].config
    values = {key: x for key, x in values.items() if x is not None or key in kind.nulls}
    try:
        told = kind.told(values)
        for name in ("num_attention_heads", "num_hidden_layers"):
            depends = getattr(kind, name) > 0 and name not in sizes and keys != ()
            if depends and name not in told:
                raise InputError(f"{kind.key_of(name)}: not there, and no tensor tells it")
        config = encoders.read_config(model_type, values)
    except (InputError, TypeError) as error:
        raise InputError(f"{file}: {error}") from None
    untold = [x for x in kind.unseen if x not in told and (keys is None or x in keys)]
    if untold:
        taken = (f"{kind.key_of(name)} {shown(getattr(config, name))}" for name in untold)
        logging.warning("%s: taken without being told are %s", file, ", ".join(taken))
    return config


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


def whole_encoder(contents):
    """The encoder of files that hold nothing else, with a pooler only if they have one."""
    alone = contents.family.encoder_class
    headless = (None, alone, f"{OWN}.{alone}")
    if not contents.is_google and contents.architecture not in headless:
        raise InputError(no_task(contents))
    encoder, _ = encoder_of_files(contents, pooler=contents.has_pooler)
    fill(encoder, contents.layout.encoder_table(), contents.tensors, contents.weights_file)
    return encoder


def no_task(contents):
    """What is wrong with files that hold no head of a task here; str."""
    known = contents.family.classes
    named, where = contents.architecture, contents.config_file
    if contents.is_google or named in (None, contents.family.encoder_class):
        tasks_here = ", ".join(known)
        return f"{contents.weights_file}: no head of {tasks_here}; load_encoder reads the encoder"
    classes = ", ".join(known.values())
    return f"{where}: architectures: {shown(named)} is no task here; there are {classes}"
