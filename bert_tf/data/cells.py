"""What a cell of a table may hold, and how the cells of many rows become one tensor.

A kind says how a value is checked when its file is scanned, as which flat arrays many values leave
Python, and how these are one tensor again in the graph. A column of labels is numbered as a whole
(labels.py), all others are read when they are wanted.
"""

import math
import typing
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from bert_tf import tags
from bert_tf.data import answers, span_arrays, spans
from bert_tf.data.labels import NameCollector
from bert_tf.errors import InputError, shown


class Kind(typing.NamedTuple):
    """One kind of cell.

    Attributes:
      wanted: str, what a value must be, for messages.
      accepts: function of a value as JSON gives it -> bool. Of files of cells a value is a str.
      flatten: function of a list of values -> tuple of numpy arrays.
      types: tuple of tf.DType, of these arrays.
      restore: function of the arrays as tensors -> one tensor with an entry a row.
      names: function of a value -> what `collector` takes of it, such as the class names in it;
        None of kinds without any.
      collector: function of (path, tags.Tagging) -> what collects them over a file.
      numbering: function of all class names in order -> what `numbered` finds their numbers in.
      numbered: function of (value, numbering) -> what `flatten` takes of it.
      read: function of a value as JSON gives it -> as a task reads it.
      in_text: function of (value, text, place), which raises InputError unless a value fits the
        text of its row; None of kinds that have nothing to do with it.
    """

    wanted: str
    accepts: Callable
    flatten: Callable
    types: tuple
    restore: Callable
    names: Callable | None = None
    collector: Callable = lambda path, tagging: NameCollector()
    numbering: Callable = lambda names: {name: number for number, name in enumerate(names)}
    numbered: Callable | None = None
    read: Callable = lambda value: value
    in_text: Callable | None = None

    def check(self, value, place):
        """Raises InputError unless the value is of this kind; `place` names file, line, column."""
        if not self.accepts(value):
            raise InputError(f"{place} is {shown(value)}, wanted {self.wanted}")
        for text in _texts_in(value):
            check_unicode(text, place)


def _texts_in(value):
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for each in inner for text in _texts_in(each)]


def check_unicode(text, place):
    """Raises InputError for a str that UTF-8 cannot hold; `place` names file, line and column."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{place}: character {error.start + 1} is half a surrogate pair") from None


def as_bytes(texts):
    """Texts as UTF-8 in an object array, which tf.numpy_function takes as strings of any length."""
    encoded = np.empty(len(texts), object)
    encoded[:] = [text.encode() for text in texts]
    return encoded


def _is_texts(value):
    return isinstance(value, list) and value and all(isinstance(x, str) for x in value)


def _is_numbers(value):
    return isinstance(value, list) and all(type(x) is int and x >= 0 for x in value)


def _is_number(value):
    if isinstance(value, str):
        return value.strip().isascii() and value.strip().isdigit()
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _numbering(names):
    subtypes = {name.partition(":")[0] + ":": -2 - number for number, name in enumerate(names)}
    return subtypes | {name: number for number, name in enumerate(names)}


def _lengths(lists):
    return np.array([len(values) for values in lists], np.int64)


def _is_rating(value):
    try:
        number = float(value) if isinstance(value, str) and "_" not in value else value
    except ValueError:
        return False
    is_number = isinstance(number, int | float) and not isinstance(number, bool)
    return is_number and math.isfinite(number)


def _flat_lists(lists):
    return as_bytes([text for texts in lists for text in texts]), _lengths(lists)


def _flat_numbers(lists):
    return np.array([number for numbers in lists for number in numbers], np.int32), _lengths(lists)


def _flat_ratings(lists):
    flat = [float(rating) for ratings in lists for rating in ratings]
    return np.array(flat, np.float32), _lengths(lists)


def _ragged(flat, lengths):
    flat, lengths = tf.ensure_shape(flat, [None]), tf.ensure_shape(lengths, [None])
    return tf.RaggedTensor.from_row_lengths(flat, lengths)


_TEXT = Kind(
    "a string",
    lambda value: isinstance(value, str),
    lambda texts: (as_bytes(texts),),
    (tf.string,),
    lambda texts: tf.ensure_shape(texts, [None]),
)
KINDS = {
    "text": _TEXT,
    # What a row is called by, such as its language, and no text to cut or to alter.
    "name": _TEXT,
    "texts": Kind(
        "a list of strings, one at least",
        _is_texts,
        _flat_lists,
        (tf.string, tf.int64),
        _ragged,
    ),
    "number": Kind(
        "a whole number, 0 or more",
        _is_number,
        lambda values: (np.array(list(map(int, values)), np.int32),),
        (tf.int32,),
        lambda values: tf.ensure_shape(values, [None]),
    ),
    "numbers": Kind(
        "a list of whole numbers, 0 or more",
        _is_numbers,
        _flat_numbers,
        (tf.int32, tf.int64),
        _ragged,
    ),
    # Class names, several a row; numbered where the table is read (readers.py), an unknown one -1
    # or, if what stands before its ":" begins the known name of number n, -2 - n
    "names": Kind(
        "a list of strings, one at least",
        _is_texts,
        _flat_numbers,
        (tf.int32, tf.int64),
        _ragged,
        names=lambda names: names,
        numbering=_numbering,
        numbered=lambda names, numbers: [
            numbers.get(name, numbers.get(name.partition(":")[0] + ":", -1)) for name in names
        ],
    ),
    # As a tensor: where the first answer of each row begins and ends, int32 [N, 2].
    "answers": Kind(
        'a list of {"text": string, "answer_start": whole number}',
        answers.accepts,
        answers.flatten,
        (tf.int32,),
        lambda spans: tf.ensure_shape(spans, [None, 2]),
        read=answers.read,
    ),
    # Made of the ratings of several rows (grouped.py); no file holds them.
    "ratings": Kind(
        "a list of finite numbers",
        lambda value: isinstance(value, list) and all(map(_is_rating, value)),
        _flat_ratings,
        (tf.float32, tf.int64),
        _ragged,
    ),
    "rating": Kind(
        "a finite number",
        _is_rating,
        lambda values: (np.array(list(map(float, values)), np.float32),),
        (tf.float32,),
        lambda values: tf.ensure_shape(values, [None]),
    ),
    "spans": Kind(
        spans.WANTED,
        spans.is_annotation,
        span_arrays.flatten,
        span_arrays.TYPES,
        span_arrays.restore,
        names=lambda found: found,
        collector=spans.SpanCollector,
        numbering=tags.TagSet,
        numbered=spans.marked,
        read=spans.annotation,
        in_text=spans.check_in_text,
    ),
}


def cell_types(kinds, label=None):
    """The types of the arrays that `flat_cells` gives, a list of tf.DType.

    Args:
      kinds: dict of column name -> key of KINDS.
      label: numpy array, an example of the labels, or None where there are none.
    """
    types = [kind for name in kinds for kind in KINDS[kinds[name]].types]
    return types + ([] if label is None else [tf.as_dtype(label.dtype)])


def flat_cells(kinds, cells, labels=None):
    """Cells as arrays that tf.numpy_function passes on, a list.

    Args:
      kinds: as `cell_types`.
      cells: dict of column name -> list of values.
      labels: numpy array with an entry a row, or None.
    """
    arrays = [array for name in kinds for array in KINDS[kinds[name]].flatten(cells[name])]
    return arrays + ([] if labels is None else [labels])


def cell_tensors(kinds, arrays, label=None, label_name="label"):
    """The arrays of `flat_cells`, now tensors, as cells: dict of column name -> tensor.

    Args:
      kinds, label: as `cell_types`.
      arrays: list of tensors.
      label_name: str, the column of the labels.
    """
    cells, rest = {}, list(arrays)
    for name, kind in kinds.items():
        count = len(KINDS[kind].types)
        cells[name], rest = KINDS[kind].restore(*rest[:count]), rest[count:]
    if label is not None:
        cells[label_name] = tf.ensure_shape(rest[0], [None, *label.shape[1:]])
    return cells
