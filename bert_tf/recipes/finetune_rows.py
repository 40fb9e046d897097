"""The rows of fine-tuning: its tables, their batches, and what is said of them."""

import collections

import numpy as np
from absl import logging

from bert_tf.data import (
    epoch_steps,
    evaluation_batches,
    overlong_share,
    read_table,
    rows_of_step,
    training_batches,
    windowed,
)
from bert_tf.data.formats import table_files
from bert_tf.data.grouped import grouped
from bert_tf.data.order import WINDOW_BATCHES
from bert_tf.data.packed_batches import packed_batches, packed_order
from bert_tf.data.packing import Packing
from bert_tf.data.places import columns_of, format_of, kinds_of
from bert_tf.datasets import fault_of, report_cut_texts, report_faults
from bert_tf.errors import ConfigError, InputError
from bert_tf.recipes.classes import report_labels
from bert_tf.recipes.workdir import digests
from bert_tf.tags import Tagging
from bert_tf.tasks import languages
from bert_tf.tasks.features import features_of
from bert_tf.training.loop import BatchSource


def batch_source(config, task, table, tokenizer):
    """The training batches of a configuration, packed if it says so; a BatchSource."""
    arguments = dict(batch_size=config.train.batch_size, seed=config.train.seed)
    settings = data_settings(config, task)
    if not config.data.packing:
        return source_of(table, features_of(task, tokenizer, settings), arguments)
    features = features_of(task, tokenizer, settings, padding="longest")
    plan = packed_order(table, features, packing=Packing(), **arguments)
    logging.info("packing: %s", plan.report())
    return BatchSource(
        batches=lambda start, stop: packed_batches(
            table, features, plan, start_step=start, stop_step=stop
        ),
        rows_of_step=lambda step: plan.batch(step)[0],
        epoch_steps=plan.epoch_steps,
    )


def source_of(table, features, arguments):
    """The batches of a table as a BatchSource; `arguments` are those of `training_batches`."""
    return BatchSource(
        batches=lambda start, stop: training_batches(
            table, features, **arguments, start_step=start, stop_step=stop
        ),
        rows_of_step=lambda step: rows_of_step(table, features, step, **arguments),
        epoch_steps=epoch_steps(table, arguments["batch_size"]),
    )


def evaluation_of(config, task, tables, tokenizer):
    """The batches of all tables but the training rows, by part.

    Made once: TensorFlow traces what makes batches for each of them.
    """
    features = features_of(task, tokenizer, data_settings(config, task))
    return {
        part: evaluation_batches(table, features, batch_size=config.train.batch_size, numbered=True)
        for part, table in tables.items()
        if part != "train"
    }


def read_tables(config, task, like=None):
    """The training, validation and test rows, by part.

    Args:
      config: FinetuneConfig.
      task: TaskModel class.
      like: as in `read_table`, for the training rows; None: they define their labels.
    """
    data = config.data

    def read(path, measured=None, **options):
        fault = fault_of(task, data.languages)
        options |= {"fault": fault, "tagging": Tagging(data.scheme, data.strict_tags)}
        options["ignore"] = data.ignore_labels
        format, places = format_of(task, path, data.format), columns_of(data, task, measured)
        table = read_table(path, places, kinds_of(task), format, **options)
        return grouped(table, task.group_by)

    train_rows = read(data.train, problem_type=config.model.problem_type, like=like)
    if not data.splits:
        rows = read(data.validation, data.validation_columns, like=train_rows)
        tables = {"train": train_rows, "validation": rows}
    else:
        train_part, validation_part = train_rows.split(data.validation, config.train.seed)
        tables = {"train": train_part, "validation": validation_part}
    if data.test is not None:
        measured = data.test_columns or data.validation_columns
        tables["test"] = read(data.test, measured, like=train_rows)
    for part, table in tables.items():
        said = "are not trained on" if part == "train" else "are measured all the same"
        report_faults(table, said)
    return {**tables, "train": tables["train"].sound()}


def report_lacking(model, source, replicas=1):
    """One warning of rows that teach nothing, of a loss that tells a row from others of its batch.

    Args:
      model: TaskModel, with `lacking(labels)` where its loss is such a one.
      source: BatchSource; the first batches of the first epoch are looked at.
      replicas: int, parts of a batch whose rows do not see those of the others.
    """
    if not hasattr(model, "lacking"):
        return
    total, nothing, counts = 0, 0, collections.Counter()
    for _, labels in source.batches(0, min(source.epoch_steps, WINDOW_BATCHES)):
        parts = {name: np.split(np.asarray(x), replicas) for name, x in labels.items()}
        for place in range(replicas):
            found = model.lacking({name: part[place] for name, part in parts.items()})
            if not found:
                return
            found = {what: np.asarray(rows) for what, rows in found.items()}
            counts.update({what: int(rows.sum()) for what, rows in found.items()})
            total += len(parts["texts"][place])
            nothing += int(np.any([*found.values()], axis=0).sum())
    if nothing:
        told = ", ".join(f"{count} have {what}" for what, count in counts.items() if count)
        logging.warning(
            "objective %s: of %d rows that were looked at %d teach nothing: %s",
            *(model.objective, total, nothing, told),
        )


def in_windows(tables, config, task, tokenizer):
    """The tables by part, of a task that reads long texts as their windows."""
    features = features_of(task, tokenizer, data_settings(config, task))
    return {part: windowed(table, features) for part, table in tables.items()}


def data_digests(config):
    """Size and digest of the files that a configuration's rows come from; see `workdir.digests`."""
    data, incremental = config.data, config.incremental
    given = [data.train, data.test, incremental.old_train, incremental.old_test]
    given += [] if data.splits else [data.validation]
    return digests(file for each in given if each is not None for file in _files(each, data.format))


def _files(given, format):
    try:
        return table_files(given, format)
    except InputError:  # whoever reads them says what is wrong
        return []


def require_as_trained(config, model):
    """Raises ConfigError for pairs of texts where a model was trained on single ones, or the other
    way round; of a model that does not know what it was trained on nothing is asked."""
    saved, pair = model.data_settings, config.data.text_pair
    if "text" in saved and "text_pair" in model.columns:
        if (saved.get("text_pair") is None) != (pair is None):
            kind = "single texts" if saved.get("text_pair") is None else "pairs of texts"
            raise ConfigError(f"data.text_pair is {pair}, the model's texts are {kind}")


def data_settings(config, task):
    """What is kept with a model of the data it was trained on: columns, lengths, special tokens."""
    settings = {**columns_of(config.data, task), "max_length": config.data.max_length}
    if languages.COLUMN in settings:
        settings[languages.SETTING] = config.data.languages
    if config.data.special_tokens_in_text:
        settings["special_tokens_in_text"] = True
    if config.data.ignore_labels:
        settings["ignore_labels"] = list(config.data.ignore_labels)
    if config.data.label_all_pieces:
        settings["label_all_pieces"] = True
    if config.data.windows is not None:
        settings["windows"] = config.data.windows
    if task.windowed or config.data.windows is not None:
        quarter = config.data.max_length // 4
        settings["overlap"] = quarter if config.data.overlap is None else config.data.overlap
    return settings


def report_rows(config, task, tables, tokenizer, steps, name=""):
    """Logs how much there is to train on, and how much of it is cut off; `name`: of which task."""
    rows = ", ".join(f"{part} {len(table)}" for part, table in tables.items())
    train_rows = tables["train"]
    kind = train_rows.problem_type
    kind = config.task if kind is None else kind
    labels = report_labels(train_rows)
    logging.info("%srows: %s; %s%s; %d steps", f"{name} " * bool(name), rows, kind, labels, steps)
    max_length = config.data.max_length
    report_cut_texts(task, train_rows, tokenizer, data_settings(config, task))
    if task.windowed or config.data.windows is not None:
        return
    settings = {**data_settings(config, task), "max_length": max_length + 1}
    share = overlong_share(train_rows, features_of(task, tokenizer, settings, padding="longest"))
    if share > 0.01:
        logging.warning(
            "data.max_length %d cuts about %.0f %% of the texts", max_length, share * 100
        )
