"""Greedy longest-match WordPiece by TensorFlow's core operations, without TensorFlow Text.

It stands for `tensorflow_text.FastWordpieceTokenizer` on normalized texts and gives the same.
"""

import tensorflow as tf

from bert_tf.text.characters import CodePointTable, before, exclusive_sums, flags_of
from bert_tf.text.tracked import Tracked
from bert_tf.text.tries import Trie

_PREFIX = "##"
_SPACES = (0x9, 0xA, 0xD, 0x20)


class WordMatcher(Tracked):
    """Cuts normalized texts into words and these into pieces.

    Args:
      words: list of str, the vocabulary as it looks in normalized texts.
      unknown: int, the id of a word that cannot be cut.
      alone: set of int, code points that are words of their own.
    """

    def __init__(self, words, unknown, alone):
        super().__init__()
        self._unknown = unknown
        cut = len(_PREFIX)
        self._trie = Trie(
            [
                (1, word[cut:], id) if word.startswith(_PREFIX) else (0, word, id)
                for id, word in enumerate(words)
            ],
            roots=2,
        )
        self._alone = CodePointTable(flags_of(alone))
        self._spaces = CodePointTable(flags_of(_SPACES))

    def tokenize(self, texts):
        """int32 ragged [N, (pieces)] ids of string [N] texts."""
        return self.tokenize_with_offsets(texts)[0]

    def tokenize_with_offsets(self, texts):
        """Ids of string [N] texts, and where their bytes begin and end, ragged [N, (pieces)]."""
        raw = tf.strings.unicode_decode(texts, "UTF-8", errors="replace")
        values, rows = raw.flat_values, raw.value_rowids()
        sizes = 1 + sum(tf.cast(values >= limit, tf.int32) for limit in (0x80, 0x800, 0x10000))
        byte = exclusive_sums(sizes)
        space, alone = self._spaces(values) > 0, self._alone(values) > 0
        apart = space | alone
        begins = (before(rows, -1) != rows) | apart | before(apart, False)
        kept = tf.cast(tf.where(~space)[:, 0], tf.int32)
        values, first = tf.gather(values, kept), tf.gather(begins, kept)
        word = tf.cumsum(tf.cast(first, tf.int32)) - 1
        starts = tf.cast(tf.where(first)[:, 0], tf.int32)
        count = tf.size(values)
        ends = tf.concat([starts[1:], [count]], 0)[: tf.size(starts)]
        ids, lengths = self._longest(values, first, tf.gather(ends, word))
        reached, failed = self._chained(starts, ends, lengths, count)
        place = tf.cast(tf.where(reached & (first | ~tf.gather(failed, word)))[:, 0], tf.int32)
        of = tf.gather(word, place)
        whole = tf.gather(failed, of)
        end = tf.where(whole, tf.gather(ends, of), place + tf.gather(lengths, place))
        ids = tf.where(whole, self._unknown, tf.gather(ids, place))
        rows = tf.gather(rows, tf.gather(kept, place))
        ids = tf.RaggedTensor.from_value_rowids(
            tf.ensure_shape(ids, [None]), rows, nrows=raw.nrows(), validate=False
        )
        origin = tf.gather(byte, tf.cast(tf.gather(raw.row_splits, rows), tf.int32))
        start = tf.gather(byte, tf.gather(kept, place)) - origin
        end = tf.gather(byte[1:], tf.gather(kept, end - 1)) - origin
        return (
            ids,
            ids.with_flat_values(tf.cast(start, tf.int64)),
            ids.with_flat_values(tf.cast(end, tf.int64)),
        )

    def _longest(self, values, first, ends):
        """The longest piece from each letter on: int32 [D] ids, and lengths, 0 where there is none.

        Args:
          values: int32 [D], the letters of words. first: bool [D], where a word begins.
          ends: int32 [D], where the word of each letter ends.
        """
        numbers = self._trie.number(values)

        def step(n, place, node, ids, lengths):
            inside = place + n < tf.gather(ends, place)
            place, node = tf.boolean_mask(place, inside), tf.boolean_mask(node, inside)
            node, known = self._trie.step(node, tf.gather(numbers, place + n))
            place, node = tf.boolean_mask(place, known), tf.boolean_mask(node, known)
            id = self._trie.ids(node)
            at, id = tf.boolean_mask(place, id >= 0), tf.boolean_mask(id, id >= 0)
            ids = tf.tensor_scatter_nd_update(ids, at[:, None], id)
            lengths = tf.tensor_scatter_nd_update(
                lengths, at[:, None], tf.fill(tf.shape(at), n + 1)
            )
            return n + 1, place, node, ids, lengths

        node = tf.where(first, 0, 1)
        state = (0, tf.range(tf.size(values)), node, tf.zeros_like(values), tf.zeros_like(values))
        found = tf.while_loop(
            lambda n, place, *_: tf.size(place) > 0,
            step,
            state,
            shape_invariants=(tf.TensorShape([]), *[tf.TensorShape([None])] * 4),
            parallel_iterations=1,
        )
        return found[3:]

    def _chained(self, starts, ends, lengths, count):
        """bool [D], the letters at which the pieces of words begin; bool [W], words without."""

        def step(place, number, reached, failed):
            reached = tf.tensor_scatter_nd_update(
                reached, place[:, None], tf.ones_like(place, tf.bool)
            )
            length = tf.gather(lengths, place)
            stuck = tf.boolean_mask(number, length == 0)
            failed = tf.tensor_scatter_nd_update(
                failed, stuck[:, None], tf.ones_like(stuck, tf.bool)
            )
            place += length
            on = (length > 0) & (place < tf.gather(ends, number))
            return tf.boolean_mask(place, on), tf.boolean_mask(number, on), reached, failed

        state = (
            starts,
            tf.range(tf.size(starts)),
            tf.zeros([count], tf.bool),
            tf.zeros_like(starts, tf.bool),
        )
        found = tf.while_loop(
            lambda place, *_: tf.size(place) > 0,
            step,
            state,
            shape_invariants=(tf.TensorShape([None]),) * 4,
            parallel_iterations=1,
        )
        return found[2:]
