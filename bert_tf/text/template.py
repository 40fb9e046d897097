"""What stands round one text and round two: special tokens and token types."""

import dataclasses
from typing import NamedTuple

import tensorflow as tf


class Part(NamedTuple):
    """One place of a template.

    text: 0 or 1, the text that stands here, or None: it is a special token. id: int, that of the
    special token, or None. type: int, the token type.
    """

    text: int | None
    id: int | None
    type: int


@dataclasses.dataclass(frozen=True)
class Template:
    """The places of a row of one text and of two, each text once and in order.

    Args:
      single, pair: tuples of Part.
    """

    single: tuple
    pair: tuple

    @classmethod
    def of_ends(cls, begin, end):
        """BERT's: [CLS] A [SEP], and [CLS] A [SEP] B:1 [SEP]:1, of the ids of both tokens."""
        single = (Part(None, begin, 0), Part(0, None, 0), Part(None, end, 0))
        return cls(single, (*single, Part(1, None, 1), Part(None, end, 1)))

    @classmethod
    def none(cls, second_type=0):
        """Texts alone, one behind the other."""
        return cls((Part(0, None, 0),), (Part(0, None, 0), Part(1, None, second_type)))

    def parts(self, texts):
        """The places of a row of 1 or 2 `texts`."""
        return self.single if texts == 1 else self.pair

    def added(self, texts):
        """int, how many special tokens a row of 1 or 2 `texts` has."""
        return sum(part.text is None for part in self.parts(texts))

    def before_last(self, texts):
        """int, how many special tokens stand before the last of 1 or 2 `texts`."""
        parts = self.parts(texts)
        place = next(i for i, part in enumerate(parts) if part.text == texts - 1)
        return sum(part.text is None for part in parts[:place])

    def assemble(self, texts, pad, length, special=None):
        """Put each row's texts in their places, and padding behind.

        Args:
          texts: one or two ragged [N, (pieces), ...] of int32.
          pad: int32 scalar, or [2] for offsets.
          length: int, or int64 scalar tensor: columns of the result.
          special: what stands for a special token in place of its id: [0, 0] for offsets.
        Returns:
          int32 [N, length, ...].
        """
        rows = texts[0].nrows()

        def column(value):
            value = tf.convert_to_tensor(value, tf.int32)
            return tf.RaggedTensor.from_uniform_row_length(
                tf.repeat(value[None], rows, axis=0), 1, nrows=rows
            )

        pieces = [
            texts[part.text]
            if part.text is not None
            else column(part.id if special is None else special)
            for part in self.parts(len(texts))
        ]
        inner = texts[0].flat_values.shape[1:].as_list()
        shape = tf.stack([-1, length, *inner]) if tf.is_tensor(length) else [None, length, *inner]
        row = tf.concat(pieces, 1) if len(pieces) > 1 else pieces[0]
        return row.to_tensor(pad, shape=shape)

    def types(self, lengths, place, inside):
        """The token types of rows.

        Args:
          lengths: one or two int64 [N], pieces of each text.
          place: int64 [1, L], the numbers of the columns. inside: bool [N, L], no padding.
        Returns:
          int32 [N, L].
        """
        types = tf.zeros_like(inside, tf.int32)
        start, last = tf.zeros_like(lengths[0]), 0
        for part in self.parts(len(lengths)):
            if part.type != last:
                from_here = inside & (place >= start[:, None])
                types += tf.cast(from_here, tf.int32) * (part.type - last)
                last = part.type
            start += 1 if part.text is None else lengths[part.text]
        return types
