"""LAMB against algorithm 2 of its paper written out in numpy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_tf.training.lamb import Lamb, trust_ratio
from bert_tf.training.schedules import WarmupSchedule

from . import moves


def norm(x):
    return np.sqrt(np.sum(np.square(x)))


def paper(name, weights, every, rates, decay, factor=1.0):
    """You et al. 2020, algorithm 2, of one variable, float64."""
    weights = weights.astype(np.float64)
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    for t, (one, rate) in enumerate(zip(every, rates, strict=True), start=1):
        gradient = one[name].astype(np.float64)
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        ratio = (first / (1 - 0.9**t)) / (np.sqrt(second / (1 - 0.999**t)) + 1e-6)
        trust = 1.0
        if name == "kernel":
            ratio = ratio + decay * weights
            trust = norm(weights) / norm(ratio)
        weights = weights - rate * factor * trust * ratio
    return weights


@pytest.mark.parametrize("decay", [0.0, 0.01, 0.5])
def test_ten_steps_are_those_of_the_paper(decay):
    every = moves.gradients(10)
    schedule = WarmupSchedule(2e-2, 10, 3)
    weights = moves.Mover(lambda: Lamb(schedule, decay)).move(every)
    rates = [float(schedule(step)) for step in range(10)]
    for name, value in moves.start().items():
        expected = paper(name, value, every, rates, decay)
        np.testing.assert_allclose(weights[name], expected, rtol=1e-6, atol=1e-6)


def test_keras_lamb_differs_once_there_is_decay():
    every = moves.gradients(10)
    kernels = {}
    for decay in (0.0, 0.5):
        ours = moves.Mover(lambda decay=decay: Lamb(2e-2, decay)).move(every)
        theirs = moves.Mover(
            lambda decay=decay: keras.optimizers.Lamb(2e-2, epsilon=1e-6, weight_decay=decay)
        ).move(every)
        kernels[decay] = np.abs(ours["kernel"] - theirs["kernel"]).max()
    assert kernels[0.0] < 1e-6 < 1e-3 < kernels[0.5]


def test_factors_multiply_the_learning_rate_of_each_variable():
    every = moves.gradients(10)
    weights = moves.Mover(
        lambda: Lamb(2e-2, 0.01, rate_factors=lambda step: tf.constant([0.5, 0.0, 2.0]))
    ).move(every)
    begin = moves.start()
    for name, factor in (("kernel", 0.5), ("bias", 0.0), ("gamma", 2.0)):
        expected = paper(name, begin[name], every, [2e-2] * 10, 0.01, factor)
        np.testing.assert_allclose(weights[name], expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(weights["bias"], begin["bias"])


def test_trust_ratio_is_one_where_a_norm_is_zero():
    some, none = tf.constant([3.0, 4.0]), tf.zeros(2)
    assert trust_ratio(some, tf.constant([0.0, 2.0])) == 2.5
    assert trust_ratio(some, none) == trust_ratio(none, some) == trust_ratio(none, none) == 1.0
