"""Rows with noise: how much, how likely which, what stays, and what is to be written."""

import collections
import itertools
import math

import numpy as np
import pytest
import tensorflow as tf

from bert_tf.config import Denoising
from bert_tf.errors import InputError
from bert_tf.pretraining_data.batches import pretraining_batches
from bert_tf.pretraining_data.denoising import denoising_rows, length_bounds
from bert_tf.pretraining_data.hidden import known_of
from bert_tf.pretraining_data.masking import MaskingVocabulary
from bert_tf.pretraining_data.records.table import RecordTable
from tests import tiny
from tests.pretraining_data import toy_records

CLS, SEP, MASK, SIZE = 2, 3, 4, 200
STOPS = np.isin(np.arange(SIZE), (198, 199))
VOCABULARY = MaskingVocabulary(
    mask_id=MASK,
    is_special=np.arange(SIZE) < 5,
    replacement_ids=np.arange(5, SIZE, dtype=np.int32),
    is_continuation=np.zeros(SIZE, bool),
    ends_sentence=STOPS,
)


def rows(count=200, width=60, seed=0):
    """[CLS] A [SEP] B [SEP], two documents; the tokens of a row are all different, and no stops."""
    random = np.random.default_rng(seed)
    lengths = random.integers(6, width + 1, count)
    ids = np.array([5 + random.permutation(190)[:width] for _ in range(count)])
    ids[:, 0] = CLS
    ids[np.arange(count), lengths // 2] = ids[np.arange(count), lengths - 1] = SEP
    return np.where(np.arange(width) < lengths[:, None], ids, 0).astype(np.int32)


def noised(ids, seed=(1, 2), numbers=None, **settings):
    mask = (ids > 0).astype("int32")
    found = denoising_rows(ids, mask, Denoising(**settings), VOCABULARY, seed, numbers)
    return {name: values.numpy() for name, values in found.items()}


def real(found, row):
    return found["input_ids"][row][found["attention_mask"][row] > 0].tolist()


def test_so_many_tokens_are_hidden_in_no_more_spans_and_the_others_stay_in_order():
    ids = rows()
    found, spans, hidden = noised(ids), 0, 0
    assert found["input_ids"].shape[1] <= ids.shape[1] and not found["token_type_ids"].any()
    for row, before in enumerate(ids):
        before, after = before[before > 0].tolist(), real(found, row)
        words = sum(id > 4 for id in before)
        kept = [id for id in after if id > 4]
        assert words - len(kept) == max(1, round(words * 0.3))
        assert kept == [id for id in before if id in set(kept)]
        assert 1 <= after.count(MASK) <= words - len(kept)
        assert [id for id in after if id < 4] == [CLS, SEP, SEP]
        assert after[0] == CLS and after[-1] == SEP
        # What stands on either side of the end of a document belongs there.
        end, cut = after.index(SEP), before.index(SEP)
        assert not set(after[:end]) & set(before[cut + 1 :]) and not (
            set(after[end + 1 : -1]) & set(before[1:cut])
        )
        spans, hidden = spans + after.count(MASK), hidden + words - len(kept)
        assert not found["input_ids"][row][len(after) :].any()
    # The last span of a row is shortened, those of nothing hide none.
    assert 2.2 < hidden / spans < 3


def test_what_is_to_be_written_is_the_clean_row():
    ids = rows()
    found = noised(ids, sentences=True, masking=0.1, deletion=0.1)
    for row, before in enumerate(ids):
        before = before[before > 0].tolist()
        asked = found["masked_weights"][row] > 0
        assert found["decoder_attention_mask"][row].tolist() == asked.astype(int).tolist()
        assert found["decoder_input_ids"][row][asked].tolist() == before[:-1]
        assert found["masked_ids"][row][asked].tolist() == before[1:]
        assert not found["decoder_input_ids"][row][~asked].any()


def test_lengths_are_of_a_poisson_distribution():
    # As tables of the distribution have it.
    np.testing.assert_allclose(length_bounds(3.0)[:4], [0.0498, 0.1991, 0.4232, 0.6472], atol=5e-5)
    for mean in (1.0, 3.0, 100.0):
        bounds = length_bounds(mean)
        chances = np.diff(bounds, prepend=0)
        assert 1 - bounds[-1] < 2**-24
        assert np.sum(chances * np.arange(len(chances))) == pytest.approx(mean, rel=1e-6)


def spans_of(wanted, mean, zeros=25):
    """The lengths of spans that hide so many tokens -> how likely they are drawn."""
    chance = [math.exp(-mean) * mean**n / math.factorial(n) for n in range(wanted + 1)]
    found = collections.Counter()

    def draw(spans, left, probability):
        if not left:
            empty = wanted - sum(map(bool, spans))  # as many of nothing as there is room for
            kept = [x for i, x in enumerate(spans) if x or spans[: i + 1].count(0) <= empty]
            found[tuple(kept)] += probability
            return
        for length in range(left):
            if length or spans.count(0) < zeros:
                draw([*spans, length], left - length, probability * chance[length])
        draw([*spans, left], 0, probability * (1 - sum(chance[:left])))

    draw([], wanted, 1.0)
    return found


def arranged(words, spans):
    """The rows that so many words and spans between them can make, each as likely."""
    items = len(words) - sum(spans) + len(spans)
    for places in itertools.combinations(range(items), len(spans)):
        row, at = [], 0
        for item in range(items):
            row.append(MASK if item in places else words[at])
            at += spans[places.index(item)] if item in places else 1
        yield tuple(row)


@pytest.mark.parametrize("mean", [1.0, 3.0])
def test_each_noised_row_is_as_likely_as_the_law_says(mean):
    words, count = [10, 11, 12, 13], 20000
    want = collections.Counter()
    for spans, probability in spans_of(2, mean).items():
        made = list(arranged(words, spans))
        for row in made:
            want[row] += probability / len(made)
    assert sum(want.values()) == pytest.approx(1, abs=1e-3)
    ids = np.tile(np.array([[CLS, *words, SEP]], "int32"), (count, 1))
    found = noised(ids, infilling=0.5, span_length=mean)
    got = collections.Counter(tuple(real(found, row)[1:-1]) for row in range(count))
    assert set(got) == set(want) and len(want) == 12
    for row, probability in want.items():
        slack = 4.5 * math.sqrt(probability * count) + 2
        assert abs(got[row] - probability * count) < slack, row


def test_masks_and_deletions_are_as_frequent_as_asked():
    ids = rows(1000)
    found = noised(ids, infilling=0.0, masking=0.12, deletion=0.2)
    words = (ids > 4).sum()
    shares = {0.12: (found["input_ids"] == MASK).sum(), 0.68: (found["input_ids"] > 4).sum()}
    for wanted, count in shares.items():
        assert abs(count / words - wanted) < 4.5 * math.sqrt(wanted * (1 - wanted) / words)


def test_sentences_are_shuffled_within_their_documents_every_order_as_likely():
    first, second = [[10, 11, 198], [12, 199], [13, 14]], [[15, 198], [16, 17]]
    row = [CLS, *itertools.chain(*first), SEP, *itertools.chain(*second), SEP, 0, 0]
    count = 6000
    found = noised(np.tile(np.array([row], "int32"), (count, 1)), infilling=0.0, sentences=True)
    got = collections.Counter(tuple(real(found, row)) for row in range(count))
    want = {
        (CLS, *itertools.chain(*one), SEP, *itertools.chain(*other), SEP)
        for one in itertools.permutations(first)
        for other in itertools.permutations(second)
    }
    assert set(got) == want and len(want) == 12
    assert all(abs(n - count / 12) < 4.5 * math.sqrt(count / 12) for n in got.values())


def test_a_row_is_what_seed_and_row_say_whatever_stands_beside_it():
    ids, options = rows(), dict(sentences=True, masking=0.1, deletion=0.1)
    found, again = noised(ids, **options), noised(ids, **options)
    np.testing.assert_array_equal(found["input_ids"], again["input_ids"])
    part = noised(np.pad(ids[[7, 3]], [(0, 0), (0, 9)]), numbers=np.array([7, 3]), **options)
    assert [real(part, 0), real(part, 1)] == [real(found, 7), real(found, 3)]
    other = noised(ids, seed=(1, 3), **options)
    assert sum(real(other, row) != real(found, row) for row in range(len(ids))) > 190


def test_rows_of_nothing_and_of_one_word():
    ids = np.array([[CLS, SEP, 0], [CLS, 9, SEP]], "int32")
    found = noised(ids, masking=0.5, deletion=0.5)
    assert real(found, 0) == [CLS, SEP] and real(found, 1) == [CLS, MASK, SEP]


def test_batches_hold_both_rows_from_any_step_on(tmp_path):
    tokenizer = tiny.tokenizer(tmp_path / "vocabulary")
    table = RecordTable(toy_records.write(tmp_path / "records", tokenizer, (24,)), tokenizer)
    known = known_of("denoising", tokenizer, table, None)
    ends = [
        word for word, stop in zip(tokenizer.vocabulary, known.ends_sentence, strict=True) if stop
    ]
    assert ends == [".", "!", "?"]
    given = table, Denoising(sentences=True), known
    options = dict(batch_size=8, words="denoising")
    whole = list(pretraining_batches(*given, seed=1, stop_step=5, **options))
    later = list(pretraining_batches(*given, seed=1, start_step=3, stop_step=5, **options))
    tf.nest.map_structure(np.testing.assert_array_equal, whole[3:], later)
    inputs, labels = whole[0]
    names = {"input_ids", "attention_mask", "token_type_ids"}
    assert set(inputs) == names | {"decoder_input_ids", "decoder_attention_mask"}
    assert {"masked_ids", "masked_weights"} < set(labels)
    shape = labels["masked_ids"].shape
    assert inputs["decoder_input_ids"].shape == shape == labels["masked_weights"].shape
    assert all(tensor.shape[0] == 8 for tensor in inputs.values())
    tokenizer.mask_id = None
    try:
        with pytest.raises(InputError, match="has no mask token, wanted one for"):
            known_of("denoising", tokenizer, table, None)
    finally:
        tokenizer.mask_id = MASK
