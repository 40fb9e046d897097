"""Files that appear whole or not at all, and the lock of a folder that one process may write."""

import contextlib
import fcntl
import os

from bert_tf.errors import InputError

# Beside the files of a folder while a process writes there.
LOCK = ".lock"


@contextlib.contextmanager
def new_file(path, mode="w"):
    """Opens a file that takes its name when the body is done.

    Args:
      path: str. A file of that name is replaced then, and stays as it is if the body fails.
      mode: "w" for text in UTF-8, or "wb".
    Yields:
      A file.
    Raises:
      InputError: it cannot be written, or the disk is full.
    """
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with open(temporary, mode, encoding=None if "b" in mode else "utf-8") as file:
            yield file
        _sync(temporary)
        os.replace(temporary, path)
        _sync(os.path.dirname(path) or ".")
    except OSError as error:
        # Writing to an open file names none; what the body reads is another matter.
        if error.filename not in (None, path, temporary):
            raise
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


@contextlib.contextmanager
def locked(directory):
    """Within it no other process can lock the directory; the lock ends with the process.

    Where the file system has no locks, nothing is locked.

    Args:
      directory: str, of a folder that is there.
    Raises:
      InputError: another process holds the lock, or the folder cannot be written.
    """
    path = os.path.join(directory, LOCK)
    with _lock_file(directory, path) as file:
        with contextlib.suppress(OSError):  # on a full disk the lock has no text
            os.ftruncate(file.fileno(), 0)
            os.write(file.fileno(), f"process {os.getpid()} on {os.uname().nodename}".encode())
        try:
            yield
        finally:
            # While it is locked: whoever opened it before finds that it is no longer the folder's.
            with contextlib.suppress(OSError):
                os.unlink(path)


def _lock_file(directory, path):
    """The open file that holds the lock."""
    while True:
        try:
            file = open(path, "a+", encoding="utf-8", errors="replace")  # noqa: SIM115 yielded
        except OSError as error:
            raise InputError(f"{directory}: cannot be written: {error.strerror}") from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with file:
                file.seek(0)
                holder = file.read(100) or "another process"
            raise InputError(f"{directory}: in use by {holder}; wait until it has ended") from None
        except OSError:  # no locks on this file system
            return file
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
                return file
        file.close()  # its owner has removed it meanwhile


def _sync(path):
    """Waits until a file or a folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
