"""What is said of wrong settings and files before TensorFlow is imported, which takes seconds.

Whatever passes is checked again, and wholly, when it is used.
"""

import glob
import os

from bert_tf import hub
from bert_tf.config import MultiTaskConfig
from bert_tf.data import formats
from bert_tf.data.conll import CONLL_FILES
from bert_tf.data.places import column_hint, columns_of, format_of
from bert_tf.errors import ConfigError, InputError
from bert_tf.outlines import outline_of, require_arguments, require_figure

# Endings of files that are tables with columns, whatever task reads them.
_TABLES = (".tsv", ".csv", ".jsonl", ".json")


def check_finetune(config, model=True):
    """Sees that tasks, their arguments and figures are known, that the model and data files are
    there, and that these have the columns that a configuration names.

    Args:
      config: FinetuneConfig or MultiTaskConfig.
      model: bool, whether its model is needed.
    Raises:
      InputError: a file is missing, or a header or the first record lacks a column.
      ConfigError: a name is not known.
    """
    several = isinstance(config, MultiTaskConfig)
    parts = _tasks(config) if several else _learned(config)
    for place, part in parts.items():
        _within(place, _check_settings, part, f"{place}.task" if place else "task")
    if several:
        _check_average(config)
    if model:
        check_model(config.model.path, weights=_has_weights(config.model))
    for place, part in parts.items():
        _within(place, _check_files, part)


def _tasks(config):
    return {f"tasks.{name}": config.alone(name) for name in config.tasks}


def _learned(config):
    """What is learned, by where it stands: the intermediate tasks, and the one that is wanted."""
    numbers = range(1, len(config.intermediate) + 1)
    before = {f"intermediate.{n}": config.before(n, config.model.path) for n in numbers}
    return {**before, "": config}


def _within(place, check, *arguments):
    """Calls a check; what is wrong is told to be of a place in the configuration."""
    try:
        check(*arguments)
    except InputError as error:
        if not place or str(error).startswith(f"{place}."):
            raise
        raise type(error)(f"{place}: {error}") from None


def _has_weights(section):
    return getattr(section, "family", None) is None and getattr(section, "size", None) is None


def _check_settings(config, key):
    outline, model = outline_of(config.task, key), config.model
    if config.few_shot.pairs is not None:  # trained as another task
        return
    if config.incremental.method is None:  # else the model is there already
        given = [x for x in ("pooling", "head_layers") if getattr(model, x) is not None]
        known = outline.arguments
        require_arguments([*given, *model.options], model.options, known, config.task)
    figure = config.train.best_metric
    if figure is not None and outline.monitors is not None and not key.startswith("tasks."):
        require_figure(figure, outline.monitors)


def _check_average(config):
    """The figures of several tasks: those of each, and those by which the best are sought."""
    known = ["average", "loss"]
    for name, section in config.tasks.items():
        figures = outline_of(section.task).monitors
        if figures is None:
            return
        if section.metric is not None:
            _within(f"tasks.{name}", require_figure, section.metric, figures, "metric")
        known += [f"{name}_{figure}" for figure in figures]
    if config.train.best_metric is not None:
        require_figure(config.train.best_metric, tuple(known))


def _check_files(config):
    data, old = config.data, config.incremental
    outline = outline_of(config.task)
    parts = [(data.train, None), (data.validation, data.validation_columns)]
    parts.append((data.test, data.test_columns or data.validation_columns))
    for given, measured in parts:
        if given is None or isinstance(given, float):
            continue
        files = formats.table_files(given, data.format)
        check_file(files[0])
        if old.method is None:  # else the model has a say in them
            places = columns_of(data, outline, measured)
            names = [x for item in places.items() for x in _names(outline, *item)]
            format = format_of(outline, files[0], data.format)
            for file in files[:1] if format in formats.DOCUMENTS else files:
                check_columns(file, names, format)
    for path in (old.old_train, old.old_test):
        if path is not None:
            check_file(path)


def _names(outline, column, place):
    """What `check_columns` takes of a column: spans stand under `label` or `spans`."""
    if place is None:
        return []
    if isinstance(place, list | tuple):
        return list(place)
    either = outline.columns[column].kind == "spans" and place == column
    return [(place, "spans") if either else place]


def check_model(path, export=False, weights=True):
    """Raises InputError where there is no model, as far as names of files tell.

    Args:
      path: str, a directory, an archive, a checkpoint or a name at Hugging Face.
      export: bool, whether an export will do.
      weights: bool; False: a tokenizer alone is wanted.
    """
    if hub.is_remote(path):
        return
    if not os.path.exists(path) and not glob.glob(f"{glob.escape(path)}.*"):
        raise InputError(hub.nothing_at(path))
    if not weights or not os.path.isdir(path):
        return
    files = [os.path.join(glob.escape(path), x, "saved_model.pb") for x in ("", "[0-9]*")]
    if not (export and any(map(glob.glob, files))):
        from bert_tf.conversion.contents import require_model

        require_model(path)


def check_file(path):
    """Raises InputError where a file cannot be read."""
    formats.open_for_reading(path).close()


def check_columns(path, names, format=None):
    """Sees that a table is there, and that its header or first record has columns.

    Args:
      path: str.
      names: list of str; of tuples of those of which one will do; numbers are columns of a file
        without a header.
      format: str, as in `data.read_table`; None where the task is not known, which may have formats
        of its own: then the file's name and its beginning say whether it is a table.
    Raises:
      InputError: the file cannot be read, or lacks one of them.
      ConfigError: the file's format is not known.
    """
    with formats.open_for_reading(path) as file:
        if format is None:
            begins = file.read(1 << 16)
            file.seek(0)
            sentences = b"\n\n" in begins.replace(b"\r", b"").rstrip()  # words and their tags
            if not names or sentences or not path.lower().endswith(_TABLES):
                return
            format = formats.guess_format(path)
        if format in formats.DOCUMENTS or format in CONLL_FILES:
            return
        first = next(formats.scan(file, path, format), None)
    if first is None:
        raise InputError(f"{path}: is empty")
    if any(isinstance(name, int) for name in names):
        return
    keyed = isinstance(first.cells, dict)
    header = list(first.cells) if keyed else [name.strip() for name in first.cells]
    for name in names:
        either = name if isinstance(name, tuple) else (name,)
        if not any(x in header for x in either):
            _refuse(path, either[0], header, first.line if keyed else None)


def _refuse(path, name, header, line):
    """Raises InputError for a column that a header lacks, or with `line` the record there."""
    if line is None:
        raise InputError(
            f"{path}, line 1: no column {name!r} in the header; {column_hint(name, header)}"
        )
    raise InputError(f"{path}, line {line}: no key {name!r}; {column_hint(name, header)}")


def check_columns_of_flags(path, columns, format=None):
    """As `check_columns`, for flags that say where columns are, dict of name -> place or None."""
    names = [place for place in columns.values() if place is not None]
    check_columns(formats.table_files(path, format)[0], names, format)


def check_labels(labels, template):
    """Raises where the labels of a question to a model that need not know them are none.

    Args:
      labels: list of str, or None: no such question.
      template: str with {} once, or None.
    Raises:
      InputError: there are not two different ones at least.
      ConfigError: the template has no {}.
    """
    if labels is not None:
        stripped = [label.strip() for label in labels]
        if len(stripped) < 2 or len(set(stripped)) < len(stripped) or not all(stripped):
            raise InputError(f"labels: {stripped}, wanted two different ones at least")
    if template is not None and template.count("{}") != 1:
        raise ConfigError(f"template: {template!r}, wanted a text with {{}} once in it")


def check_convert(source, format):
    """Raises as `convert` where the format is not known or there is no source."""
    from bert_tf.conversion.formats import require_written

    require_written(format)
    check_model(source)


def check_benchmark(config, named):
    """The tasks that a flag names, list of str, of which there are the files to learn from.

    Args:
      config: GlueConfig.
      named: str, as `official.task_names` takes it.
    Raises:
      InputError, ConfigError: as `glue`.
    """
    from bert_tf.data.official import task_names
    from bert_tf.data.official_rows import paths_of

    tasks = task_names(named)
    check_model(config.model.path)
    for name in tasks:
        paths_of(name, config.data.folder)
    return tasks


def check_text(patterns, tokenizer=None):
    """Raises InputError where a glob matches no file, or there is no folder of a tokenizer."""
    from bert_tf.pretraining_data.corpus.text_files import expand

    expand(patterns)
    if tokenizer is not None:
        check_model(tokenizer, weights=False)
