"""A table of one task as a dataset for plain Keras, and where each task finds its columns."""

import numpy as np
from absl import logging

from bert_tf.data import evaluation_batches, order, read_table, repeated_epochs, windowed
from bert_tf.data.formats import given_columns, guess_format
from bert_tf.data.grouped import grouped
from bert_tf.errors import ConfigError, nearest
from bert_tf.tasks import TASKS, TaskModel
from bert_tf.tasks.features import (
    are_cut_at_half,
    features_of,
    text_cut_at_half,
    told_of_cut,
)
from bert_tf.tasks.languages import COLUMN, check_language

# Where the columns of texts and labels are if nothing else is said.
_USUAL = {"text": "text", "text_pair": None, "label": "label"}


def read_dataset(
    file,
    tokenizer,
    batch_size=32,
    max_length=128,
    text="text",
    text_pair=None,
    label="label",
    shuffle_seed=None,
    format=None,
    problem_type=None,
    like=None,
    task="sequence_classification",
    columns=None,
    windows=None,
    languages=None,
    ignore_labels=(),
):
    """Read a table as a dataset for `fit`, `evaluate` or `predict`.

    Args:
      file: str. A TSV, CSV or JSON lines file, or another that the task reads.
      tokenizer: Tokenizer.
      batch_size: int. Rows a batch.
      max_length: int. The longest row in tokens; longer texts are cut.
      text, text_pair, label: str, int or None. The columns of these names, see `data.read_table`.
      shuffle_seed: int or None. With a seed this is a training set: after a full pass the next
        `iter()` is the next epoch, from 0 on, each in the order of `bert-tf finetune` under the
        same seed; all batches are full, the last one with rows of the epoch's beginning. With None
        rows come in file order, except that, if there are labels, each 64 batches are sorted by
        length; the last batch may be short.
      format, problem_type, like: as in `data.read_table`; for a validation file give `like` the
        training dataset, or the model, so that both number the labels alike.
      task: str, a key of `bert_tf.tasks.TASKS`.
      columns: dict of the further columns of a task -> where they are, as `text`.
      windows: int or None. How many windows of `max_length` tokens a long text is read in, at most;
        then inputs are [batch, windows, length]. None cuts it off.
      languages: dict of name -> number, of an encoder with vectors of languages: which of them the
        rows have, whose column is `language` or what `columns` says; None adds none.
      ignore_labels: list of str, labels whose rows are left out, such as "-" for none agreed on.
    Returns:
      tf.data.Dataset of (inputs, labels), or of inputs alone when `label` is None. inputs: dict of
      int32 [batch, length] `input_ids`, `attention_mask`, `token_type_ids`, and what else the task
      reads; labels: as the task takes them. It carries `label_names` and `problem_type`, which
      datasets derived from it do not.
    Raises:
      InputError: the file cannot be read, or a row is not what it should be.
      ConfigError: there is no such task, or it has no such column.
    """
    kind = task_named(task)
    given = {"text": text, "text_pair": text_pair, "label": label}
    format = format_of(kind, file, format)
    further = ({COLUMN: COLUMN} if languages else {}) | (columns or {})
    places = places_of(kind, given, further, format=format)
    options = {"fault": fault_of(kind, languages), "ignore": ignore_labels}
    table = read_table(file, places, kinds_of(kind), format, problem_type, like, **options)
    table = grouped(table, kind.group_by)
    settings = {"max_length": max_length, "windows": windows, "overlap": max_length // 4}
    settings |= {"languages": languages} if languages else {}
    if windows is not None and not kind.pools_windows:
        raise ConfigError(f"windows: {windows}, and {kind.__name__} reads one text a row")
    features = features_of(kind, tokenizer, settings)
    table = windowed(table if shuffle_seed is None else table.sound(), features)
    if shuffle_seed is None:
        by_length = table.label is not None
        dataset = evaluation_batches(table, features, batch_size=batch_size, by_length=by_length)
    else:
        dataset = repeated_epochs(table, features, batch_size=batch_size, seed=shuffle_seed)
    dataset.label_names, dataset.problem_type = table.label_names, table.problem_type
    return dataset


def task_named(name, key="task"):
    """The TaskModel class of a name.

    Raises:
      ConfigError: there is no such task.
    """
    if name not in TASKS:
        near = nearest(name, TASKS)
        hint = f" (nearest: {near})" if near else ""
        raise ConfigError(f"{key} is {name!r}, wanted one of {', '.join(TASKS)}{hint}")
    if TASKS[name].parts is not None:
        raise ConfigError(f"{key} is {name}, wanted its tasks by name in the section `tasks`")
    return TASKS[name]


def format_of(task, path, format=None):
    """The format of a task's file: as it is told, or as its name and its beginning say."""
    spans = "spans" in kinds_of(task).values()
    if spans and format == "conllu":
        return "conllu_tags"
    return format or guess_format(path, spans)


def fault_of(task, languages=None):
    """What looks for a fault in a row's cells, as a task's `fault`, or None where none can be.

    Args:
      task: a TaskModel class.
      languages: dict of name -> number, those that rows may have; empty or None: they tell none.
    """
    own = None if task.fault is TaskModel.fault else task.fault
    if not languages:
        return own

    def fault(cells):
        check_language(cells[COLUMN], languages)
        return None if own is None else own(cells)

    return fault


def report_faults(table, what_of_them):
    """One warning for each reason why rows of a table cannot be learned from."""
    for reason, rows in table.faults.items():
        logging.warning(
            "%s: %d of %d rows %s: %s", table.name, len(rows), len(table), what_of_them, reason
        )


def report_cut_texts(task, table, tokenizer, settings, sample=1000):
    """A warning if a table has rows whose first text is longer than half a window, and cut there.

    Args:
      task: a TaskModel class.
      table: Table or WindowedTable.
      tokenizer: Tokenizer.
      settings: dict with `max_length`.
      sample: int, how many rows are looked at, at most.
    """
    name = text_cut_at_half(task)
    if name is None:
        return
    rows = order.shuffled(len(table), 0, order.SAMPLE)[:sample]
    settings = {**settings, "padding": "longest"}
    cut = int(np.sum(are_cut_at_half(table.cells(rows)[name], tokenizer, settings)))
    if cut:
        logging.warning("%s", told_of_cut(name, len(rows), cut, settings["max_length"]))


def kinds_of(task):
    """The kinds of a task's columns, dict of name -> str."""
    return {name: column.kind for name, column in task.columns.items()}


def places_of(task, given, further=(), key="columns", format=None):
    """Where each column of a task is in a file.

    Args:
      task: a TaskModel class.
      given: dict of column name -> its place, None for none; columns that are no task's, such as an
        unused `text_pair`, may only be None or the name itself.
      further: dict of column name -> its place, for the other columns.
      key: str, what messages call `further`.
      format: str, of the file: optional columns that such files always have are read.
    Returns:
      dict of column name -> name, number or None; without the column of languages where it is not
      given, for most encoders have no use for it.
    Raises:
      ConfigError: a column is given that the task does not read.
    """
    for name in further:
        if name not in task.columns or name in given:
            near = nearest(name, task.columns)
            hint = f" (nearest: {near})" if near else f"; it reads {', '.join(task.columns)}"
            raise ConfigError(f"{key}.{name}: no further column of {task.__name__}{hint}")
    if given == _USUAL:
        given = {**given, **task.places}
    for name, place in given.items():
        if name not in task.columns and place not in (None, name):
            reads = ", ".join(task.columns)
            raise ConfigError(f"{name}: {place!r}, and {task.__name__} reads {reads} alone")
    places, there = {}, given_columns(format)
    for name, column in task.columns.items():
        default = None if column.optional and name not in there else name
        places[name] = given[name] if name in given else dict(further).get(name, default)
    if places.get(COLUMN) is None:
        places.pop(COLUMN, None)
    return places
