"""Google's AdamW against google-research/bert's optimization.py written out in numpy."""

import keras
import numpy as np

from bert_tf.training.optimizers import AdamW
from bert_tf.training.schedules import WarmupSchedule

from . import moves


def google(name, weights, every, rates):
    """AdamWeightDecayOptimizer.apply_gradients of one variable, float64."""
    weights = weights.astype(np.float64)
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    for one, rate in zip(every, rates, strict=True):
        first = 0.9 * first + 0.1 * one[name]
        second = 0.999 * second + 0.001 * np.square(one[name].astype(np.float64))
        update = first / (np.sqrt(second) + 1e-6)
        if name == "kernel":
            update = update + 0.01 * weights
        weights = weights - rate * update
    return weights


def google_adamw(rate=2e-2):
    return AdamW(rate, 0.01, epsilon=1e-6, bias_correction=False)


def test_ten_steps_are_those_of_google_bert():
    every = moves.gradients(10)
    # Ten times the highest rate BERT is trained with: float32 holds 1 - 0.999 to 1e-5, so moves are
    # right to 6e-6 of their length.
    schedule = WarmupSchedule(1e-3, 10, 3)
    weights = moves.Mover(lambda: google_adamw(schedule)).move(every)
    rates = [float(schedule(step)) for step in range(10)]
    expected = {name: google(name, value, every, rates) for name, value in moves.start().items()}
    moves.assert_near(weights, expected)


def test_with_bias_correction_it_is_keras_adamw():
    every = moves.gradients(10)

    def as_keras():
        optimizer = keras.optimizers.AdamW(2e-2, weight_decay=0.01)
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma"])
        return optimizer

    ours = moves.Mover(lambda: AdamW(2e-2, 0.01)).move(every)
    moves.assert_near(ours, moves.Mover(as_keras).move(every))
    without = moves.Mover(google_adamw).move(every)
    assert np.abs(without["kernel"] - ours["kernel"]).max() > 1e-2
