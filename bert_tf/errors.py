"""The two errors a user can cause, and how their one line shows what a file holds."""

import difflib
import os


class InputError(ValueError):
    """Something the user handed in cannot be used; one line says what and where."""

    # Keras rewrites an error that passes through a layer into a page of arguments, unless it
    # carries this mark; ours stay one line.
    _keras_call_info_injected = True


class ConfigError(InputError):
    """A flag, a configuration key or its value is wrong; the nearest valid name is offered."""


def shown(value, limit=80):
    """A value from a file as a message shows it: its repr, cut when it is long.

    So no control character of a damaged or hostile file reaches a terminal.

    Args:
      value: any object.
      limit: int, the most characters to return.
    Returns:
      str.
    """
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # nested too deeply, or an int of thousands of digits
        text = f"{type(value).__name__}, too large to show"
    return text if len(text) <= limit else text[: limit - 3] + "..."


def shown_name(name, limit=80):
    """As `shown`, for names (tensors, files, keys): without quotes where nothing is escaped."""
    return name if name.isprintable() and 0 < len(name) <= limit else shown(name, limit)


def require_file_name(path):
    """Raises InputError for what no file can be called: it has a zero byte, or half a surrogate
    pair; `path` is a str or os.PathLike."""
    try:
        named = b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        named = False
    if not named:
        raise InputError(f"{shown(os.fspath(path), 4096)}: is no name of a file")


def hint(name, known, say=str, most=None):
    """What a message about an unknown name ends with: the nearest known one, else all of them.

    Args:
      name, known: as in `nearest`.
      say: function of a name to str; `shown` for those that a file has.
      most: int, how many are told; None: all.
    Returns:
      str.
    """
    known = list(known)
    near = nearest(name, known)
    if near:
        return f"did you mean {say(near)}?"
    told = ", ".join(map(say, known[:most])) or "none"
    left = len(known) - len(known[:most])
    return f"there are {told}" + (f" and {left} more" if left else "")


def nearest(name, known):
    """The known name that a mistyped one is meant to be.

    Args:
      name: any object; its str is compared.
      known: iterable of str.
    Returns:
      str, or None when none of them is near.
    """
    return next(iter(difflib.get_close_matches(str(name), list(known), n=1)), None)
