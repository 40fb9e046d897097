"""What config.json holds of the data that a task was trained on."""

from bert_tf.conversion.saving import OWN
from bert_tf.errors import InputError, shown


def data_settings(contents, kind):
    """The columns, and how rows are made.

    Args:
      contents: Contents.
      kind: TaskModel class.
    Returns:
      dict.
    Raises:
      InputError: a value has another type.
    """
    others = {"family", "task", "class", *kind.arguments, *kind.companions}
    settings = {key: value for key, value in contents.options.items() if key not in others}
    return checked_settings(settings, kind, f"{contents.config_file}: {OWN}")


def checked_settings(settings, kind, source):
    """Data settings as they are.

    Args:
      settings: dict.
      kind: TaskModel class.
      source: str, what a message calls them.
    Raises:
      InputError: a value has another type.
    """
    types = {name: (str, int) for name in kind.columns}
    types |= {name: (str, int, list) for name, x in kind.columns.items() if x.kind == "texts"}
    types |= dict.fromkeys(("max_length", "overlap", "windows"), (int,))
    types["ignore_labels"] = (list,)
    types |= {"special_tokens_in_text": (bool,), "label_all_pieces": (bool,)}
    for key, wanted in types.items():
        value = settings.get(key)
        if value is not None and type(value) not in wanted:
            names = " or ".join(each.__name__ for each in wanted)
            raise InputError(f"{source}.{key}: {shown(value)}, wanted {names}")
    ignored = settings.get("ignore_labels") or []
    if not all(isinstance(label, str) for label in ignored):
        raise InputError(f"{source}.ignore_labels: {shown(ignored)}, wanted a list of strings")
    if settings.get("languages") is not None:
        check_languages(settings["languages"], f"{source}.languages")
    return settings


def check_languages(languages, key):
    """Raises InputError, which begins with a key, unless this is a dict, not empty, of names of
    languages with a whole number from 0 each."""
    names = isinstance(languages, dict) and languages and all(map(_is_name, languages))
    if not names or not all(type(x) is int and x >= 0 for x in languages.values()):
        said = shown(languages)
        raise InputError(f"{key}: {said}, wanted names of languages, with a number from 0 each")


def _is_name(value):
    return isinstance(value, str) and bool(value)
