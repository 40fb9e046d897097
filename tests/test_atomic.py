"""Files whole or not at all, no leftovers; a folder that another process writes is refused."""

import builtins
import errno
import os
import subprocess
import sys

import pytest

from bert_tf import atomic
from bert_tf.atomic import locked, new_file
from bert_tf.errors import InputError

NO_SPACE = OSError(errno.ENOSPC, "No space left on device")


def fail(error):
    def call(*_, **__):
        raise error

    return call


@pytest.mark.parametrize("mode, value", [("w", "größer\n"), ("wb", b"\xff\x00")])
def test_a_file_takes_its_name_when_it_is_whole(tmp_path, mode, value):
    path = tmp_path / "file"
    path.write_text("before")
    with new_file(str(path), mode) as file:
        file.write(value)
        assert path.read_text() == "before"
    assert path.read_bytes() == (value.encode() if mode == "w" else value)
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("where", ["write", "sync", "rename"])
def test_a_full_disk_is_one_line_and_leaves_the_old_file_alone(tmp_path, monkeypatch, where):
    path = tmp_path / "file"
    path.write_text("before")
    if where == "sync":
        monkeypatch.setattr(os, "fsync", fail(NO_SPACE))
    if where == "rename":
        monkeypatch.setattr(os, "replace", fail(NO_SPACE))
    with pytest.raises(InputError) as caught, new_file(str(path)) as file:
        file.write("after")
        if where == "write":
            raise NO_SPACE
    monkeypatch.undo()
    assert str(caught.value) == f"{path}: cannot be written: No space left on device"
    assert path.read_text() == "before"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_what_cannot_be_written_at_all_is_one_line(tmp_path):
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "folder", tmp_path / "absent" / "file"):
        with pytest.raises(InputError, match=f"{path}: cannot be written: "):
            with new_file(str(path)) as file:
                file.write("x")
    assert [each.name for each in tmp_path.iterdir()] == ["folder"]


def test_a_file_that_the_body_cannot_read_is_not_the_one_that_is_written(tmp_path):
    with pytest.raises(FileNotFoundError, match="other"), new_file(str(tmp_path / "file")):
        open(tmp_path / "other")
    assert not list(tmp_path.iterdir())


HOLD = """
import os, sys
from bert_tf.atomic import locked
with locked(sys.argv[1]):
    print("locked", flush=True)
    sys.stdin.readline()
    os._exit(9)  # killed: nothing is tidied up
"""


def test_a_folder_in_use_is_refused_and_free_again_when_its_process_is_dead(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout.readline() == "locked\n"
    wanted = f"{tmp_path}: in use by process {holder.pid} on .*; wait until it has ended"
    with pytest.raises(InputError, match=wanted), locked(str(tmp_path)):
        pytest.fail("two processes at once")
    holder.communicate("\n")
    assert (tmp_path / ".lock").exists()
    with locked(str(tmp_path)):
        with pytest.raises(InputError, match="in use by"), locked(str(tmp_path)):
            pytest.fail("twice at once")
    assert not list(tmp_path.iterdir())


def test_a_lock_file_removed_while_it_was_opened_locks_nobody(tmp_path, monkeypatch):
    removed, opened = [], builtins.open

    def open_late(path, *arguments, **options):
        file = opened(path, *arguments, **options)
        if not removed:
            removed.append(path)
            os.unlink(path)
        return file

    monkeypatch.setattr(builtins, "open", open_late)
    with locked(str(tmp_path)):
        assert (tmp_path / ".lock").exists()
        with pytest.raises(InputError, match="in use by"), locked(str(tmp_path)):
            pytest.fail("twice at once")


def test_where_there_are_no_locks_the_work_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic.fcntl, "flock", fail(OSError(errno.ENOLCK, "No locks available")))
    with locked(str(tmp_path)):
        (tmp_path / "file").write_text("x")
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_is_not_there_cannot_be_locked(tmp_path):
    with pytest.raises(InputError, match="absent: cannot be written: No such file"):
        with locked(str(tmp_path / "absent")):
            pytest.fail("locked")
