"""The rows of distillation: with labels and without, what each teacher reads, what it answered."""

import hashlib
import json
import os
import zipfile

import numpy as np
import tensorflow as tf
from absl import logging

from bert_tf.atomic import new_file
from bert_tf.compression import distillation
from bert_tf.data import prediction_batches, read_table, rows_of_step, training_batches
from bert_tf.data.augmented import AugmentedTable
from bert_tf.data.joined import JoinedTable, UnlabelledTable
from bert_tf.datasets import kinds_of
from bert_tf.errors import ConfigError, InputError
from bert_tf.recipes.finetune_rows import columns_of, data_settings
from bert_tf.tasks.features import features_of
from bert_tf.training.loop import BatchSource


def with_unlabelled(table, plain, task, path, copies=0):
    """The training rows and, after them, texts without labels.

    Args:
      table: Table.
      plain: FinetuneConfig.
      task: TaskModel class.
      path: str, a file of such texts, or None.
      copies: int, altered copies of each training text.
    Raises:
      ConfigError: rows of the task are nothing without a label.
    """
    whole = table
    given = {"unlabelled": path, "augmented": copies}
    for key, value in given.items():
        if value and (table.label is None or task.windowed):
            raise ConfigError(
                f"distillation.{key} is {value}, and rows of task {plain.task} are nothing "
                "without a label"
            )
    if path is not None:
        places = {**columns_of(plain.data, task), table.label: None}
        texts = read_table(path, places, kinds_of(task))
        logging.info("%s: %d texts without labels", path, len(texts))
        whole = JoinedTable(whole, UnlabelledTable(texts, table), table.label_names)
    if copies:
        texts = AugmentedTable(table, copies, plain.train.seed)
        whole = JoinedTable(whole, UnlabelledTable(texts, table), table.label_names)
    return whole


def source_of(table, labelled, plain, task, tokenizer, teachers, kept=None):
    """The batches of training, a BatchSource.

    Args:
      table: Table of all rows.
      labelled: int, how many of them, the first ones, have labels.
      plain: FinetuneConfig.
      task: TaskModel class.
      tokenizer: Tokenizer of the student.
      teachers: list of Teacher.
      kept: float32 [rows, T, ...], what the teachers are known to answer; None: they are asked.
    """
    settings = data_settings(plain, task)
    features = features_of(task, tokenizer, settings)
    arguments = dict(batch_size=plain.train.batch_size, seed=plain.train.seed)
    theirs = {
        distillation.name_for_teacher(number, ""): features_of(task, teacher.tokenizer, settings)
        for number, teacher in enumerate(teachers)
        if teacher.tokenizer is not None and kept is None
    }

    def function(cells):
        inputs, labels = features(cells)
        for before, each in theirs.items():
            inputs |= {f"{before}{name}": x for name, x in each(cells)[0].items()}
        return inputs, labels

    known = None if kept is None else tf.constant(kept)

    @tf.autograph.experimental.do_not_convert
    def complete(inputs, labels, rows):
        for before in theirs:
            inputs = _trimmed(inputs, before)
        if known is not None:
            labels = {"labels": labels, "kept": tf.gather(known, rows)}
        if labelled == len(table):
            return inputs, labels
        return inputs, labels, tf.cast(rows < labelled, tf.float32)

    both = features._replace(function=function)
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


def _trimmed(inputs, before):
    """Inputs whose names begin so, cut to the longest row of the batch."""
    mask = inputs[f"{before}attention_mask"]
    axes = list(range(mask.shape.rank - 1))
    length = tf.reduce_max(tf.math.count_nonzero(mask, axis=-1, dtype=tf.int32), axis=axes)

    def cut(x):
        return tf.ensure_shape(x[..., :length], [*x.shape[:-1], None])

    return {name: cut(x) if name.startswith(before) else x for name, x in inputs.items()}


def kept_answers(path, table, plain, task, tokenizer, teachers, data, copies=0, writes=True):
    """What teachers answer for every row, from a file or, the first time, asked and written to it.

    Args:
      path: str.
      table, plain, task, tokenizer, teachers: as in `source_of`.
      data: dict of path -> digest, of the files that the rows come from.
      copies: int, as in `with_unlabelled`.
      writes: bool, whether this process is the one that writes.
    Returns:
      float32 [rows, T, ...].
    Raises:
      InputError: the file is damaged, or of other rows or teachers.
      ConfigError: answers of the task are about tokens.
    """
    drawn = copies or not isinstance(plain.data.validation, str)
    told = {
        "rows": len(table),
        "data": sorted(each["blake2b"] for each in data.values()),
        # It decides which rows are split off, and how texts are altered.
        "seed": plain.train.seed if drawn else None,
        "split": None if isinstance(plain.data.validation, str) else plain.data.validation,
        "settings": {k: str(v) for k, v in sorted(data_settings(plain, task).items())},
        "teachers": [_digest(teacher.model) for teacher in teachers],
    }
    if os.path.exists(path):
        return _read_answers(path, told)
    logging.info("%s: asking the teachers about %d rows", path, len(table))
    settings = data_settings(plain, task)
    columns = []
    for teacher in teachers:
        features = features_of(task, teacher.tokenizer or tokenizer, settings)
        columns.append(_answers(teacher.model, table, features, plain.train.batch_size))
    answers = np.stack(columns, axis=1)
    if writes:
        with new_file(path, "wb") as file:
            np.savez(file, answers=answers, told=json.dumps(told))
    return answers


def _answers(model, table, features, batch_size):
    """The soft answers of a model about each row of a table, float32 [rows, ...]."""
    found = None
    for inputs, rows in prediction_batches(table, features, batch_size=batch_size):
        answers = model.soft_answers(model.forward(inputs), inputs)
        if len(answers) != 1 or answers[0].of_tokens or answers[0].there is not None:
            raise ConfigError(
                f"distillation.answers: those of a {type(model).__name__} differ in size from row "
                "to row, wanted null"
            )
        values = answers[0].values.numpy()
        if found is None:
            found = np.zeros((len(table), *values.shape[1:]), np.float32)
        found[rows.numpy()] = values
    return found


def _read_answers(path, told):
    try:
        with np.load(path, allow_pickle=False) as file:
            answers, before = file["answers"], json.loads(str(file["told"]))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        raise InputError(
            f"{path}: is no file of answers, or a damaged one; remove it or name another in "
            "distillation.answers"
        ) from None
    differing = [name for name in told if before.get(name) != told[name]]
    if differing or answers.shape[:2] != (told["rows"], len(told["teachers"])):
        what = differing[0] if differing else "shape"
        raise InputError(
            f"{path}: keeps answers of another run, its {what} differ; remove it or name another "
            "file in distillation.answers"
        )
    return answers


def _digest(model):
    """A digest of a model's weights, str."""
    digest = hashlib.blake2b(digest_size=16)
    for weight in model.weights:
        digest.update(np.ascontiguousarray(weight.numpy()).tobytes())
    return digest.hexdigest()
