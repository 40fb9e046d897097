"""Masking: the share and the split that were asked for, whole words, and the same mask again."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from bert_tf.config import Masking
from bert_tf.errors import InputError
from bert_tf.pretraining_data import random_numbers
from bert_tf.pretraining_data.masking import MaskingVocabulary, mask_rows
from tests import tiny

MASK = 4

UNITS = ("token", "word", "ngram", "span")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return tiny.tokenizer(tmp_path_factory.mktemp("tokenizer") / "t")


@pytest.fixture(scope="module")
def vocabulary(tokenizer):
    return MaskingVocabulary.of(tokenizer)


def rows_of_text(count, width, seed=0, shortest=4, continued=0.3):
    """[CLS] A [SEP] B [SEP] and padding: words of one piece and more, rows of all lengths."""
    random = np.random.default_rng(seed)
    entries = tiny.vocabulary()
    pieces = np.flatnonzero([entry.startswith("##") for entry in entries])
    whole = np.arange(5, pieces[0])
    ids = np.where(
        random.random((count, width)) < continued,
        random.choice(pieces, (count, width)),
        random.choice(whole, (count, width)),
    )
    lengths = random.integers(shortest, width + 1, count)
    places = np.arange(width)
    ids[:, 0] = 2
    ids[np.arange(count), lengths // 2] = 3
    ids[np.arange(count), lengths - 1] = 3
    mask = places < lengths[:, None]
    return np.where(mask, ids, 0).astype(np.int32), mask.astype(np.int32)


def masked(ids, mask, vocabulary, seed=(7, 3), word_starts=None, rows=None, **settings):
    masking = Masking(**{"max_predictions": 20, **settings})
    out = mask_rows(ids, mask, masking, vocabulary, seed, word_starts, rows)
    return {name: values.numpy() for name, values in out.items()}


def budget(mask, probability=0.15, most=20):
    return np.array([min(most, max(1, round(n * probability))) for n in mask.sum(1).tolist()])


def chosen_cells(ids, out):
    """bool [B, L], from positions and weights."""
    chosen = np.zeros(ids.shape, bool)
    row, column = np.nonzero(out["masked_weights"])
    chosen[row, out["masked_positions"][row, column]] = True
    return chosen


def words_of_row(row_ids, starts):
    """Lists of positions; special tokens and padding (0, 2, 3) are in none and end a word."""
    words = []
    for place, id in enumerate(row_ids):
        if id in (0, 2, 3, 4):
            words.append(None)
        elif starts[place] or not words or words[-1] is None:
            words.append([place])
        else:
            words[-1].append(place)
    return [word for word in words if word]


def test_vocabulary_replaces_by_text_only_and_hides_no_control_token(tmp_path):
    entries = [*tiny.SPECIAL, "[unused1]", "[unused99]", "<S>", "a", "##b", "##"]
    (tmp_path / "vocab.txt").write_text("\n".join(entries) + "\n")
    tokenizer = tiny.Tokenizer.from_pretrained(tmp_path)
    vocabulary = MaskingVocabulary.of(tokenizer)
    assert vocabulary.mask_id == MASK
    assert vocabulary.replacement_ids.tolist() == [8, 9, 10]
    assert np.flatnonzero(vocabulary.is_continuation).tolist() == [9]
    # [UNK] stands for text; what cannot stand in a row needs no protection.
    assert np.flatnonzero(vocabulary.is_special).tolist() == [0, 2, 3, 4]


def test_vocabulary_of_control_tokens_alone_is_refused_in_one_line(tmp_path):
    (tmp_path / "vocab.txt").write_text("\n".join([*tiny.SPECIAL, "[unused1]"]) + "\n")
    with pytest.raises(InputError, match=r"vocab.txt: holds control tokens only") as caught:
        MaskingVocabulary.of(tiny.Tokenizer.from_pretrained(tmp_path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("unit", UNITS)
def test_positions_are_ascending_hidden_tokens_and_all_else_is_untouched(vocabulary, unit):
    ids, mask = rows_of_text(300, 40)
    out = masked(ids, mask, vocabulary, unit=unit)
    chosen = chosen_cells(ids, out)
    assert out["masked_positions"].shape == (300, 20) and out["masked_weights"].dtype == np.float32
    assert (out["input_ids"] == ids)[~chosen].all()
    assert not np.isin(ids[chosen], [0, 2, 3, 4]).any() and mask[chosen].all()
    assert (chosen.sum(1) == out["masked_weights"].sum(1)).all()  # none twice
    for positions, targets, weights, row in zip(
        out["masked_positions"], out["masked_ids"], out["masked_weights"], ids, strict=True
    ):
        count = int(weights.sum())
        assert (weights[:count] == 1).all() and (np.diff(positions[:count]) > 0).all()
        assert (targets[:count] == row[positions[:count]]).all()
        assert not (positions[count:].any() or targets[count:].any() or weights[count:].any())


def test_number_of_masked_tokens_is_googles_budget(vocabulary):
    ids, mask = rows_of_text(400, 150, shortest=4)
    count = masked(ids, mask, vocabulary)["masked_weights"].sum(1)
    eligible = (~np.isin(ids, [0, 2, 3, 4])).sum(1)
    np.testing.assert_array_equal(count, np.minimum(budget(mask), eligible))
    assert budget(mask).max() == 20 and budget(mask).min() == 1


@pytest.mark.parametrize("unit", UNITS)
def test_split_is_80_10_10_within_binomial_bounds(vocabulary, unit):
    ids, mask = rows_of_text(3000, 128, shortest=100)
    out = masked(ids, mask, vocabulary, unit=unit)
    chosen = chosen_cells(ids, out)
    new, old = out["input_ids"][chosen], ids[chosen]
    drawn = len(old)
    # Tokens of a span share one draw: that many are independent, at most 10 words of some pieces.
    independent = drawn / (15 if unit == "span" else 1)
    # A random token is the old one by chance.
    same = 0.1 + 0.1 / len(vocabulary.replacement_ids)
    for share, wanted in (((new == MASK).mean(), 0.8), ((new == old).mean(), same)):
        assert abs(share - wanted) < 4.5 * np.sqrt(wanted * (1 - wanted) / independent)
    others = new[(new != MASK) & (new != old)]
    assert np.isin(others, vocabulary.replacement_ids).all()
    counts = np.bincount(others, minlength=len(tiny.vocabulary()))[vocabulary.replacement_ids]
    mean = len(others) / len(counts)
    if unit != "span":
        assert np.abs(counts - mean).max() < 5.5 * np.sqrt(mean)


def test_other_splits_are_possible(vocabulary):
    ids, mask = rows_of_text(50, 64)
    out = masked(ids, mask, vocabulary, mask_share=0.0, random_share=0.0)
    np.testing.assert_array_equal(out["input_ids"], ids)
    assert out["masked_weights"].sum() > 100
    out = masked(ids, mask, vocabulary, mask_share=1.0, random_share=0.0)
    assert (out["input_ids"][chosen_cells(ids, out)] == MASK).all()


def test_every_token_of_a_row_is_hidden_equally_often(vocabulary):
    ids, mask = (np.repeat(values, 4000, 0) for values in rows_of_text(1, 40, shortest=40))
    chosen = chosen_cells(ids, masked(ids, mask, vocabulary)).sum(0)
    eligible = ~np.isin(ids[0], [2, 3])
    share = budget(mask)[0] / eligible.sum()
    spread = np.sqrt(4000 * share * (1 - share))
    assert np.abs(chosen[eligible] - 4000 * share).max() < 4.5 * spread
    assert not chosen[~eligible].any()


@pytest.mark.parametrize("unit", ["word", "ngram", "span"])
@pytest.mark.parametrize("given", [False, True])
def test_whole_words_are_never_cut(vocabulary, unit, given):
    ids, mask = rows_of_text(500, 64, continued=0.6)
    starts = ~vocabulary.is_continuation[ids]
    if given:  # say something else than the pieces do
        starts = np.random.default_rng(1).random(ids.shape) < 0.4
    out = masked(ids, mask, vocabulary, unit=unit, word_starts=starts if given else None)
    chosen = chosen_cells(ids, out)
    sizes = set()
    for row in range(500):
        for word in words_of_row(ids[row], starts[row]):
            assert chosen[row, word].all() or not chosen[row, word].any()
            sizes.add(len(word) if chosen[row, word[0]] else 0)
    assert {1, 2, 3} < sizes
    assert (chosen.sum(1) <= budget(mask)).all()


def test_words_are_taken_in_random_order_as_google_takes_them(vocabulary):
    ids, mask = rows_of_text(400, 100, continued=0.7)
    chosen = chosen_cells(ids, masked(ids, mask, vocabulary, unit="word"))
    keys = random_numbers.row_keys((7, 3), range(400))
    order = random_numbers.priorities(keys, tf.range(100), 0).numpy()
    starts = ~vocabulary.is_continuation[ids]
    passed_over = 0
    for row in range(400):
        words, left, wanted = words_of_row(ids[row], starts[row]), budget(mask)[row], set()
        for number in np.argsort(-order[row, : len(words)]):
            if len(words[number]) <= left:
                left -= len(words[number])
                wanted |= set(words[number])
            else:
                passed_over += left > 0
        assert set(np.flatnonzero(chosen[row])) == wanted
    assert passed_over > 100


@pytest.mark.parametrize("unit, odds", [("ngram", [6, 3, 2]), ("span", 0.8 ** np.arange(10))])
def test_units_have_the_published_lengths(vocabulary, unit, odds):
    # Words of one piece, and a budget of many units: one of them at most is shortened.
    ids, mask = rows_of_text(1500, 500, shortest=500, continued=0.0)
    ids[:, 250] = 6
    out = masked(ids, mask, vocabulary, unit=unit, probability=0.2, max_predictions=100)
    chosen = chosen_cells(ids, out)
    edges = np.diff(chosen.astype(int), axis=1, prepend=0, append=0)
    lengths = np.nonzero(edges == -1)[1] - np.nonzero(edges == 1)[1]
    odds = np.array(odds) / np.sum(odds)
    mean = (odds * (1 + np.arange(len(odds)))).sum()
    # A fifth of the units are followed by another that is hidden, and the two look like one.
    assert 0.95 < 0.8 * lengths.mean() / mean < 1.05


def test_span_is_replaced_as_a_whole(vocabulary):
    ids, mask = rows_of_text(300, 100, shortest=100, continued=0.0)
    out = masked(ids, mask, vocabulary, unit="span", mask_share=0.5, random_share=0.0)
    chosen, hidden = chosen_cells(ids, out), out["input_ids"] == MASK
    together = chosen[:, 1:] & chosen[:, :-1]
    differ = (hidden[:, 1:] != hidden[:, :-1])[together].mean()
    token = masked(ids, mask, vocabulary, probability=0.5, mask_share=0.5, random_share=0.0)
    chosen, hidden = chosen_cells(ids, token), token["input_ids"] == MASK
    together = chosen[:, 1:] & chosen[:, :-1]
    assert differ < 0.1 < 0.4 < (hidden[:, 1:] != hidden[:, :-1])[together].mean()


@pytest.mark.parametrize("unit", UNITS)
def test_mask_of_a_row_depends_on_seed_and_row_alone(vocabulary, unit):
    ids, mask = rows_of_text(60, 48)
    numbers = np.arange(100, 160)
    out = masked(ids, mask, vocabulary, unit=unit, rows=numbers)
    again = masked(ids, mask, vocabulary, unit=unit, rows=numbers)
    some = np.array([41, 3, 17])
    wider = [np.pad(values[some], [(0, 0), (0, 30)]) for values in (ids, mask)]
    grouped = masked(*wider, vocabulary, unit=unit, rows=numbers[some])
    for name, values in out.items():
        np.testing.assert_array_equal(values, again[name])
        width = values.shape[1]
        np.testing.assert_array_equal(values[some], grouped[name][:, :width])
    for other in (
        masked(ids, mask, vocabulary, unit=unit, rows=numbers, seed=(7, 4)),
        masked(ids, mask, vocabulary, unit=unit, rows=numbers, seed=(8, 3)),
        masked(ids, mask, vocabulary, unit=unit, rows=numbers + 1),
    ):
        assert (other["masked_positions"] != out["masked_positions"]).any(1).mean() > 0.5


def test_equal_rows_of_a_batch_are_masked_differently(vocabulary):
    ids, mask = (np.repeat(values, 50, 0) for values in rows_of_text(1, 100, shortest=100))
    positions = masked(ids, mask, vocabulary)["masked_positions"]
    assert len(np.unique(positions, axis=0)) == 50


@pytest.mark.parametrize("unit", UNITS)
def test_row_with_nothing_to_hide_has_weights_of_zero(vocabulary, unit):
    ids = np.array([[2, 3, 0, 0], [2, 4, 3, 0], [0, 0, 0, 0]], np.int32)
    out = masked(ids, (ids > 0).astype(np.int32), vocabulary, unit=unit)
    assert not out["masked_weights"].any() and not out["masked_positions"].any()
    np.testing.assert_array_equal(out["input_ids"], ids)


def test_word_larger_than_the_budget_is_left_alone(vocabulary):
    pieces = np.flatnonzero(vocabulary.is_continuation)[:6]
    ids = np.array([[2, 30, *pieces, 3]], np.int32)
    out = masked(ids, np.ones_like(ids), vocabulary, unit="word")
    assert not out["masked_weights"].any()


def test_columns_follow_the_share_unless_max_predictions_says_otherwise(vocabulary):
    ids, mask = rows_of_text(5, 40)
    out = masked(ids, mask, vocabulary, max_predictions=None)
    assert out["masked_positions"].shape == (5, 6)
    assert masked(ids, mask, vocabulary, max_predictions=100)["masked_ids"].shape == (5, 100)
    assert masked(ids, mask, vocabulary, max_predictions=2)["masked_weights"].sum(1).max() == 2
    for most, columns in ((9, 9), (None, None)):
        settings = (Masking(max_predictions=most), vocabulary, (1, 2))
        traced = tf.function(
            functools.partial(lambda settings, ids, mask: mask_rows(ids, mask, *settings), settings)
        ).get_concrete_function(*[tf.TensorSpec([5, None], tf.int32)] * 2)
        for name in ("masked_positions", "masked_ids", "masked_weights"):
            assert tuple(traced.structured_outputs[name].shape) == (5, columns)
        assert traced(tf.constant(ids), tf.constant(mask))["masked_ids"].shape == (5, columns or 6)


@pytest.mark.parametrize("unit", ["ngram", "span"])
def test_first_and_last_words_are_hidden_about_as_often_as_others(unit, vocabulary):
    """A row begins anywhere in a unit, and one that does not fit is shortened at either end."""
    ids = np.random.default_rng(0).integers(5, 20, (20000, 128)).astype("int32")
    ids[:, 0], ids[:, -1] = 2, 3
    masking = Masking(unit=unit)
    hidden = mask_rows(tf.constant(ids), tf.ones_like(ids), masking, vocabulary, [3, 4])
    weights = hidden["masked_weights"].numpy() > 0
    shares = np.bincount(hidden["masked_positions"].numpy()[weights], minlength=128) / len(ids)
    inner = shares[32:96].mean()
    assert abs(shares[1] / inner - 1) < 0.08 and abs(shares[126] / inner - 1) < 0.08
    assert abs(shares[1] - shares[126]) < 0.012
