"""Distillation: a student that learns of a teacher what it answers, and what goes on inside it."""

import typing

import tensorflow as tf
from absl import logging

from bert_tf.compression import distillation
from bert_tf.compression.loss_settings import settings_of
from bert_tf.conversion.contents import opened
from bert_tf.data import read_table, rows_of_step, training_batches
from bert_tf.data.joined import JoinedTable, UnlabelledTable
from bert_tf.datasets import kinds_of, task_named
from bert_tf.errors import ConfigError, InputError, shown
from bert_tf.loading import load_encoder, load_task
from bert_tf.loading.cutting import copy_head
from bert_tf.recipes.finetune import (
    compile_model,
    configure,
    monitor_of,
    prepare,
    require_fit,
    with_head,
)
from bert_tf.recipes.finetune_rows import (
    columns_of,
    data_digests,
    data_settings,
    evaluation_of,
    in_windows,
    read_tables,
    report_rows,
)
from bert_tf.recipes.workdir import claimed_workdir, digests, open_workdir, save_run
from bert_tf.tasks.features import features_of
from bert_tf.text import Tokenizer
from bert_tf.training.distribution import is_chief
from bert_tf.training.evaluation import evaluate
from bert_tf.training.loop import BatchSource, train


class Teacher(typing.NamedTuple):
    """A teacher: where it comes from, its task model, and its tokenizer, None for the student's."""

    path: str
    model: object
    tokenizer: object


def distill(config, workdir):
    """Trains a student as a configuration says, or continues where an earlier run stopped.

    Args:
      config: DistillConfig.
      workdir: str, made if absent; holds what `finetune` writes, `model/` is the student.
    Returns:
      dict as of `finetune`, and `teachers`, the figures of each on the validation rows.
    Raises:
      As `finetune`; InputError also where a teacher does not fit the data or the student.
    """
    plain, section = config.finetuning(), config.distillation
    _check_losses(section)
    data = data_digests(plain) | digests(filter(None, [section.unlabelled]))
    finished = open_workdir(workdir, config, data)
    if finished is not None:
        return finished
    task = task_named(config.task)
    strategy = prepare(plain, task)
    tokenizer = Tokenizer.from_pretrained(config.model.path)
    tables = in_windows(read_tables(plain, task), plain, task, tokenizer)
    with strategy.scope():
        teachers = [_teacher(path, plain, task, tokenizer) for path in section.teacher]
        tables = _as_taught(tables, plain, task, tokenizer, teachers)
        student = _student(plain, task, tables["train"], tokenizer, teachers[0])
        model = _distillation(config, student, teachers)
    rows = _with_unlabelled(tables["train"], plain, task, section.unlabelled)
    source = _source(rows, len(tables["train"]), plain, task, tokenizer, teachers)
    steps = config.train.steps or source.epoch_steps * config.train.epochs
    with strategy.scope():
        compile_model(model, config.train, steps, source.epoch_steps)
    monitor = monitor_of(config.train.best_metric, student)
    report_rows(plain, task, tables, tokenizer, steps)
    batches = evaluation_of(plain, task, tables, tokenizer)
    with claimed_workdir(workdir, config, data, is_chief(strategy)):
        outcome = train(
            model,
            source,
            steps,
            workdir,
            config.train,
            lambda: evaluate(student, batches["validation"], tables["validation"]),
            monitor,
        )
        measured = {}
        for part in batches:  # validation first
            measured[part] = evaluate(student, batches[part], tables[part])
            if part == "validation":
                student.settle(measured[part])
        measured["teachers"] = [_measured(x, plain, task, tables, batches) for x in teachers]
        results = {**outcome, **measured}
        if is_chief(strategy):
            save_run(student, tokenizer, workdir, results)
    return results


def _teacher(path, plain, task, tokenizer):
    """The Teacher of a directory, its own tokenizer where it is another one than the student's."""
    with opened(path) as contents:
        if contents.task != task.__name__:
            held = f"a {contents.task}" if contents.task else "an encoder without a head"
            raise InputError(
                f"{path}: is {held}, wanted a trained {task.__name__} as teacher of a {plain.task}"
            )
        model = load_task(contents)
        own = Tokenizer.from_pretrained(str(contents.folder))
    own = None if own.fingerprint == tokenizer.fingerprint else own
    if own is not None and task.windowed:
        raise InputError(
            f"{path}: has another vocabulary than {plain.model.path}, and task {plain.task} is "
            "about tokens"
        )
    return Teacher(path, model, own)


def _as_taught(tables, plain, task, tokenizer, teachers):
    """The tables, their labels numbered as the teachers have them."""
    first = teachers[0].model
    for teacher in teachers[1:]:
        distillation.check_alike(first, teacher.model, teacher.path)
    own, names = tables["train"].label_names, getattr(first, "label_names", None)
    kind, wanted = tables["train"].problem_type, getattr(first, "problem_type", None)
    if None not in (kind, wanted) and kind != wanted:
        raise InputError(
            f"{plain.data.train}: its labels are of a {kind}, the teacher's in "
            f"{teachers[0].path} of a {wanted}"
        )
    if own is None or names is None or list(own) == list(names):
        return tables
    odd = [name for name in own if name not in names]
    if odd:
        raise InputError(
            f"{plain.data.train}: the label {shown(odd[0])} is none of the teacher's in "
            f"{teachers[0].path}, which are {', '.join(map(shown, names[:20]))}"
        )
    return in_windows(read_tables(plain, task, like=first), plain, task, tokenizer)


def _student(plain, task, table, tokenizer, teacher):
    """The task model that is to learn: an encoder, and the head that its files hold, if it fits."""
    section = plain.model
    with opened(section.path) as contents:
        encoder = load_encoder(contents, **section.changes)
        source = load_task(contents) if contents.task == task.__name__ else None
    require_fit(plain, encoder, tokenizer)
    model = with_head(plain, task, table, encoder)
    if source is not None and _same_labels(source, model) and copy_head(source, model):
        logging.info("%s: the student begins with its head", section.path)
    configure(model, plain)
    return model


def _same_labels(one, other):
    names = ("problem_type", "label_names")
    return all(getattr(one, x, None) == getattr(other, x, None) for x in names)


def _distillation(config, student, teachers):
    """The task model that is trained."""
    models = [teacher.model for teacher in teachers]
    own = [teacher.tokenizer is not None for teacher in teachers]
    try:
        return distillation.Distillation(student, models, config.distillation.losses, own)
    except InputError as error:
        raise ConfigError(f"distillation.{error}") from None


def _check_losses(section):
    try:
        settings_of(section.losses)
    except InputError as error:
        raise ConfigError(f"distillation.{error}") from None


def _with_unlabelled(table, plain, task, path):
    """The training rows and, after them, texts without labels; the rows alone if there are none."""
    if path is None:
        return table
    if table.label is None or task.windowed:
        raise ConfigError(
            f"distillation.unlabelled is {path}, and rows of task {plain.task} are nothing "
            "without a label"
        )
    places = {**columns_of(plain.data, task), table.label: None}
    texts = read_table(path, places, kinds_of(task))
    logging.info("%s: %d texts without labels", path, len(texts))
    return JoinedTable(table, UnlabelledTable(texts, table), table.label_names)


def _source(table, labelled, plain, task, tokenizer, teachers):
    """The BatchSource of the training rows, with what each teacher reads and who has labels."""
    settings = data_settings(plain, task)
    features = features_of(task, tokenizer, settings)
    arguments = dict(batch_size=plain.train.batch_size, seed=plain.train.seed)
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

    both = features._replace(function=function)

    @tf.autograph.experimental.do_not_convert
    def complete(inputs, labels, rows):
        for before in theirs:
            inputs = _trimmed(inputs, before)
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


def _trimmed(inputs, before):
    """Inputs whose names begin so, cut to the longest row of the batch."""
    mask = inputs[f"{before}attention_mask"]
    axes = list(range(mask.shape.rank - 1))
    length = tf.reduce_max(tf.math.count_nonzero(mask, axis=-1, dtype=tf.int32), axis=axes)

    def cut(x):
        return tf.ensure_shape(x[..., :length], [*x.shape[:-1], None])

    return {name: cut(x) if name.startswith(before) else x for name, x in inputs.items()}


def _measured(teacher, plain, task, tables, batches):
    """The figures of a teacher on the validation rows, and its path."""
    rows = batches["validation"]
    if teacher.tokenizer is not None:
        part = {"validation": tables["validation"]}
        rows = evaluation_of(plain, task, part, teacher.tokenizer)["validation"]
    return {"path": teacher.path, **evaluate(teacher.model, rows, tables["validation"])}
