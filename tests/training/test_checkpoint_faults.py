"""Every file of a checkpoint truncated, flipped or deleted: an older whole one, or one line."""

import os
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf

import bert_tf
from bert_tf.errors import InputError
from bert_tf.training import checkpoints
from bert_tf.training.checkpoints import Progress, RunningCheckpoint
from tests import tiny
from tests.test_atomic import disk_of

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


def test_damaged_best_weights_are_left_aside_on_a_restart_and_one_line_at_the_end(
    model, saved, tmp_path, caplog
):
    for number in range(9):
        folder = tmp_path / str(number)
        shutil.copytree(saved, folder)
        whole = RunningCheckpoint(str(folder), model, Progress())
        assert whole.restore() == 20 and int(whole.progress.best_step) == 20
        what, fault = list(_faults(folder / "best-20.data-00000-of-00001"))[number]
        fault()
        with pytest.raises(InputError, match="best-20: .*best-20.data"):
            whole.restore_best()
        caplog.clear()
        other = RunningCheckpoint(str(folder), model, Progress())
        assert other.restore() == 20, what
        assert int(other.progress.best_step) == -1 and np.isnan(float(other.progress.best))
        assert caplog.text.count("best-20: ") == 1 and "left aside" in caplog.text


ODD = {"empty": b"", "not UTF-8": b"\xff\xfe\x00\x81", "text": b"model_checkpoint_path: 3"}


@pytest.mark.parametrize("how", [*ODD, "absent", "a folder"])
def test_the_pointer_file_decides_nothing_and_is_written_anew(model, saved, tmp_path, how, caplog):
    folder = tmp_path / "run"
    shutil.copytree(saved, folder)
    pointer = folder / "checkpoint"
    pointer.unlink()
    if how in ODD:
        pointer.write_bytes(ODD[how])
    if how == "a folder":
        pointer.mkdir()
        saver = RunningCheckpoint(str(folder), model, Progress())
        with pytest.raises(InputError, match="checkpoint: cannot be used: .*directory"):
            saver.restore()
        return
    assert _outcome(model, folder) == 20
    assert caplog.text.count("checkpoint: damaged, left aside") == (how in ODD)
    assert os.path.samefile(
        f"{tf.train.latest_checkpoint(str(folder))}.index", folder / "ckpt-20.index"
    )
    state = tf.train.get_checkpoint_state(str(folder))
    assert [os.path.basename(x) for x in state.all_model_checkpoint_paths] == ["ckpt-10", "ckpt-20"]


@pytest.mark.parametrize("name", ["ckpt-20.digest", "ckpt-20.index", "ckpt-20.data-00000-of-00001"])
def test_a_folder_in_a_file_s_place_is_a_damaged_checkpoint(model, saved, tmp_path, name):
    folder = tmp_path / "run"
    shutil.copytree(saved, folder)
    (folder / name).unlink()
    (folder / name).mkdir()
    saver = RunningCheckpoint(str(folder), model, Progress())
    assert saver.restore() == 10
    _set(model, 20)
    saver.save(20)
    assert _outcome(model, folder) == 20


def test_what_a_killed_run_leaves_is_removed_and_nothing_of_others(model, saved, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(saved, folder)
    torn = [
        "ckpt-25_temp/part-00000-of-00001",
        "ckpt-30.data-00000-of-00001.tempstate123",
        ".ckpt-20.digest.0a1b2c3d4e5f.tmp",
        "ckpt-25.digest.tmp",
        "checkpoint.tmp0a1b",
        ".checkpoint.0a1b2c3d4e5f.tmp",
        "best-15.index",
        "ckpt-99.digest",
    ]
    kept = ["notes.tmp", "ckpt-mine", "my-ckpt-30.index"]
    for name in torn + kept:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
    saver = RunningCheckpoint(str(folder), model, Progress())
    assert saver.restore() == 20
    saver.save(30)
    saver.save(40)
    names = {path.name.split(".")[0] for path in folder.iterdir() if path.name not in kept}
    assert names == {"best-20", "ckpt-30", "ckpt-40", "checkpoint"}
    assert all((folder / name).exists() for name in kept)
    assert len(list(folder.iterdir())) == 3 * 3 + 1 + len(kept)


def test_checkpoints_that_were_never_finished_are_named_and_the_run_starts_at_0(
    model, saved, tmp_path, caplog
):
    folder = tmp_path / "run"
    shutil.copytree(saved, folder)
    for step in STEPS:
        os.remove(folder / f"ckpt-{step}.digest")
    assert _outcome(model, folder) == 0
    assert f"{folder}: left aside, without a digest: ckpt-10, ckpt-20" in caplog.text


def test_a_checkpoint_of_another_version_is_one_line_that_names_it(
    model, saved, tmp_path, monkeypatch
):
    folder = tmp_path / "run"
    shutil.copytree(saved, folder)
    monkeypatch.setattr(checkpoints, "__version__", "99.0")
    other = tiny.classifier(label_names=("a", "b", "c"))
    other.compile("adam")
    here = re.escape(f"(written by bert_tf {bert_tf.__version__}, this is 99.0)")
    with pytest.raises(InputError, match=f"ckpt-20: of another model {here}: "):
        RunningCheckpoint(str(folder), other, Progress()).restore()
    same = tiny.classifier()
    same.compile("sgd")  # the weights fit, the optimizer's state does not
    with pytest.raises(InputError, match=f"ckpt-20: of another run {here}: ") as caught:
        RunningCheckpoint(str(folder), same, Progress()).restore()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("there", ["a file", "nothing, in a file"])
def test_a_folder_that_cannot_be_made_is_one_line(model, tmp_path, there):
    (tmp_path / "checkpoints").write_text("mine")
    folder = tmp_path / ("checkpoints" if there == "a file" else "checkpoints/within")
    with pytest.raises(InputError, match=f"{folder}: cannot be used: "):
        RunningCheckpoint(str(folder), model, Progress())


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

    def full(*_):
        raise OSError(28, "No space left on device")

    def torn(prefix):
        for part in (".index", ".data-00000-of-00001", "_temp"):
            (tmp_path / "filling" / f"ckpt-30{part}").write_text("x")
        full()

    before = {path.name for path in folder.iterdir()}
    monkeypatch.setattr(saver.state, "write", torn)
    with pytest.raises(InputError, match="could not be written: .*No space left on device"):
        saver.save(30)
    assert {path.name for path in folder.iterdir()} == before
    assert _outcome(model, folder) == 20


def test_a_disk_that_is_full_leaves_nothing_of_the_new_checkpoint(model, saved, tmp_path):
    folder = tmp_path / "full"
    shutil.copytree(saved, folder)
    saver = RunningCheckpoint(str(folder), model, Progress())
    before = sorted(folder.iterdir())
    for save in (saver.save, saver.save_best):
        with disk_of(1000), pytest.raises(InputError, match="written: [^\n{[]+ too large$"):
            save(30)
        assert sorted(folder.iterdir()) == before
    assert _outcome(model, folder) == 20


def test_a_checkpoint_of_another_model_is_refused_with_the_shapes_that_differ(saved, tmp_path):
    folder = tmp_path / "other"
    shutil.copytree(saved, folder)
    other = tiny.classifier(label_names=("a", "b", "c"))
    other.compile("adam")
    differing = r"ckpt-20: of another model: .*\[16, 2\] there, .*\[16, 3\] here"
    with pytest.raises(InputError, match=differing):
        RunningCheckpoint(str(folder), other, Progress()).restore()
