"""A table of one task as a dataset for plain Keras, and what is said of its rows."""

import numpy as np
from absl import logging

from bert_tf.data import evaluation_batches, order, read_table, repeated_epochs, windowed
from bert_tf.data.grouped import grouped
from bert_tf.data.places import format_of, kinds_of, places_of
from bert_tf.errors import ConfigError
from bert_tf.outlines import require_alone, require_task
from bert_tf.tags import SCHEMES, Tagging
from bert_tf.tasks import TASKS, TaskModel
from bert_tf.tasks.features import (
    are_cut_at_half,
    features_of,
    text_cut_at_half,
    told_of_cut,
)
from bert_tf.tasks.languages import COLUMN, check_language


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
    scheme="IOB2",
    strict_tags=False,
    label_all_pieces=False,
):
    """Read a table as a dataset for `fit`, `evaluate` or `predict`.

    Args:
      file: str. A TSV, CSV or JSON lines file, or another that the task reads; or several, see
        `data.read_table`.
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
      scheme, strict_tags, label_all_pieces: of tags of words: "IOB2" or "BIOES", in which spans are
        learned; whether a tag that goes on with a span that nothing began is refused, else it
        begins one; whether the further pieces of a word have a label too, or the first one alone.
    Returns:
      tf.data.Dataset of (inputs, labels), or of inputs alone when `label` is None. inputs: dict of
      int32 [batch, length] `input_ids`, `attention_mask`, `token_type_ids`, and what else the task
      reads; labels: as the task takes them. It carries `label_names` and `problem_type`, which
      datasets derived from it do not.
    Raises:
      InputError: the file cannot be read, or a row is not what it should be.
      ConfigError: there is no such task or scheme, or the task has no such column.
    """
    kind = task_named(task)
    if scheme not in SCHEMES:
        raise ConfigError(f"scheme: {scheme!r}, wanted one of {', '.join(SCHEMES)}")
    given = {"text": text, "text_pair": text_pair, "label": label}
    format = format_of(kind, file, format)
    further = ({COLUMN: COLUMN} if languages else {}) | (columns or {})
    places = places_of(kind, given, further, format=format)
    options = {"fault": fault_of(kind, languages), "ignore": ignore_labels}
    options["tagging"] = Tagging(scheme, strict_tags)
    table = read_table(file, places, kinds_of(kind), format, problem_type, like, **options)
    table = grouped(table, kind.group_by)
    settings = {"max_length": max_length, "windows": windows, "overlap": max_length // 4}
    settings |= {"languages": languages} if languages else {}
    settings |= {"label_all_pieces": True} if label_all_pieces else {}
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
    require_task(name, TASKS, key)
    require_alone(name, TASKS[name].parts is not None, key)
    return TASKS[name]


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
