"""Pretraining: records of raw text, an encoder, and phases of training one after the other."""

import os

import keras
from absl import logging

from bert_tf.errors import ConfigError
from bert_tf.pretraining_data import batches
from bert_tf.pretraining_data.blanks import SPAN_PLACES
from bert_tf.pretraining_data.hidden import known_of
from bert_tf.pretraining_data.records.manifest import MANIFEST
from bert_tf.recipes.finetune import compile_model
from bert_tf.recipes.perplexity import with_perplexity
from bert_tf.recipes.pretrain_phases import labels_of, open_phase, sentences_of
from bert_tf.recipes.pretrain_start import start_model, taught
from bert_tf.recipes.workdir import (
    claimed_workdir,
    digests,
    finish,
    model_digests,
    open_workdir,
    results_in,
    save_model,
)
from bert_tf.text import Tokenizer
from bert_tf.training.checkpoints import Progress, RunningCheckpoint
from bert_tf.training.distribution import is_chief, make_strategy, require_divisible
from bert_tf.training.evaluation import mean_terms
from bert_tf.training.freezing import freeze
from bert_tf.training.journal import draw_curves
from bert_tf.training.loop import BatchSource, train


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
    data = _manifest_digests(config)
    if config.distillation.teacher is not None:
        data |= model_digests(config.distillation.teacher)
    finished = open_workdir(workdir, config, data)
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
    phases = [open_phase(config, number, tokenizer) for number in range(1, len(config.phases) + 1)]
    sentences, labels = sentences_of(config, phases), labels_of(config, phases)
    with strategy.scope():
        model = start_model(config, tokenizer, sentences, labels)
    freeze(model, config.train.freeze)
    for part in (model, *(getattr(model, name) for name in model.companions)):
        if part is not None:
            part.data_settings = {"max_length": phases[-1].rows.max_length}
            if config.objective.words == "denoising":  # what it learned to read
                part.data_settings["special_tokens_in_text"] = True
    _require_fit(config, phases, model)
    if config.distillation.teacher is not None:
        with strategy.scope():
            model = taught(config, model, tokenizer, sentences, labels)
    chief = is_chief(strategy)
    results = {}
    with claimed_workdir(workdir, config, data, chief):
        for phase in phases:
            results[phase.name] = _run(phase, config.objective, model, tokenizer, workdir)
        if chief:
            # A head that nothing has trained would be taken for one that guesses words.
            headless = not getattr(model, "learns_answers", True)
            save_model(model.encoder if headless else model, tokenizer, workdir)
            finish(workdir, results)
    return results


def _manifest_digests(config):
    """Digests of the manifests of a run's records, which hold those of the records."""
    places = [place for phase in config.phases for place in (phase.records, phase.validation)]
    folders = [place for place in places if isinstance(place, str)]
    return digests(os.path.join(folder, MANIFEST) for folder in folders)


def _require_fit(config, phases, model):
    parts = [model.encoder, *filter(None, [getattr(model, "writer", None)])]
    positions = min(part.config.longest_row for part in parts)
    for phase in phases:
        if phase.rows.max_length > positions:
            raise ConfigError(
                f"phases.{phase.number}.records: rows of {phase.rows.max_length} tokens, "
                f"the model has {positions} positions"
            )
        types, two = model.encoder.config.type_vocab_size, phase.rows.sentence_objective != "none"
        if two and types < 2 and config.objective.words != "causal_lm":
            raise ConfigError(
                f"phases.{phase.number}.records: rows of two segments, the model's type_vocab_size "
                f"is {types}"
            )
        _require_records(config.objective.words, phase, types)
        for rows in (phase.rows, phase.held_out):
            if model.encoder.config.type_vocab_size:
                rows.check_labels("segment_ids", model.encoder.config.type_vocab_size)
        _monitor(phase.settings.best_metric, model)


def _require_records(words, phase, types):
    """What an objective over words needs of records and model."""
    where = f"phases.{phase.number}.records"
    drawn_anew = words not in ("masked_lm", "replaced_tokens")
    if drawn_anew and None in (phase.masking, phase.held_out_masking):
        raise ConfigError(
            f"{where}: hold masks of their own, and objective.words is {words}; wanted records "
            "made with --masking=dynamic"
        )
    if words not in ("blank_infilling", "denoising"):
        return
    if phase.rows.sentence_objective != "none":
        raise ConfigError(f"{where}: rows of two segments, and {words} reads one text a row")
    if words == "blank_infilling" and types < SPAN_PLACES:
        raise ConfigError(
            f"model.changes.type_vocab_size is {types}, wanted {SPAN_PLACES}: blank_infilling has "
            "them for the places within a span"
        )


def _batch_source(phase, words, vocabulary):
    """The BatchSource of a phase."""
    drawn = (phase.masking, vocabulary)
    given = dict(
        batch_size=phase.settings.batch_size,
        seed=phase.settings.seed,
        noise=phase.noise,
        packing=phase.packing,
        words=words,
    )
    return BatchSource(
        batches=lambda start, stop: batches.pretraining_batches(
            phase.rows, *drawn, **given, start_step=start, stop_step=stop
        ),
        rows_of_step=lambda step: batches.rows_of_step(phase.rows, *drawn, step, **given),
        epoch_steps=phase.epoch_steps,
    )


def _run(phase, objective, model, tokenizer, workdir):
    """Trains one phase, or puts the weights it ended with into the model; returns its results."""
    settings, folder, steps = phase.settings, os.path.join(workdir, phase.name), phase.steps
    vocabulary = known_of(objective.words, tokenizer, phase.rows, phase.masking)
    source = _batch_source(phase, objective.words, vocabulary)
    with model.distribute_strategy.scope():
        compile_model(
            model,
            settings,
            steps,
            source.epoch_steps,
            loss_factors=objective.loss_factors,
            adversarial=objective.adversarial,
        )
    done = results_in(folder)
    if done is not None:
        _restore(model, folder, done["best_step"])
        return done
    logging.info(
        "%s: %d records of %d tokens, %d held out; %d steps of %d rows, %.1f epochs",
        *(phase.name, len(phase.rows), phase.rows.max_length, len(phase.held_out)),
        *(steps, settings.batch_size, steps / source.epoch_steps),
    )
    if phase.packing is not None:
        order = (settings.batch_size, settings.seed, phase.packing)
        logging.info("packing: %s", batches.packed_order(phase.rows, *order).report())
    held_out = batches.evaluation_batches(
        phase.held_out,
        phase.held_out_masking,
        vocabulary,
        batch_size=settings.batch_size,
        seed=settings.seed,
        words=objective.words,
    )

    found = []

    def measure():
        found.append({"rows": len(phase.held_out), **with_perplexity(mean_terms(model, held_out))})
        return found[-1]

    monitor = _monitor(settings.best_metric, model)
    outcome = train(model, source, steps, folder, settings, measure, monitor)
    # Where the last weights are the best ones, the loop has measured them already.
    measured = found and outcome["best_step"] == outcome["steps"]
    results = {**outcome, "validation": found[-1] if measured else measure()}
    if is_chief(model.distribute_strategy):
        draw_curves(folder)
        finish(folder, results)
    return results


def _monitor(name, model):
    """The figure that picks the best weights, and whether more of it is better."""
    name = name or "loss"
    losses = {"loss", "perplexity", *model.loss_names}
    if name not in losses | set(model.metric_names):
        known = ", ".join([*sorted(losses), *model.metric_names])
        raise ConfigError(f"train.best_metric is {name}, wanted one of {known}")
    return name, name not in losses


def _restore(model, folder, best_step):
    """Puts the weights that a finished phase ended with into the model."""
    progress = Progress()
    progress.best_step.assign(best_step)
    chief = is_chief(model.distribute_strategy)
    folder = os.path.join(folder, "checkpoints")
    RunningCheckpoint(folder, model, progress, chief=chief).restore_best()
