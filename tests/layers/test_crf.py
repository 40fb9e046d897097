"""The conditional random field against every sequence there is."""

import itertools

import numpy as np
import pytest

from bert_tf.layers import CRF, LOWEST

LABELS = 5
# Whole rows, places left out before, between and behind, and a row of nothing.
MASK = np.array(
    [[1, 1, 1, 1, 1, 0, 0], [0, 1, 0, 1, 1, 1, 1], [0, 0, 0, 1, 0, 0, 0], [0] * 7], bool
)


@pytest.fixture(scope="module")
def case():
    numbers = np.random.default_rng(7)
    crf = CRF(LABELS, dtype="float32")
    crf.build()
    for weight in crf.weights:
        weight.assign(numbers.normal(size=weight.shape) / 100)
    emissions = numbers.normal(size=(*MASK.shape, LABELS)).astype("float32")
    return crf, emissions, numbers.integers(0, LABELS, MASK.shape).astype("int32")


def every_sequence(crf, emissions, mask):
    """The scores of all sequences of a row, dict of labels -> float."""
    starts, moves, ends = (np.array(x, float) for x in crf.scores())
    emissions = emissions[mask]
    return {
        labels: starts[labels[0]]
        + ends[labels[-1]]
        + emissions[range(len(labels)), labels].sum()
        + sum(moves[pair] for pair in itertools.pairwise(labels))
        for labels in itertools.product(range(LABELS), repeat=len(emissions))
        if labels
    }


def test_the_likelihood_is_that_of_all_sequences(case):
    crf, emissions, labels = case
    log_z = np.array(crf.log_partition(emissions, MASK))
    loss = np.array(crf.negative_log_likelihood(emissions, labels, MASK))
    for row in range(3):
        scores = every_sequence(crf, emissions[row], MASK[row])
        want = np.log(np.sum(np.exp([*scores.values()])))
        np.testing.assert_allclose(log_z[row], want, rtol=1e-5)
        np.testing.assert_allclose(
            loss[row], want - scores[tuple(labels[row, MASK[row]])], rtol=1e-4
        )
    assert log_z[3] == loss[3] == 0


def test_probabilities_of_a_long_row_are_exact(case):
    """The gradient of log Z, in float32, beside the forward and backward sums in float64."""
    import tensorflow as tf

    crf, _, _ = case
    emissions = 20 * np.random.default_rng(2).normal(size=(1, 400, LABELS)).astype("float32")
    scores = tf.constant(emissions)
    with tf.GradientTape() as tape:
        tape.watch(scores)
        total = tf.function(crf.log_partition)(scores, np.ones((1, 400), bool))
    starts, moves, ends = (np.array(x, float) for x in crf.scores())
    alpha, beta = [starts + emissions[0, 0]], [ends]
    for place in range(1, 400):
        alpha.append(np.logaddexp.reduce(alpha[-1][:, None] + moves) + emissions[0, place])
        behind = beta[-1] + emissions[0, -place]
        beta.append(np.logaddexp.reduce(moves + behind[None], axis=1))
    want = np.exp(np.array(alpha) + beta[::-1] - np.logaddexp.reduce(alpha[-1] + ends))
    np.testing.assert_allclose(tape.gradient(total, scores)[0], want, atol=2e-6)


def test_the_best_sequence_is_the_best_of_all(case):
    crf, emissions, _ = case
    found = np.array(crf.decode(emissions, MASK))
    for row in range(3):
        scores = every_sequence(crf, emissions[row], MASK[row])
        assert tuple(found[row, MASK[row]]) == max(scores, key=scores.get)


def test_what_is_not_allowed_is_not_chosen(case):
    crf, emissions, _ = case
    may = np.random.default_rng(1).random((LABELS, LABELS)) < 0.5
    may[np.arange(LABELS), np.roll(np.arange(LABELS), 1)] = True  # no dead end
    starts, ends = np.arange(LABELS) > 1, np.arange(LABELS) < 4
    strict = CRF(LABELS, (starts.tolist(), may.tolist(), ends.tolist()), dtype="float32")
    strict.build()
    strict.set_weights(crf.get_weights())
    found = np.array(strict.decode(emissions, MASK))
    for row in range(3):
        scores = every_sequence(crf, emissions[row], MASK[row])
        whole = {
            labels: score
            for labels, score in scores.items()
            if starts[labels[0]]
            and ends[labels[-1]]
            and all(may[pair] for pair in itertools.pairwise(labels))
        }
        assert tuple(found[row, MASK[row]]) == max(whole, key=whole.get)
    assert float(np.min(strict.scores(whole=True)[0])) < LOWEST / 2
    # The likelihood is over everything.
    np.testing.assert_array_equal(
        strict.log_partition(emissions, MASK), crf.log_partition(emissions, MASK)
    )
