"""Examples out of documents: what follows follows, what is random is from elsewhere, all fits.

In these blocks every token is its own place, so that a range of tokens tells where it came from.
"""

import numpy as np
import pytest

from bert_tf.errors import ConfigError
from bert_tf.pretraining_data.corpus.blocks import Tokens, separated
from bert_tf.pretraining_data.corpus.segments import Rng, Segments, _truncated, sample, shuffled

RNG = Rng(seed=3, shard=1, block=2)


def block(*documents):
    """Tokens of documents, each a list of how long its sentences are."""
    lengths = np.concatenate(documents)
    edges = np.concatenate([[0], np.cumsum(lengths)])
    firsts = np.concatenate([[0], np.cumsum([len(document) for document in documents])])
    return Tokens(np.arange(edges[-1], dtype=np.int32), edges, firsts)


def corpus(seed=0, documents=300):
    random = np.random.default_rng(seed)
    return block(*(random.integers(1, 40, random.integers(1, 30)) for _ in range(documents)))


def document_of(tokens, places):
    return np.searchsorted(tokens.sentences[tokens.documents[1:]], places, "right")


def sizes(segments):
    return segments.first[:, 1] - segments.first[:, 0], segments.second[:, 1] - segments.second[
        :, 0
    ]


def test_numbers_are_fixed_for_ever():
    rng = Rng(seed=7, shard=1, block=2, copy=3)
    bits = [5508249186410887322, 5416916522168059669, 6331201245341403516]
    assert rng.random_bits(3, 4).tolist() == bits
    assert rng.below(np.array([5, 100, 2**31]), 1).tolist() == [2, 32, 1538885753]
    assert rng.bernoulli(8, 0.4, 2).tolist() == [1, 0, 1, 0, 0, 1, 0, 0]


@pytest.mark.parametrize(
    "objective", ["next_sentence", "sentence_order", "sentence_order_3", "none"]
)
def test_every_example_fits_and_stays_in_its_document(objective):
    tokens = corpus()
    segments = sample(tokens, objective, 64, RNG)
    first, second = sizes(segments)
    if objective == "none":
        assert first.min() >= 1 and (first + 2).max() <= 64 and not second.any()
        return
    assert min(first.min(), second.min()) >= 1 and (first + second + 3).max() <= 64
    for part in (segments.first, segments.second):
        same = document_of(tokens, part[:, 0]) == document_of(tokens, part[:, 1] - 1)
        assert same.all()


def test_next_sentences_follow_or_are_from_another_document():
    tokens = corpus()
    # Rows so long that nothing is cut.
    segments = sample(tokens, "next_sentence", 5000, RNG)
    follows = segments.labels == 0
    np.testing.assert_array_equal(segments.first[follows, 1], segments.second[follows, 0])
    own = document_of(tokens, segments.first[:, 0])
    assert (own[~follows] != document_of(tokens, segments.second[~follows, 0])).all()
    for part in (segments.first, segments.second):
        assert np.isin(part, tokens.sentences).all()


def test_what_a_random_next_sentence_displaced_is_used_again():
    tokens = corpus()
    segments = sample(tokens, "next_sentence", 5000, RNG)
    follows = segments.labels == 0
    used = np.concatenate([segments.first, segments.second[follows]])
    covered = np.zeros(len(tokens.ids), int)
    for begin, end in used:
        covered[begin:end] += 1
    assert (covered == 1).all()


def test_both_labels_are_equally_frequent_though_single_sentences_have_no_next():
    labels = sample(corpus(documents=3000), "next_sentence", 128, RNG).labels
    assert abs(labels.mean() - 0.5) < 0.01


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_some_documents_aim_at_shorter_rows(share):
    tokens = block(*([8] * 40 for _ in range(2000)))
    segments = sample(tokens, "sentence_order", 131, RNG, share)
    length = sum(sizes(segments))
    begins = np.minimum(segments.first[:, 0], segments.second[:, 0]) % 320 == 0
    # Targets from 2 to 128 tokens, and sentences of 8: above 120 it makes no difference.
    assert abs((length[begins] < 128).mean() - share * 119 / 127) < 0.03
    assert length.max() == 128 or share == 1.0


def test_sentence_order_swaps_halves_of_one_text():
    tokens = corpus()
    segments = sample(tokens, "sentence_order", 5000, RNG)
    swapped = segments.labels == 1
    np.testing.assert_array_equal(segments.first[~swapped, 1], segments.second[~swapped, 0])
    np.testing.assert_array_equal(segments.second[swapped, 1], segments.first[swapped, 0])
    assert 0.35 < swapped.mean() < 0.65


def test_one_sentence_alone_is_cut_between_tokens_and_one_token_left_out():
    segments = sample(block([9], [1], [1, 1]), "sentence_order", 64, RNG)
    first, second = sizes(segments)
    assert sorted((first + second).tolist()) == [2, 9] and min(first.min(), second.min()) >= 1


def test_three_way_order_has_a_third_of_each_and_unrelated_ones_are_from_elsewhere():
    tokens = corpus(documents=2000)
    segments = sample(tokens, "sentence_order_3", 128, RNG)
    assert np.abs(np.bincount(segments.labels) / len(segments.labels) - 1 / 3).max() < 0.02
    other = segments.labels == 2
    own = document_of(tokens, segments.first[:, 0]), document_of(tokens, segments.second[:, 0])
    np.testing.assert_array_equal(own[0] != own[1], other)


@pytest.mark.parametrize("objective", ["next_sentence", "sentence_order_3"])
def test_one_document_alone_has_no_random_other(objective):
    with pytest.raises(ConfigError, match="only one"):
        sample(block([3, 3]), objective, 64, RNG)
    sample(block([3, 3]), "sentence_order", 64, RNG)


def test_the_longer_one_is_cut_one_by_one_from_both_ends():
    lengths = [(a, b) for a in range(1, 30) for b in range(1, 30)]
    starts = np.cumsum([0] + [a + b for a, b in lengths])[:-1]
    a, b = np.array(lengths).T
    first = np.stack([starts, starts + a], 1)
    second = np.stack([starts + a, starts + a + b], 1)
    cut = _truncated(Segments(first, second, np.zeros(len(a), int)), 13, RNG)
    for (x, y), kept_x, kept_y in zip(lengths, *sizes(cut), strict=True):
        while x + y > 13:  # as the published script does it
            x, y = (x - 1, y) if x > y else (x, y - 1)
        assert (kept_x, kept_y) == (x, y)
    front, total = (cut.first - first)[:, 0].sum(), (a - sizes(cut)[0]).sum()
    assert (cut.first[:, 0] >= first[:, 0]).all() and (cut.first[:, 1] <= first[:, 1]).all()
    assert 0.45 < front / total < 0.55


def test_full_rows_hold_every_sentence_once_and_in_order():
    tokens = separated(corpus(), -1)
    segments = sample(tokens, "none", 128, RNG)
    taken = np.concatenate([tokens.ids[a:b] for a, b in segments.first])
    np.testing.assert_array_equal(taken[taken >= 0], tokens.ids[tokens.ids >= 0])
    assert all(tokens.ids[a] >= 0 and tokens.ids[b - 1] >= 0 for a, b in segments.first)
    # Each row but the last is so full that the next sentence, of 40 at most, would not fit.
    assert sizes(segments)[0][:-1].min() > 126 - 41
    assert (
        np.diff(document_of(tokens, segments.first), axis=1) > 0
    ).any()  # into the next document


def test_a_sentence_longer_than_a_row_is_cut():
    tokens = separated(block([300, 4]), -1)
    lengths = sizes(sample(tokens, "none", 102, RNG))[0]
    assert lengths.tolist() == [100, 100, 100, 4]


def test_examples_depend_on_seed_shard_block_and_copy_alone():
    tokens = corpus()

    def made(rng):
        segments = shuffled(sample(tokens, "next_sentence", 64, rng), rng)
        return np.concatenate([segments.first, segments.second], 1)

    again = made(RNG)
    np.testing.assert_array_equal(again, made(RNG))
    for change in ({"seed": 4}, {"shard": 0}, {"block": 0}, {"copy": 1}):
        other = made(RNG._replace(**change))
        assert other.shape != again.shape or (other != again).any()


def test_shuffling_keeps_every_example():
    segments = sample(corpus(), "next_sentence", 64, RNG)
    other = shuffled(segments, RNG)
    assert (other.first != segments.first).any()
    rows = [sorted(map(tuple, np.concatenate(each[:2], 1).tolist())) for each in (segments, other)]
    assert rows[0] == rows[1]
