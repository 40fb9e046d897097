"""Counting words as the tokenizer sees them: the same ops normalize and split, in the graph.

Ideographs and punctuation marks are words of their own; words of more than 100 characters, which
the tokenizer turns into [UNK], are left out.
"""

import collections

import numpy as np
import tensorflow as tf
from absl import logging

from bert_tf.text import normalization, unicode_tables
from bert_tf.text.tracked import Tracked
from bert_tf.text.word_matcher import WordMatcher
from bert_tf.text.wordpiece import has_tensorflow_text

MOST_WORDS = 1_000_000
# Characters that are normalized at a time; each takes up to a thousand bytes then.
BLOCK = 1 << 18
_UNKNOWN = "[UNK]"
_CHUNKS_AND_TIMES = tf.TensorSpec([None], tf.string), tf.TensorSpec([None], tf.int64)


class WordCounter(Tracked):
    """Counts of words over any amount of text, in bounded memory.

    At most `most_words` different words are kept. When there are more, the half that was seen least
    is dropped, with every word that was seen no more often than one of these; a word that comes
    again later begins at zero. So a count may be too small by what dropped words had, never too
    large (lossy counting, after Manku and Motwani 2002), and the counts depend on the texts and
    their order alone.

    Args:
      settings: `vocabulary_files.WordPieceSettings`, of which case, accents and Chinese matter.
      most_words: int.
    """

    def __init__(self, settings, most_words=MOST_WORDS):
        super().__init__()
        strip = settings.lowercase if settings.strip_accents is None else settings.strip_accents
        self._normalizer = normalization.Normalizer(
            settings.lowercase, strip, settings.tokenize_chinese_chars
        )
        # With nothing in its vocabulary that a text can hold, the matcher of the tokenizer gives
        # one [UNK] a word.
        words = [_UNKNOWN, f"{chr(normalization.UNMATCHED)}0"]
        if has_tensorflow_text():
            import tensorflow_text as tft

            self._matcher = tft.FastWordpieceTokenizer(
                words,
                max_bytes_per_word=4 * normalization.MAX_WORD_CHARACTERS,
                token_out_type=tf.int32,
                unknown_token=_UNKNOWN,
            )
        else:
            alone = unicode_tables.PUNCTUATION | self._normalizer.chinese
            self._matcher = WordMatcher(words, 0, alone)
        self._most_words = most_words
        self._counts = collections.defaultdict(int)  # bytes of a normalized word -> int
        # No word goes across a space, so what stands between two is normalized once for all the
        # times it occurs.
        self._chunks, self._pending = collections.Counter(), 0

    def add(self, text):
        """Count the words of one str."""
        self._chunks.update(text.split(" "))
        self._pending += len(text)
        if self._pending >= BLOCK // 2:
            self._pending = 0
            if sum(map(len, self._chunks)) >= BLOCK // 2:
                self._count_chunks()

    def words(self):
        """The words counted so far, dict of str -> int, in the order of their spelling."""
        self._count_chunks()
        originals = {new: chr(c) for c, new in self._normalizer.substitutes.items()}
        too_long = chr(normalization.UNMATCHED).encode()
        words = {
            word.decode().translate(originals): count
            for word, count in self._counts.items()
            if too_long not in word
        }
        return dict(sorted(words.items()))

    def _count_chunks(self):
        chunks, self._chunks = self._chunks, collections.Counter()
        chunks.pop("", None)
        if not chunks:
            return
        # Half a surrogate pair becomes bytes that are not UTF-8, which normalization deletes.
        strings = [chunk.encode("utf-8", "surrogatepass") for chunk in chunks]
        times = np.fromiter(chunks.values(), np.int64, len(chunks))
        words, totals = self._split(tf.constant(strings, tf.string), tf.constant(times))
        counts = self._counts
        for word, total in zip(words.numpy().tolist(), totals.numpy().tolist(), strict=True):
            counts[word] += total
        if len(counts) > self._most_words:
            self._prune()

    @tf.function(input_signature=_CHUNKS_AND_TIMES, autograph=False)
    def _split(self, chunks, times):
        """The different words of string [N] chunks, and int64 how often they occur in all."""
        with tf.device("CPU"):
            normalized, _, _ = self._normalizer(chunks)
            ids, starts, ends = self._matcher.tokenize_with_offsets(normalized)
            rows = ids.value_rowids()
            sizes = ends.flat_values - starts.flat_values
            words = tf.strings.substr(tf.gather(normalized, rows), starts.flat_values, sizes)
            words, index = tf.unique(words)
            times = tf.gather(times, rows)
            return words, tf.math.unsorted_segment_sum(times, index, tf.size(words))

    def _prune(self):
        counts = np.fromiter(self._counts.values(), np.int64, len(self._counts))
        floor = int(np.partition(counts, len(counts) // 2)[len(counts) // 2])
        kept = {word: count for word, count in self._counts.items() if count > floor}
        logging.info(
            "%d different words: those seen at most %d times so far are dropped, %d are left",
            len(counts),
            floor,
            len(kept),
        )
        self._counts = collections.defaultdict(int, kept)
