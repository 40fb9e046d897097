"""What is said of wrong files before TensorFlow is imported, which takes seconds."""

import glob
import os

from bert_tf import hub
from bert_tf.config import MultiTaskConfig
from bert_tf.data import formats
from bert_tf.data.conll import CONLL_FILES
from bert_tf.errors import InputError, nearest, shown


def check_finetune(config, model=True):
    """Sees that a configuration's model and data files are there and have the columns it names.

    Whatever passes is checked again, and wholly, when it is read.

    Args:
      config: FinetuneConfig or MultiTaskConfig.
      model: bool, whether its model is needed.
    Raises:
      InputError: a file is missing, or a header or the first record lacks a column.
      ConfigError: a file's format is not known.
    """
    if model:
        check_model(config.model.path)
    if isinstance(config, MultiTaskConfig):
        for name in config.tasks:
            check_finetune(config.alone(name), model=False)
        return
    for number in range(1, len(config.intermediate) + 1):
        check_finetune(config.before(number, config.model.path), model=False)
    data = config.data
    given = dict(data.columns)
    if config.task == type(config).task:  # other tasks need not read these
        given |= {name: getattr(data, name) for name in ("text", "text_pair", "label")}
    if config.incremental.method is not None:  # the model has a say in them
        given = {}
    measured = given and {**given, **data.validation_columns}
    tested = given and {**given, **(data.test_columns or data.validation_columns)}
    for path, places in ((data.train, given), (data.validation, measured), (data.test, tested)):
        if isinstance(path, str):
            names = [place for place in places.values() if isinstance(place, str)]
            check_columns(path, names, data.format)


def check_model(path):
    """Raises InputError where there is no directory, archive or checkpoint of this name."""
    if (
        not hub.is_remote(path)
        and not os.path.exists(path)
        and not glob.glob(f"{glob.escape(path)}.*")
    ):
        raise InputError(f"{path}: no such directory, .zip or checkpoint prefix")


def check_file(path):
    """Raises InputError where a file cannot be read."""
    formats.open_for_reading(path).close()


def check_columns(path, names, format=None):
    """Sees that a table is there, and that its header or first record has columns.

    Args:
      path: str.
      names: list of str.
      format: str, as in `data.read_table`.
    Raises:
      InputError: the file cannot be read, or lacks one of them.
      ConfigError: the file's format is not known.
    """
    with formats.open_for_reading(path) as file:
        if format is None and not names:
            return  # a task of its own: which formats it reads is not known yet
        format = format or formats.guess_format(path)
        if format in formats.DOCUMENTS or format in CONLL_FILES:
            return
        first = next(formats.scan(file, path, format), None)
    if first is None:
        raise InputError(f"{path}: is empty")
    keyed = isinstance(first.cells, dict)
    header = list(first.cells) if keyed else [name.strip() for name in first.cells]
    for name in names:
        if name not in header:
            near = nearest(name, header)
            hint = f"did you mean {shown(near)}?" if near else f"there are {_listed(header)}"
            place = (
                f"line {first.line}: no key {name!r}" if keyed else f"line 1: no column {name!r}"
            )
            raise InputError(f"{path}, {place}{'' if keyed else ' in the header'}; {hint}")


def _listed(names):
    return ", ".join(map(shown, names[:20])) + (", ..." if len(names) > 20 else "")
