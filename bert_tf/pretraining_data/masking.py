"""Which tokens are hidden, and what stands in their place: one function for records and batches.

Rows are independent and a row's mask depends on (seed, row) alone: neither on the other rows nor
on the padding. `config.Masking` says how much is hidden, and in which units.
"""

import dataclasses
import re

import numpy as np
import tensorflow as tf

from bert_tf.errors import InputError
from bert_tf.pretraining_data import random_numbers
from bert_tf.text.segmentation import continuations
from bert_tf.text.special_ids import row_ends

# How many words a unit of several words has: probabilities of 1, 2, 3, ...
_UNIT_WORDS = {
    # ALBERT (Lan et al. 2020, arXiv 1909.11942, eq. 1): up to 3, p ~ 1 / n.
    "ngram": (6 / 11, 3 / 11, 2 / 11),
    # SpanBERT (Joshi et al. 2020, arXiv 1907.10529, section 3.1): geometric, cut off at 10.
    "span": tuple(0.2 * 0.8**n / (1 - 0.8**10) for n in range(10)),
}

# Streams of `random_numbers`, so that no two decisions about a row share their numbers.
_ORDER, _LENGTH, _FATE, _OTHER, _SIDE = range(5)

# So many words before a row the first unit is drawn, so that where a row begins is anywhere in one.
_BEFORE = 32

# [unused0] and the like, and the marks of sentence ends in Google's cased and Chinese vocabularies.
_RESERVED = re.compile(r"\[unused\d+\]|<[ST]>")

# What ends a sentence, with the mark of a word's beginning or continuation that vocabularies have.
_STOP = re.compile("(##|\u2581|\u0120)?[.!?\u3002\uff01\uff1f]+")


@dataclasses.dataclass(frozen=True, eq=False)
class MaskingVocabulary:
    """What masking has to know of a vocabulary.

    Attributes:
      mask_id: int, of [MASK]; None where there is none.
      is_special: bool [V]. Tokens that are never hidden: [CLS], [SEP], [PAD], [MASK].
      replacement_ids: int32 [R]. What a random replacement is drawn from: no control tokens.
      is_continuation: bool [V]. Tokens that continue a word (##).
      start_id, end_id: int, as `text.special_ids.row_ends` gives them.
      ends_sentence: bool [V]. Full stops and their like.
    """

    mask_id: int
    is_special: np.ndarray
    replacement_ids: np.ndarray
    is_continuation: np.ndarray
    start_id: int = 0
    end_id: int = 0
    ends_sentence: np.ndarray | None = None

    @classmethod
    def of(cls, tokenizer):
        """What masking has to know of the vocabulary of this Tokenizer.

        Raises:
          InputError: there is nothing in it but control tokens, or none that begins a text.
        """
        vocabulary, special = tokenizer.vocabulary, tokenizer.pieces.settings.special_tokens
        # [UNK] is text, if unread: Google's code hides it too. It is only never drawn.
        unread = None if tokenizer.unk_id is None else vocabulary[tokenizer.unk_id]
        ordinary = [
            id
            for id, token in enumerate(vocabulary)
            if token and token not in special and token != unread and not _RESERVED.match(token)
        ]
        if not ordinary:
            source = tokenizer.pieces.settings.source
            raise InputError(f"{source}: holds control tokens only, wanted tokens of text too")
        is_special = np.array([token in special and token != unread for token in vocabulary])
        ends = row_ends(tokenizer)
        for id in (tokenizer.pad_id, tokenizer.mask_id, *ends):
            if id is not None:
                is_special[id] = True
        replacement_ids = np.array(ordinary, np.int32)
        stops = np.array([_STOP.fullmatch(token) is not None for token in vocabulary])
        continued = continuations(vocabulary)
        return cls(tokenizer.mask_id, is_special, replacement_ids, continued, *ends, stops)


def mask_rows(input_ids, attention_mask, masking, vocabulary, seed, word_starts=None, rows=None):
    """Hide some tokens of each row.

    The budget of a row is Google's, min(max_predictions, max(1, round(real tokens x probability)));
    units are taken in random order until it is spent. A word that does not fit is passed over, and
    an n-gram or span that does not is shortened to the words that do.

    Args:
      input_ids: int32 [B, L].
      attention_mask: int [B, L], 0 where padding is.
      masking: config.Masking.
      vocabulary: MaskingVocabulary.
      seed: integer [2], such as the run's seed and the step.
      word_starts: int or bool [B, L], true where a word begins; None: the ## pieces tell.
      rows: integer [B], what tells the rows apart under the seed; None: their place, 0, 1, ...
    Returns:
      dict: input_ids int32 [B, L] with the replacements; masked_positions int32 [B, P] ascending,
      masked_ids int32 [B, P] what stood there, masked_weights float32 [B, P] 1 for a prediction
      and 0 for filling, which comes last and has position and id 0. P is max_predictions.
    Source: google-research/bert, create_pretraining_data.py: create_masked_lm_predictions.
    """
    # No other device sorts equal numbers in the same order for sure.
    with tf.device("CPU"):
        height, width = tf.shape(input_ids)[0], tf.shape(input_ids)[1]
        keys = random_numbers.row_keys(seed, tf.range(height) if rows is None else rows)
        real = attention_mask > 0
        eligible = real & ~tf.gather(vocabulary.is_special, input_ids)
        budget = _budget(tf.math.count_nonzero(real, axis=1), masking)
        if word_starts is None:
            continued = tf.gather(vocabulary.is_continuation, input_ids)
        else:
            continued = tf.equal(tf.cast(word_starts, tf.int32), 0)
        starts = _word_starts(eligible, continued, masking.unit)
        word_of = tf.cumsum(tf.cast(starts, tf.int32), axis=1) - 1
        unit_of = _units(word_of, starts, eligible, masking.unit, keys)
        chosen = eligible & _taken(word_of, unit_of, eligible, budget, keys)

        places = tf.range(width)
        fate = random_numbers.uniform(keys, unit_of if masking.unit == "span" else places, _FATE)
        other = random_numbers.below(len(vocabulary.replacement_ids), keys, places, _OTHER)
        other = tf.gather(vocabulary.replacement_ids, other)
        other = tf.where(fate < masking.mask_share + masking.random_share, other, input_ids)
        replaced = tf.where(fate < masking.mask_share, vocabulary.mask_id, other)

        columns = masking.max_predictions or _budget(input_ids.shape[1] or width, masking)
        positions, weights = _positions(chosen, columns)
        masked_ids = tf.gather(input_ids, positions, batch_dims=1) * tf.cast(weights, tf.int32)
        return {
            "input_ids": tf.where(chosen, replaced, input_ids),
            "masked_positions": positions,
            "masked_ids": masked_ids,
            "masked_weights": weights,
        }


def _budget(lengths, masking):
    """How many of so many real tokens are predicted, int32; halves go to the even neighbour, in
    Google's Python as here."""
    if isinstance(lengths, int):
        return max(1, round(lengths * masking.probability))
    wanted = tf.round(tf.cast(lengths, tf.float64) * masking.probability)
    wanted = tf.maximum(tf.cast(wanted, tf.int32), 1)
    most = masking.max_predictions
    return wanted if most is None else tf.minimum(wanted, most)


def _word_starts(eligible, continued, unit):
    """bool [B, L], where a word begins; it reaches to the next beginning or ineligible token."""
    if unit == "token":
        return eligible
    return eligible & ~(continued & _left(eligible))


def _left(eligible):
    """bool [B, L], whether the token to the left is eligible."""
    return tf.pad(eligible[:, :-1], [[0, 0], [1, 0]])


def _units(word_of, starts, eligible, unit, keys):
    """int32 [B, L], the number of each token's unit, which is a run of whole words.

    Units of several words are not drawn one by one wherever they may fall, as in the papers, where
    each has to be checked against those before it: the row is cut into units of random lengths,
    and which of them to hide is drawn. That gives the same lengths and no overlaps.
    """
    if unit not in _UNIT_WORDS:
        return word_of
    height, width = tf.shape(word_of)[0], tf.shape(word_of)[1]
    bounds = tf.constant(np.cumsum(_UNIT_WORDS[unit])[:-1], tf.float32)
    drawn = width + _BEFORE
    lengths = random_numbers.uniform(keys, tf.range(drawn), _LENGTH)
    lengths = 1 + tf.searchsorted(bounds, tf.reshape(lengths, [-1]), side="right")
    # The number, counted from 1, of the word with which a unit ends.
    ends = tf.cumsum(tf.reshape(lengths, [height, drawn]), axis=1) - _BEFORE
    ends = tf.reshape(tf.clip_by_value(ends, 0, width), [-1])
    ends += tf.repeat(tf.range(height), drawn) * (width + 1)
    ends = tf.math.unsorted_segment_sum(tf.ones_like(ends), ends, height * (width + 1))
    ends = tf.reshape(ends, [height, width + 1]) > 0
    begins = starts & tf.gather(ends, tf.maximum(word_of, 0), batch_dims=1)
    begins |= eligible & ~_left(eligible)
    return tf.cumsum(tf.cast(begins, tf.int32), axis=1) - 1


def _taken(word_of, unit_of, eligible, budget, keys):
    """bool [B, L], the tokens of the words that are taken: unit after unit, each word that fits.

    Units come in random order, the words of one from left to right or, in half of the rows, from
    right to left, so that only the last may have to be shortened, at either end. Words that fit are
    taken up to the first that does not; that one and all others larger than what is left are out
    for good, and the next pass goes on with the rest. The largest word still in play shrinks with
    every pass, so there are few.
    """
    height, width = tf.shape(word_of)[0], tf.shape(word_of)[1]
    first_cells = tf.range(height)[:, None] * width
    cells = tf.reshape(tf.maximum(word_of, 0) + first_cells, [-1])

    def by_word(reduce, values):
        values = reduce(tf.reshape(values, [-1]), cells, height * width)
        return tf.reshape(values, [height, width])

    sizes = by_word(tf.math.unsorted_segment_sum, tf.cast(eligible, tf.int32))
    order = tf.where(eligible, random_numbers.priorities(keys, unit_of, _ORDER), -1)
    order = by_word(tf.math.unsorted_segment_max, order)
    # Among equals the lower index comes first.
    mirrored = random_numbers.uniform(keys, [0], _SIDE) < 0.5
    order = tf.math.top_k(tf.where(mirrored, order[:, ::-1], order), k=width).indices
    order = tf.where(mirrored, width - 1 - order, order)
    sizes = tf.gather(sizes, order, batch_dims=1)

    def another(left, in_play, taken):
        return tf.reduce_any(in_play)

    def take(left, in_play, taken):
        wanted = tf.where(in_play, sizes, 0)
        fits = in_play & (tf.cumsum(wanted, axis=1) <= left)
        left -= tf.reduce_sum(tf.where(fits, sizes, 0), axis=1, keepdims=True)
        return left, in_play & ~fits & (sizes <= left), taken | fits

    left = budget[:, None]
    state = (left, (sizes > 0) & (sizes <= left), tf.zeros_like(sizes, tf.bool))
    taken = tf.while_loop(another, take, state)[2]
    # From the random order back to the order of the words.
    back = tf.reshape(order + first_cells, [-1, 1])
    taken = tf.scatter_nd(back, tf.cast(tf.reshape(taken, [-1]), tf.int32), [height * width])
    return tf.reshape(tf.gather(taken, cells) > 0, [height, width])


def _positions(chosen, columns):
    """The places of the chosen tokens, int32 [B, columns] ascending, and their weights."""
    places = tf.where(chosen)
    places = tf.RaggedTensor.from_value_rowids(
        tf.cast(places[:, 1], tf.int32), places[:, 0], tf.shape(chosen, tf.int64)[0], validate=False
    )
    weights = tf.sequence_mask(places.row_lengths(), columns, tf.float32)
    # A ragged tensor loses the static number of rows.
    shape = [chosen.shape[0], columns if isinstance(columns, int) else None]
    places = tf.ensure_shape(places.to_tensor(shape=tf.stack([-1, columns])), shape)
    return places, tf.ensure_shape(weights, shape)
