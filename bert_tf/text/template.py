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


class Cut(NamedTuple):
    """The pieces of texts, and which of them each of N rows has.

    ids: int32 [P]. offsets: int32 [P, 2] or None. starts, lengths: int64 [N], the place of a row's
    first piece among the P, and how many it has from there.
    """

    ids: tf.Tensor
    offsets: tf.Tensor | None
    starts: tf.Tensor
    lengths: tf.Tensor


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

    def assemble(self, texts, pad, length):
        """Put each row's texts in their places, and padding behind.

        Args:
          texts: one or two `Cut`.
          pad: int, the id of padding.
          length: int, or int64 scalar tensor: columns of the result. What does not fit is left out.
        Returns:
          dict of int32 [N, length]: `input_ids`; `attention_mask`, 0 is padding; `token_type_ids`.
          Where a text has offsets, `offsets` [N, length, 2] too, (0, 0) for all that has none.
        """
        parts = self.parts(len(texts))
        # Rows are made of entries of one table: padding, special tokens, the pieces of the texts.
        table = [pad, *(part.id for part in parts if part.text is None)]
        base = len(table), len(table) + tf.size(texts[0].ids, tf.int64)
        place = tf.range(tf.cast(length, tf.int64))[None]
        entry, types = tf.zeros_like(place), tf.zeros_like(place, tf.int32)
        start, special, last = tf.zeros_like(texts[0].lengths)[:, None], 0, 0
        for part in parts:
            here = place >= start
            if part.type != last:
                types, last = tf.where(here, part.type, types), part.type
            if part.text is None:
                special += 1
                entry = tf.where(here, tf.constant(special, tf.int64), entry)
                start += 1
            else:
                text = texts[part.text]
                moved = base[part.text] + text.starts[:, None] - start
                entry = tf.where(here, moved + place, entry)
                start += text.lengths[:, None]
        inside = place < start
        entry = tf.where(inside, entry, 0)
        ids = tf.concat([tf.constant(table, tf.int32), *(text.ids for text in texts)], 0)
        rows = {
            "input_ids": tf.gather(ids, entry),
            "attention_mask": tf.cast(inside, tf.int32),
            "token_type_ids": tf.where(inside, types, 0),
        }
        if any(text.offsets is not None for text in texts):
            offsets = [
                tf.zeros([tf.size(text.ids), 2], tf.int32) if text.offsets is None else text.offsets
                for text in texts
            ]
            offsets = tf.concat([tf.zeros([len(table), 2], tf.int32), *offsets], 0)
            rows["offsets"] = tf.gather(offsets, entry)
        return rows
