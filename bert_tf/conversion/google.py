"""Google's TensorFlow 1 checkpoints: a bert_config.json and name-based bert_model.ckpt.* files.

TensorFlow is imported inside the functions: who reads Hugging Face directories alone does not need
it.
"""

import glob
import json
import math
import re
from pathlib import Path

import numpy as np

from bert_tf.conversion.table import StoredTensor
from bert_tf.errors import InputError, shown_name

# The family's name stands for {}.
CONFIG_FILE, PREFIX = "{}_config.json", "{}_model.ckpt"
CONFIG_FILES = ("bert_config.json", "albert_config.json", "electra_config.json", "config.json")
# What these configs say that no shape tells; an epsilon, say, is none of it.
UNSEEN = (
    *("hidden_act", "hidden_dropout_prob", "attention_probs_dropout_prob", "initializer_range"),
)
# What TensorFlow's checkpoint reader raises over damaged files, besides its own errors.
PLAIN_ERRORS = (RuntimeError, ValueError, TypeError, LookupError, MemoryError)


def checkpoint_prefixes(source):
    """The checkpoints at a path.

    Args:
      source: str or Path, a directory or the prefix of a checkpoint.

    Returns:
      list of Path, prefixes, sorted by name.
    """
    source = Path(source)
    if source.is_dir():
        return [path.with_suffix("") for path in sorted(source.glob("*.index"))]
    return [source] if Path(f"{source}.index").is_file() else []


def data_files(source):
    """The data files of checkpoints at a path, with an index or without; list of Path."""
    source = Path(source)
    folder, name = (source, "*") if source.is_dir() else (source.parent, glob.escape(source.name))
    return sorted(folder.glob(f"{name}.data-*-of-*"))


def config_file(source):
    """The config beside a Google checkpoint, the first of CONFIG_FILES; None if there is none."""
    source = Path(source)
    folder = source if source.is_dir() else source.parent
    return next((folder / name for name in CONFIG_FILES if (folder / name).is_file()), None)


def read_google(source):
    """Describe the variables of a checkpoint, those of an object-based one under its keys.

    Args:
      source: str or Path, a directory or the prefix of a checkpoint. Of several checkpoints in a
        directory the one its file `checkpoint` names is read.

    Returns:
      (dict of name to StoredTensor, Path of the prefix).

    Raises:
      InputError: a file is missing, truncated or damaged, or several checkpoints lie there and none
        is the latest.
    """
    import tensorflow as tf

    prefix = _one_prefix(Path(source))
    if not data_files(prefix):
        raise InputError(
            f"{prefix}: the index is there, the data file {prefix.name}.data-00000-of-00001 is not"
        )
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        shapes, dtypes = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    except (tf.errors.OpError, *PLAIN_ERRORS) as error:
        raise InputError(f"{prefix}: damaged checkpoint index: {_first_line(error)}") from None
    _check_size(prefix, shapes, dtypes)

    def stored(name):
        def read():
            try:
                array = reader.get_tensor(name)
            except (tf.errors.OpError, *PLAIN_ERRORS) as error:
                raise InputError(
                    f"{prefix}: damaged checkpoint data at {shown_name(name)}: {_first_line(error)}"
                ) from None
            # Of a string without axes TensorFlow gives bytes.
            array = np.asarray(array, object if isinstance(array, bytes) else None)
            return (
                array.astype("float32") if dtypes[name].name in ("float16", "bfloat16") else array
            )

        return StoredTensor(str(prefix), tuple(shapes[name]), dtypes[name].name, read)

    return {name: stored(name) for name in sorted(shapes)}, prefix


def _check_size(prefix, shapes, dtypes):
    """The data files are as long as the index says, so that no shape takes memory on trust."""
    numeric = [name for name in shapes if dtypes[name].name != "string"]
    claimed = sum(math.prod(shapes[name]) * dtypes[name].size for name in numeric)
    held = sum(file.stat().st_size for file in data_files(prefix))
    if claimed > held:
        raise InputError(
            f"{prefix}: truncated: the index names tensors of {claimed} bytes, the data files hold "
            f"{held}"
        )


def write_google(directory, config, tensors, family="bert"):
    """Write bert_config.json and a name-based checkpoint `bert_model.ckpt`.

    Args:
      directory: str or Path, an existing directory that nobody reads yet (see
        `atomic.new_directory`).
      config: dict, the content of bert_config.json.
      tensors: dict of variable name to float32 array.
      family: str, what stands for `bert` in the names of the files.
    """
    import tensorflow as tf

    prefix = Path(directory) / PREFIX.format(family)
    try:
        # The op behind tf.compat.v1.train.Saver: the same files, and no graph is needed.
        tf.raw_ops.SaveV2(
            prefix=str(prefix),
            tensor_names=list(tensors),
            shape_and_slices=[""] * len(tensors),
            tensors=list(tensors.values()),
        )
    except tf.errors.OpError as error:
        raise InputError(f"{prefix}: cannot be written: {_first_line(error)}") from None
    (Path(directory) / CONFIG_FILE.format(family)).write_text(
        json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def _one_prefix(source):
    import tensorflow as tf

    prefixes = checkpoint_prefixes(source)
    if not prefixes:
        data = data_files(source)
        missing = (
            f"{data[0].name} is there, its .index file is not" if data else "no file *.ckpt.index"
        )
        raise InputError(f"{source}: no checkpoint: {missing}")
    if len(prefixes) == 1:
        return prefixes[0]
    latest = tf.train.latest_checkpoint(str(source))
    if latest and Path(latest).name in [prefix.name for prefix in prefixes]:
        return source / Path(latest).name
    raise InputError(
        f"{source}: holds the checkpoints {', '.join(prefix.name for prefix in prefixes)}; "
        "name one of them, the path without `.index`"
    )


def _first_line(error):
    """What TensorFlow says about a failure, without its notes on ops and devices."""
    text = getattr(error, "message", None) or str(error)
    text = re.sub(r"\{\{.*?\}\} ?| ?\[Op:.*", "", text)
    return shown_name((text.splitlines() or [type(error).__name__])[0], limit=200)
