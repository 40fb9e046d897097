"""Several short examples in one row, so that padding is not work (Krell et al. 2021, 2107.02027).

Which lengths go together is decided on the histogram of all lengths, so it costs the same for any
number of examples: from long to short each goes into the fullest row that has room for it, a new
one if there is none (longest-pack-first, appendix of the paper; "best fit decreasing"). Examples of
a row do not see each other (attention_mask 1, 2, 3, ...), have positions of their own and keep
their labels, so each has the loss it would have alone.
"""

import dataclasses
import functools
import math
import typing

import numpy as np
import tensorflow as tf

from bert_tf.data import order
from bert_tf.errors import ConfigError, InputError

# The columns of a packed row's predictions are a multiple of it: few different shapes.
_COLUMNS = 8
# What a token label or an absent sentence label is filled with: no label.
_NO_LABEL = -1


@dataclasses.dataclass(frozen=True)
class Packing:
    """How rows are packed: max_examples, int, how many examples a row may hold."""

    max_examples: int = 16

    def __post_init__(self):
        most = self.max_examples
        if isinstance(most, bool) or not isinstance(most, int) or most < 1:
            raise ConfigError(f"packing.max_examples is {most!r}, wanted 1 or more")


class Packs(typing.NamedTuple):
    """Examples in rows: rows, int64 [N], numbers of examples, row after row; splits, int64 [K + 1],
    where each of the K rows begins among them."""

    rows: np.ndarray
    splits: np.ndarray


def strategy(histogram, width, packing):
    """Which lengths share a row, and how many rows there are of each kind.

    Args:
      histogram: int [width + 1]. How many examples there are of each length.
      width: int. Tokens of a row.
      packing: Packing.
    Returns:
      list of (count, lengths): so many rows hold examples of these lengths, longest first.
    Source: Krell et al. 2021, appendix, "longest-pack-first histogram-packing".
    """
    # By the room left in it, groups of equal rows: (count, lengths). There is no end of empty rows.
    groups = [[] for _ in range(width)] + [[(math.inf, ())]]
    full = []
    for length in range(width, 0, -1):
        left, room = int(histogram[length]), length
        while left:
            while not groups[room]:
                room += 1
            count, lengths = groups[room].pop()
            # The fullest row stays the fullest until the length does not fit any more.
            copies = min(room // length, packing.max_examples - len(lengths))
            taken = min(count, left // copies) if left >= copies else 1
            copies = min(copies, left)
            if count > taken:
                groups[room].append((count - taken, lengths))
            lengths += (length,) * copies
            left -= taken * copies
            rest = room - length * copies
            closed = not rest or len(lengths) == packing.max_examples
            (full if closed else groups[rest]).append((taken, lengths))
            room = length
    kinds = full + [group for some in groups[:-1] for group in some]
    return [(int(count), lengths) for count, lengths in kinds]


def plan(lengths, width, packing, among=None):
    """Put examples into rows; a pure function of the lengths and of the order of the examples.

    Args:
      lengths: int [N]. Tokens of each example.
      width: int. Tokens of a row.
      packing: Packing.
      among: int64 [N]. The order in which examples of equal length are taken; None: 0, 1, ...
    Returns:
      Packs.
    Raises:
      InputError: an example is longer than a row.
    """
    lengths = np.maximum(np.asarray(lengths), 1)
    if lengths.max(initial=0) > width:
        long = int(np.argmax(lengths))
        raise InputError(f"example {long}: {lengths[long]} tokens, a row has {width}")
    kinds = strategy(np.bincount(lengths, minlength=width + 1), width, packing)
    slots = np.concatenate([np.tile(kind, count) for count, kind in kinds] or [np.empty(0, int)])
    sizes = np.concatenate([np.full(n, len(kind)) for n, kind in kinds] or [np.empty(0, int)])
    among = np.arange(len(lengths)) if among is None else np.asarray(among)
    rows = np.empty(len(lengths), np.int64)
    rows[np.argsort(slots, kind="stable")] = among[np.argsort(lengths[among], kind="stable")]
    return Packs(rows, np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64))


class PackedOrder:
    """Which examples the rows of every batch hold in an endless run: a function of (seed, step).

    The kinds of rows are the same in every epoch, which examples of equal length they take is not.
    All batches are full, the last one of an epoch with rows of its beginning.

    Args:
      lengths: int [N]. Tokens of each example.
      width: int. Tokens of a row.
      batch_size: int. Rows of a batch.
      seed: int >= 0.
      packing: Packing.
    """

    def __init__(self, lengths, width, batch_size, seed, packing):
        self.lengths, self.width, self.packing = np.asarray(lengths), width, packing
        self.batch_size, self.seed = batch_size, seed
        self._epoch = functools.lru_cache(maxsize=2)(self._packed)
        self.rows = len(self._epoch(0)[0].splits) - 1
        self.epoch_steps = -(-self.rows // batch_size)

    def _packed(self, epoch):
        among = order.shuffled(len(self.lengths), self.seed, epoch)
        packs = plan(self.lengths, self.width, self.packing, among)
        count = len(packs.splits) - 1
        places = order.shuffled(count, self.seed, epoch, 1)
        return packs, np.resize(places, -(-count // self.batch_size) * self.batch_size)

    def batch(self, step):
        """The examples of a step, counted from 0 over all epochs.

        Returns:
          examples: int64 [E], row after row. rows: int64 [E], the row each is in, from 0.
        """
        epoch, batch = divmod(step, self.epoch_steps)
        packs, places = self._epoch(epoch)
        chosen = places[batch * self.batch_size : (batch + 1) * self.batch_size]
        examples = [packs.rows[packs.splits[i] : packs.splits[i + 1]] for i in chosen]
        rows = np.repeat(np.arange(len(chosen)), [len(some) for some in examples])
        return np.concatenate(examples), rows

    def report(self):
        """What packing saves, as a line."""
        tokens, examples = int(self.lengths.sum()), len(self.lengths)
        return (
            f"{examples:,} examples in {self.rows:,} rows of {self.width} tokens, "
            f"{tokens / (self.rows * self.width):.2%} of them real; an example a row: "
            f"{tokens / (examples * self.width):.2%}"
        )


def pack_rows(inputs, labels, rows, height, width, packing):
    """Put examples into the rows they belong to, in TensorFlow ops.

    Args:
      inputs: dict of int32 [E, L]: input_ids, attention_mask (0 or 1), token_type_ids; perhaps
        masked_positions int32 [E, P].
      labels: dict of masked_ids int32 and masked_weights float32 [E, P], ascending with filling
        last, if there are positions; any label of each token [E, L]; any of each example, [E],
        [E, n] or [E, n, p].
      rows: integer [E] ascending. The row of each example.
      height, width: int, rows and tokens of a row. Those of a row must have room in it.
      packing: Packing; S is its max_examples.
    Returns:
      inputs: dict of int32 [height, width]: input_ids, attention_mask (1, 2, 3, ..., 0 is padding),
      token_type_ids, position_ids (from 0 in each example); sentence_positions int32 [height, S],
      where each example begins, and sentence_weights float32 [height, S], 0 where there is none;
      masked_positions int32 [height, Q]. labels: masked_ids, masked_weights [height, Q]; labels of
      tokens [height, width]; labels of examples [height, S], [height, S, n] or
      [height, S, n, p]; -1 for none.
    """
    inputs, labels, rows = dict(inputs), dict(labels), tf.cast(rows, tf.int32)
    lengths = tf.math.count_nonzero(inputs.pop("attention_mask"), axis=1, dtype=tf.int32)
    count, columns = tf.shape(lengths)[0], tf.shape(inputs["input_ids"])[1]
    begins, numbers = _before(lengths, rows), _before(tf.ones_like(lengths), rows)
    tokens = _Cells(lengths, columns, rows, begins, height, width)
    examples = _Cells(tf.ones_like(lengths), 1, rows, numbers, height, packing.max_examples)

    packed = {
        "attention_mask": tokens.place(tf.repeat(numbers + 1, columns)),
        "position_ids": tokens.place(tf.tile(tf.range(columns), [count])),
        "sentence_positions": examples.place(begins),
        "sentence_weights": examples.place(tf.ones([count])),
    }
    packed_labels = {}
    if "masked_positions" in inputs:
        weights = labels.pop("masked_weights")
        made = tf.math.count_nonzero(weights, axis=1, dtype=tf.int32)
        most = tf.reduce_max(tf.math.unsorted_segment_sum(made, rows, height))
        most = tf.maximum(-(-most // _COLUMNS), 1) * _COLUMNS
        masks = _Cells(made, tf.shape(weights)[1], rows, _before(made, rows), height, most)
        packed["masked_positions"] = masks.place(inputs.pop("masked_positions") + begins[:, None])
        packed_labels["masked_ids"] = masks.place(labels.pop("masked_ids"))
        packed_labels["masked_weights"] = masks.place(weights)
    packed |= {name: tokens.place(values) for name, values in inputs.items()}
    for name, values in labels.items():
        of_tokens = values.shape.rank == 2 and values.shape[1] == inputs["input_ids"].shape[1]
        packed_labels[name] = (tokens if of_tokens else examples).place(
            values, _NO_LABEL, () if of_tokens else values.shape[1:]
        )
    return packed, packed_labels


def _before(counts, rows):
    """How much there is before each example in its row: int32 [E]; rows ascend."""
    before = tf.cumsum(counts, exclusive=True)
    return before - tf.gather(tf.math.segment_min(before, rows), rows)


class _Cells:
    """Where the values of examples go in rows.

    Args:
      counts: int32 [E]. How many values of each example there are.
      columns: int. How wide the tensors of values are.
      rows, offsets: int32 [E]. The row of each, and the column where it begins there.
      height, width: int. The rows, and how wide they are.
    """

    def __init__(self, counts, columns, rows, offsets, height, width):
        real = tf.sequence_mask(counts, columns)
        cells = (rows * width + offsets)[:, None] + tf.range(columns)
        self._source = tf.where(tf.reshape(real, [-1]))[:, 0]
        self._cells = tf.gather(tf.reshape(cells, [-1]), self._source)[:, None]
        self._height, self._width = height, width

    def place(self, values, fill=0, inner=()):
        """Values [E, columns], flat or not, each perhaps of an inner shape, in rows
        [height, width]; fill elsewhere."""
        inner = list(inner)
        values = tf.gather(tf.reshape(values, [-1, *inner]), self._source)
        empty = tf.fill([self._height * self._width, *inner], tf.cast(fill, values.dtype))
        placed = tf.tensor_scatter_nd_update(empty, self._cells, values)
        return tf.reshape(placed, [self._height, self._width, *inner])
