"""Which cells of a record are the text, its partner and the label; checks that they are there."""

from bert_tf.errors import ConfigError, InputError, nearest, shown


def choose(columns, records, path, format):
    """Settle where the columns are, taking the header from `records` where there is one.

    Args:
      columns: (text, text_pair, label), each a name, a number from 0 or None; text is never None.
      records: iterator of formats.Record, at the beginning.
      path: str. For messages.
      format: str.
    Returns:
      Columns.
    Raises:
      InputError: the file is empty, or its header lacks a column or has it twice.
      ConfigError: the columns are partly names and partly numbers, or numbers for JSON lines.
    """
    given = [column for column in columns if column is not None]
    named = [isinstance(column, str) for column in given]
    if not (all(named) or (format != "jsonl" and not any(named))):
        wanted = "names" if format == "jsonl" else "all names (a header) or all numbers (none)"
        raise ConfigError(f"{path}: columns are {', '.join(map(repr, given))}; wanted {wanted}")
    if format == "jsonl":
        return Columns(*columns)
    if not all(named):
        return Columns(*columns, least=max(given) + 1)
    record = next(records, None)
    if record is None:
        raise InputError(f"{path}: is empty")
    header = [name.strip() for name in record.cells]
    places = [None if column is None else _find(column, header, path) for column in columns]
    return Columns(*places, header_width=len(header))


def _find(column, header, path):
    if header.count(column) == 1:
        return header.index(column)
    if column in header:
        raise InputError(f"{path}, line 1: the header has column {column!r} twice")
    raise InputError(f"{path}, line 1: no column {column!r} in the header; {_hint(column, header)}")


def _hint(name, names):
    near = nearest(name, names)
    if near:
        return f"did you mean {shown(near)}?"
    more = ", ..." if len(names) > 20 else ""
    return "there are " + ", ".join(map(shown, names[:20])) + more


class Columns:
    """Where a record's text, its partner and its label are: cell numbers, or keys of an object.

    Args:
      text, text_pair, label: int or str; None where there is no such column.
      least, header_width: int. How many cells a record must have at least, and, if there is a
        header, exactly.
    """

    def __init__(self, text, text_pair, label, least=0, header_width=None):
        self._text, self._text_pair, self._label = text, text_pair, label
        self._least, self._header_width = least, header_width
        self.paired = text_pair is not None

    def texts(self, cells):
        """The text of a record, and its partner or None."""
        return cells[self._text], cells[self._text_pair] if self.paired else None

    def checked_label(self, cells, path, line):
        """The label of a record, str or None, once the record is seen to be whole."""
        if isinstance(cells, dict):
            return self._label_of_object(cells, f"{path}, line {line}")
        if self._header_width not in (None, len(cells)):
            wanted = f"the header's {self._header_width}"
        elif len(cells) < self._least:
            wanted = f"at least {self._least}, for column {self._least - 1} counted from 0"
        else:
            return None if self._label is None else cells[self._label]
        raise InputError(f"{path}, line {line}: has {len(cells)} columns, wanted {wanted}")

    def _label_of_object(self, cells, place):
        for key in (self._text, self._text_pair, self._label):
            if key is not None and key not in cells:
                raise InputError(f"{place}: no key {key!r}; {_hint(key, list(cells))}")
        for key in (self._text, self._text_pair):
            if key is not None:
                _check_text(cells[key], f"{place}: key {key!r}")
        if self._label is None:
            return None
        return _label_text(cells[self._label], f"{place}: key {self._label!r}")


def _check_text(value, place):
    if not isinstance(value, str):
        raise InputError(f"{place} is {value!r}, wanted a string")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{place}: character {error.start + 1} is half a surrogate pair") from None


def _label_text(value, place):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (str, int, float)):
        return str(value)
    raise InputError(f"{place} is {value!r}, wanted a string or a number")
