"""Files that a verb is to write: whether they can be, before hours go into what they will hold."""

import os

from bert_tf.errors import ConfigError


def check_output_files(**files):
    """Sees that files can be written, each to a place of its own.

    Args:
      **files: str or Path, or None, by the flag that names it. A file that is there is replaced;
        devices and pipes will do.
    Raises:
      ConfigError: there is no such folder, it may not be written to, a file's name is that of a
        folder, or two files have one name.
    """
    taken = {}
    for flag, path in files.items():
        if path is None:
            continue
        target = os.path.realpath(path)
        if os.path.isdir(target):
            raise ConfigError(f"--{flag}: {path} is a folder, wanted a file")
        if os.path.exists(target) and not os.path.isfile(target):
            continue
        folder = os.path.dirname(target)
        if not os.path.isdir(folder):
            raise ConfigError(f"--{flag}: {path}: there is no folder {folder}, make it first")
        if not os.access(folder, os.W_OK):
            raise ConfigError(f"--{flag}: {path}: {folder} may not be written to, wanted another")
        if target in taken:
            both = f"--{taken[target]} and --{flag}"
            raise ConfigError(f"{both} are both {path}, wanted different files")
        taken[target] = flag


def check_output_folder(path, flag="output"):
    """Sees that a folder can be written to, or made with those above it.

    Args:
      path: str or Path. flag: str, which names it.
    Raises:
      ConfigError: a file stands there or above it, or the nearest folder may not be written to.
    """
    place = os.path.abspath(path)
    while not os.path.exists(place):
        place = os.path.dirname(place)
    if not os.path.isdir(place):
        raise ConfigError(f"--{flag}: {path}: {place} is no folder, wanted another")
    if not os.access(place, os.W_OK):
        raise ConfigError(f"--{flag}: {path}: {place} may not be written to, wanted another")


def check_picture(path):
    """Raises ConfigError for a name that no picture is drawn to."""
    if os.path.splitext(path)[1] not in (".png", ".pdf", ".svg"):
        raise ConfigError(f"{path}: wanted a name that ends in .png, .pdf or .svg")
