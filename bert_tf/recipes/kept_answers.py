"""What teachers say of the rows of a run, kept in a file for all students of theirs."""

import contextlib
import hashlib
import json
import math
import os
import zipfile

import numpy as np
from absl import logging

from bert_tf.atomic import new_file
from bert_tf.data import prediction_batches
from bert_tf.data.formats import table_files
from bert_tf.errors import ConfigError, InputError
from bert_tf.recipes.finetune_rows import data_settings
from bert_tf.tasks.features import features_of

# Bytes of all that is kept.
_ROOM = 4e9


def kept_answers(table, plain, task, tokenizer, teachers, section, data, writes=True):
    """What teachers answer for every row, from a file or, the first time, asked and written to it.

    Args:
      table, plain, task, tokenizer, teachers: as in `source_of`.
      section: DistillationSection, whose `answers` is the file, and whose `unlabelled` and
        `augmented` are among the rows.
      data: dict of path -> digest, of the files of the run.
      writes: bool, whether this process is the one that writes.
    Returns:
      As `asked_answers`.
    Raises:
      InputError: the file is damaged, or of other rows or teachers, or cannot be written.
      ConfigError: as `asked_answers`.
    """
    path = section.answers
    drawn = section.augmented or plain.data.splits
    told = {
        "rows": len(table),
        # In their order, which is that of the rows.
        "train": [data.get(x) for x in table_files(plain.data.train, plain.data.format)],
        "unlabelled": data.get(section.unlabelled),
        # It decides which rows are split off, and how texts are altered.
        "seed": plain.train.seed if drawn else None,
        "split": plain.data.validation if plain.data.splits else None,
        "settings": {k: str(v) for k, v in sorted(data_settings(plain, task).items())},
        "teachers": [_digest(teacher.model) for teacher in teachers],
        "tokenizers": [(teacher.tokenizer or tokenizer).fingerprint for teacher in teachers],
    }
    if os.path.exists(path):
        return _read_answers(path, told)
    # A place that cannot be written is told of before they are asked.
    with new_file(path, "wb") if writes else contextlib.nullcontext() as file:
        logging.info("%s: asking the teachers about %d rows", path, len(table))
        answers = asked_answers(table, plain, task, tokenizer, teachers)
        if writes:
            np.savez(file, answers=answers, told=json.dumps(told))
    return answers


def asked_answers(table, plain, task, tokenizer, teachers):
    """What teachers say of every row.

    Args:
      table, plain, task, tokenizer, teachers: as in `source_of`.
    Returns:
      float32 [rows, T, ...] of T teachers: the vectors of a row's texts, of a task that has such;
      else its soft answers, of tokens [rows, T, max_length, K] with zeros behind the last one.
    Raises:
      ConfigError: what they say of a row is of no one size, or takes too much room.
    """
    settings, columns = data_settings(plain, task), []
    for teacher in teachers:
        features = features_of(task, teacher.tokenizer or tokenizer, settings)
        columns.append(_answers(teacher.model, table, features, plain.train.batch_size))
    return np.stack(columns, axis=1)


def _answers(model, table, features, batch_size):
    """What a model says of each row of a table, float32 [rows, ...]."""
    found = None
    for inputs, rows in prediction_batches(table, features, batch_size=batch_size):
        values, of_tokens = _said(model, model.forward(inputs), inputs)
        first, *others = values.shape[1:]
        if found is None:
            shape = (len(table), features.max_length if of_tokens else first, *others)
            _require_room(shape)
            found = np.zeros(shape, np.float32)
        if others != [*shape[2:]] or first > shape[1] or not (of_tokens or first == shape[1]):
            raise _of_no_one_size(model)
        found[rows.numpy(), :first] = values
    return found


def _said(model, outputs, inputs):
    """What a model says of a batch: an array [B, ...], and whether that is of its tokens."""
    if hasattr(model, "soft_vectors"):
        return model.soft_vectors(outputs, inputs)[0].numpy(), False
    answers = model.soft_answers(outputs, inputs)
    if len(answers) > 1 or not (answers[0].of_tokens or answers[0].there is None):
        raise _of_no_one_size(model)
    return answers[0].values.numpy(), answers[0].of_tokens


def _of_no_one_size(model):
    return ConfigError(
        f"distillation.answers: those of a {type(model).__name__} differ in size from row to row, "
        "wanted null"
    )


def _require_room(shape):
    """Raises ConfigError for numbers that would take too much of the memory."""
    size = 4 * math.prod(shape)
    if size > _ROOM:
        raise ConfigError(
            f"distillation.answers: would take {size / 1e9:.1f} GB, wanted {_ROOM / 1e9:g} at "
            "most; null asks the teachers in every step"
        )


def _read_answers(path, told):
    try:
        # Of another kind of numpy's files it is an array.
        with contextlib.closing(np.load(path, allow_pickle=False)) as file:
            answers, before = file["answers"], json.loads(str(file["told"]))
            before.keys()
    except (OSError, ValueError, LookupError, AttributeError, EOFError, zipfile.BadZipFile):
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
