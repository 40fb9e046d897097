"""Pruning: of a trained task what matters least is taken out, and the rest is trained again.

What matters least of a matrix are its small singular values.
"""

import contextlib
import dataclasses
import json
import math
import os
import tempfile

from absl import logging

from bert_tf.atomic import write_file
from bert_tf.compression.factorization import factorized
from bert_tf.compression.pruning import Kept, choose, importance, pruned, require_prunable
from bert_tf.conversion.saving import is_ours
from bert_tf.datasets import task_named
from bert_tf.errors import ConfigError, InputError
from bert_tf.loading import load_task
from bert_tf.pretraining_data.corpus import documents
from bert_tf.recipes.finetune import (
    compile_model,
    configure,
    monitor_of,
    prepare,
    require_fit,
    train_and_measure,
)
from bert_tf.recipes.finetune_rows import (
    batch_source,
    data_digests,
    evaluation_of,
    in_windows,
    read_tables,
    report_rows,
    require_as_trained,
)
from bert_tf.recipes.vocab import trim
from bert_tf.recipes.workdir import (
    claimed_workdir,
    digests,
    model_digests,
    open_workdir,
    save_run,
)
from bert_tf.text import Tokenizer
from bert_tf.training.distribution import is_chief
from bert_tf.training.evaluation import evaluate

# In the workdir: what stays, so that a run that goes on has the same model.
KEPT_FILE = "kept.json"


def prune(config, workdir):
    """Makes a trained task smaller as a configuration says, or continues where a run stopped.

    Args:
      config: PruneConfig.
      workdir: str, made if absent; holds what `finetune` writes, and `kept.json`: what stays.
    Returns:
      dict as of `finetune`, and of `before` (the whole model) and `pruned` (before it is trained
      again) the figures on the validation rows, and `parameters`.
    Raises:
      As `finetune`; ConfigError also where more is to stay than there is.
    """
    plain, section = config.finetuning(), config.pruning
    data = data_digests(plain) | model_digests(config.model.path)
    if section.vocabulary is not None:
        with contextlib.suppress(InputError):  # whoever reads them says what is wrong
            data |= digests(documents.expand(section.vocabulary))
    finished = open_workdir(workdir, config, data)
    if finished is not None:
        return finished
    task = task_named(config.task)
    strategy = prepare(plain, task)
    with _trimmed(config.model.path, section) as path:
        tokenizer = Tokenizer.from_pretrained(path)
        with strategy.scope():
            whole = load_task(path)
    if type(whole) is not task:
        kind, wanted = type(whole).__name__, task.__name__
        raise InputError(f"{config.model.path}: a {kind}, wanted a trained {wanted}")
    require_fit(plain, whole.encoder, tokenizer)
    require_as_trained(plain, whole)
    tables = read_tables(plain, task, like=whole)
    tables = in_windows(tables, plain, task, tokenizer)
    source = batch_source(plain, task, tables["train"], tokenizer)
    steps = config.train.steps or source.epoch_steps * config.train.epochs
    kept = _kept(whole, source, config, workdir, tokenizer)
    with strategy.scope():
        try:
            model = pruned(whole, kept)
            if (section.linear_rank, section.word_rank) != (None, None):
                model = factorized(model, section.linear_rank, section.word_rank)
        except InputError as error:
            raise _of_section(error, section) from None
        model.settle(None)  # what the whole model's answers have told
        configure(model, plain)
        compile_model(model, config.train, steps, source.epoch_steps)
    monitor = monitor_of(config.train.best_metric, model, tables["validation"])
    report_rows(plain, task, tables, tokenizer, steps if section.recover else 0)
    batches = evaluation_of(plain, task, tables, tokenizer)
    chief = is_chief(strategy)
    with claimed_workdir(workdir, config, data, chief):
        if chief:
            told = kept._asdict() | {"tokenizer": tokenizer.fingerprint}
            write_file(os.path.join(workdir, KEPT_FILE), json.dumps(told) + "\n")
        rows = batches["validation"], tables["validation"]
        before = {
            "before": _measured(whole, config.model.path, rows),
            "pruned": _measured(model, "pruned", rows),
        }
        del whole
        if section.recover:
            run = (source, steps, workdir, config.train)
            results = train_and_measure(model, *run, model, batches, tables, monitor)
        else:
            results = {part: evaluate(model, batches[part], tables[part]) for part in batches}
            model.settle(results["validation"])
            results = {"best_step": 0, "steps": 0, "skipped": 0, **results}
        if chief:
            save_run(model, tokenizer, workdir, {**results, **before})
            _say_where(model, workdir)
    return {**results, **before}


@contextlib.contextmanager
def _trimmed(path, section):
    """The model's folder, or one of the same model with fewer entries in its vocabulary."""
    if section.vocabulary is None:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        target = os.path.join(folder, "model")
        told = trim(path, section.vocabulary, target, section.min_frequency)
        logging.info("vocabulary: %d of %d entries stay", told["entries"], told["entries_before"])
        yield target


def _kept(model, source, config, workdir, tokenizer):
    """What stays, as an earlier run has chosen it or by the rows.

    Raises:
      InputError: that run's vocabulary is another.
      ConfigError: more is to stay than there is.
    """
    section, file = config.pruning, os.path.join(workdir, KEPT_FILE)
    if os.path.exists(file):
        try:
            with open(file, encoding="utf-8") as opened:
                told = json.load(opened)
            vocabulary = told.pop("tokenizer", tokenizer.fingerprint)
            kept = Kept(**told)
        except (ValueError, TypeError, AttributeError):
            logging.warning("%s: damaged, left aside", file)
        else:
            if vocabulary != tokenizer.fingerprint:
                raise InputError(
                    f"{workdir}: the run there has another vocabulary; wanted the files of "
                    "model.path and pruning.vocabulary as they were, or another workdir"
                )
            return kept
    sought = (section.layers, section.heads, section.neurons)
    try:
        found = []
        if any(isinstance(x, int) for x in sought):
            require_prunable(model, *sought)
            batches = source.batches(0, math.ceil(section.rows / config.train.batch_size))
            found = importance(model, batches, layers=isinstance(section.layers, int))
        return choose(found, len(model.encoder.blocks), *sought)
    except InputError as error:
        raise _of_section(error, section) from None


def _of_section(error, section):
    """What is wrong with a setting or with the model, as a ConfigError with the setting's key."""
    said = str(error).removeprefix("keep_")
    keys = {field.name for field in dataclasses.fields(section)}
    return ConfigError(f"pruning.{said}" if said.partition(":")[0] in keys else f"pruning: {said}")


def _measured(model, name, rows):
    """Figures on the validation rows, with the number of parameters."""
    figures = {"parameters": model.count_params(), **evaluate(model, *rows)}
    logging.info("%s: %d parameters, loss %.4f", name, figures["parameters"], figures["loss"])
    return figures


def _say_where(model, workdir):
    """Says of what no other package can express that it opens here alone."""
    config = model.encoder.config
    own = [name for name in config.own_sizes if getattr(config, name) is not None]
    if is_ours(model.encoder) and own:
        logging.info(
            "%s/model: opens here alone: no other package's %s has %s",
            *(workdir, config.model_type, " and ".join(own)),
        )
