"""Which cells of a record are which column of a task; checks that they are there."""

from absl import logging

from bert_tf.data.cells import KINDS, check_unicode
from bert_tf.data.conll import CONLL_FILES, SentenceColumns
from bert_tf.data.formats import has_keys, unit
from bert_tf.data.places import column_hint
from bert_tf.errors import ConfigError, InputError, shown

# The kind of a column of labels, which are numbered as a whole (labels.py).
LABEL = "label"


def choose(places, kinds, records, path, format):
    """Settle where the columns are, taking the header from `records` where there is one.

    Args:
      places: dict of column name -> where it is: a name, a number from 0, a list of these for a
        column of several texts, or None where no such column is to be read.
      kinds: dict of column name -> key of cells.KINDS, or LABEL.
      records: iterator of formats.Record, at the beginning.
      path: str. For messages.
      format: str.
    Returns:
      Columns.
    Raises:
      InputError: the file is empty, or its header lacks a column or has it twice.
      ConfigError: the columns are partly names and partly numbers, or numbers for JSON lines;
        several are given for a column of one value; or such files have no such columns.
    """
    unread = {name for name, place in places.items() if place is None and kinds[name] != LABEL}
    places = {column: place for column, place in places.items() if place is not None}
    each = [one for place in places.values() for one in each_of(place)]
    _check_lists(places, kinds, path)
    unread -= set(each)
    if format in CONLL_FILES:
        return SentenceColumns(places, kinds, format, path)
    named = [isinstance(place, str) for place in each]
    if not (all(named) or (not has_keys(format) and not any(named))):
        wanted = "names" if has_keys(format) else "all names (a header) or all numbers (none)"
        given = ", ".join(map(shown, each))
        raise ConfigError(f"{path}: columns are {given}; wanted {wanted}")
    if has_keys(format):
        return Columns(places, kinds, unit=unit(format), unread=unread)
    if not all(named):
        return Columns(places, kinds, least=max(each) + 1)
    record = next(records, None)
    if record is None:
        raise InputError(f"{path}: is empty")
    header = [name.strip() for name in record.cells]
    _tell_unread(unread.intersection(header), f"{path}, line 1")
    found = {
        column: [_find(one, header, path) for one in name]
        if isinstance(name, list)
        else _find(name, header, path)
        for column, name in places.items()
    }
    return Columns(found, kinds, header=record.cells)


def _tell_unread(names, place):
    """A warning of each column that stands at a place and is not read."""
    for name in sorted(names):
        logging.warning(
            "%s: %r is not read, as no setting says what column it is (%s=%s would)",
            *(place, name, name, name),
        )


def each_of(place):
    """The single places of a column, list of str and int."""
    return list(place) if isinstance(place, list | tuple) else [place]


def _check_lists(places, kinds, path):
    """Raises ConfigError where several places are given for a column of one value."""
    for name, place in places.items():
        several = isinstance(place, list | tuple)
        known = all(isinstance(x, str | int) for x in each_of(place)) and place not in ([], ())
        if not known or (several and kinds[name] != "texts"):
            wanted = "a column's name or number" + ", or a list of these" * (kinds[name] == "texts")
            raise ConfigError(f"{path}: the column {name} is {shown(place)}, wanted {wanted}")


def _find(column, header, path):
    if header.count(column) == 1:
        return header.index(column)
    if column in header:
        raise InputError(f"{path}, line 1: the header has column {shown(column)} twice")
    told = column_hint(column, header)
    raise InputError(f"{path}, line 1: no column {shown(column)} in the header; {told}")


class Columns:
    """Where the columns of a record are: cell numbers, or keys of an object.

    Args:
      places: dict of column name -> int or str.
      kinds: dict of column name -> key of cells.KINDS, or LABEL.
      least: int. How many cells a record must have at least.
      header: list of str, the cells of the header, if there is one: a record must have as many.
      unit: str, what messages call a record's place.
      unread: set of str, keys that are not to be read: one warning of each that is there.

    Attributes:
      kinds: dict of column name -> key of cells.KINDS, of the columns that are read on demand.
      label: str or None, the column of labels.
      named: str or None, the column whose cells hold class names (cells.Kind).
    """

    def __init__(self, places, kinds, least=0, header=None, unit="line", unread=()):
        self._unit, self._unread = unit, set(unread)
        self._places, self._least, self._header = places, least, header
        self.kinds = {name: kinds[name] for name in places if kinds[name] != LABEL}
        self.label = next((name for name in places if kinds[name] == LABEL), None)
        named = (name for name, kind in self.kinds.items() if KINDS[kind].names is not None)
        self.named = next(named, None)

    def alike(self, other):
        """bool, whether the columns of another file are in the same places."""
        return self._places == other._places

    def cells(self, record):
        """The values of a record that `check` has found whole, dict of column name -> value."""
        kinds = ((name, KINDS[kind]) for name, kind in self.kinds.items())
        return {name: kind.read(_value(record, self._place(name, record))) for name, kind in kinds}

    def names(self, record, line):
        """What the collector takes of a record that `check` has found whole."""
        if self.named is None:
            return []
        return KINDS[self.kinds[self.named]].names(self.cells(record)[self.named])

    def collector(self, path, tagging):
        """What collects the class names of a file; see cells.Kind."""
        kind = "names" if self.named is None else self.kinds[self.named]
        return KINDS[kind].collector(path, tagging)

    def _place(self, name, record):
        """Where a column is in a record; spans stand under `label` or `spans`."""
        place = self._places[name]
        either = name == place == self.named and place not in record and "spans" in record
        return "spans" if either else place

    def place(self, path, line):
        """Where a record is, for messages."""
        return f"{path}, {self._unit} {line}"

    def check(self, record, path, line):
        """Sees that a record is whole.

        Returns:
          str or None, its label.
        Raises:
          InputError: a cell is missing or of another kind; with line and column.
        """
        place = self.place(path, line)
        if isinstance(record, dict):
            if self._unread and (found := self._unread.intersection(record)):
                _tell_unread(found, place)
                self._unread -= found
            for name in self._places:
                for key in each_of(self._place(name, record)):
                    if key not in record:
                        raise InputError(
                            f"{place}: no key {shown(key)}; {column_hint(key, list(record))}"
                        )
        elif record == self._header:
            raise InputError(f"{place}: is the header again, as where files were put together")
        elif self._header is not None and len(self._header) != len(record):
            wanted = f"the header's {len(self._header)}"
            raise InputError(f"{place}: has {len(record)} columns, wanted {wanted}")
        elif len(record) < self._least:
            wanted = f"at least {self._least}, for column {self._least - 1} counted from 0"
            raise InputError(f"{place}: has {len(record)} columns, wanted {wanted}")
        kind = "key" if isinstance(record, dict) else "column"
        cells = {name: _value(record, self._place(name, record)) for name in self.kinds}
        for name, value in cells.items():
            KINDS[self.kinds[name]].check(value, f"{place}: {kind} {self._place(name, record)!r}")
        for name, value in cells.items():
            if (in_text := KINDS[self.kinds[name]].in_text) is not None:
                in_text(value, cells["text"], place)
        if self.label is None:
            return None
        key = self._places[self.label]
        return _label_text(record[key], f"{place}: {kind} {key!r}")


def _value(record, place):
    """The value at a place of a record; of several places the list of theirs."""
    return [record[one] for one in place] if isinstance(place, list | tuple) else record[place]


def _label_text(value, place):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if not isinstance(value, str):
        raise InputError(f"{place} is {shown(value)}, wanted a string or a number")
    check_unicode(value, place)
    return value
