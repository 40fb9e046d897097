"""The conversion engine: tables of names, read in both directions, strict on both sides.

A table is rows of (their names, our attribute path, transform). Filling a model checks every name,
shape and dtype before the first variable changes; reading a model out gives exactly the tensors
that filling it would take. The engine knows no family and builds no model: it follows attribute
paths such as `blocks.0.attention.qkv.kernel` and uses `variable.shape`, `variable.assign` and
`variable.numpy` of what it finds there.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from absl import logging

from bert_tf.errors import InputError, shown_name

# What a weight may be stored as; the last two are cast up to float32 when they are read.
FLOATS = ("float32", "float16", "bfloat16")
# The deepest model here has about 16,000 tensors, with every slot of an optimizer three times more.
TENSORS_LIMIT = 50_000
NAMES_SHOWN = 4  # an error names this many tensors of a kind and counts the rest


class StoredTensor(NamedTuple):
    """A tensor in a file: its description at hand, its numbers read when asked for.

    Attributes:
      file: str, the file that holds it, for messages.
      shape: tuple of int.
      dtype: str, a numpy name or "bfloat16".
      read: function of no arguments that returns the numpy array (float16 and bfloat16 come back as
        float32).
    """

    file: str
    shape: tuple[int, ...]
    dtype: str
    read: Callable[[], np.ndarray]


class Transform(NamedTuple):
    """A pair of inverse functions between their arrays and ours.

    Attributes:
      join: their arrays, a list in the row's order -> our array.
      split: our array, how many arrays they hold -> the list of theirs.
    """

    join: Callable[[list[np.ndarray]], np.ndarray]
    split: Callable[[np.ndarray, int], list[np.ndarray]]


def _join(parts):
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)


AS_IS = Transform(_join, lambda array, count: np.split(array, count, axis=-1))
TRANSPOSED = Transform(
    lambda parts: _join([part.T for part in parts]),
    lambda array, count: [part.T for part in np.split(array, count, axis=-1)],
)


@dataclass(frozen=True)
class Row:
    """One variable of ours and the tensor or tensors it is made of.

    Attributes:
      theirs: str or tuple of str; several are joined along our last axis. `{i}` stands for a layer
        number.
      ours: str, attribute path; `{i}` stands for an index into the list before it. A row whose path
        a model lacks does not apply to that model: then a file that holds their tensor holds a
        leftover.
      transform: AS_IS or TRANSPOSED, or any other Transform.
    """

    theirs: str | tuple[str, ...]
    ours: str
    transform: Transform = AS_IS

    @property
    def names(self):
        """tuple of str: their names, also when there is one."""
        return (self.theirs,) if isinstance(self.theirs, str) else self.theirs

    def at(self, letter, number):
        """The row with `{letter}` replaced by a number on both sides."""
        theirs, ours = (
            [text.replace("{" + letter + "}", str(number)) for text in side]
            for side in (self.names, (self.ours,))
        )
        return Row(tuple(theirs), ours[0], self.transform)


@dataclass(frozen=True)
class Table:
    """All rows of one kind of file, and how far a file may differ from them.

    Attributes:
      rows: tuple of Row.
      old_names: tuple of (regex, replacement): names of older files, rewritten in this order before
        anything else.
      ignorable: tuple of (regex, reason): tensors that carry nothing a model needs.
      tied: tuple of (name, original), two tensors for one variable. A file may hold the first as
        well as the original, and then they must be equal, or in its place.
    """

    rows: tuple[Row, ...]
    old_names: tuple[tuple[str, str], ...] = ()
    ignorable: tuple[tuple[str, str], ...] = ()
    tied: tuple[tuple[str, str], ...] = ()


def check_count(tensors, source):
    """Refuses a file with more tensors than any model has, before each is compared with each name.

    Args:
      tensors: collection of names.
      source: str or Path, the file, for the message.
    Raises:
      InputError: there are more than TENSORS_LIMIT.
    """
    if len(tensors) > TENSORS_LIMIT:
        raise InputError(f"{source}: names {len(tensors)} tensors, wanted at most {TENSORS_LIMIT}")


def find(model, path):
    """What an attribute path leads to, or None where the model has no such part.

    Args:
      model: any object.
      path: str, names and list indices joined by dots, such as `blocks.0.attention.qkv.kernel`.
    """
    for step in path.split("."):
        if model is None:
            return None
        if step.isdigit():
            model = model[int(step)] if int(step) < len(model) else None
        else:
            model = getattr(model, step, None)
    return model


def expand(rows, model):
    """Rows for every layer the model has; rows whose path it lacks are left out.

    Returns:
      list of Row without templates.
    """
    found = []
    for row in rows:
        template = re.search(r"\.\{(\w)\}", row.ours)
        if template:
            layers = find(model, row.ours[: template.start()])
            each = [row.at(template.group(1), number) for number in range(len(layers or ()))]
            found += expand(each, model)
        elif find(model, row.ours) is not None:
            found.append(row)
    return found


def canonical_names(table, tensors, source):
    """Give the tensors of a file the names the table uses.

    Args:
      table: Table.
      tensors: dict of name to StoredTensor.
      source: str, the file or folder, for the message.

    Returns:
      dict of name to StoredTensor.

    Raises:
      InputError: two tensors of the file are the same one under an old and a new name.
    """
    renamed, came_from = {}, {}
    for stored_name, tensor in tensors.items():
        name = stored_name
        for pattern, replacement in table.old_names:
            name = re.sub(pattern, replacement, name)
        if name in renamed:
            raise InputError(
                f"{source}: {shown_name(came_from[name])} and {shown_name(stored_name)} are two "
                "names of one tensor"
            )
        renamed[name], came_from[name] = tensor, stored_name
    for name, original in table.tied:
        if name in renamed and original not in renamed:
            renamed[original] = renamed.pop(name)
    return renamed


def fill(model, table, tensors, source, optional=()):
    """Put the tensors of a file into a model; first everything is checked, then assigned.

    Args:
      model: object whose `weights` are all reached by the table's rows.
      table: Table.
      tensors: dict of name to StoredTensor.
      source: str, the file or folder, for messages.
      optional: tuple of str, parts of our model (`pooler`) that a file may lack as a whole; they
        keep their values.

    Returns:
      list of str, the parts in `optional` that the file lacked.

    Raises:
      InputError: tensors are missing, left over, of another shape or no floats; one line names the
        file and them.
    """
    rows = expand(table.rows, model)
    _check_reached(model, rows, source)
    tensors = canonical_names(table, tensors, source)
    fresh = [part for part in optional if _lacks(part, rows, tensors)]
    kept = [row for row in rows if not any(row.ours.startswith(part + ".") for part in fresh)]

    wanted = _shapes_wanted(model, kept)
    for name, original in table.tied:
        # The two biases of an untied output matrix were one in transformers 4, under either name.
        if name.endswith(".bias") and name in wanted and original in tensors:
            tensors.setdefault(name, tensors[original])
    # What a model has a variable of its own for is not tied there.
    tied = [pair for pair in table.tied if pair[0] not in wanted]
    ignored = [*(x for x, _ in table.ignorable), *(f"^{re.escape(x)}$" for x, _ in tied)]
    _check_fit(wanted, tensors, ignored, source)
    _check_tied(tied, tensors, source)
    _log_casts([tensors[name] for name in wanted], source)
    arrays = [row.transform.join([tensors[name].read() for name in row.names]) for row in kept]
    for row, array in zip(kept, arrays, strict=True):
        find(model, row.ours).assign(array)
    return fresh


def read_out(model, table):
    """The model's weights under the table's names.

    Returns:
      dict of name to float32 numpy array, contiguous, in the table's order, without the tied ones.

    Raises:
      InputError: the model holds a variable that no row of the table reaches.
    """
    rows = expand(table.rows, model)
    _check_reached(model, rows, type(model).__name__)
    tensors = {}
    for row in rows:
        array = np.asarray(find(model, row.ours).numpy()).astype(np.float32, copy=False)
        for name, part in zip(row.names, row.transform.split(array, len(row.names)), strict=True):
            tensors[name] = np.ascontiguousarray(part)
    return tensors


def _shapes_wanted(model, rows):
    """{their name: shape}: our shapes sent through the transforms."""
    shapes = {}
    for row in rows:
        # No number is touched, or even there: every entry is the same one.
        placeholder = np.broadcast_to(np.float32(0), tuple(find(model, row.ours).shape))
        for name, part in zip(
            row.names, row.transform.split(placeholder, len(row.names)), strict=True
        ):
            shapes[name] = part.shape
    return shapes


def _check_reached(model, rows, source):
    reached = {id(find(model, row.ours)) for row in rows}
    left = [variable.path for variable in model.weights if id(variable) not in reached]
    if left:
        raise InputError(
            f"{source}: the format has no name for {len(left)} of our variables: {listed(left)}"
        )


def _check_fit(wanted, tensors, ignored, source):
    """Every wanted name is there, in its shape and a float; what else is there is ignored."""
    present = [name for name in wanted if name in tensors]
    kinds = {
        "missing": [name for name in wanted if name not in tensors],
        "left over": [
            name
            for name in tensors
            if name not in wanted and not any(re.search(pattern, name) for pattern in ignored)
        ],
        "of another shape": [
            f"{name} is {list(tensors[name].shape)}, wanted {list(wanted[name])}"
            for name in present
            if tensors[name].shape != wanted[name]
        ],
        f"not stored as {', '.join(FLOATS)}": [
            f"{name} is {tensors[name].dtype}"
            for name in present
            if tensors[name].dtype not in FLOATS
        ],
    }
    found = [f"{len(names)} {kind}: {listed(names)}" for kind, names in kinds.items() if names]
    if found:
        raise InputError(f"{source}: tensors do not fit: {'; '.join(found)}")


def _check_tied(tied, tensors, source):
    for name, original in tied:
        if name in tensors and original in tensors:
            copy, first = tensors[name], tensors[original]
            comparable = copy.shape == first.shape and copy.dtype in FLOATS
            if not comparable or not np.array_equal(copy.read(), first.read()):
                raise InputError(
                    f"{source}: {name} must equal {original}, to which it is tied, and does not"
                )


def _lacks(part, rows, tensors):
    names = [name for row in rows if row.ours.startswith(part + ".") for name in row.names]
    return bool(names) and not any(name in tensors for name in names)


def _log_casts(tensors, source):
    narrow = sorted({tensor.dtype for tensor in tensors} - {"float32"})
    if narrow:
        logging.info("%s: tensors stored as %s are read as float32", source, " and ".join(narrow))


def listed(names):
    """The first of some names from a file and how many more there are, for a message."""
    more = len(names) - NAMES_SHOWN
    first = ", ".join(shown_name(name, limit=120) for name in names[:NAMES_SHOWN])
    return first + (f" and {more} more" if more > 0 else "")
