"""Words and their neighbours: which words of a row are kept, how far each looks, and noise words.

Source: Mikolov et al. 2013 (arXiv 1310.4546), sections 2.2 and 2.3; word2vec.c for what the paper
leaves open. All that is drawn is a function of (seed, step, row, place).
"""

import dataclasses

import numpy as np
import tensorflow as tf

from bert_tf.errors import InputError
from bert_tf.pretraining_data import random_numbers

# Streams of `random_numbers`.
_KEPT, _WINDOW, _NOISE = range(3)
# The power of a word's count that it is drawn as noise by (section 2.2).
_POWER = 0.75


@dataclasses.dataclass(frozen=True, eq=False)
class WordFrequencies:
    """What is drawn of a vocabulary, by how often each word stands in the records.

    Attributes:
      kept: float32 [V], how often a token is kept; 0 for special and unknown ones.
      noise: float32 [V], the noise distribution summed up, which ends with 1.
    """

    kept: np.ndarray
    noise: np.ndarray

    @classmethod
    def of(cls, table, tokenizer, sampling):
        """Those of a RecordTable, all of whose rows are read.

        Args:
          table: RecordTable.
          tokenizer: Tokenizer.
          sampling: float, the share of all words from which on a word is left out at times; None:
            none is.
        Raises:
          InputError: the records hold no word.
        """
        counts = table.token_counts(tokenizer.vocab_size).astype(np.float64)
        special = tokenizer.pieces.settings.special_tokens
        counts[[tokenizer.pieces.ids[token] for token in special]] = 0
        counts[tokenizer.unk_id] = 0
        if not counts.any():
            raise InputError(f"{table.source}: holds no word that the vocabulary knows")
        kept = np.ones(len(counts))
        if sampling is not None:
            # word2vec.c: not the paper's 1 - sqrt(t / f), of which this is near for frequent words.
            ratio = sampling / np.maximum(counts / counts.sum(), 1e-12)
            kept = np.minimum(np.sqrt(ratio) + ratio, 1)
        noise = np.cumsum(counts**_POWER)
        return cls((kept * (counts > 0)).astype("float32"), (noise / noise[-1]).astype("float32"))


def skip_gram_rows(input_ids, attention_mask, settings, frequencies, seed, rows=None):
    """Rows without the words that are left out, and what each of the others is to predict.

    Args:
      input_ids: int32 [B, L].
      attention_mask: int [B, L], 0 where padding is.
      settings: config.Neighbours.
      frequencies: WordFrequencies.
      seed: integer [2], such as the run's seed and the step.
      rows: integer [B], what tells the rows apart under the seed; None: their place, 0, 1, ...
    Returns:
      dict: input_ids, attention_mask and token_type_ids int32 [B, W], W words in the longest row;
      noise_ids int32 [B, K]; window_sizes int32 [B, W], how far the neighbours of each word stand
      at most, 0 for filling; noise_weights float32 [B, K], what each noise word counts for a pair.
    """
    with tf.device("CPU"):
        height, width = tf.shape(input_ids)[0], tf.shape(input_ids)[1]
        keys = random_numbers.row_keys(seed, tf.range(height) if rows is None else rows)
        chance = random_numbers.uniform(keys, tf.range(width), _KEPT)
        kept = (attention_mask > 0) & (chance < tf.gather(frequencies.kept, input_ids))
        lengths = tf.math.count_nonzero(kept, axis=1)
        words = tf.RaggedTensor.from_row_lengths(input_ids[kept], lengths, validate=False)
        longest = tf.maximum(tf.reduce_max(lengths), 1)
        ids = words.to_tensor()
        ids = tf.pad(ids, [[0, 0], [0, tf.cast(longest, tf.int32) - tf.shape(ids)[1]]])
        real = tf.sequence_mask(lengths, longest, tf.int32)
        sizes = 1 + random_numbers.below(settings.window, keys, tf.range(longest), _WINDOW)
        count = settings.noise_words
        drawn = random_numbers.uniform(keys, tf.range(count), _NOISE)
        noise = tf.searchsorted(frequencies.noise, tf.reshape(drawn, [-1]), side="right")
        last = len(frequencies.noise) - 1  # a sum in float32 may end below 1
        return {
            "input_ids": ids,
            "attention_mask": real,
            "token_type_ids": tf.zeros_like(ids),
            "noise_ids": tf.reshape(tf.minimum(noise, last), [height, count]),
            "window_sizes": sizes * real,
            "noise_weights": tf.fill([height, count], settings.negatives / count),
        }
