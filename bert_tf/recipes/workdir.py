"""The folder of a run: whose it is, what a finished run leaves in it."""

import contextlib
import json
import os

from absl import logging

from bert_tf import config as configs
from bert_tf.atomic import new_directory, write_file
from bert_tf.errors import ConfigError, InputError
from bert_tf.training.journal import draw_curves, finite


def open_workdir(workdir, config):
    """Recognises a workdir.

    Returns:
      The results of a finished run, else None.
    Raises:
      ConfigError: it belongs to a run with another configuration; the keys that differ are named.
      InputError: it cannot be read.
    """
    path = os.path.join(workdir, "config.yaml")
    if os.path.exists(path):
        differing = configs.differing_keys(configs.load(type(config), path), config)
        if differing:
            shown = ", ".join(
                f"{key} ({before!r} there, {now!r} now)" for key, (before, now) in differing.items()
            )
            raise ConfigError(f"{workdir}: belongs to a run with another configuration: {shown}")
    with _usable(workdir):
        if os.path.exists(workdir):
            os.listdir(workdir)  # a folder, and ours to read; said before the long work begins
    results = results_in(workdir)
    if results is not None:
        logging.info("%s: this run is finished", workdir)
    return results


def results_in(folder):
    """What `metrics.json` in a folder holds, dict; None where there is none, nothing is finished.

    Raises:
      InputError: it cannot be read.
    """
    path = os.path.join(folder, "metrics.json")
    with _usable(folder):
        if not os.path.exists(path):
            return None
        with open(path) as file:
            return json.load(file)


def claim_workdir(workdir, config):
    """Makes a workdir and writes down whose it is; a run does so once nothing can be wrong with its
    configuration, so that a correction may use the same workdir.

    Raises:
      InputError: it cannot be written.
    """
    path = os.path.join(workdir, "config.yaml")
    with _usable(workdir):
        os.makedirs(workdir, exist_ok=True)
        if not os.path.exists(path):
            write_file(path, configs.to_yaml(config))


@contextlib.contextmanager
def _usable(workdir):
    try:
        yield
    except OSError as error:
        raise InputError(f"{workdir}: cannot be used as a workdir ({error.strerror})") from error


def save_run(model, tokenizer, workdir, results):
    """Writes the model directory and the curves of a run, and marks it finished."""
    save_model(model, tokenizer, workdir)
    draw_curves(workdir)
    finish(workdir, results)


def save_model(model, tokenizer, workdir):
    """Writes the model directory; one that is there stays until the new one is whole."""
    with new_directory(os.path.join(workdir, "model"), replace=True) as folder:
        model.save_pretrained(folder, tokenizer)


def finish(folder, results):
    """Writes metrics.json, which comes last of all and marks a run or a phase finished."""
    text = json.dumps(finite(results), indent=2) + "\n"
    write_file(os.path.join(folder, "metrics.json"), text)
