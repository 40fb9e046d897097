"""The unigram language model (Kudo 2018): the most probable pieces of words, in the graph.

The best path is found as in `tokenizers` (models/unigram/model.rs, `encode_optimized`): scores are
float64 and added from left to right, and of equal paths the one whose last piece is longer counts.
"""

import numpy as np
import tensorflow as tf

from bert_tf.errors import InputError
from bert_tf.text.byte_level import bytes_of
from bert_tf.text.characters import before, exclusive_sums
from bert_tf.text.key_tables import RunKeys
from bert_tf.text.tracked import Tracked
from bert_tf.text.tries import Trie

LONGEST = 512  # characters of a piece
_PENALTY = 10.0  # how far an unknown character is below the lowest score


class Unigram(Tracked):
    """The pieces of a vocabulary and their scores.

    Args:
      settings: `pipeline_settings.PipelineSettings`, whose model is Unigram.
    Raises:
      InputError: a piece is too long, or byte fall-back lacks a byte.
    """

    def __init__(self, settings):
        super().__init__()
        pieces = settings.vocabulary[: settings.base_size]
        ids = {piece: i for i, piece in enumerate(pieces)}
        self._longest = max(map(len, pieces))
        if self._longest > LONGEST:
            raise InputError(f"{settings.source}: a piece of {self._longest} characters")
        self._unknown = settings.model["unk_id"]
        self._fallback = None
        if settings.model.get("byte_fallback"):
            of_byte = [ids.get(f"<0x{byte:02X}>", -1) for byte in range(256)]
            if min(of_byte) < 0:
                missing = of_byte.index(-1)
                raise InputError(f"{settings.source}: byte_fallback: no piece <0x{missing:02X}>")
            self._fallback = tf.constant(of_byte, tf.int32)
        self._trie = Trie([(0, piece, id) for piece, id in ids.items()])
        self._run_keys = RunKeys(self._trie.letters)
        scores = np.array(settings.scores, np.float64)
        with tf.device("CPU"):
            self._scores = tf.constant(np.append(scores, -np.inf))
        self._unknown_score = float(scores.min()) - _PENALTY

    def __call__(self, characters, begins):
        """Tokens of words.

        Args:
          characters: `characters.Characters`. begins: bool [C], where a word begins.
        Returns:
          int32 [T] each: ids, and the first and the last character of each token.
        """
        numbers = tf.where(characters.token >= 0, 0, self._trie.number(characters.values))
        starts = tf.cast(tf.where(begins)[:, 0], tf.int32)
        count = tf.size(numbers)
        sizes = tf.concat([starts[1:], [count]], 0)[: tf.size(starts)] - starts
        word = tf.cumsum(tf.cast(begins, tf.int32)) - 1
        place = tf.range(count) - tf.gather(starts, word)
        keys, kind = tf.unique(self._run_keys(numbers, word, place, sizes))
        sample = tf.math.unsorted_segment_min(tf.range(tf.size(starts)), kind, tf.size(keys))
        # The longest words first, so that those that are still read stand together.
        order = tf.argsort(tf.gather(sizes, sample), direction="DESCENDING", stable=True)
        rank = tf.math.invert_permutation(order)
        sample = tf.gather(sample, order)
        lengths = tf.gather(sizes, sample)
        offsets = exclusive_sums(lengths)
        inside = tf.range(offsets[-1]) - tf.repeat(offsets[:-1], lengths)
        of_words = tf.gather(numbers, tf.repeat(tf.gather(starts, sample), lengths) + inside)
        piece_begins, piece_ids = self._best(of_words, offsets[:-1], lengths)
        # What was found for each kind of word, for each word.
        source = tf.gather(offsets, tf.gather(tf.gather(rank, kind), word)) + place
        token_begins = tf.gather(piece_begins, source)
        ids = tf.where(characters.token >= 0, characters.token, tf.gather(piece_ids, source))
        first = tf.cast(tf.where(token_begins)[:, 0], tf.int32)
        ids = tf.gather(ids, first)
        # Unknown characters side by side are one token, and so is what spells the unknown token.
        unknown = ((ids < 0) | (ids == self._unknown)) & (tf.gather(characters.token, first) < 0)
        kept = ~(unknown & before(unknown, False)) | tf.gather(begins, first)
        run = tf.cumsum(tf.cast(kept, tf.int32)) - 1
        spelled = (tf.math.segment_sum(tf.ones_like(run), run) == 1) & tf.boolean_mask(
            ids == self._unknown, kept
        )
        first, unknown = tf.boolean_mask(first, kept), tf.boolean_mask(unknown, kept)
        last = tf.concat([first[1:], [count]], 0)[: tf.size(first)] - 1
        ids = tf.where(unknown, self._unknown, tf.boolean_mask(ids, kept))
        if self._fallback is None:
            return ids, first, last
        return self._with_bytes(characters, ids, first, last, unknown & ~spelled)

    def _with_bytes(self, characters, ids, first, last, unknown):
        """Tokens, with those of its bytes for each that is unknown, bool [T]."""
        bytes_, of = bytes_of(characters)
        ends = tf.searchsorted(of, last, side="right")
        starts = tf.searchsorted(of, first)
        counts = tf.where(unknown, ends - starts, 1)
        source = tf.repeat(tf.range(tf.size(ids)), counts)
        within = tf.range(tf.size(source)) - tf.gather(exclusive_sums(counts), source)
        byte = tf.gather(bytes_, tf.gather(starts, source) + within)
        ids = tf.where(
            tf.gather(unknown, source), tf.gather(self._fallback, byte), tf.gather(ids, source)
        )
        return ids, tf.gather(first, source), tf.gather(last, source)

    def _best(self, numbers, starts, lengths):
        """The best pieces of different words.

        Args:
          numbers: int32 [D], their letters. starts, lengths: int32 [W], the longest word first.
        Returns:
          bool [D], where a piece begins; int32 [D], at its first letter its id, -1: it is unknown.
        """
        ids = self._pieces_by_end(numbers, starts, lengths)
        scores = tf.gather(self._scores, tf.where(ids >= 0, ids, tf.size(self._scores) - 1))
        unknown = tf.constant(self._unknown_score, tf.float64)
        last = tf.where(ids[:, -1:] >= 0, scores[:, -1:], unknown)
        scores = tf.concat([scores[:, :-1], last], 1)
        sizes = self._best_sizes(scores, starts, lengths)
        return self._traced(sizes, ids, starts, lengths)

    def _pieces_by_end(self, numbers, starts, lengths):
        """The piece of n letters that ends at each letter, int32 [D, N] or -1, n from N to 1."""
        count, longest = tf.size(numbers), self._longest
        end = tf.repeat(starts + lengths, lengths)
        slots = tf.TensorArray(tf.int32, 0, True, infer_shape=False, element_shape=[None])
        found = tf.TensorArray(tf.int32, 0, True, infer_shape=False, element_shape=[None])

        def step(n, place, node, slots, found):
            at = place + n
            inside = at < tf.gather(end, place)
            place, node = tf.boolean_mask(place, inside), tf.boolean_mask(node, inside)
            at = place + n
            node, known = self._trie.step(node, tf.gather(numbers, at))
            place, at = tf.boolean_mask(place, known), tf.boolean_mask(at, known)
            node = tf.boolean_mask(node, known)
            id = self._trie.ids(node)
            is_piece = id >= 0
            slot = tf.boolean_mask(at, is_piece) * longest + longest - 1 - n
            slots = slots.write(n, slot)
            return n + 1, place, node, slots, found.write(n, tf.boolean_mask(id, is_piece))

        state = (0, tf.range(count), tf.zeros_like(numbers), slots, found)
        shapes = (tf.TensorShape([]), *[tf.TensorShape([None])] * 2)
        _, _, _, slots, found = tf.while_loop(
            lambda n, place, *_: (n == 0) | ((tf.size(place) > 0) & (n < longest)),
            step,
            state,
            shape_invariants=(*shapes, tf.TensorShape(None), tf.TensorShape(None)),
            parallel_iterations=1,
        )
        slots, found = slots.concat(), found.concat()
        none = tf.fill([count * longest], -1)
        return tf.reshape(
            tf.tensor_scatter_nd_update(none, slots[:, None], found), [count, longest]
        )

    def _best_sizes(self, scores, starts, lengths):
        """How long the last piece of the best path to each letter is.

        Args:
          scores: float64 [D, N], of pieces that end at each letter, the longest first.
          starts, lengths: int32 [W].
        Returns:
          int32 [D].
        """
        words, longest = tf.size(starts), self._longest
        ascending = tf.reverse(lengths, [0])
        none = tf.constant(-np.inf, tf.float64)
        window = tf.concat(
            [tf.fill([words, longest - 1], none), tf.zeros([words, 1], tf.float64)], 1
        )
        places = tf.TensorArray(tf.int32, 0, True, infer_shape=False, element_shape=[None])
        sizes = tf.TensorArray(tf.int32, 0, True, infer_shape=False, element_shape=[None])

        def step(t, window, places, sizes):
            still = words - tf.searchsorted(ascending, [t + 1])[0]
            place = starts[:still] + t
            reached = window[:still] + tf.gather(scores, place)
            size = longest - tf.argmax(reached, 1, tf.int32)
            best = tf.reduce_max(reached, 1, keepdims=True)
            window = tf.ensure_shape(tf.concat([window[:still, 1:], best], 1), [None, longest])
            return t + 1, window, places.write(t, place), sizes.write(t, size)

        _, _, places, sizes = tf.while_loop(
            lambda t, *_: t < tf.reduce_max(tf.concat([lengths, [1]], 0)),
            step,
            (0, window, places, sizes),
            shape_invariants=(
                tf.TensorShape([]),
                tf.TensorShape([None, longest]),
                tf.TensorShape(None),
                tf.TensorShape(None),
            ),
            parallel_iterations=1,
        )
        return tf.scatter_nd(places.concat()[:, None], sizes.concat(), tf.shape(scores)[:1])

    def _traced(self, sizes, ids, starts, lengths):
        """The path back from the end of each word, as `_best` gives it."""
        count = tf.size(sizes)
        places = tf.TensorArray(tf.int32, 0, True, infer_shape=False, element_shape=[None])
        ends = tf.TensorArray(tf.int32, 0, True, infer_shape=False, element_shape=[None])

        def step(n, end, start, places, ends):
            begin = end + 1 - tf.gather(sizes, end)
            on = begin > start
            places, ends = places.write(n, begin), ends.write(n, end)
            return n + 1, tf.boolean_mask(begin - 1, on), tf.boolean_mask(start, on), places, ends

        one = tf.TensorShape([None])
        *_, places, ends = tf.while_loop(
            lambda n, end, *_: (n == 0) | (tf.size(end) > 0),
            step,
            (0, starts + lengths - 1, starts, places, ends),
            shape_invariants=(
                tf.TensorShape([]),
                one,
                one,
                tf.TensorShape(None),
                tf.TensorShape(None),
            ),
            parallel_iterations=1,
        )
        places, ends = places.concat(), ends.concat()
        column = self._longest - tf.gather(sizes, ends)
        found = tf.gather_nd(ids, tf.stack([ends, column], 1))
        begins = tf.scatter_nd(places[:, None], tf.ones_like(places), [count]) > 0
        return begins, tf.scatter_nd(places[:, None], found, [count])
