"""Texts altered at random, to be answered by a teacher: they need no labels."""

import numpy as np

from bert_tf.data import order

# Tang et al. 2019, section 3.4, and Wei & Zou 2019, section 2.
_PART, _LONGEST, _DROPPED = 0.25, 5, 0.1


class AugmentedTable:
    """Altered copies of the rows of a Table, without labels; names stay. See `altered`.

    Args:
      table: Table.
      copies: int, of each row.
      seed: int. With the number of the copy it alone decides.
    """

    def __init__(self, table, copies, seed):
        self._table, self._seed = table, seed
        self._count = copies * len(table)
        self._texts = [name for name, kind in table.kinds.items() if kind == "text"]

    def __len__(self):
        return self._count

    def cells(self, rows):
        """As Table.cells."""
        rows = np.asarray(rows)
        cells = dict(self._table.cells(rows % len(self._table)))
        for place, name in enumerate(self._texts):
            cells[name] = [
                altered(text, self._numbers(text, place, row))
                for text, row in zip(cells[name], rows, strict=True)
            ]
        return cells

    def _numbers(self, text, place, row):
        """As many numbers from 0 to below 1 as `altered` may want."""
        bits = order.random_bits(len(text) + 5, self._seed, order.AUGMENTED - place, row)
        return bits / 2.0**64


def altered(text, numbers):
    """A text with words left out and two of them exchanged, or some words of it alone.

    In a quarter of the cases it is one to five words in a row (n-gram sampling, Tang et al. 2019,
    arXiv 1903.12136, section 3.4); then a word in ten is left out, and two change places (random
    deletion and swap, Wei & Zou 2019, arXiv 1901.11196, section 2). Of a text without spaces, such
    as Chinese, characters are its words.

    Args:
      text: str.
      numbers: float [n] from 0 to below 1, n the characters of the text and five at least.
    Returns:
      str, not empty unless the text is.
    """
    words, between = text.split(), " "
    if len(words) < 2:
        words, between = list(text), ""
    if not words:
        return text
    part, size, start, one, other, *each = numbers
    if part < _PART:
        size = 1 + int(size * min(_LONGEST, len(words)))
        start = int(start * (len(words) - size + 1))
        words = words[start : start + size]
    kept = [word for word, x in zip(words, each, strict=False) if x >= _DROPPED] or words[:1]
    one, other = int(one * len(kept)), int(other * len(kept))
    kept[one], kept[other] = kept[other], kept[one]
    return between.join(kept)
