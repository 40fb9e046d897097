"""Files and directories that appear whole or not at all, and directories with one writer.

What is written goes under a temporary name beside the final one, is synced to the disk and then
renamed. Whatever fails in between, a full disk included, leaves what was there before, no temporary
file, and an InputError of one line.
"""

import contextlib
import os
import re
import shutil
import uuid
from pathlib import Path

from absl import logging

from bert_tf.errors import ConfigError, InputError, require_file_name

_LEFT = re.compile(r"\..+\.[0-9a-f]{12}\.tmp")  # as _temporary names them
# In a directory while a process writes there.
LOCK = ".lock"


def write_file(path, data):
    """Writes a whole file, or leaves what was there.

    Args:
      path: str or Path. The directory must exist.
      data: str, written as UTF-8, or bytes.
    Raises:
      InputError: it cannot be written, no file can be called so, or the disk is full.
    """
    with new_file(path, "w" if isinstance(data, str) else "wb") as file:
        file.write(data)


@contextlib.contextmanager
def new_file(path, mode="w"):
    """Opens a file that takes its name when the body is done.

    Args:
      path: str or Path. A file of that name is replaced then, and stays as it is if the body fails.
        A device or a pipe is written to directly.
      mode: "w" for text in UTF-8, with line ends as they are given, or "wb".
    Yields:
      A file object.
    Raises:
      InputError: it cannot be written, no file can be called so, or the disk is full.
    """
    require_file_name(path)
    encoding = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
    special = os.path.exists(path) and not os.path.isfile(path)
    with contextlib.nullcontext(path) if special else new_path(path) as place:
        with _writing(path, path, place), open(place, mode, **encoding) as file:
            yield file


def require_another_file(output, source, flag="output"):
    """ConfigError where an output would replace the file that is read; None, "-", devices may."""
    if output is None or not (os.path.isfile(output) and os.path.isfile(source)):
        return
    if os.path.samefile(output, source):
        raise ConfigError(f"--{flag}: {output} is the file that is read, wanted another")


@contextlib.contextmanager
def new_path(path):
    """Where other code is to write a file that takes its name when the body is done.

    Args:
      path: str or Path. A file of that name is replaced then, and stays as it is if the body fails.
    Yields:
      str, a temporary path that does not exist yet.
    Raises:
      InputError: it cannot be written, no file can be called so, or the disk is full.
    """
    require_file_name(path)
    target = os.path.realpath(path)  # of a link: the link stays
    temporary = _temporary(target)
    try:
        with _writing(path, temporary):
            yield temporary
            _sync(temporary)
            os.replace(temporary, target)
            _sync(os.path.dirname(target))
    finally:
        _unlink(temporary)


@contextlib.contextmanager
def new_files(directory, *names):
    """Writes files of a directory together: all under temporary names, then renamed in turn.

    Args:
      directory: str or Path, made when absent.
      *names: str, the final names, perhaps in folders below it, made when absent; they are renamed
        in this order, so name the file that makes a directory valid last.
    Yields:
      list of Path, the temporary file for each name. When the body fails they are removed and
      nothing changes.
    Raises:
      InputError: the disk is full or the place cannot be written.
    """
    require_file_name(directory)
    directory = Path(directory)
    temporary = [_temporary(directory / name) for name in names]
    try:
        for path in (directory / ".", *temporary):
            path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        for path in temporary:
            _sync(path)
        for path, name in zip(temporary, names, strict=True):
            os.replace(path, directory / name)
        _sync(directory)
    except OSError as error:
        raise InputError(
            f"{directory}: cannot be written: {error.strerror or error}; "
            "what was there before still is"
        ) from None
    finally:
        for path in temporary:
            _unlink(path)


@contextlib.contextmanager
def new_directory(path, replace=False):
    """Builds a directory beside its final place and renames it when the body is done.

    With `replace` an old directory is renamed aside, the new one takes its name, and only then the
    old one is removed. A process killed between the two renames leaves the old one aside; the next
    call for the same path puts it back first.

    Args:
      path: str or Path; without `replace` it must not exist yet, or be an empty directory.
      replace: bool, whether an existing directory may be replaced.
    Yields:
      Path, the directory to fill. When the body fails it is removed, and what was there stays.
    Raises:
      InputError: there is something that may not be replaced, the disk is full or the place cannot
        be written.
    """
    require_file_name(path)
    target = Path(os.path.realpath(path) if replace else path)
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise InputError(f"{path}: is no directory; name a new one")
    if not replace and target.is_dir() and any(target.iterdir()):
        raise InputError(f"{path}: is not empty; name a new directory, nothing is overwritten")
    target = target.absolute()
    building, aside = _temporary(target), target.parent / f".{target.name}.old"
    try:
        _put_back(aside, target)
        building.mkdir(parents=True)
        try:
            yield building
        except InputError as error:  # the user knows the target, not where it is being built
            raise type(error)(str(error).replace(str(building), str(path))) from None
        sync_tree(building)
        if replace and target.exists():
            os.rename(target, aside)
        os.rename(building, target)
        _sync(target.parent)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(building, ignore_errors=True)
        _put_back(aside, target)


@contextlib.contextmanager
def locked(directory):
    """Holds a directory's lock, so that of several processes one alone writes there.

    The lock is flock's on the file `.lock` in it, so it ends with the process however that ends.
    On a file system without locks the body runs without one, after a warning. Temporary files in
    the directory that a killed process left are removed.

    Args:
      directory: str or Path, which must exist.
    Raises:
      InputError: another process holds it, or the directory cannot be written.
    """
    path = os.path.join(directory, LOCK)
    with _lock_file(directory, path) as file:
        with contextlib.suppress(OSError):  # on a full disk the lock has no text
            os.ftruncate(file.fileno(), 0)
            os.write(file.fileno(), f"process {os.getpid()} on {os.uname().nodename}".encode())
        for left in Path(directory).iterdir():
            if _LEFT.fullmatch(left.name):
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        try:
            yield
        finally:
            _unlink(path)  # while it is locked: who has opened it sees that it has gone


def _lock_file(directory, path):
    """The open file that holds the lock."""
    import fcntl  # not on every system, while models run on all of them

    while True:
        with _writing(directory, path):
            file = open(path, "a+", encoding="utf-8", errors="replace")  # noqa: SIM115 returned
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with file:
                file.seek(0)
                holder = file.read(100) or "another process"
            raise InputError(f"{directory}: in use by {holder}; wait until it has ended") from None
        except OSError as error:
            logging.warning("%s: cannot be locked (%s)", directory, error.strerror)
            return file
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
                return file
        file.close()  # its owner has removed it meanwhile


def sync_tree(directory):
    """Brings a directory with all below it down to the disk.

    Raises:
      OSError: the disk is full or fails.
    """
    for entry in os.scandir(directory):
        if entry.is_dir(follow_symlinks=False):
            sync_tree(entry.path)
        elif entry.is_file(follow_symlinks=False):
            _sync(entry.path)
    _sync(directory)


def _sync(path):
    """Brings a file, or the list of the files in a directory, down to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _temporary(path):
    """The name under which a path is written, of its type: hidden, beside it, nobody else's."""
    folder, name = os.path.split(path)
    return type(path)(os.path.join(folder, f".{name}.{uuid.uuid4().hex[:12]}.tmp"))


def _unlink(path):
    with contextlib.suppress(OSError):  # on a read-only disk even where there is no such file
        os.unlink(path)


def _put_back(aside, target):
    """Ends what a replacement left: the old directory returns, or goes where a new one stands."""
    if target.exists():
        shutil.rmtree(aside, ignore_errors=True)
    elif aside.exists():
        os.rename(aside, target)


@contextlib.contextmanager
def _writing(path, *ours):
    """Within it an OSError becomes an InputError that names the path, if it is about ours."""
    try:
        yield
    except OSError as error:
        if error.filename not in (None, *map(str, ours)):
            raise
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from None
