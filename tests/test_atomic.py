"""Whole files and directories or none, whatever fails; and one writer at a time."""

import builtins
import contextlib
import errno
import fcntl
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from bert_tf import atomic
from bert_tf.atomic import locked
from bert_tf.errors import InputError


@contextlib.contextmanager
def disk_of(size):
    """Within it no file grows beyond so many bytes: the system refuses what is written then."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def names(folder):
    return sorted(path.name for path in Path(folder).iterdir())


@pytest.mark.parametrize("data", ["ä\r\n\n", b"\xff\n"])
def test_a_file_holds_just_what_was_given(tmp_path, data):
    atomic.write_file(tmp_path / "a", data)
    atomic.write_file(str(tmp_path / "a"), data)  # and again over it
    assert (tmp_path / "a").read_bytes() == (data.encode() if isinstance(data, str) else data)
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("size", [10**3, 10**6])  # in the buffer, and beyond it
def test_a_full_disk_keeps_the_old_file_and_leaves_no_other(tmp_path, size):
    (tmp_path / "a").write_text("old")
    with disk_of(100), pytest.raises(InputError) as caught:
        atomic.write_file(tmp_path / "a", "x" * size)
    assert str(caught.value) == f"{tmp_path}/a: cannot be written: File too large"
    assert names(tmp_path) == ["a"] and (tmp_path / "a").read_text() == "old"


def test_a_body_that_fails_keeps_the_old_file(tmp_path):
    (tmp_path / "a").write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic.new_file(tmp_path / "a") as file:
        file.write("new")
        raise KeyboardInterrupt
    assert names(tmp_path) == ["a"] and (tmp_path / "a").read_text() == "old"


def test_an_error_about_another_file_is_not_taken_for_one_of_writing(tmp_path):
    with pytest.raises(FileNotFoundError), atomic.new_file(tmp_path / "a"):
        open(tmp_path / "absent")  # noqa: SIM115
    assert names(tmp_path) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "folder").mkdir()
    for name, reason in (("absent/a", "No such file or directory"), ("folder", "Is a directory")):
        with pytest.raises(InputError, match=f"{name}: cannot be written: {reason}"):
            atomic.write_file(tmp_path / name, "x")


def test_a_read_only_disk_is_named_though_nothing_can_be_removed_from_it(tmp_path, monkeypatch):
    def read_only(path, *_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), os.fspath(path))

    monkeypatch.setattr(builtins, "open", read_only)
    monkeypatch.setattr(os, "unlink", read_only)
    with pytest.raises(InputError, match="a: cannot be written: Read-only file system"):
        atomic.write_file(tmp_path / "a", "x")


def test_a_pipe_and_a_link_stay_what_they_are(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "a")
    atomic.write_file(tmp_path / "link", "x")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "a").read_text() == "x"
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    atomic.write_file(tmp_path / "pipe", "y")
    assert os.read(reader, 9) == b"y" and (tmp_path / "pipe").is_fifo()
    os.close(reader)


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (calls.append("sync"), fsync(handle)))
    monkeypatch.setattr(os, "replace", lambda *paths: (calls.append("rename"), replace(*paths)))
    atomic.write_file(tmp_path / "a", "x")
    assert calls == ["sync", "rename", "sync"]


def test_files_appear_together_under_their_names(tmp_path):
    folder = tmp_path / "new" / "model"
    with atomic.new_files(folder, "a", "b") as (a, b):
        a.write_text("1")
        b.write_text("2")
        assert not (folder / "a").exists()
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"a": "1", "b": "2"}


def test_a_full_disk_keeps_all_old_files_and_leaves_no_new_ones(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="No space left on device; what was there before still is"):
        with atomic.new_files(tmp_path, "a") as (a,):
            a.write_text("new")
    assert names(tmp_path) == ["a"] and (tmp_path / "a").read_text() == "old"


def test_a_directory_appears_when_it_is_complete(tmp_path):
    target = tmp_path / "model"
    with atomic.new_directory(target) as folder:
        (folder / "a").write_text("1")
        assert not target.exists()
    assert (target / "a").read_text() == "1" and names(tmp_path) == ["model"]


def test_a_failed_directory_leaves_nothing(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=f"^{tmp_path}/model/a: some reason$"):
        with atomic.new_directory(tmp_path / "model") as folder:
            (folder / "a").write_text("1")
            raise InputError(f"{folder}/a: some reason")
    assert names(tmp_path) == []
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="model: cannot be written: No space left"):
        with atomic.new_directory(tmp_path / "model") as folder:
            (folder / "a").write_text("1")
    assert names(tmp_path) == []


def test_a_target_in_use_is_refused_and_an_empty_one_taken(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "a").write_text("")
    (tmp_path / "empty").mkdir()
    for name, message in (("file", "is no directory"), ("used", "is not empty")):
        with pytest.raises(InputError, match=message):
            with atomic.new_directory(tmp_path / name):
                raise AssertionError("must not begin")
    with atomic.new_directory(tmp_path / "empty") as folder:
        (folder / "a").write_text("1")
    assert (tmp_path / "empty" / "a").exists()


def written(target, content):
    with atomic.new_directory(target, replace=True) as folder:
        (folder / content).write_text("")


def test_an_old_directory_stays_until_the_new_one_stands(tmp_path, monkeypatch):
    written(tmp_path / "model", "first")
    with pytest.raises(InputError), atomic.new_directory(tmp_path / "model", replace=True):
        assert names(tmp_path / "model") == ["first"]
        raise InputError("some reason")
    assert names(tmp_path / "model") == ["first"] and names(tmp_path) == ["model"]
    written(tmp_path / "model", "second")
    assert names(tmp_path / "model") == ["second"] and names(tmp_path) == ["model"]

    rename = os.rename

    def second_fails(source, target):  # the new one cannot take the name
        full() if str(source).endswith(".tmp") else rename(source, target)

    monkeypatch.setattr(os, "rename", second_fails)
    with pytest.raises(InputError, match="model: cannot be written: No space left"):
        written(tmp_path / "model", "third")
    assert names(tmp_path / "model") == ["second"] and names(tmp_path) == ["model"]


def test_what_a_kill_between_the_renames_left_is_put_back(tmp_path):
    written(tmp_path / "model", "first")
    os.rename(tmp_path / "model", tmp_path / ".model.old")
    with pytest.raises(InputError), atomic.new_directory(tmp_path / "model", replace=True):
        assert names(tmp_path / "model") == ["first"]
        raise InputError("some reason")
    written(tmp_path / "model", "second")
    assert names(tmp_path / "model") == ["second"] and names(tmp_path) == ["model"]


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
    (tmp_path / ".a.0123456789ab.tmp").write_text("left")
    (tmp_path / ".mine.tmp").write_text("somebody's")
    assert ".lock" in names(tmp_path)
    with locked(str(tmp_path)):
        assert names(tmp_path) == [".lock", ".mine.tmp"]
        with pytest.raises(InputError, match="in use by"), locked(str(tmp_path)):
            pytest.fail("twice at once")
    assert names(tmp_path) == [".mine.tmp"]


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


def test_where_there_are_no_locks_the_work_goes_on(tmp_path, monkeypatch, caplog):
    def flock(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with caplog.at_level("WARNING", "absl"), locked(str(tmp_path)):
        atomic.write_file(tmp_path / "file", "x")
    assert f"{tmp_path}: cannot be locked (No locks available)" in caplog.text
    assert names(tmp_path) == ["file"]


def test_a_folder_that_is_not_there_cannot_be_locked(tmp_path):
    with pytest.raises(InputError, match="absent: cannot be written: No such file"):
        with locked(str(tmp_path / "absent")):
            pytest.fail("locked")


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "long" * 20 + "\0"])
def test_what_no_file_can_be_called_is_one_line(tmp_path, name):
    makers = (atomic.new_file, atomic.new_path, atomic.new_files, atomic.new_directory)
    for make in makers:
        with pytest.raises(InputError, match="': is no name of a file$"), make(tmp_path / name):
            raise AssertionError
    assert names(tmp_path) == []
