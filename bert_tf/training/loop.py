"""The training loop of the commands: steps, evaluations, checkpoints, on one page."""

import contextlib
import math
import os
import signal
import threading
import typing

import tensorflow as tf

from bert_tf.errors import InputError
from bert_tf.training.averaging import averaged_weights
from bert_tf.training.checkpoints import Progress, RunningCheckpoint
from bert_tf.training.distribution import is_chief, of_chief, per_replica
from bert_tf.training.journal import Journal


class Interrupted(Exception):
    """The run was asked to stop and has saved its state; the same command continues it."""


class Feed(typing.NamedTuple):
    """Where a run's batches come from, every one of them a function of its step's number.

    `batches(start_step, stop_step)` -> tf.data.Dataset of (inputs, labels), whole batches, which
    the replicas share; `rows_of_step(step)` -> the numbers of that step's rows; `epoch_steps`, int.
    """

    batches: typing.Callable
    rows_of_step: typing.Callable
    epoch_steps: int


def train(model, feed, steps, workdir, settings, evaluate, watched):
    """Trains a compiled task model, from wherever its workdir stands, to the end.

    Args:
      model: a TaskModel, compiled in the scope of the strategy it trains under.
      feed: Feed.
      steps: int, batches in the whole run.
      workdir: str; `checkpoints/`, `metrics.jsonl` and `events/` are written there.
      settings: the `train` section of the configuration.
      evaluate: function () -> dict of metrics on the validation data, JSON-ready.
      watched: (metric name, True if higher is better); the best weights by it are kept.
    Returns:
      dict: `best_step`, `steps` made, `skipped` of them, `stopped_early`, and `seconds` that this
      process spent on what. The model holds the best weights.
    Raises:
      Interrupted: SIGTERM or Ctrl-C came; the state is saved.
      InputError: too many updates were not sound, or the disk is full.
    """
    strategy = model.distribute_strategy
    progress = Progress()
    saver = RunningCheckpoint(
        os.path.join(workdir, "checkpoints"), model, progress, chief=is_chief(strategy)
    )
    step = saver.restore()
    journal = Journal(workdir, step, steps, chief=is_chief(strategy))
    if step:
        journal.say(f"continuing at step {step} of {steps}")
    every = settings.evaluate_every or feed.epoch_steps
    if step < steps:
        journal.say("building the first step takes some seconds")
    batches = per_replica(strategy, feed.batches(step, steps))
    run = step_function(model, strategy, batches.element_spec, settings.jit)
    iterator = iter(batches)
    stopping = False
    with contextlib.closing(journal), stop_signals() as stop:
        while step < steps and not _out_of_patience(progress, settings):
            with journal.clock("waiting"):
                batch = next(iterator)
            with journal.clock("training"):
                outcome = _run(run, batch, tf.constant(stop.is_set()), strategy)
                journal.count(outcome)
            step += 1
            epoch = step / feed.epoch_steps
            stopping = bool(outcome["stopping"])
            _count_skips(journal, progress, outcome, step, feed, settings)
            if step % settings.log_every == 0 or step == steps:
                with journal.clock("logging"):
                    _log(journal, model, step, epoch, outcome)
            if step % every == 0 or step == steps:
                with journal.clock("evaluating"), averaged_weights(model):
                    _judge(journal, saver, evaluate(), watched, step, epoch)
            if step % settings.checkpoint_every == 0 or step == steps or stopping:
                with journal.clock("saving"):
                    saver.save(step)
            if stopping and step < steps:
                raise Interrupted(f"saved at step {step} of {steps}; run the same command again")
        if step < steps:
            saver.save(step)
    of_chief(strategy, 0.0)  # wait until its files are there
    saver.restore_best()
    return {
        "best_step": int(progress.best_step),
        "steps": step,
        "skipped": step - int(model.optimizer.iterations.numpy()),
        "stopped_early": step < steps,
        "seconds": {name: round(seconds, 3) for name, seconds in journal.seconds.items()},
    }


def step_function(model, strategy, batch_spec, jit=False):
    """The train step on every replica as one graph, traced once for batches of any length.

    Args:
      model: a compiled TaskModel.
      strategy: the one it was compiled in.
      batch_spec: `element_spec` of the batches from `per_replica`.
      jit: bool, compile with XLA.
    Returns:
      A function of (a batch from `per_replica`, bool scalar: this process wants to stop) giving
      a dict of scalars: `tokens` that are real, `positions` with padding, `gradient_norm`,
      `applied`, and `stopping`: whether any process wants to.
    """

    def replica_step(batch, stop):
        logs = model.train_step(batch)
        mask = batch[0]["attention_mask"]
        counts = {
            "tokens": tf.reduce_sum(tf.cast(mask > 0, tf.float32)),
            "positions": tf.reduce_sum(tf.ones_like(mask, tf.float32)),
            "stopping": tf.cast(stop, tf.float32),
        }
        sums = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, counts)
        return {**sums, "gradient_norm": logs["gradient_norm"], "applied": logs["applied"]}

    signature = [batch_spec, tf.TensorSpec([], tf.bool)]

    @tf.function(input_signature=signature, autograph=False, jit_compile=jit)
    def run(batch, stop):
        # Every replica returns the same numbers: they have been summed.
        each = strategy.run(replica_step, args=(batch, stop))
        return {name: strategy.experimental_local_results(x)[0] for name, x in each.items()}

    return run


def _run(run, batch, stop, strategy):
    """One step; that another worker has died is one line."""
    try:
        return run(batch, stop)
    except tf.errors.OpError as error:
        if strategy.cluster_resolver is None:
            raise
        told = error.message.replace("Graph execution error:", "").split("\n")
        reason = next((line for line in told if line.strip()), type(error).__name__)
        raise InputError(
            f"another worker is gone ({reason[:200]}); run the same command again on every "
            "machine, they continue from the last checkpoint"
        ) from error


def _log(journal, model, step, epoch, outcome):
    # What nothing was labelled with since the last line has no mean.
    values = {
        name: float(value)
        for name, value in model.running_means().items()
        if name == "loss" or float(tf.convert_to_tensor(model.means[name].count))
    }
    model.reset_metrics()
    values["gradient_norm"] = float(outcome["gradient_norm"])
    values["learning_rate"] = float(model.optimizer.learning_rate)
    journal.training(step, epoch, values)


def _count_skips(journal, progress, outcome, step, feed, settings):
    """Tells of an update that was not applied; too many in a row end the run."""
    if outcome["applied"]:
        if int(progress.skips):
            progress.skips.assign(0)
        return
    progress.skips.assign_add(1)
    skips, rows = int(progress.skips), feed.rows_of_step(step - 1)
    journal.say(
        f"step {step}: loss or gradient not finite, or loss above train.max_loss; not applied "
        f"({skips} in a row, at most {settings.max_skips}); rows {', '.join(map(str, rows))}"
    )
    if skips > settings.max_skips:
        raise InputError(
            f"step {step}: {skips} updates in a row could not be applied, train.max_skips is "
            f"{settings.max_skips}; the last good checkpoint is before them. "
            "A lower train.learning_rate helps most often"
        )


def _judge(journal, saver, values, watched, step, epoch):
    """Writes an evaluation down, and keeps the weights if it is the best so far."""
    name, higher = watched
    journal.evaluation(step, epoch, values, name)
    if name not in values:
        known = ", ".join(key for key, value in values.items() if isinstance(value, float))
        raise InputError(f"train.best_metric: {name!r}, wanted one of {known}")
    value = of_chief(saver.model.distribute_strategy, values[name])
    progress = saver.progress
    best = float(progress.best)
    if math.isnan(best) or (value > best if higher else value < best):
        saver.save_best(step)
        progress.best.assign(value)
        progress.best_step.assign(step)
        progress.evaluations_since.assign(0)
    else:
        progress.evaluations_since.assign_add(1)


def _out_of_patience(progress, settings):
    return settings.patience is not None and int(progress.evaluations_since) >= settings.patience


@contextlib.contextmanager
def stop_signals():
    """Within it SIGTERM and Ctrl-C set an event, which the loop looks at after every step."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    kinds = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(kind, lambda *_: stop.set()) for kind in kinds]
    try:
        yield stop
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)
