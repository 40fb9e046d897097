"""Opening an export: which version, what its settings say, an Answer for each of its tasks."""

import json
import os

import tensorflow as tf

try:
    import tensorflow_text  # noqa: F401 registers the operations in our exports
except ImportError:  # those that are portable need none
    pass

from bert_tf.errors import InputError, shown
from bert_tf.export.answer import Answer, together
from bert_tf.export.text_model import DEFAULT, answering_task

SETTINGS_FILE = os.path.join("assets.extra", "bert_tf.json")


def load_export(directory):
    """An Answer from an export.

    Args:
      directory: str, what `export_saved_model` was given (the newest version is taken), or one of
        its version folders.
    Returns:
      Answer.
    Raises:
      InputError: there is no export, or it cannot be read.
    """
    folder = _version_folder(os.fspath(directory))
    file = os.path.join(folder, SETTINGS_FILE)
    try:
        with open(file, encoding="utf-8") as opened:
            told = _by_task(json.load(opened))
        for settings in told.values():
            _check_columns(settings["columns"], answering_task(settings))
    except InputError as error:
        raise InputError(f"{file}: {error}") from None
    except (OSError, ValueError):
        raise InputError(
            f"{folder}: has no readable {SETTINGS_FILE}, which our exports have"
        ) from None
    try:
        loaded = tf.saved_model.load(folder)
        functions = {name: loaded.signatures[name] for name in told}
    except (OSError, KeyError, ValueError, TypeError, IndexError, tf.errors.OpError) as error:
        raise InputError(f"{folder}: not a whole SavedModel: {first_line(error)}") from None
    answers, programs = {}, getattr(loaded, "programs", None) or [loaded]
    for program, (name, settings) in zip(programs, told.items(), strict=False):
        function, columns = functions[name], settings["columns"]
        names = {spec.name for spec in function.structured_input_signature[1].values()}
        if names != set(columns):
            raise InputError(
                f"{file}: columns {', '.join(columns)}, and the SavedModel takes "
                f"{', '.join(sorted(names))}"
            )
        cut = getattr(program, "cut", None)
        answers[name] = Answer(function, answering_task(settings), settings, loaded, cut)
    return together(answers)


def _by_task(settings):
    """The settings of an export's signatures, dict of name -> dict.

    Raises:
      InputError: they are of another shape.
    """
    several = settings.get("tasks") if isinstance(settings, dict) else None
    if several is None:
        return {DEFAULT: _upgraded(settings)}
    if not isinstance(several, dict) or not several:
        raise InputError(f"tasks is {shown(several)}, wanted an object of settings by task")
    return {name: _upgraded(own) for name, own in several.items()}


def _upgraded(settings):
    """The settings of an export as they are now; 0.1 wrote them for classifiers alone.

    Raises:
      InputError: they are of another shape.
    """
    if not isinstance(settings, dict):
        raise InputError(f"holds a {type(settings).__name__}, wanted an object")
    if "columns" not in settings:
        places = {name: settings.get(name) for name in ("text", "text_pair")}
        settings["columns"] = {name: x for name, x in places.items() if x is not None}
    return settings


def _check_columns(columns, task):
    """Raises InputError unless an export's columns are those of its task, by name or number."""
    known = [name for name, column in task.columns.items() if not column.target]
    whole = isinstance(columns, dict) and columns and set(columns) <= set(known)
    places = columns.values() if whole else [None]
    if not all(isinstance(x, str | int) and not isinstance(x, bool) for x in places):
        raise InputError(
            f"columns is {shown(columns)}, wanted an object of {' and '.join(known)} with a name "
            "or a number each"
        )


def is_export(directory):
    """bool, whether a directory is an export or one of its version folders."""
    return _is_saved_model(directory) or bool(versions(directory))


def versions(directory):
    """The numbers of the version folders in a directory, ascending; a list of int."""
    try:
        names = [name for name in os.listdir(directory) if name.isascii() and name.isdigit()]
    except OSError:
        return []
    return sorted(int(name) for name in names if _is_saved_model(os.path.join(directory, name)))


def first_line(error):
    """The first line of an exception's message, or its kind if it has none."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _is_saved_model(directory):
    return os.path.isfile(os.path.join(directory, "saved_model.pb"))


def _version_folder(directory):
    if _is_saved_model(directory):
        return directory
    found = versions(directory)
    if not found:
        reason = "holds no export" if os.path.isdir(directory) else "is no directory"
        raise InputError(f"{directory}: {reason}; wanted what bert-tf export has written")
    return os.path.join(directory, str(found[-1]))
