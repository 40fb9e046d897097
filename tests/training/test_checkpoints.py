"""The running state on disk: whole or not at all, the best weights kept, damage passed over."""

import collections
import errno
import logging
import os

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_tf.errors import InputError
from bert_tf.training import checkpoints
from bert_tf.training.checkpoints import Progress, RunningCheckpoint

from .stand_in import Line, batch, line, same_bits


def saver_of(folder, model=None):
    model = model or line(keras.optimizers.Adam(0.01))
    return RunningCheckpoint(str(folder), model, Progress())


def step(saver, count=1):
    for _ in range(count):
        at = int(saver.model.optimizer.iterations.numpy())
        saver.model.train_step(tf.nest.map_structure(tf.constant, batch(at)))


def names(folder):
    return sorted({path.name.split(".")[0] for path in folder.iterdir()} - {"checkpoint"})


def damage(folder, name):
    path = folder / f"{name}.data-00000-of-00001"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def one_line(call, *parts):
    with pytest.raises(InputError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message and all(str(part) in message for part in parts), message


def test_weights_optimizer_and_progress_come_back_and_go_on_alike(tmp_path):
    saver = saver_of(tmp_path)
    step(saver, 3)
    saver.progress.best.assign(0.75)
    saver.save(3)
    step(saver, 2)
    other = saver_of(tmp_path)
    assert other.restore() == 3
    assert int(other.model.optimizer.iterations.numpy()) == 3
    assert float(other.progress.best) == 0.75
    step(other, 2)
    assert same_bits(saver.model, other.model)


def test_a_new_folder_starts_at_0(tmp_path):
    assert saver_of(tmp_path / "new").restore() == 0


def test_the_newest_two_stay_and_nothing_of_the_others(tmp_path):
    saver = saver_of(tmp_path)
    for number in range(1, 6):
        step(saver)
        saver.save(number)
    assert names(tmp_path) == ["ckpt-4", "ckpt-5"]
    assert saver_of(tmp_path).restore() == 5
    again = saver_of(tmp_path)
    again.restore()
    again.save(6)
    assert names(tmp_path) == ["ckpt-5", "ckpt-6"]


@pytest.mark.parametrize("how", ["flipped bit", "cut short", "gone", "no digest", "bad digest"])
def test_a_damaged_newest_checkpoint_is_passed_over(tmp_path, how, caplog):
    saver = saver_of(tmp_path)
    for number in (2, 4):
        step(saver, 2)
        saver.save(number)
    data = tmp_path / "ckpt-4.data-00000-of-00001"
    {
        "flipped bit": lambda: damage(tmp_path, "ckpt-4"),
        "cut short": lambda: data.write_bytes(data.read_bytes()[:-5]),
        "gone": data.unlink,
        "no digest": (tmp_path / "ckpt-4.digest").unlink,
        "bad digest": lambda: (tmp_path / "ckpt-4.digest").write_text("[1]"),
    }[how]()
    other = saver_of(tmp_path)
    with caplog.at_level(logging.WARNING, logger="absl"):
        assert other.restore() == 2
    assert ("ckpt-4" in caplog.text and "passed over" in caplog.text) == (how != "no digest")
    step(other, 2)
    assert same_bits(saver.model, other.model)
    other.save(4)
    assert saver_of(tmp_path).restore() == 4


def test_no_whole_checkpoint_at_all_is_one_line_and_nothing_is_lost(tmp_path):
    saver = saver_of(tmp_path)
    step(saver)
    saver.save(1)
    damage(tmp_path, "ckpt-1")
    one_line(saver_of(tmp_path).restore, tmp_path, "none of 1 checkpoints is whole")
    assert "ckpt-1" in names(tmp_path)


def test_a_checkpoint_of_another_model_is_one_line(tmp_path):
    saver = saver_of(tmp_path)
    saver.save(1)
    model = Line(outputs=2)
    model.compile(keras.optimizers.Adam(0.01))
    one_line(saver_of(tmp_path, model).restore, "ckpt-1: of another model", "[6, 1]", "[6, 2]")


def test_the_best_weights_come_back_and_outlive_later_checkpoints(tmp_path):
    saver = saver_of(tmp_path)
    step(saver, 2)
    saver.save_best(2)
    saver.progress.best_step.assign(2)
    best = saver.model.get_weights()
    for number in (3, 4, 5):
        step(saver)
        saver.save(number)
    assert names(tmp_path) == ["best-2", "ckpt-4", "ckpt-5"]
    iterations = int(saver.model.optimizer.iterations.numpy())
    saver.restore_best()
    assert all(map(np.array_equal, saver.model.get_weights(), best))
    assert int(saver.model.optimizer.iterations.numpy()) == iterations
    saver.save_best(5)
    saver.progress.best_step.assign(5)
    assert names(tmp_path) == ["best-2", "best-5", "ckpt-4", "ckpt-5"]  # until it is referred to
    saver.save(6)
    assert names(tmp_path) == ["best-5", "ckpt-5", "ckpt-6"]
    damage(tmp_path, "best-5")
    one_line(saver.restore_best, "best-5", "does not match its digest")


def test_a_disk_too_full_is_one_line_before_anything_is_written(tmp_path, monkeypatch):
    saver = saver_of(tmp_path)
    step(saver)
    saver.save(1)
    usage = collections.namedtuple("usage", "total used free")
    monkeypatch.setattr(checkpoints.shutil, "disk_usage", lambda path: usage(10, 10, 2**20))
    for save in (saver.save, saver.save_best):
        one_line(lambda save=save: save(2), tmp_path, "1 MiB free", "needs 64 MiB")
    assert names(tmp_path) == ["ckpt-1"]
    monkeypatch.undo()
    assert saver_of(tmp_path).restore() == 1


@pytest.mark.parametrize("error", ["disk", "tensorflow"])
def test_a_write_that_fails_midway_is_one_line_and_never_counts(tmp_path, monkeypatch, error):
    saver = saver_of(tmp_path)
    step(saver)
    saver.save(1)

    def fail(*_, **__):
        if error == "disk":
            raise OSError(errno.ENOSPC, "No space left on device")
        raise tf.errors.ResourceExhaustedError(None, None, "no space left; No space\non device")

    monkeypatch.setattr(saver.state, "write", fail)
    one_line(lambda: saver.save(2), tmp_path, "could not be written", "o space left")
    assert saver_of(tmp_path).restore() == 1


def test_a_disk_that_fills_up_at_the_digest_is_one_line(tmp_path, monkeypatch):
    saver = saver_of(tmp_path)
    step(saver)
    saver.save(1)

    def fail(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    one_line(lambda: saver.save(2), tmp_path, "could not be written", "No space left")
    monkeypatch.undo()
    assert saver_of(tmp_path).restore() == 1
