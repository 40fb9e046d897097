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
from bert_tf.training.distribution import is_chief, of_chief, per_replica, worker_errors
from bert_tf.training.journal import Journal
from bert_tf.training.step import train_step
from bert_tf.training.written_gradients import kept_by_graph


class Interrupted(Exception):
    """The run was asked to stop and has saved its state; the same command continues it."""


class BatchSource(typing.NamedTuple):
    """The batches of a run, each a function of its step.

    `batches(start_step, stop_step)` -> tf.data.Dataset of (inputs, labels), one global batch a
    step; `rows_of_step(step)` -> the row numbers of that batch; `epoch_steps`, int, steps an epoch.
    """

    batches: typing.Callable
    rows_of_step: typing.Callable
    epoch_steps: int


def train(model, source, steps, workdir, settings, evaluate, monitor):
    """Trains a compiled task model to the last step, from its newest checkpoint if there is one.

    Args:
      model: a TaskModel, compiled in the scope of the strategy it trains under.
      source: BatchSource.
      steps: int, the updates of the whole run.
      workdir: str; `checkpoints/`, `metrics.jsonl` and `events/` are written there.
      settings: the `train` section of the configuration.
      evaluate: function () -> dict of metrics on the validation data, JSON-serializable.
      monitor: (metric name, True if higher is better); the best weights by it are kept.
    Returns:
      dict: `best_step`, `steps` made, `skipped` of them, `stopped_early`, and `seconds` of this
      process by what they were spent on. The model holds the best weights.
    Raises:
      Interrupted: SIGTERM, SIGHUP or Ctrl-C came; the state is saved.
      InputError: too many updates were not finite, or all; no evaluation was finite; the disk is
        full, or a worker has died.
    """
    strategy = model.distribute_strategy
    progress = Progress()
    saver = RunningCheckpoint(
        os.path.join(workdir, "checkpoints"), model, progress, chief=is_chief(strategy)
    )
    step = begun = saver.restore()
    journal = Journal(workdir, step, steps, chief=is_chief(strategy))
    if step:
        journal.say(f"continuing at step {step} of {steps}")
    every = settings.evaluate_every or source.epoch_steps
    if step < steps:
        journal.say("building the first step takes some seconds")
    batches = per_replica(strategy, source.batches(step, steps))
    run = step_function(model, strategy, batches.element_spec, settings.jit)
    iterator = iter(batches)
    stopping = False
    with contextlib.closing(journal), stop_signals() as stop:
        while step < steps and not _out_of_patience(progress, settings):
            with journal.clock("waiting"):
                batch = next(iterator)
            with journal.clock("training"), worker_errors(strategy):
                outcome = run(batch, tf.constant(stop.is_set()))
                journal.count(outcome)
            step += 1
            stopping = bool(outcome["stopping"])
            _count_skips(journal, progress, outcome, step, source, settings)
            if step % settings.log_every == 0 or step == steps:
                with journal.clock("logging"):
                    _log(journal, model, step, source, outcome)
            if step % every == 0 or step == steps:
                with journal.clock("evaluating"), averaged_weights(model):
                    _update_best(journal, saver, evaluate(), monitor, step, source)
            if step % settings.checkpoint_every == 0 or step == steps or stopping:
                with journal.clock("saving"):
                    saver.save(step)
            if stopping and step < steps:
                raise Interrupted(f"saved at step {step} of {steps}; run the same command again")
        # The best weights were damaged and no step is left: the last ones take their place.
        if progress.best_step < 0 and step == begun:
            with journal.clock("evaluating"), averaged_weights(model):
                _update_best(journal, saver, evaluate(), monitor, step, source)
        if step < steps:
            saver.save(step)
    of_chief(strategy, 0.0)  # the chief's files are complete now
    _require_learned(model, progress, step, workdir, settings)
    saver.restore_best()
    return {
        "best_step": int(progress.best_step),
        "steps": step,
        "skipped": step - int(model.optimizer.iterations.numpy()),
        "stopped_early": step < steps,
        "seconds": {name: round(seconds, 3) for name, seconds in journal.seconds.items()},
    }


def step_function(model, strategy, batch_spec, jit=False):
    """The train step on all replicas as one tf.function, traced once for batches of any shape.

    Args:
      model: a compiled TaskModel.
      strategy: the tf.distribute.Strategy it was compiled under.
      batch_spec: `element_spec` of the batches from `per_replica`.
      jit: bool, compile with XLA.
    Returns:
      A function of (a batch from `per_replica`, bool scalar: this process was asked to stop) that
      returns a dict of float32 scalars over all replicas: `tokens` without padding, `positions`
      with it, `gradient_norm`, `applied` (1 or 0), and `stopping` (above 0: a process must stop).
    """

    def replica_step(batch, stop):
        logs = train_step(model, batch)
        masks = _masks(batch[0])
        counts = {
            "tokens": tf.add_n([tf.reduce_sum(tf.cast(mask > 0, tf.float32)) for mask in masks]),
            "positions": tf.add_n([tf.cast(tf.size(mask), tf.float32) for mask in masks]),
            "stopping": tf.cast(stop, tf.float32),
        }
        sums = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, counts)
        return {**sums, "gradient_norm": logs["gradient_norm"], "applied": logs["applied"]}

    signature = [batch_spec, tf.TensorSpec([], tf.bool)]

    @tf.function(input_signature=signature, autograph=False, jit_compile=jit)
    def run(batch, stop):
        # The replicas' results are equal: they have been all-reduced.
        with kept_by_graph():
            results = strategy.run(replica_step, args=(batch, stop))
        return {name: strategy.experimental_local_results(x)[0] for name, x in results.items()}

    return run


def _masks(inputs):
    """The attention mask of a batch, or those of a batch of several tasks, in a list."""
    if "attention_mask" in inputs:
        return [inputs["attention_mask"]]
    return [each["attention_mask"] for each in inputs.values()]


def _log(journal, model, step, source, outcome):
    # A metric without a labelled example since the last line has no mean.
    values = {
        name: float(value)
        for name, value in model.running_means().items()
        if name == "loss" or float(tf.convert_to_tensor(model.means[name].count))
    }
    model.reset_metrics()
    values["gradient_norm"] = float(outcome["gradient_norm"])
    values["learning_rate"] = float(model.optimizer.learning_rate)
    journal.training(step, step / source.epoch_steps, values)


def _count_skips(journal, progress, outcome, step, source, settings):
    """Reports an update that was not applied; too many in a row end the run."""
    if outcome["applied"]:
        if int(progress.skips):
            progress.skips.assign(0)
        return
    progress.skips.assign_add(1)
    skips, rows = int(progress.skips), source.rows_of_step(step - 1)
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


def _require_learned(model, progress, step, workdir, settings):
    """Raises InputError if no update was applied, or no evaluation was finite."""
    if not int(model.optimizer.iterations.numpy()):
        raise InputError(
            f"{workdir}: none of {step} updates was applied: loss or gradient not finite, or loss "
            f"above train.max_loss, {settings.max_loss}"
        )
    if math.isnan(float(progress.best)):
        raise InputError(
            f"{workdir}: diverged: no evaluation up to step {step} has a finite loss and score; "
            f"learning_rate is {settings.learning_rate}, a lower one helps most often"
        )


def _update_best(journal, saver, values, monitor, step, source):
    """Logs an evaluation, and keeps the weights if its monitored metric is the best so far."""
    name, higher_is_better = monitor
    journal.evaluation(step, step / source.epoch_steps, values, name)
    if name not in values:
        known = ", ".join(key for key, value in values.items() if isinstance(value, float))
        raise InputError(f"train.best_metric: {name!r}, wanted one of {known}")
    value = of_chief(saver.model.distribute_strategy, values[name])
    progress = saver.progress
    best = float(progress.best)
    # Weights that are not finite may have a finite score: all rows get one answer.
    sound = math.isfinite(value) and not math.isnan(values.get("loss", 0.0))
    if sound and (math.isnan(best) or (value > best if higher_is_better else value < best)):
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
    """Within it SIGTERM, SIGHUP (a terminal that is closed) and Ctrl-C set a threading.Event, which
    the loop reads at every step; under nohup a SIGHUP stays ignored."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    kinds = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        kinds.append(signal.SIGHUP)
    before = [signal.signal(kind, lambda *_: stop.set()) for kind in kinds]
    try:
        yield stop
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)
