"""What a student's answers cost, against plain numpy."""

import numpy as np
import pytest

from bert_tf.compression.answer_losses import answer_losses
from bert_tf.tasks.soft_answers import SoftAnswer

NUMBERS = np.random.default_rng(5)


def softmax(x):
    shares = np.exp(x - x.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


def draw(*shape):
    return NUMBERS.standard_normal(shape).astype("float32")


@pytest.mark.parametrize("teachers", [1, 3])
def test_a_choice_costs_its_divergence_from_the_teachers_mean(teachers):
    own, theirs, temperature = draw(4, 3), [draw(4, 3) for _ in range(teachers)], 2.5
    wanted = np.mean([softmax(x / temperature) for x in theirs], axis=0)
    found = softmax(own / temperature)
    want = temperature**2 * (wanted * np.log(wanted / found)).sum(axis=-1)
    told = [[SoftAnswer("choice", x)] for x in theirs]
    got = answer_losses([SoftAnswer("choice", own)], told, temperature)
    np.testing.assert_allclose(got, want, rtol=1e-4)


def test_answers_that_stand_for_themselves_cost_the_mean_of_theirs():
    own, theirs = draw(4, 3), draw(4, 3)
    p, q = (1 / (1 + np.exp(-x / 2)) for x in (theirs, own))
    want = 4 * (p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))).mean(axis=-1)
    told = [[SoftAnswer("several", theirs)]]
    np.testing.assert_allclose(
        answer_losses([SoftAnswer("several", own)], told, 2.0), want, rtol=1e-4
    )


def test_a_number_costs_its_squared_error_to_the_mean():
    own, one, other = draw(4, 1), draw(4, 1), draw(4, 1)
    told = [[SoftAnswer("number", one)], [SoftAnswer("number", other)]]
    got = answer_losses([SoftAnswer("number", own)], told, 7.0)
    np.testing.assert_allclose(got, ((own - (one + other) / 2) ** 2)[:, 0], rtol=1e-4)


def test_places_without_an_answer_cost_nothing_and_several_answers_add_up():
    own, theirs = draw(2, 4, 3), draw(2, 4, 3)
    there = np.array([[True, True, False, False], [True, True, True, True]])
    theirs[~there] = 1e4 * draw(2, 4, 3)[~there]
    answer = SoftAnswer("choice", own, there)
    got = answer_losses([answer], [[SoftAnswer("choice", theirs, there)]], 1.0)
    each = (softmax(theirs) * (np.log(softmax(theirs) + 1e-30) - np.log(softmax(own)))).sum(-1)
    want = [each[row][there[row]].mean() for row in range(2)]
    np.testing.assert_allclose(got, want, rtol=1e-3)
    twice = answer_losses([answer] * 2, [[SoftAnswer("choice", theirs, there)] * 2], 1.0)
    np.testing.assert_allclose(twice, 2 * np.array(want), rtol=1e-3)


def test_who_answers_as_the_teacher_pays_nothing_however_low_a_logit_is():
    values = np.array([[1.0, -6e4, 3.0]], "float32")
    for kind in ("choice", "several", "number"):
        answer = SoftAnswer(kind, values)
        assert float(answer_losses([answer], [[answer]], 2.0)[0]) == pytest.approx(0, abs=1e-6)
