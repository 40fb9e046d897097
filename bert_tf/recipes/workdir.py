"""The folder of a run: its configuration, its data, its lock, what a finished run leaves in it."""

import contextlib
import glob
import hashlib
import json
import os
import re
import shutil

from absl import logging

from bert_tf import config as configs
from bert_tf.atomic import locked, new_directory, write_file
from bert_tf.errors import ConfigError, InputError, shown
from bert_tf.training.confusion import draw_confusion
from bert_tf.training.journal import draw_curves, finite

# What a killed run leaves beside the files of a workdir, of this version and of earlier ones.
_LEFTOVER = re.compile(
    r"\.?(model|(config|metrics|data|curves|confusion(_[\w-]+)?|forgetting)\.(yaml|jsonl?|png))(\.\w+)?\.tmp"
)


def open_workdir(workdir, config, data=None):
    """Checks that a workdir is free or this run's own, and whether the run is finished.

    Args:
      workdir: str; it need not exist.
      config: the configuration of the run.
      data: None, or what `digests` says of the run's data.
    Returns:
      dict, the results of a finished run, else None.
    Raises:
      ConfigError: it belongs to a run with another configuration; the keys that differ are named.
      InputError: it cannot be used, or its configuration is damaged.
    """
    if set(os.fspath(workdir)) & set("*?[\\"):
        raise InputError(
            f"{workdir}: TensorFlow reads no checkpoints below a name with *, ?, [ or \\; "
            "wanted another workdir"
        )
    path = os.path.join(workdir, "config.yaml")
    if os.path.exists(path):
        differing = configs.differing_keys(_read_config(type(config), path), config)
        if differing:
            keys = ", ".join(
                f"{key} ({shown(before)} there, {shown(now)} now)"
                for key, (before, now) in differing.items()
            )
            raise ConfigError(f"{workdir}: belongs to a run with another configuration: {keys}")
    with _usable(workdir):
        if os.path.exists(workdir):
            os.listdir(workdir)  # fails now, not after the long work, if it is no readable folder
    results = results_in(workdir)
    if results is not None:
        logging.info("%s: this run is finished", workdir)
        if data is not None:
            _compared(workdir, data)
    return results


def results_in(folder):
    """The results that `metrics.json` in a folder holds.

    Returns:
      dict; None where there is no such file, or a damaged one: the run is not finished.
    Raises:
      InputError: it cannot be read.
    """
    return _read_json(os.path.join(folder, "metrics.json"), _are_results)


@contextlib.contextmanager
def claimed_workdir(workdir, config, data=None, chief=True):
    """Within it a workdir is this process's own.

    A run enters it once nothing can be wrong with its configuration, so that a corrected one may
    use the same workdir. The folder is made and locked, leftovers of a killed run are removed, and
    `config.yaml` and `data.json` are written; data that changed since then are named in a warning.

    Args:
      workdir: str.
      config: the configuration of the run.
      data: None, or what `digests` says of the run's data.
      chief: bool; of several workers one claims the workdir, for all of them.
    Raises:
      InputError: it cannot be written, or another process is using it.
    """
    if not chief:
        yield
        return
    with _usable(workdir):
        os.makedirs(workdir, exist_ok=True)
    with locked(workdir):
        _remove_leftovers(workdir)
        claim_workdir(workdir, config)
        if data is not None and not _compared(workdir, data):
            write_file(os.path.join(workdir, "data.json"), json.dumps(data, indent=2) + "\n")
        yield


def claim_workdir(workdir, config):
    """Makes a workdir and writes its `config.yaml`.

    Raises:
      InputError: it cannot be written.
    """
    path = os.path.join(workdir, "config.yaml")
    with _usable(workdir):
        os.makedirs(workdir, exist_ok=True)
        if os.path.exists(path):
            return
        # Its own or its phases', not those of intermediate tasks, which have configurations.
        saved = [os.path.join(x, "checkpoints/ckpt-*.digest") for x in ("", "phase_*")]
        if any(glob.glob(os.path.join(glob.escape(workdir), x)) for x in saved):
            logging.warning("%s: is gone; the run goes on with the configuration given", path)
        write_file(path, configs.to_yaml(config))


def digests(paths):
    """Size and digest of the files a run trains on, for `data.json`.

    Args:
      paths: iterable of str. What is no file, or cannot be read, is left out.
    Returns:
      dict of path -> dict of `bytes`, int, and `blake2b`, str.
    """
    found = {}
    for path in filter(os.path.isfile, paths):
        with contextlib.suppress(OSError), open(path, "rb") as file:
            digest = hashlib.file_digest(file, "blake2b").hexdigest()
            found[path] = {"bytes": file.tell(), "blake2b": digest}
    return found


def model_digests(path):
    """The same of a model's files; {} of one that is no folder or file here."""
    return digests(glob.glob(os.path.join(glob.escape(path), "*")) + [path])


def save_run(model, tokenizer, workdir, results, scores=()):
    """Writes the model directory and the pictures of a run, and marks it finished; `scores` as in
    `draw_curves`."""
    save_model(model, tokenizer, workdir)
    draw_curves(workdir, scores)
    part = "test" if "test" in results else "validation"
    names = getattr(model, "label_names", None)
    title = f"{part}, {results[part].get('rows')} rows"
    draw_confusion(results[part], names, os.path.join(workdir, "confusion.png"), title)
    finish(workdir, results)


def save_model(model, tokenizer, workdir):
    """Writes the model directory; one that is there stays until the new one is whole."""
    with new_directory(os.path.join(workdir, "model"), replace=True) as folder:
        model.save_pretrained(folder, tokenizer)


def finish(folder, results):
    """Writes metrics.json, which comes last of all and marks a run or a phase finished."""
    text = json.dumps(finite(results), indent=2) + "\n"
    write_file(os.path.join(folder, "metrics.json"), text)


def _read_config(config_class, path):
    try:
        return configs.load(config_class, path)
    except ConfigError as error:
        raise InputError(
            f"{error}; the file is damaged, or another version of bert_tf wrote it: "
            "remove it to go on with the configuration given"
        ) from None


def _compared(workdir, data):
    """Names, in a warning, the data that are not those of `data.json`; False if there is none."""
    before = _read_json(os.path.join(workdir, "data.json"), lambda value: isinstance(value, dict))
    if before is None:
        return False
    changed = sorted(name for name in {*before, *data} if before.get(name) != data.get(name))
    if changed:
        names = ", ".join(changed[:3]) + f" and {len(changed) - 3} more" * (len(changed) > 3)
        logging.warning(
            "%s: changed since the run in %s began; what it learned before is of others",
            names,
            workdir,
        )
    return True


def _read_json(path, accepts):
    """A JSON file; None where there is none or, after a warning, a damaged one."""
    try:
        with open(path, "rb") as file:
            value = json.load(file)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        value = None
    if accepts(value):
        return value
    logging.warning("%s: damaged, left aside", path)
    return None


def _are_results(value):
    """Whether a JSON value has the form of results: those of one run, or of phases by name."""
    if not isinstance(value, dict) or not value:
        return False
    if "best_step" not in value:
        return all(map(_are_results, value.values()))
    numbers = isinstance(value["best_step"], int) and isinstance(value.get("steps"), int)
    parts = [value.get("validation"), value.get("test", {})]
    return numbers and all(isinstance(part, dict) for part in parts)


def _remove_leftovers(workdir):
    """Removes the temporary files and folders of a killed run, also those of its phases."""
    with _usable(workdir):
        phases = glob.glob(os.path.join(glob.escape(workdir), "phase_*"))
        for folder in filter(os.path.isdir, [workdir, *phases]):
            for name in filter(_LEFTOVER.fullmatch, os.listdir(folder)):
                path = os.path.join(folder, name)
                shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)


@contextlib.contextmanager
def _usable(workdir):
    try:
        yield
    except OSError as error:
        raise InputError(f"{workdir}: cannot be used as a workdir ({error.strerror})") from error
