"""Pairs of labelled texts: those of one class are alike, those of two are not."""

import numpy as np

from bert_tf.data import order
from bert_tf.errors import InputError, shown


class TextPairs:
    """Rows of two texts and a score, drawn from a Table with one class a text.

    Every text stands in `count` rows with another one of its class, score 1, and in as many with
    one of another class, score 0 (Tunstall et al. 2022, arXiv 2209.11055, section 3).

    Args:
      table: Table with the column `text` and classes.
      count: int.
      seed: int, which decides the partners.
    Raises:
      InputError: a class has one text alone.
    """

    kinds = {"text": "text", "text_pair": "text", "score": "rating"}
    label = problem_type = label_names = None

    def __init__(self, table, count, seed):
        self.name, self._table = table.name, table
        numbers = np.arange(len(table))
        classes = table.labels(numbers)
        bits = order.random_bits(2 * count * len(table), seed, order.SAMPLE)
        draws = bits.reshape(2, len(table), count)
        partners = [[], []]
        for row, own in enumerate(classes):
            same = numbers[(classes == own) & (numbers != row)]
            if not len(same):
                name = shown(table.label_names[own])
                raise InputError(f"{table.name}: one text of the class {name}, wanted two at least")
            for part, among in enumerate((same, numbers[classes != own])):
                partners[part].append(among[draws[part, row] % np.uint64(len(among))])
        self._first = np.tile(np.repeat(numbers, count), 2)
        self._second = np.concatenate([np.ravel(part) for part in partners])

    def __len__(self):
        return len(self._first)

    def cells(self, rows):
        """As Table.cells."""
        texts, partners = (
            self._table.cells(numbers[rows])["text"] for numbers in (self._first, self._second)
        )
        half = len(self) // 2
        return {"text": texts, "text_pair": partners, "score": [float(x < half) for x in rows]}

    def labels(self, rows):
        """None: the score is a cell."""


def drawn(table, per_class, seed):
    """So many texts of every class, chosen by the seed alone.

    Args:
      table: Table with one class a text.
      per_class: int; None takes all.
      seed: int.
    Returns:
      Table.
    Raises:
      InputError: a class has fewer.
    """
    if per_class is None:
        return table
    shuffled = order.shuffled(len(table), seed, order.SPLIT)
    classes = table.labels(shuffled)
    chosen = []
    for number, name in enumerate(table.label_names):
        found = shuffled[classes == number]
        if len(found) < per_class:
            raise InputError(
                f"{table.name}: {len(found)} texts of the class {shown(name)}, wanted {per_class}"
            )
        chosen.append(found[:per_class])
    return table.subset(np.sort(np.concatenate(chosen)))
