"""Every file of a checkpoint truncated, flipped or deleted: an older whole one, or one line."""

import os
import shutil

import numpy as np
import pytest

from bert_tf.errors import InputError
from bert_tf.training import checkpoints
from bert_tf.training.checkpoints import Progress, RunningCheckpoint
from tests import tiny

STEPS = (10, 20)


@pytest.fixture(scope="module")
def model():
    model = tiny.classifier()
    model.compile("adam")
    return model


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    """A folder with checkpoints of steps 10 and 20, whose weights are all 10 and all 20."""
    folder = tmp_path_factory.mktemp("checkpoints")
    progress = Progress()
    saver = RunningCheckpoint(str(folder), model, progress)
    for step in STEPS:
        _set(model, step)
        saver.save_best(step)
        progress.best_step.assign(step)
        saver.save(step)
    return folder


def _set(model, value):
    for weight in model.weights:
        weight.assign(np.full(weight.shape, value, "float32"))


def _truncate(path):
    for size in sorted({0, 1, os.path.getsize(path) // 2, os.path.getsize(path) - 1}):
        yield f"truncated to {size}", lambda size=size: os.truncate(path, size)


def _flip(path):
    size = os.path.getsize(path)
    for place in sorted({0, size // 3, size // 2, size - 1}):

        def flip(place=place):
            with open(path, "r+b") as file:
                file.seek(place)
                byte = file.read(1)[0]
                file.seek(place)
                file.write(bytes([byte ^ 0x10]))

        yield f"byte {place} flipped", flip


def _faults(path):
    yield from _truncate(path)
    yield from _flip(path)
    yield "deleted", lambda: os.remove(path)


def _outcome(model, folder):
    """The step restored, once its weights are seen to be that step's; None for one clear line."""
    _set(model, -1)
    saver = RunningCheckpoint(str(folder), model, Progress())
    try:
        step = saver.restore()
    except InputError as error:
        assert str(folder) in str(error) and "\n" not in str(error)
        return None
    for weight in model.weights:
        assert np.all(weight.numpy() == (step or -1)), (step, weight.path)
    return step


def _names(saved, step):
    return sorted(path.name for path in saved.iterdir() if f"ckpt-{step}." in path.name)


def test_a_fault_in_the_newest_checkpoint_leads_to_the_one_before(model, saved, tmp_path):
    tried = 0
    for name in _names(saved, 20):
        for number in range(len(list(_faults(saved / name)))):
            folder = tmp_path / f"{name}-{number}"
            shutil.copytree(saved, folder)
            what, fault = list(_faults(folder / name))[number]
            fault()
            assert _outcome(model, folder) == 10, f"{name} {what}"
            shutil.rmtree(folder)
            tried += 1
    assert tried == 27  # 3 files: index, data, digest; 9 faults each


def test_faults_in_both_checkpoints_end_in_one_line_and_no_weights_are_read(model, saved, tmp_path):
    folder = tmp_path / "both"
    shutil.copytree(saved, folder)
    for step in STEPS:
        list(_flip(folder / f"ckpt-{step}.data-00000-of-00001"))[1][1]()
    assert _outcome(model, folder) is None
    assert all(np.all(weight.numpy() == -1) for weight in model.weights)


def test_a_checkpoint_without_its_digest_was_never_finished_and_does_not_count(
    model, saved, tmp_path
):
    folder = tmp_path / "unfinished"
    shutil.copytree(saved, folder)
    for step in STEPS:
        os.remove(folder / f"ckpt-{step}.digest")
    assert _outcome(model, folder) == 0


def test_damaged_best_weights_are_one_line(model, saved, tmp_path):
    for number in range(9):
        folder = tmp_path / str(number)
        shutil.copytree(saved, folder)
        list(_faults(folder / "best-20.data-00000-of-00001"))[number][1]()
        saver = RunningCheckpoint(str(folder), model, Progress())
        assert saver.restore() == 20
        with pytest.raises(InputError, match="best-20: "):
            saver.restore_best()


def test_older_checkpoints_and_their_digests_go_away(model, tmp_path):
    progress = Progress()
    saver = RunningCheckpoint(str(tmp_path), model, progress)
    for step in range(1, 6):
        saver.save_best(step)
        progress.best_step.assign(step)
        saver.save(step)
    names = {path.name.split(".")[0] for path in tmp_path.iterdir()}
    assert names == {"best-5", "ckpt-4", "ckpt-5", "checkpoint"}


def test_a_full_disk_is_seen_before_a_save_and_leaves_the_last_checkpoint(
    model, saved, tmp_path, monkeypatch
):
    folder = tmp_path / "full"
    shutil.copytree(saved, folder)
    saver = RunningCheckpoint(str(folder), model, Progress())
    usage = shutil.disk_usage(folder)
    monkeypatch.setattr(
        checkpoints.shutil, "disk_usage", lambda _: usage._replace(free=checkpoints.SPARE_BYTES)
    )
    with pytest.raises(InputError, match="64 MiB free on its disk, the next checkpoint needs"):
        saver.save(30)
    assert _outcome(model, folder) == 20


def test_a_disk_that_fills_up_during_a_save_is_one_line(model, saved, tmp_path, monkeypatch):
    folder = tmp_path / "filling"
    shutil.copytree(saved, folder)
    saver = RunningCheckpoint(str(folder), model, Progress())

    def full(**_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(saver.manager, "save", full)
    with pytest.raises(InputError, match="could not be written: .*No space left on device"):
        saver.save(30)
    assert _outcome(model, folder) == 20


def test_a_checkpoint_of_another_model_is_refused_with_the_shapes_that_differ(saved, tmp_path):
    folder = tmp_path / "other"
    shutil.copytree(saved, folder)
    other = tiny.classifier(label_names=("a", "b", "c"))
    other.compile("adam")
    differing = r"ckpt-20: of another model: .*\[16, 2\] there, .*\[16, 3\] here"
    with pytest.raises(InputError, match=differing):
        RunningCheckpoint(str(folder), other, Progress()).restore()
