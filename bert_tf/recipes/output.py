"""A file that a command writes: it appears under its name when it is whole, or not at all."""

import contextlib
import os

from bert_tf.errors import InputError


@contextlib.contextmanager
def whole_file(path):
    """Opens a text file that takes its name when the body is done.

    Args:
      path: str. A file of that name is replaced then, and stays as it is if the body fails.
    Yields:
      A file, UTF-8.
    Raises:
      InputError: it cannot be written, or the disk is full.
    """
    temporary = f"{path}.{os.getpid()}.tmp"
    with writing_to(path):
        file = open(temporary, "w", encoding="utf-8")
    try:
        yield file
        with writing_to(path):
            file.flush()
            os.fsync(file.fileno())
            os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            file.close()
        with contextlib.suppress(OSError):
            os.unlink(temporary)


@contextlib.contextmanager
def writing_to(path):
    """Within it an OSError becomes an InputError that names the file."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None
