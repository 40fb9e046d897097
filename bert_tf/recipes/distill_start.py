"""Who teaches and who learns: teachers and students of a run of distillation."""

import dataclasses
import typing

from absl import logging

from bert_tf.compression.answer_losses import check_alike, what_answers_are_about
from bert_tf.compression.sharing import shared_encoder
from bert_tf.compression.static_vectors import static_encoder
from bert_tf.conversion.contents import opened
from bert_tf.data.labels import class_numbers
from bert_tf.encoders import build_encoder, change_config
from bert_tf.errors import ConfigError, InputError, shown
from bert_tf.loading import load_encoder, load_task
from bert_tf.loading.cutting import copy_head
from bert_tf.loading.encoders import config_of_files
from bert_tf.loading.tasks import task_class
from bert_tf.recipes.finetune import configure, require_fit, with_head
from bert_tf.recipes.finetune_models import arguments_of, keeps_parts
from bert_tf.recipes.finetune_rows import in_windows, read_tables
from bert_tf.recipes.fresh_encoder import changed_encoder, fresh_encoder
from bert_tf.text import Tokenizer

# Losses that only a trained task can teach.
_OF_ANSWERS = {"logits", "vectors"}


class Teacher(typing.NamedTuple):
    """A teacher: where it comes from; its task model; its tokenizer, None for the student's; and
    whether it is a trained task, not an encoder alone."""

    path: str
    model: object
    tokenizer: object
    trained: bool


def open_teacher(path, config, task, table, tokenizer):
    """The Teacher of a directory.

    Args:
      path: str.
      config: DistillConfig.
      task: TaskModel class.
      table: Table to train on, for the labels of a head that nobody reads.
      tokenizer: Tokenizer of the student.
    Raises:
      InputError: it is no trained model of the task, and its answers are to be learned; it has
        another vocabulary where tokens are compared; or it cannot read the rows.
      ConfigError: the rows have more tokens than it has positions.
    """
    plain, section = config.finetuning(), config.distillation
    with opened(path) as contents:
        trained = task_class(contents) is task
        if not trained and _OF_ANSWERS & {*section.losses}:
            held = f"a {contents.task}" if contents.task else "an encoder without a head"
            raise InputError(
                f"{path}: is {held}, wanted a trained {task.__name__} as teacher of a {plain.task}"
            )
        model = load_task(contents) if trained else None
        encoder = None if trained else load_encoder(contents)
        own = Tokenizer.from_pretrained(str(contents.folder))
    if model is None:
        model = with_head(plain, task, table, encoder)
    model.trainable = False
    there = dataclasses.replace(plain.model, path=path)
    require_fit(dataclasses.replace(plain, model=there), model.encoder, own)
    own = None if own.fingerprint == tokenizer.fingerprint else own
    if own is not None and task.windowed:
        raise InputError(
            f"{path}: has another vocabulary than {plain.model.path}, and task {plain.task} is "
            "about tokens"
        )
    return Teacher(path, model, own, trained)


def as_taught(tables, plain, task, tokenizer, teachers):
    """The tables, their labels numbered as the teachers have them.

    Raises:
      InputError: a label is none of the teachers', or these differ among themselves.
    """
    teachers = [teacher for teacher in teachers if teacher.trained]
    if not teachers:
        return tables
    first = teachers[0].model
    for teacher in teachers[1:]:
        check_alike(first, teacher.model, teacher.path)
    own, names = tables["train"].label_names, getattr(first, "label_names", None)
    kind, wanted = tables["train"].problem_type, getattr(first, "problem_type", None)
    if None not in (kind, wanted) and kind != wanted:
        raise InputError(
            f"{plain.data.train}: its labels are of a {kind}, the teacher's in "
            f"{teachers[0].path} of a {wanted}"
        )
    if own is None or names is None or list(own) == list(names):
        return tables
    known = class_numbers(names)
    odd = [name for name in own if name not in known]
    if odd:
        raise InputError(
            f"{plain.data.train}: the label {shown(odd[0])} is none of the teacher's in "
            f"{teachers[0].path}, which are {', '.join(map(shown, names[:20]))}"
        )
    return in_windows(read_tables(plain, task, like=first), plain, task, tokenizer)


def make_student(config, task, table, tokenizer):
    """The task model that is to learn: an encoder, and the head that its files hold, if it fits.

    Args:
      config: DistillConfig.
      task: TaskModel class.
      table: Table to train on.
      tokenizer: Tokenizer.
    """
    plain, section, start = config.finetuning(), config.distillation, config.model
    whole = not section.fresh and section.static is None
    with opened(start.path) as contents:
        if section.fresh and (start.family, start.size) != (None, None):
            encoder = fresh_encoder(start, tokenizer)
        elif section.fresh:
            sizes = change_config(config_of_files(contents), start.changes)
            encoder = build_encoder(sizes)
        else:
            encoder = changed_encoder(contents, start.changes)
        source = load_task(contents) if whole and task_class(contents) is task else None
    if section.static is not None or section.groups is not None:
        sharing = (section.groups, section.group_start, section.embedding_size)
        try:
            if section.groups is not None:
                encoder = shared_encoder(encoder, *sharing)
            else:
                encoder = static_encoder(encoder, tokenizer, section.static)
        except InputError as error:
            raise ConfigError(f"distillation.{error}") from None
    require_fit(plain, encoder, tokenizer)
    # Its decoder too, which has sizes of its own.
    kept = arguments_of(source if keeps_parts(task, start.options) else None)
    model = with_head(plain, task, table, encoder, kept, tokenizer)
    if source is not None and _same_labels(source, model) and copy_head(source, model):
        logging.info("%s: the student begins with its head", start.path)
    configure(model, plain)
    return model


def _same_labels(one, other):
    return all(x == y for _, x, y in what_answers_are_about(one, other))
