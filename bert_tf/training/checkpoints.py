"""The running state of a training on disk: written whole or not at all, and never lost.

The CheckpointManager writes `ckpt-N`; then a digest file names every file of it with its
blake2b, is fsynced, and only its presence makes the checkpoint count. A restart takes the newest
checkpoint whose files match their digest and names the ones it passes over.
"""

import glob
import hashlib
import itertools
import json
import os
import re
import shutil

import tensorflow as tf
from absl import logging

from bert_tf.errors import InputError

# Beside the size of a checkpoint, what must stay free on the disk.
SPARE_BYTES = 64 * 2**20


class Progress(tf.Module):
    """What a run has reached beside its weights: the best evaluation, how many evaluations ago it
    was, and how many updates in a row could not be applied.
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
      chief: bool, whether this process writes; of several workers each reads, and one writes.
    """

    def __init__(self, directory, model, progress, keep=2, chief=True):
        os.makedirs(directory, exist_ok=True)
        self.directory, self.model, self.progress = directory, model, progress
        self.chief = chief
        with model.distribute_strategy.scope():
            model.optimizer.build(model.trainable_variables)
        self.state = tf.train.Checkpoint(model=model, optimizer=model.optimizer, progress=progress)
        self.manager = tf.train.CheckpointManager(
            self.state, directory, max_to_keep=keep, checkpoint_name="ckpt"
        )

    def save(self, step):
        """Writes the state reached after `step` updates.

        Raises:
          InputError: the disk is full or cannot be written; earlier checkpoints are untouched.
        """
        if not self.chief:
            return
        _require_space(self.directory, _bytes_of(self.model, self.model.optimizer))
        prefix = _write(lambda: self.manager.save(checkpoint_number=step), self.directory)
        _write(lambda: _write_digest(prefix, self._shapes()), self.directory)
        best = f"best-{int(self.progress.best_step)}"
        for path in glob.glob(os.path.join(self.directory, "*.digest")):
            name = os.path.basename(path).removesuffix(".digest")
            outdated = name.startswith("best-") and name != best
            if outdated or not os.path.exists(os.path.join(self.directory, name + ".index")):
                for file in [path, *_files(os.path.join(self.directory, name))]:
                    os.remove(file)

    def restore(self):
        """Restores the newest whole checkpoint.

        Returns:
          int, the number of updates it holds; 0 when there is none.
        Raises:
          InputError: there are checkpoints, none of them whole, or they are another model's.
        """
        digests = glob.glob(os.path.join(self.directory, "ckpt-*.digest"))
        numbers = sorted((int(re.findall(r"\d+", path)[-1]) for path in digests), reverse=True)
        for number in numbers:
            prefix = os.path.join(self.directory, f"ckpt-{number}")
            fault = _fault(prefix)
            if fault is None:
                self._require_shapes(prefix)
                self.state.restore(prefix).assert_consumed()
                return number
            logging.warning("%s: %s; passed over", prefix, fault)
        if numbers:
            raise InputError(
                f"{self.directory}: none of {len(numbers)} checkpoints is whole; "
                "remove the folder to start again"
            )
        return 0

    def save_best(self, step):
        """Keeps the weights as the best so far; the running checkpoint refers to them."""
        if not self.chief:
            return
        _require_space(self.directory, _bytes_of(self.model))
        prefix = os.path.join(self.directory, f"best-{step}")
        _write(lambda: self._weights().write(prefix), self.directory)
        _write(lambda: _write_digest(prefix), self.directory)

    def restore_best(self):
        """Puts the best weights back into the model.

        Raises:
          InputError: their files are damaged or gone.
        """
        prefix = os.path.join(self.directory, f"best-{int(self.progress.best_step)}")
        fault = _fault(prefix)
        if fault is not None:
            raise InputError(f"{prefix}: {fault}")
        self._weights().read(prefix).assert_consumed()

    def _shapes(self):
        """The model's weights in their order: [name, shape] each."""
        return [[weight.path, list(weight.shape)] for weight in self.model.weights]

    def _require_shapes(self, prefix):
        # Keras numbers names as it makes layers: the order and the shapes tell, not the names.
        there, here = _read_digest(prefix)["shapes"], self._shapes()
        pairs = itertools.zip_longest(there, here, fillvalue=("nothing", "absent"))
        differing = [
            f"{one[0]} {one[1]} there, {other[0]} {other[1]} here"
            for one, other in pairs
            if one[1] != other[1]
        ]
        if differing:
            more = f"; and {len(differing) - 3} more" if len(differing) > 3 else ""
            raise InputError(f"{prefix}: of another model: {'; '.join(differing[:3])}{more}")

    def _weights(self):
        """The weights alone, in the model's order: no optimizer, no running means."""
        return tf.train.Checkpoint(weights=[weight.value for weight in self.model.weights])


def _files(prefix):
    return sorted(path for path in glob.glob(prefix + ".*") if not path.endswith(".digest"))


def _digest_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def _write_digest(prefix, shapes=()):
    """The file that makes a checkpoint count, written and fsynced after all others.

    Its first line is the blake2b of its second, JSON with the blake2b of every file and the shapes.
    """
    files = {}
    for path in _files(prefix):
        with open(path, "rb") as file:
            os.fsync(file.fileno())
        files[os.path.basename(path)] = _digest_of(path)
    text = json.dumps({"files": files, "shapes": list(shapes)})
    temporary = prefix + ".digest.tmp"
    with open(temporary, "w") as file:
        file.write(hashlib.blake2b(text.encode()).hexdigest() + "\n" + text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, prefix + ".digest")


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


def _write(save, directory):
    try:
        return save()
    except (OSError, tf.errors.OpError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{directory}: a checkpoint could not be written: {reason}") from error
