"""Pretraining: records of raw text, an encoder, and phases of training one after the other."""

import dataclasses
import math
import os
import typing

import keras
from absl import logging

from bert_tf.config import MaskingSection
from bert_tf.data import pretraining
from bert_tf.data.masking import Masking, MaskingVocabulary
from bert_tf.data.noise import Noise
from bert_tf.data.packing import Packing
from bert_tf.data.records.part import split_records
from bert_tf.data.records.table import RecordTable
from bert_tf.errors import ConfigError
from bert_tf.recipes.finetune import compile_model
from bert_tf.recipes.pretrain_start import start_model
from bert_tf.recipes.workdir import claim_workdir, finish, open_workdir, results_in, save_model
from bert_tf.text import Tokenizer
from bert_tf.training.checkpoints import Progress, RunningCheckpoint
from bert_tf.training.distribution import is_chief, make_strategy, require_divisible
from bert_tf.training.evaluation import mean_terms
from bert_tf.training.freezing import freeze
from bert_tf.training.journal import draw_curves
from bert_tf.training.loop import Feed, train

# Objectives of two answers: which of them foreign records hold, the records do not say.
_TWO_WAY = {"next_sentence", "sentence_order"}


class Phase(typing.NamedTuple):
    """A phase as it will be run: its number from 1, its `train` section, and its rows."""

    number: int
    settings: object
    rows: object
    held_out: object
    packing: Packing | None

    @property
    def name(self):
        """str, of its folder and in the results."""
        return f"phase_{self.number}"


def pretrain(config, workdir):
    """Pretrains as a configuration says, or continues where an earlier run stopped.

    Each phase trains in a folder of its own, phase_1, phase_2, ...; the next one goes on from its
    best weights with a fresh optimizer.

    Args:
      config: PretrainConfig.
      workdir: str, made if absent; holds everything the run writes.
    Returns:
      dict, what `metrics.json` in the workdir holds: by phase what its training came to, and the
      figures of its best weights on the records held out.
    Raises:
      ConfigError: a value cannot be used, or the workdir belongs to another configuration.
      InputError: records or a model cannot be read, or the training failed.
      training.loop.Interrupted: stopped by a signal, and saved.
    """
    finished = open_workdir(workdir, config)
    if finished is not None:
        return finished
    strategy = make_strategy(config.distribution)
    for section in config.phases:
        settings = section.settings(config.train)
        replicas = strategy.num_replicas_in_sync
        require_divisible(settings.batch_size, replicas, settings.accumulate)
    keras.config.set_dtype_policy(config.train.precision)
    keras.utils.set_random_seed(config.train.seed)
    tokenizer = Tokenizer.from_pretrained(config.model.tokenizer or config.model.path)
    phases = [_phase(config, number, tokenizer) for number in range(1, len(config.phases) + 1)]
    sentences, labels = _sentences(config, phases), _labels(config, phases)
    with strategy.scope():
        model = start_model(config, tokenizer, sentences, labels)
    freeze(model, config.train.freeze)
    for part in (model, getattr(model, "generator", None)):
        if part is not None:
            part.encoder.recompute = config.train.recompute
    _require_fit(config, phases, model)
    chief = is_chief(strategy)
    if chief:
        claim_workdir(workdir, config)
    results = {}
    for phase in phases:
        results[phase.name] = _run(config, phase, model, tokenizer, workdir)
    model.data_settings = {"max_length": phases[-1].rows.max_length}
    if chief:
        save_model(model, tokenizer, workdir)
        finish(workdir, results)
    return results


def _phase(config, number, tokenizer):
    """Opens the records of a phase; raises for what in them does not fit the configuration."""
    section = config.phases[number - 1]
    # Another seed for each: a second phase on the same records has another order and other masks.
    settings = section.settings(config.train)
    settings = dataclasses.replace(settings, seed=(settings.seed + number - 1) % 2**31)
    rows = RecordTable(section.records, tokenizer)
    where = f"phases.{number}.validation is {section.validation}"
    if isinstance(section.validation, str):
        held_out = RecordTable(section.validation, tokenizer)
        differing = {
            name
            for name in ("max_length", "sentence_objective")
            if getattr(rows, name) != getattr(held_out, name)
        }
        if differing:
            raise ConfigError(f"{where}: another {min(differing)} than that of {section.records}")
    else:
        copies = rows.manifest.settings.get("dupe_factor", 1) if rows.manifest is not None else 1
        if copies > 1:
            raise ConfigError(
                f"{where}, and {section.records} holds every text {copies} times: the share would "
                "be seen in training too; wanted records of other texts"
            )
        rows, held_out = split_records(rows, section.validation, config.train.seed)
    if rows.max_predictions is not None and config.masking != MaskingSection():
        raise ConfigError(
            f"masking is given, and {section.records} holds masks of its own; "
            "wanted records made with --masking=dynamic"
        )
    return Phase(number, settings, rows, held_out, Packing() if section.packing else None)


def _sentences(config, phases):
    """The objective over sentences, which all phases share; "none" for none."""
    objective, kinds = config.objective, {phase.rows.sentence_objective for phase in phases}
    if objective.sentences == "none" or objective.words == "replaced_tokens":
        return "none"
    if len(kinds) > 1:
        raise ConfigError(
            f"phases: records for {' and '.join(sorted(kinds))}, wanted one objective for all"
        )
    (kind,) = kinds
    wanted = objective.sentences or kind
    foreign = all(phase.rows.manifest is None for phase in phases)
    if wanted != kind and not (foreign and {wanted, kind} == _TWO_WAY):
        raise ConfigError(f"objective.sentences is {wanted}, and the records are made for {kind}")
    return wanted


def _labels(config, phases):
    """The further labels to learn, as the task takes them: told, or those of the records."""
    told = config.objective.extra_labels
    if told is None and config.objective.words == "replaced_tokens":
        return {}
    labels = _kinds(phases[0].rows)
    for phase in phases:
        section = config.phases[phase.number - 1]
        for rows, source in ((phase.rows, section.records), (phase.held_out, section.validation)):
            source = source if isinstance(source, str) else section.records
            if told is not None:
                _check_labels(told, rows, source)
            elif _kinds(rows) != labels:
                others = _kinds(rows)
                name = min(x for x in labels | others if labels.get(x) != others.get(x))
                raise ConfigError(
                    f"{source}: label {name!r} is not as in {config.phases[0].records}; wanted "
                    f"records made with --label={name}=A,B,..., the same classes in all, or "
                    "objective.extra_labels: {} to leave labels aside"
                )
    tables = [rows.labels for phase in phases for rows in (phase.rows, phase.held_out)]
    if told is None:
        told = {
            name: {"of": of, "num_labels": max(_size(table[name]) for table in tables)}
            for name, (of, _) in labels.items()
        }
    return {name: _named(name, label, tables) for name, label in told.items()}


def _kinds(rows):
    """What the labels of records are, as far as all have to agree: of a cloze question the number
    of candidates may differ."""
    return {name: (label["of"], label.get("names")) for name, label in rows.labels.items()}


def _size(label):
    """How many classes, or candidates, a label of records has."""
    return label["candidates"] if label["of"] == "cloze" else len(label["names"])


def _named(name, label, tables):
    """A label with the names of its classes, if all records have the same and as many as told."""
    names, *others = [table.get(name, {}).get("names") for table in tables]
    same = names is not None and all(each == names for each in others)
    return label | ({"names": names} if same and len(names) == label["num_labels"] else {})


def _check_labels(told, rows, source):
    for name, label in told.items():
        where = f"objective.extra_labels.{name}"
        known = rows.labels.get(name)
        length = rows.max_length if label["of"] == "token" else 1
        has = rows.features.get(name, (0,))[0]
        if has != length:
            raise ConfigError(
                f"{where} is of a {label['of']}: wanted a column of length {length} in {source}, "
                + (f"which has it with {has}" if has else "which has none")
            )
        of = known["of"] if known else "sentence"
        if "cloze" in (label["of"], of) and of != label["of"]:
            raise ConfigError(
                f"{where} is of a {label['of']}, wanted of a {of}, as {source} has it"
            )
        if known and _size(known) > label["num_labels"]:
            raise ConfigError(
                f"{where}.num_labels is {label['num_labels']}, and {source} has {_size(known)} "
                + ("candidates" if of == "cloze" else "classes")
            )


def _require_fit(config, phases, model):
    positions = model.encoder.config.max_position_embeddings
    for phase in phases:
        if phase.rows.max_length > positions:
            raise ConfigError(
                f"phases.{phase.number}.records: rows of {phase.rows.max_length} tokens, "
                f"the model has {positions} positions"
            )
        _watched(phase.settings.best_metric, model)


def _run(config, phase, model, tokenizer, workdir):
    """Trains one phase, or puts the weights it ended with into the model; returns its results."""
    settings, folder = phase.settings, os.path.join(workdir, phase.name)
    noise = Noise(**dataclasses.asdict(config.noise))
    vocabulary = MaskingVocabulary.of(tokenizer)
    drawn = (_masking(config, phase.rows), vocabulary)
    given = dict(
        batch_size=settings.batch_size,
        seed=settings.seed,
        noise=noise if noise != Noise() else None,
        packing=phase.packing,
    )
    feed = Feed(
        batches=lambda start, stop: pretraining.pretraining_batches(
            phase.rows, *drawn, **given, start_step=start, stop_step=stop
        ),
        rows_of_step=lambda step: pretraining.rows_of_step(phase.rows, *drawn, step, **given),
        epoch_steps=pretraining.epoch_steps(phase.rows, settings.batch_size, phase.packing),
    )
    steps = settings.steps or feed.epoch_steps * settings.epochs
    with model.distribute_strategy.scope():
        compile_model(model, settings, steps, feed.epoch_steps)
    done = results_in(folder)
    if done is not None:
        _restore(model, folder, done["best_step"])
        return done
    logging.info(
        "%s: %d records of %d tokens, %d held out; %d steps of %d rows, %.1f epochs",
        *(phase.name, len(phase.rows), phase.rows.max_length, len(phase.held_out)),
        *(steps, settings.batch_size, steps / feed.epoch_steps),
    )
    if phase.packing is not None:
        order = (settings.batch_size, settings.seed, phase.packing)
        logging.info("packing: %s", pretraining.packed_order(phase.rows, *order).report())
    held_out = pretraining.evaluation_batches(
        phase.held_out,
        _masking(config, phase.held_out),
        vocabulary,
        batch_size=settings.batch_size,
        seed=settings.seed,
    )

    def measure():
        return {"rows": len(phase.held_out), **figures(mean_terms(model, held_out))}

    watched = _watched(settings.best_metric, model)
    outcome = train(model, feed, steps, folder, settings, measure, watched)
    results = {**outcome, "validation": measure()}
    if is_chief(model.distribute_strategy):
        draw_curves(folder)
        finish(folder, results)
    return results


def _masking(config, rows):
    """How the words of records are masked; None for records that have masks of their own."""
    if rows.max_predictions is not None:
        return None
    return Masking(**dataclasses.asdict(config.masking))


def figures(means):
    """The means of `mean_terms`, and `perplexity`, the exponential of the masked-LM loss."""
    if "masked_lm" not in means:
        return means
    return {**means, "perplexity": math.exp(min(means["masked_lm"], 700.0))}


def _watched(name, model):
    """The figure that picks the best weights, and whether more of it is better."""
    name = name or "loss"
    losses = {"loss", "perplexity", *model.loss_names}
    if name not in losses | set(model.quality_names):
        known = ", ".join([*sorted(losses), *model.quality_names])
        raise ConfigError(f"train.best_metric is {name}, wanted one of {known}")
    return name, name not in losses


def _restore(model, folder, best_step):
    """Puts the weights that a finished phase ended with into the model."""
    progress = Progress()
    progress.best_step.assign(best_step)
    chief = is_chief(model.distribute_strategy)
    folder = os.path.join(folder, "checkpoints")
    RunningCheckpoint(folder, model, progress, chief=chief).restore_best()
