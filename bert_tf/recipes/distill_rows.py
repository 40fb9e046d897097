"""The rows of distillation: with labels and without, and what each teacher reads."""

import tensorflow as tf
from absl import logging

from bert_tf.compression import distillation
from bert_tf.data import (
    evaluation_batches,
    read_table,
    rows_of_step,
    training_batches,
)
from bert_tf.data.augmented import AugmentedTable
from bert_tf.data.joined import UNSAID, JoinedTable, UnlabelledTable
from bert_tf.data.places import columns_of, kinds_of
from bert_tf.data.windowed import windowed
from bert_tf.errors import ConfigError
from bert_tf.recipes.finetune_rows import data_settings
from bert_tf.tasks.features import features_of
from bert_tf.training.loop import BatchSource


def with_unlabelled(table, plain, task, tokenizer, section):
    """The training rows and, after them, texts without labels.

    Args:
      table: Table.
      plain: FinetuneConfig.
      task: TaskModel class.
      tokenizer: Tokenizer of the student.
      section: DistillationSection; `unlabelled` is a file of such texts, `augmented` the altered
        copies of each training text.
    Raises:
      ConfigError: rows of the task are nothing without a label, or its losses want one.
    """
    path, copies, whole = section.unlabelled, section.augmented, table
    for key, value in {"unlabelled": path, "augmented": copies}.items():
        if value:
            _require_unlabelled(f"distillation.{key} is {value}", plain, task, section)
    if path is not None:
        kinds = kinds_of(task)
        unsaid = {name for name, kind in kinds.items() if kind in UNSAID} | {table.label}
        places = {**columns_of(plain.data, task), **dict.fromkeys(unsaid - {None})}
        texts = read_table(path, places, kinds)
        logging.info("%s: %d texts without labels", path, len(texts))
        texts = windowed(texts, features_of(task, tokenizer, data_settings(plain, task)))
        whole = JoinedTable(whole, UnlabelledTable(texts, table), table.label_names)
    if copies:
        if task.windowed:
            raise ConfigError(
                f"distillation.augmented is {copies}, and task {plain.task} reads texts in "
                "windows; wanted 0, perhaps with distillation.unlabelled"
            )
        texts = AugmentedTable(table, copies, plain.train.seed)
        whole = JoinedTable(whole, UnlabelledTable(texts, table), table.label_names)
    return whole


def _require_unlabelled(said, plain, task, section):
    """Raises ConfigError unless a task's rows are of use without labels."""
    told = [column for column in task.columns.values() if column.target and not column.optional]
    if task.group_by or any(column.kind not in ("label", *UNSAID) for column in told):
        raise ConfigError(f"{said}, and rows of task {plain.task} are nothing without a label")
    if "labels" in section.losses and not told:
        raise ConfigError(
            f"{said}, and distillation.losses has labels: without one a row of task {plain.task} "
            "would stand for others of its batch; wanted the teacher's losses alone"
        )


def source_of(table, labelled, plain, task, tokenizer, teachers, kept=None):
    """The batches of training, a BatchSource.

    Args:
      table: Table of all rows.
      labelled: int, how many of them, the first ones, have labels.
      plain: FinetuneConfig.
      task: TaskModel class.
      tokenizer: Tokenizer of the student.
      teachers: list of Teacher.
      kept: float32 [rows, T, ...], what the teachers are known to answer, see `asked_answers`
        in `kept_answers.py`; None: they are asked.
    """
    features = features_of(task, tokenizer, data_settings(plain, task))
    arguments = dict(batch_size=plain.train.batch_size, seed=plain.train.seed)
    both, trimmed = _taught(features, plain, task, teachers if kept is None else [])
    known = None if kept is None else tf.constant(kept)

    @tf.autograph.experimental.do_not_convert
    def complete(inputs, labels, rows):
        inputs = trimmed(inputs)
        if known is not None:
            labels = _with_kept(labels, known, rows)
        if labelled == len(table):
            return inputs, labels
        return inputs, labels, tf.cast(rows < labelled, tf.float32)

    return BatchSource(
        batches=lambda start, stop: training_batches(
            table,
            both,
            **arguments,
            start_step=start,
            stop_step=stop,
            extra=("labels", "rows"),
        ).map(complete),
        rows_of_step=lambda step: rows_of_step(table, features, step, **arguments),
        epoch_steps=-(-len(table) // arguments["batch_size"]),
    )


def taught_rows(batches, table, plain, task, tokenizer, teachers, kept=None):
    """The batches of a table for a student and its teachers.

    Args:
      batches: tf.data.Dataset of (inputs, labels, rows), those of the student.
      table, plain, task, tokenizer, teachers, kept: as in `source_of`.
    Returns:
      tf.data.Dataset of the same.
    """
    if kept is not None:
        known = tf.constant(kept)
        return batches.map(_graph(lambda x, y, rows: (x, _with_kept(y, known, rows), rows)))
    if all(teacher.tokenizer is None for teacher in teachers):
        return batches
    features = features_of(task, tokenizer, data_settings(plain, task))
    both, trimmed = _taught(features, plain, task, teachers)
    batches = evaluation_batches(table, both, batch_size=plain.train.batch_size, numbered=True)
    return batches.map(_graph(lambda inputs, *others: (trimmed(inputs), *others)))


def _graph(function):
    return tf.autograph.experimental.do_not_convert(function)


def _with_kept(labels, known, rows):
    return {"labels": labels, "kept": tf.gather(known, rows)}


def _taught(features, plain, task, teachers):
    """A student's Features with what teachers that have a tokenizer of their own read, and a
    function of inputs that cuts the latter to the longest row of a batch."""
    settings = data_settings(plain, task)
    theirs = {
        distillation.name_for_teacher(number, ""): features_of(task, teacher.tokenizer, settings)
        for number, teacher in enumerate(teachers)
        if teacher.tokenizer is not None
    }

    def function(cells):
        inputs, labels = features(cells)
        for before, each in theirs.items():
            inputs |= {f"{before}{name}": x for name, x in each(cells)[0].items()}
        return inputs, labels

    def trimmed(inputs):
        for before in theirs:
            inputs = _trimmed(inputs, before)
        return inputs

    return features._replace(function=function), trimmed


def _trimmed(inputs, before):
    """Inputs whose names begin so, cut to the longest row of the batch."""
    mask = inputs[f"{before}attention_mask"]
    axes = list(range(mask.shape.rank - 1))
    length = tf.reduce_max(tf.math.count_nonzero(mask, axis=-1, dtype=tf.int32), axis=axes)

    def cut(x):
        return tf.ensure_shape(x[..., :length], [*x.shape[:-1], None])

    return {name: cut(x) if name.startswith(before) else x for name, x in inputs.items()}
