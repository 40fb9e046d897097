"""Where the columns of a task are in a file; read without TensorFlow.

`task` is a TaskModel class or an outline: whatever has `columns` and `places`.
"""

from bert_tf.data.formats import given_columns, guess_format, table_files
from bert_tf.errors import ConfigError, hint, nearest, shown
from bert_tf.outlines import LANGUAGE

# Where the columns of texts and labels are if nothing else is said.
_USUAL = {"text": "text", "text_pair": None, "label": "label"}


def kinds_of(task):
    """The kinds of a task's columns, dict of name -> str."""
    return {name: column.kind for name, column in task.columns.items()}


def format_of(task, path, format=None):
    """The format of a task's file: as it is told, or as its name and its beginning say; of several
    files, as those of the first."""
    spans = "spans" in kinds_of(task).values()
    if spans and format == "conllu":
        return "conllu_tags"
    return format or guess_format(table_files(path)[0], spans)


def places_of(task, given, further=(), key="columns", format=None):
    """Where each column of a task is in a file.

    Args:
      task: a TaskModel class, or its outline.
      given: dict of column name -> its place, None for none; columns that are no task's, such as an
        unused `text_pair`, may only be None or the name itself.
      further: dict of column name -> its place, for the other columns.
      key: str, what messages call `further`.
      format: str, of the file: optional columns that such files always have are read.
    Returns:
      dict of column name -> name, number or None; without the column of languages where it is not
      given, for most encoders have no use for it.
    Raises:
      ConfigError: a column is given that the task does not read, or None for one that it cannot do
        without; what is to be predicted may be absent.
    """
    places = _places(task, given, further, key, format)
    for name, column in task.columns.items():
        if not column.target:
            _require_place(places, name, column, name)
    return places


def _require_place(places, name, column, key):
    """Raises ConfigError where a column that its task needs is nowhere."""
    if not column.optional and places[name] is None:
        raise ConfigError(f"{key} is null, wanted a column: the task cannot do without it")


def _places(task, given, further, key, format):
    """As `places_of`, whatever columns are left out."""
    for name in further:
        if name not in task.columns or name in given:
            near = nearest(name, task.columns)
            hint = f" (nearest: {near})" if near else f"; it reads {', '.join(task.columns)}"
            raise ConfigError(f"{key}.{name}: no further column of the task{hint}")
    if given == _USUAL:
        given = {**given, **task.places}
    for name, place in given.items():
        if name not in task.columns and place not in (None, name):
            reads = ", ".join(task.columns)
            raise ConfigError(f"{name}: {shown(place)}, and the task reads {reads} alone")
    places, there = {}, given_columns(format)
    for name, column in task.columns.items():
        default = None if column.optional and name not in there else name
        places[name] = given[name] if name in given else dict(further).get(name, default)
    if places.get(LANGUAGE) is None:
        places.pop(LANGUAGE, None)
    for name, place in places.items():
        twin = next((x for x in places if x != name and places[x] == place is not None), None)
        if twin is not None and task.columns[name].kind == "label":
            raise ConfigError(f"{name}: {shown(place)}, and {twin} is read there; wanted another")
        beside = task.columns[name].beside
        if place is not None and beside is not None and places[beside] is None:
            raise ConfigError(f"{name}: {shown(place)}, and {beside} is null, wanted both")
    return places


def columns_of(section, task, measured=None):
    """Where a section `data` says each column of a task is.

    Args:
      section: with the fields of `sections.DataSection`.
      task: a TaskModel class, or its outline.
      measured: dict, its `validation_columns` or `test_columns`, of the file that these are about.
    Returns:
      dict, and ConfigError, as of `places_of`.
    """
    given = {name: getattr(section, name) for name in ("text", "text_pair", "label")}
    further = dict(section.columns)
    for name, place in (measured or {}).items():
        (given if name in given else further)[name] = place
    if section.languages and further.get(LANGUAGE) is None:
        further[LANGUAGE] = LANGUAGE
    format = format_of(task, section.train, section.format)
    places = _places(task, given, further, "data.columns", format)
    for name, column in task.columns.items():
        key = "data" if name in ("text", "text_pair", "label") else "data.columns"
        if name in (measured or {}):
            tests = measured is section.test_columns
            key = "data.test_columns" if tests else "data.validation_columns"
        _require_place(places, name, column, f"{key}.{name}")
    return places


def column_hint(name, header):
    """What a message ends with where a column is none of a header, or key of a record; str."""
    return hint(name, header, lambda each: shown(each, 30), 10)
