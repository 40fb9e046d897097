"""Rows with noise, to be written clean: text infilling, masking, deletion and shuffled sentences.

Source: Lewis et al. 2020 ("BART", arXiv 1910.13461), section 2.2. All that is drawn is a function
of (seed, step, row, place), as in `masking`.
"""

import math

import numpy as np
import tensorflow as tf

from bert_tf.pretraining_data import random_numbers
from bert_tf.pretraining_data.blanks import gathered
from bert_tf.pretraining_data.next_words import next_words

# Streams of `random_numbers`.
_LENGTH, _PLACE, _FATE, _SENTENCE = range(24, 28)
# Lengths drawn for a row beyond two for each of its tokens: their sum, of a mean of 1 at least,
# then reaches any share of the tokens.
_SPARE = 64


def denoising_rows(input_ids, attention_mask, denoising, vocabulary, seed, rows=None):
    """Rows with noise, and the clean ones as a decoder reads and tells them.

    The sentences are shuffled first, each within its document. Of n ordinary tokens, round(n x
    infilling), one at least, are hidden by spans: lengths are drawn until they reach that number,
    the last is shortened to it, and all arrangements of the spans and the other tokens are equally
    likely, as long as spans do not overlap. Each span is one [MASK]; one of length 0 is put in
    between. There are at most as many spans as hidden tokens, so that no row grows. Of the other
    tokens some become [MASK], some are left out. Special tokens stay where they are; a span that
    reaches beyond one stands before it.

    Args:
      input_ids: int32 [B, L].
      attention_mask: int [B, L], 0 where padding is.
      denoising: config.Denoising.
      vocabulary: masking.MaskingVocabulary.
      seed: integer [2], such as the run's seed and the step.
      rows: integer [B], what tells the rows apart under the seed; None: their place, 0, 1, ...
    Returns:
      dict: of the noised rows int32 [B, N], N at most L, input_ids, attention_mask and
      token_type_ids (0); of the clean ones int32 [B, L - 1] decoder_input_ids and
      decoder_attention_mask, and masked_ids int32 and masked_weights float32 [B, L - 1], the word
      that follows each and 0 for filling.
    """
    with tf.device("CPU"):
        height, width = tf.shape(input_ids)[0], tf.shape(input_ids)[1]
        keys = random_numbers.row_keys(seed, tf.range(height) if rows is None else rows)
        real = attention_mask > 0
        special = real & tf.gather(vocabulary.is_special, input_ids)
        ordinary = real & ~special
        count = tf.math.count_nonzero(ordinary, axis=1, dtype=tf.int32)
        order = _order(input_ids, ordinary, special, denoising, vocabulary, keys)
        words = tf.gather(input_ids, tf.argsort(order, axis=1, stable=True), batch_dims=1)

        spans, number = _spans(count, width, denoising, keys)
        taken = tf.reduce_sum(spans, axis=1)
        is_span, begins, there = _arranged(spans, number, count - taken + number, keys)
        fate = random_numbers.uniform(keys, tf.range(width), _FATE)
        masked = is_span | (fate < denoising.masking)
        there &= (
            is_span | (fate < denoising.masking) | (fate >= denoising.masking + denoising.deletion)
        )
        told = tf.gather(words, tf.minimum(begins, width - 1), batch_dims=1)
        told = tf.where(masked, vocabulary.mask_id, told)
        # A special token stands behind what begins before it, and before what begins at its place;
        # a span of nothing before the special token, but for those at the beginning.
        before = tf.cumsum(tf.cast(ordinary, tf.int32), axis=1, exclusive=True)
        empty = is_span & (_span_sizes(spans, is_span) == 0) & (begins > 0)
        ranks = tf.concat([3 * before + 1, 3 * begins + tf.where(empty, 0, 2)], axis=1)
        ranks = tf.cast(ranks, tf.int64) * 2 * tf.cast(width, tf.int64)
        ranks += tf.range(2 * tf.cast(width, tf.int64))
        there = tf.concat([special, there], axis=1)
        ids = tf.concat([input_ids, told], axis=1)
        read = gathered(tf.where(there, ranks, tf.int64.max), there, {"input_ids": ids})
        return {
            **read,
            "token_type_ids": tf.zeros_like(read["input_ids"]),
            **_clean(input_ids, attention_mask),
        }


def length_bounds(mean):
    """Where lengths change: float64 [n], the probabilities of at most 0, 1, ..., n - 1 of a Poisson
    distribution; that of more is below what a draw can tell."""
    most = int(mean + 10 * math.sqrt(mean) + 20)
    logs = [n * math.log(mean) - mean - math.lgamma(n + 1) for n in range(most)]
    return np.cumsum(np.exp(logs))


def _order(input_ids, ordinary, special, denoising, vocabulary, keys):
    """int64 [B, L], by which the ordinary tokens are to be sorted, which come first."""
    width = tf.cast(tf.shape(input_ids)[1], tf.int64)
    order = tf.broadcast_to(tf.range(width), tf.shape(input_ids, tf.int64))
    if denoising.sentences:
        ends = (ordinary & tf.gather(vocabulary.ends_sentence, input_ids)) | special
        sentence = tf.cumsum(tf.cast(ends, tf.int32), axis=1, exclusive=True)
        document = tf.cast(tf.cumsum(tf.cast(special, tf.int32), axis=1), tf.int64)
        drawn = tf.cast(random_numbers.priorities(keys, sentence, _SENTENCE), tf.int64)
        order += (document * 2**31 + drawn) * width
    return tf.where(ordinary, order, tf.int64.max)


def _spans(count, width, denoising, keys):
    """The lengths of each row's spans, int32 [B, width], 0 beyond the number of them, int32 [B]."""
    if not denoising.infilling:
        return tf.zeros([tf.shape(count)[0], width], tf.int32), tf.zeros_like(count)
    wanted = tf.round(tf.cast(count, tf.float64) * denoising.infilling)
    wanted = tf.minimum(tf.maximum(tf.cast(wanted, tf.int32), 1), count)[:, None]
    bounds = tf.constant(length_bounds(denoising.span_length)[:-1], tf.float32)
    drawn = random_numbers.uniform(keys, tf.range(2 * width + _SPARE), _LENGTH)
    lengths = tf.searchsorted(bounds, tf.reshape(drawn, [-1]), side="right")
    lengths = tf.reshape(lengths, tf.shape(drawn))
    before = tf.cumsum(lengths, axis=1, exclusive=True)
    used, lengths = before < wanted, tf.minimum(lengths, wanted - before)
    some = used & (lengths > 0)
    room = wanted - tf.math.count_nonzero(some, axis=1, keepdims=True, dtype=tf.int32)
    empty = used & ~some
    used = some | (empty & (tf.cumsum(tf.cast(empty, tf.int32), axis=1) <= room))
    order = tf.argsort(tf.where(used, 0, 1), axis=1, stable=True)[:, :width]
    lengths = tf.gather(tf.where(used, lengths, 0), order, batch_dims=1)
    return lengths, tf.math.count_nonzero(used, axis=1, dtype=tf.int32)


def _arranged(spans, number, items, keys):
    """Spans and single tokens in a row of so many items, int32 [B].

    Returns:
      bool [B, L] whether an item is a span, int32 [B, L] how many tokens are before it, and bool
      [B, L] whether it is there.
    """
    width = tf.shape(spans)[1]
    there = tf.sequence_mask(items, width)
    drawn = random_numbers.priorities(keys, tf.range(width), _PLACE)
    order = tf.argsort(tf.where(there, drawn, -1), axis=1, direction="DESCENDING", stable=True)
    is_span = tf.argsort(order, axis=1) < number[:, None]
    sizes = tf.where(is_span, _span_sizes(spans, is_span), tf.cast(there, tf.int32))
    return is_span, tf.cumsum(sizes, axis=1, exclusive=True), there


def _span_sizes(spans, is_span):
    """int32 [B, L], the length of the span that an item is, or of the one before it."""
    which = tf.cumsum(tf.cast(is_span, tf.int32), axis=1) - 1
    return tf.gather(spans, tf.maximum(which, 0), batch_dims=1)


def _clean(input_ids, attention_mask):
    """What a decoder reads of the clean rows, and what it is to tell."""
    told = next_words(input_ids, attention_mask)
    asked = told["masked_weights"][:, :-1]
    there = tf.cast(asked, tf.int32)
    return {
        "decoder_input_ids": input_ids[:, :-1] * there,
        "decoder_attention_mask": there,
        "masked_ids": told["masked_ids"][:, :-1],
        "masked_weights": asked,
    }
