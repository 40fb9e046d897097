"""The training loop of the commands: steps, evaluations, checkpoints, on one page."""

import contextlib
import math
import os
import signal
import threading
import time

import tensorflow as tf

from bert_tf.errors import InputError
from bert_tf.training.checkpoints import Progress, RunningCheckpoint
from bert_tf.training.journal import Journal


class Interrupted(Exception):
    """The run was asked to stop and has saved its state; the same command continues it."""


def train(model, batches, steps, epoch_steps, workdir, settings, evaluate, watched):
    """Trains a compiled task model, from wherever its workdir stands, to the end.

    Args:
      model: a compiled TaskModel.
      batches: function (start_step, stop_step) -> tf.data.Dataset of (inputs, labels).
      steps: int, updates in the whole run.
      epoch_steps: int, updates in an epoch.
      workdir: str; `checkpoints/`, `metrics.jsonl` and `events/` are written there.
      settings: the `train` section of the configuration.
      evaluate: function () -> dict of metrics on the validation data, JSON-ready.
      watched: (metric name, True if higher is better); the best weights by it are kept.
    Returns:
      dict: `best_step`, `steps` made, and `stopped_early`. The model holds the best weights.
    Raises:
      Interrupted: SIGTERM or Ctrl-C came; the state is saved.
      InputError: the loss is not finite, or the disk is full.
    """
    progress = Progress()
    saver = RunningCheckpoint(os.path.join(workdir, "checkpoints"), model, progress)
    step = saver.restore()
    journal = Journal(workdir, step, steps)
    if step:
        journal.say(f"continuing at step {step} of {steps}")
    every = settings.evaluate_every or epoch_steps
    run = step_function(model, settings.jit)
    iterator = iter(batches(step, steps))
    with contextlib.closing(journal), stop_signals() as stop:
        while step < steps and not _out_of_patience(progress, settings):
            began = time.perf_counter()
            batch = next(iterator)
            waited = time.perf_counter() - began
            tokens, positions, norm = run(batch)
            step += 1
            journal.count(tokens, positions, waited)
            if step % settings.log_every == 0 or step == steps:
                _log(journal, model, step, step / epoch_steps, norm)
            began = time.perf_counter()
            if step % every == 0 or step == steps:
                _judge(journal, saver, evaluate(), watched, step, step / epoch_steps)
            if step % settings.checkpoint_every == 0 or step == steps or stop.is_set():
                saver.save(step)
            journal.pause(time.perf_counter() - began)
            if stop.is_set() and step < steps:
                raise Interrupted(f"saved at step {step} of {steps}; run the same command again")
        saver.save(step)
    saver.restore_best()
    return {
        "best_step": int(progress.best_step),
        "steps": step,
        "stopped_early": step < steps,
    }


def step_function(model, jit=False):
    """The train step as one graph: a batch in; real tokens, positions and gradient norm out."""

    @tf.function(jit_compile=jit, reduce_retracing=True)
    def run(batch):
        logs = model.train_step(batch)
        mask = batch[0]["attention_mask"]
        return tf.math.count_nonzero(mask), tf.size(mask), logs["gradient_norm"]

    return run


def _log(journal, model, step, epoch, norm):
    values = {name: float(value) for name, value in model.running_means().items()}
    model.reset_metrics()
    if not math.isfinite(values["loss"]):
        raise InputError(
            f"step {step}: the loss is {values['loss']}; the last checkpoint is from before. "
            "A lower train.learning_rate helps most often"
        )
    values["gradient_norm"] = float(norm)
    values["learning_rate"] = float(model.optimizer.learning_rate)
    journal.training(step, epoch, values)


def _judge(journal, saver, values, watched, step, epoch):
    """Writes an evaluation down, and keeps the weights if it is the best so far."""
    name, higher = watched
    journal.evaluation(step, epoch, values)
    if name not in values:
        known = ", ".join(key for key, value in values.items() if isinstance(value, float))
        raise InputError(f"train.best_metric: {name!r}, wanted one of {known}")
    value, progress = values[name], saver.progress
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
