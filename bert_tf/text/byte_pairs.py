"""Byte-pair encoding (Sennrich et al. 2016) of runs of symbols, in the graph, by core operations.

Runs are cut where no token of the vocabulary joins two symbols, so that the pieces are short, equal
pieces are looked at once, and those that become one token are looked up. What is left is merged,
all pieces at a time, one rank of each a step. Ids are those of `tokenizers` (models/bpe/word.rs).
"""

import numpy as np
import tensorflow as tf

from bert_tf.text.characters import exclusive_sums
from bert_tf.text.key_tables import LONGEST_HASHED, KeyTable, RunKeys
from bert_tf.text.tracked import Tracked

_NEVER = np.iinfo(np.int32).max  # the rank of a pair that is not merged


class BytePairs(Tracked):
    """The merges of a vocabulary.

    Args:
      ids: dict of str -> int, the vocabulary.
      merges: list of (int, int, int), the ids of the left part, the right part and both, the first
        merge first. Of equal pairs the last counts.
      atoms: ids of tokens of several characters that may be symbols before any merge.
      size: int; all ids that may be symbols are below it, those of added tokens too.
      whole_words: bool; a run that is an entry is that token, whatever the merges are.
    """

    def __init__(self, ids, merges, atoms, size, whole_words=False):
        super().__init__()
        self._size = size
        self._whole_words = whole_words
        ranked = {pair[:2]: (rank, pair[2]) for rank, pair in enumerate(merges)}
        pairs = np.array(list(ranked), np.int64).reshape(-1, 2)
        ranks = np.array(list(ranked.values()), np.int32).reshape(-1, 2)
        self._in_order = _in_order(pairs, ranks, self._size)
        self._merges = KeyTable(self._key(pairs), ranks[:, 0], ranks[:, 1])
        self._joined = KeyTable(self._key(_neighbours(ids, pairs, atoms, size)))
        self._run_keys = RunKeys(self._size)
        self._whole = self._whole_runs(ids, {int(x) for x in ranks[:, 1]})

    def _key(self, pairs):
        return pairs[:, 0] * self._size + pairs[:, 1]

    def _whole_runs(self, ids, made):
        """The KeyTable of the runs of symbols that become one token, with its id."""
        runs, tokens = [], []
        for token, id in ids.items():
            run = [ids.get(letter, -1) for letter in token]
            if len(run) > 1 and min(run) >= 0 and len(run) <= LONGEST_HASHED:
                if id in made or self._whole_words:
                    runs.append(run)
                    tokens.append(id)
        tokens = np.array(tokens, np.int32)
        keys = self._run_keys.of_numpy(runs) if runs else np.zeros(0, np.int64)
        if not self._whole_words and runs:
            flat = tf.constant([id for run in runs for id in run], tf.int32)
            run = tf.repeat(tf.range(len(runs)), [len(run) for run in runs])
            merged, run, _ = (x.numpy() for x in tf.function(self._merge)(flat, run, run))
            single = np.bincount(run) == 1
            first = np.unique(run, return_index=True)[1]
            single &= merged[first] == tokens
            keys, tokens = keys[single], tokens[single]
        return KeyTable(keys, tokens)

    def __call__(self, symbols, begins):
        """Merge the symbols of words.

        Args:
          symbols: int32 [S], ids. begins: bool [S], where a word begins.
        Returns:
          ids: int32 [T], the tokens. places: int32 [T], the symbol that each begins with.
        """
        if not self._whole_words:
            keys = self._pair_keys(symbols)
            begins = begins | tf.concat([[True], ~self._joined(keys)[1]], 0)[: tf.size(symbols)]
        starts = tf.cast(tf.where(begins)[:, 0], tf.int32)
        run = tf.cumsum(tf.cast(begins, tf.int32)) - 1
        place = tf.range(tf.size(symbols)) - tf.gather(starts, run)
        sizes = tf.concat([starts[1:], [tf.size(symbols)]], 0)[: tf.size(starts)] - starts
        keys, kind = tf.unique(self._run_keys(symbols, run, place, sizes))
        kinds = tf.size(keys)
        sample = tf.math.unsorted_segment_min(tf.range(tf.size(starts)), kind, kinds)
        found, known = self._whole(keys)
        single = tf.gather(sizes, sample) == 1
        token = tf.where(
            single,
            tf.gather(symbols, tf.gather(starts, sample)),
            tf.gather(self._whole.columns[0], found),
        )
        rest = tf.cast(tf.where(~(single | known))[:, 0], tf.int32)
        of_rest = tf.gather(sample, rest)
        merged, number, offset = self._merge_runs(
            symbols, tf.gather(starts, of_rest), tf.gather(sizes, of_rest)
        )
        # The tokens of all kinds of runs, one kind after the other.
        counts = tf.tensor_scatter_nd_update(
            tf.ones_like(keys, tf.int32),
            rest[:, None],
            tf.math.segment_sum(tf.ones_like(number), number),
        )
        ends = exclusive_sums(counts)
        total = ends[-1:]
        within = tf.range(tf.size(number)) - tf.gather(_starts(number), number)
        slots = (tf.gather(ends, tf.gather(rest, number)) + within)[:, None]
        whole = tf.where(single | known)
        tokens = tf.scatter_nd(
            tf.concat([tf.gather(ends, tf.cast(whole, tf.int32)), slots], 0),
            tf.concat([tf.gather_nd(token, whole), merged], 0),
            total,
        )
        offsets = tf.scatter_nd(slots, offset, total)
        # And of all runs.
        counts = tf.gather(counts, kind)
        of = tf.repeat(tf.range(tf.size(starts)), counts)
        within = tf.range(tf.size(of)) - tf.gather(exclusive_sums(counts), of)
        source = tf.gather(ends, tf.gather(kind, of)) + within
        return tf.gather(tokens, source), tf.gather(starts, of) + tf.gather(offsets, source)

    def _pair_keys(self, symbols):
        symbols = tf.cast(symbols, tf.int64)
        return symbols[:-1] * self._size + symbols[1:]

    def _merge_runs(self, symbols, starts, sizes):
        """`_merge` of the runs at int32 [R] `starts`; `run` counts them, `place` is within one."""
        run = tf.repeat(tf.range(tf.size(starts)), sizes)
        place = tf.range(tf.size(run)) - tf.gather(exclusive_sums(sizes), run)
        return self._merge(tf.gather(symbols, tf.gather(starts, run) + place), run, place)

    def _merge(self, symbols, run, place):
        """Merge until no pair is left.

        Args:
          symbols: int32 [S]. run: int32 [S], sorted, the run each is in. place: int32 [S].
        Returns:
          The same of the tokens, `place` that of the first symbol.
        """
        return tf.while_loop(
            lambda go, *_: go,
            lambda go, *state: self._step(*state),
            [True, symbols, run, place],
            shape_invariants=[tf.TensorShape([]), *[tf.TensorShape([None])] * 3],
            parallel_iterations=1,
        )[1:]

    def _step(self, symbols, run, place):
        """The merge of the lowest rank in each run, wherever in it the pair stands."""
        found, known = self._merges(self._pair_keys(symbols))
        known &= run[1:] == run[:-1]
        ranks = tf.where(known, tf.gather(self._merges.columns[0], found), _NEVER)
        lowest = tf.math.segment_min(ranks, run[:-1])
        chosen = known & (ranks == tf.gather(lowest, run[:-1]))
        number = tf.range(tf.size(chosen))
        if self._in_order:
            # Of pairs that overlap, as in "aaa", every second one is left.
            begins = chosen & ~tf.concat([[False], chosen[:-1]], 0)[: tf.size(chosen)]
            begin = tf.boolean_mask(number, begins)
            series = tf.maximum(tf.cumsum(tf.cast(begins, tf.int32)) - 1, 0)
            first = tf.where(chosen, tf.gather(tf.concat([begin, [0]], 0), series), 0)
            chosen &= (number - first) % 2 == 0
        else:
            # A merge may make a pair of a lower rank, which comes before the next of this rank.
            first = tf.math.segment_min(tf.where(chosen, number, _NEVER), run[:-1])
            chosen &= number == tf.gather(first, run[:-1])
        merged = tf.where(chosen, tf.gather(self._merges.columns[1], found), symbols[:-1])
        symbols = tf.concat([merged, symbols[-1:]], 0)
        kept = tf.concat([[True], ~chosen], 0)[: tf.size(symbols)]
        kept = tf.ensure_shape(kept, [None])
        state = (tf.boolean_mask(x, kept) for x in (symbols, run, place))
        return tf.reduce_any(chosen), *state


def _starts(number):
    """Where each of the sorted numbers 0, 1, 2, ... int32 [S] begins, int32 [numbers]."""
    return exclusive_sums(tf.math.segment_sum(tf.ones_like(number), number))


def _in_order(pairs, ranks, size):
    """bool, whether every merge comes behind those that make its parts, so that ranks only rise."""
    made = np.full(size, -1, np.int64)
    np.maximum.at(made, ranks[:, 1], ranks[:, 0])
    return bool((made[pairs].max(1, initial=-1) < ranks[:, 0]).all())


def _neighbours(ids, pairs, atoms, size):
    """The pairs of symbols that some merge joins, int64 [P, 2]."""
    ends = np.tile(np.arange(size), (2, 1))  # the first and the last symbol of each token
    for token, id in ids.items():
        if token:
            ends[:, id] = ids.get(token[0], id), ids.get(token[-1], id)
    atoms = np.isin(pairs, np.array(sorted(atoms), np.int64))
    left, right = ends[1][pairs[:, 0]], ends[0][pairs[:, 1]]
    lefts = (left, np.where(atoms[:, 0], pairs[:, 0], left))
    rights = (right, np.where(atoms[:, 1], pairs[:, 1], right))
    found = [np.stack([left, right], 1) for left in lefts for right in rights]
    return np.unique(np.concatenate(found), axis=0)
