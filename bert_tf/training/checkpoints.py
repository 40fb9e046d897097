"""The running state of a training on disk: written whole or not at all, and never lost.

A checkpoint is `ckpt-N` of tf.train.Checkpoint after N updates, the best weights are `best-N`. A
digest file beside them, written and synced last, holds the blake2b of every file; only what
matches its digest counts. The file `checkpoint`, which tf.train.latest_checkpoint reads, is written
for other programs and never read here.
"""

import contextlib
import hashlib
import itertools
import json
import os
import re
import shutil

import tensorflow as tf
from absl import logging

from bert_tf import __version__
from bert_tf.atomic import write_file
from bert_tf.errors import InputError

# Beside the size of a checkpoint, what must stay free on the disk.
SPARE_BYTES = 64 * 2**20

# Every file and folder of a checkpoint, those of an interrupted write included.
_FILE_OF = re.compile(r"\.?((?:ckpt|best)-\d+|checkpoint)[._].*")


class Progress(tf.Module):
    """The state of a run beside its weights.

    `best` and `best_step`: the monitored metric of the best evaluation and its step, NaN and -1
    before the first; `evaluations_since` it; `skips`: updates in a row that were not applied.
    """

    def __init__(self):
        self.best = tf.Variable(float("nan"), dtype=tf.float64, trainable=False)
        self.best_step = tf.Variable(-1, dtype=tf.int64, trainable=False)
        self.evaluations_since = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.skips = tf.Variable(0, dtype=tf.int64, trainable=False)


class RunningCheckpoint:
    """Saves and restores the weights, the optimizer and the progress of one run.

    Args:
      directory: str, the `checkpoints` folder of a workdir; made if absent.
      model: a compiled TaskModel.
      progress: Progress.
      keep: int, how many checkpoints stay on disk.
      chief: bool, whether this process writes; of several workers all read and one writes.
    Raises:
      InputError: the folder cannot be made or read.
    """

    def __init__(self, directory, model, progress, keep=2, chief=True):
        self.directory, self.model, self.progress = directory, model, progress
        self.keep, self.chief = keep, chief
        self.saved_step = None
        with _one_line(directory, "cannot be used"):
            os.makedirs(directory, exist_ok=True)
        with model.distribute_strategy.scope():
            model.optimizer.build(model.trainable_variables)
        self.state = tf.train.Checkpoint(model=model, optimizer=model.optimizer, progress=progress)
        self.state.save_counter  # noqa: B018 made by the first access, and part of every file

    def save(self, step):
        """Writes the state after `step` updates and removes what it replaces.

        Raises:
          InputError: the disk is full or cannot be written; earlier checkpoints are untouched.
        """
        if not self.chief or step == self.saved_step:
            return
        needed = _bytes_of(self.model, self.model.optimizer)
        self._write(f"ckpt-{step}", self.state, needed, self._shapes())
        self.saved_step = step
        with _one_line(self.directory, "an old checkpoint could not be removed"):
            steps = self._write_pointer(step)
            kept = {f"best-{int(self.progress.best_step)}", *(f"ckpt-{n}" for n in steps)}
            found = (_FILE_OF.fullmatch(name) for name in os.listdir(self.directory))
            for name in {match[1] for match in found if match} - kept:
                self._remove(name)

    def restore(self):
        """Restores the newest checkpoint that matches its digest.

        Returns:
          int, the number of updates it holds; 0 when there is none.
        Raises:
          InputError: there are checkpoints, none of them whole, or they are another model's or
            another version's.
        """
        with _one_line(self.directory, "cannot be read"):
            steps = self._steps()
        for step in steps:
            prefix = self._prefix(f"ckpt-{step}")
            fault = _fault(prefix)
            if fault is None:
                self._require_shapes(prefix)
                self._read(prefix, self.state.restore)
                self._check_best()
                self._check_pointer(step)
                self.saved_step = step
                return step
            logging.warning("%s: %s; passed over", prefix, fault)
        if steps:
            raise InputError(
                f"{self.directory}: none of {len(steps)} checkpoints is whole; "
                "remove the folder to start again"
            )
        unfinished = sorted(
            name.removesuffix(".index")
            for name in os.listdir(self.directory)
            if re.fullmatch(r"ckpt-\d+\.index", name)
        )
        if unfinished:
            names = ", ".join(unfinished)
            logging.warning("%s: left aside, without a digest: %s", self.directory, names)
        return 0

    def save_best(self, step):
        """Writes the weights as the best so far; the next checkpoint refers to them."""
        if self.chief:
            self._write(f"best-{step}", self._weights(), _bytes_of(self.model))

    def restore_best(self):
        """Puts the best weights back into the model.

        Raises:
          InputError: their files are damaged or gone.
        """
        prefix = self._prefix(f"best-{int(self.progress.best_step)}")
        fault = _fault(prefix)
        if fault is not None:
            raise InputError(f"{prefix}: {fault}")
        self._read(prefix, self._weights().read)

    def _prefix(self, name):
        return os.path.join(self.directory, name)

    def _steps(self):
        """The steps of all checkpoints that have a digest, the newest first."""
        names = (re.fullmatch(r"ckpt-(\d+)\.digest", name) for name in os.listdir(self.directory))
        return sorted((int(name[1]) for name in names if name), reverse=True)

    def _write(self, name, checkpoint, needed, shapes=()):
        """Writes a tf.train.Checkpoint of `needed` bytes, then its digest; or leaves nothing."""
        with _one_line(self.directory, "a checkpoint could not be written"):
            _require_space(self.directory, needed)
            self._remove(name)
            try:
                checkpoint.write(self._prefix(name))
                _write_digest(self._prefix(name), shapes)
            except (OSError, tf.errors.OpError, InputError):
                self._remove(name)
                raise

    def _remove(self, checkpoint):
        """Removes all files of a checkpoint, such as "ckpt-20", its digest first."""
        names = os.listdir(self.directory)
        for name in sorted(names, key=lambda name: not name.endswith(".digest")):
            match = _FILE_OF.fullmatch(name)
            if match and match[1] == checkpoint:
                path = self._prefix(name)
                shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)

    def _read(self, prefix, read):
        """Restores a tf.train.Checkpoint whose files are known to be whole."""
        try:
            status = read(prefix)
            status.expect_partial()  # else TensorFlow logs every value that has no place
            status.assert_consumed()
        except (AssertionError, ValueError, tf.errors.OpError) as error:
            reason = str(error).splitlines()[0][:200]
            raise InputError(f"{prefix}: of another run{_version(prefix)}: {reason}") from error

    def _check_best(self):
        """Sets the best evaluation aside if its weights are lost: later ones take its place."""
        step = int(self.progress.best_step)
        prefix = self._prefix(f"best-{step}")
        fault = None if step < 0 else _fault(prefix)
        if fault is not None:
            logging.warning("%s: %s; left aside, later evaluations take its place", prefix, fault)
            self.progress.best.assign(float("nan"))
            self.progress.best_step.assign(-1)

    def _check_pointer(self, step):
        """Writes the file `checkpoint` anew: it may be damaged, or name what was passed over."""
        if not self.chief:
            return
        path = self._prefix("checkpoint")
        with _one_line(path, "cannot be used"):
            if os.path.exists(path):
                with open(path, "rb") as file:
                    if not file.read(100).startswith(b'model_checkpoint_path: "'):
                        logging.warning("%s: damaged, left aside; the digests count", path)
            self._write_pointer(step)

    def _write_pointer(self, step):
        """Writes `checkpoint`, a CheckpointState in text form; returns the steps it names."""
        steps = [number for number in self._steps() if number <= step][: self.keep]
        lines = [f'model_checkpoint_path: "ckpt-{step}"']
        lines += [f'all_model_checkpoint_paths: "ckpt-{number}"' for number in reversed(steps)]
        write_file(self._prefix("checkpoint"), "\n".join(lines) + "\n")
        return steps

    def _shapes(self):
        """The model's weights in their order: [name, shape] each."""
        return [[weight.path, list(weight.shape)] for weight in self.model.weights]

    def _require_shapes(self, prefix):
        # Keras numbers names in the order of creation: order and shapes are compared, not names.
        there, here = _read_digest(prefix)["shapes"], self._shapes()
        pairs = itertools.zip_longest(there, here, fillvalue=("nothing", "absent"))
        differing = [
            f"{one[0]} {one[1]} there, {other[0]} {other[1]} here"
            for one, other in pairs
            if one[1] != other[1]
        ]
        if differing:
            more = f"; and {len(differing) - 3} more" if len(differing) > 3 else ""
            raise InputError(
                f"{prefix}: of another model{_version(prefix)}: {'; '.join(differing[:3])}{more}"
            )

    def _weights(self):
        """The weights alone, in the model's order: no optimizer, no running means."""
        return tf.train.Checkpoint(weights=[weight.value for weight in self.model.weights])


@contextlib.contextmanager
def _one_line(path, what):
    """Within it what Python or TensorFlow say of files becomes one line."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: {what}: {error.strerror or error}") from error
    except tf.errors.OpError as error:
        # Without the names of TensorFlow's graph and operation.
        reason = re.sub(r"\{\{.*?\}\} *| *\[Op:.*", "", error.message.splitlines()[0])
        raise InputError(f"{path}: {what}: {reason}") from error


def _files(prefix):
    """The files of a checkpoint that its digest covers."""
    directory, name = os.path.split(prefix)
    parts = sorted(os.listdir(directory))
    return [
        os.path.join(directory, part) for part in parts if re.match(rf"{name}\.(index|data)", part)
    ]


def _digest_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def _write_digest(prefix, shapes=()):
    """Writes the file that makes a checkpoint count, once all others are on the disk.

    Its first line is the blake2b of its second: JSON with `files` (name -> blake2b), `shapes` (of
    the weights) and `version` (of bert_tf).
    """
    files = {}
    for path in _files(prefix):
        with open(path, "rb") as file:
            os.fsync(file.fileno())
        files[os.path.basename(path)] = _digest_of(path)
    text = json.dumps({"files": files, "shapes": list(shapes), "version": __version__})
    write_file(prefix + ".digest", hashlib.blake2b(text.encode()).hexdigest() + "\n" + text)


def _read_digest(prefix):
    with open(prefix + ".digest", "rb") as file:
        own, _, text = file.read().partition(b"\n")
    if hashlib.blake2b(text).hexdigest().encode() != own:
        raise ValueError("its digest is damaged")
    return json.loads(text)


def _fault(prefix):
    """What is wrong with a checkpoint's files; None if they match their digest."""
    try:
        for name, digest in _read_digest(prefix)["files"].items():
            if _digest_of(os.path.join(os.path.dirname(prefix), name)) != digest:
                return f"{name} does not match its digest"
    except (OSError, ValueError) as error:
        return f"cannot be read ({error})"
    return None


def _version(prefix):
    """Which version of bert_tf wrote a checkpoint, where that is not this one; for messages."""
    version = _read_digest(prefix).get("version", "0.1.0")
    return (
        "" if version == __version__ else f" (written by bert_tf {version}, this is {__version__})"
    )


def _bytes_of(*owners):
    """What the variables of Keras models and optimizers take on disk."""
    return sum(
        v.value.shape.num_elements() * v.value.dtype.size for x in owners for v in x.variables
    )


def _require_space(directory, needed):
    free = shutil.disk_usage(directory).free
    if free < needed + SPARE_BYTES:
        raise InputError(
            f"{directory}: {free / 2**20:.0f} MiB free on its disk, the next checkpoint needs "
            f"{(needed + SPARE_BYTES) / 2**20:.0f} MiB"
        )
