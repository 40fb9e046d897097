"""Averages of the weights: against their formulas, across a restart, on replicas, in a run."""

import keras
import numpy as np
import pytest

from bert_tf.training.averaging import averaged_weights, lookahead, moving_average
from bert_tf.training.optimizers import AdamW
from tests.tiny import mirrored

from . import moves


def trail(steps, make=lambda: AdamW(2e-2)):
    """Where the weights are after each of some steps of a plain optimizer."""
    mover = moves.Mover(make)
    return [mover.move([one]) for one in moves.gradients(steps)]


def averages(mover):
    return {
        name: average.numpy()
        for name, average in zip(moves.SHAPES, mover.optimizer.averages, strict=True)
    }


@pytest.mark.parametrize("decay", [0.5, 0.9, 0.9999])
def test_moving_average_is_the_weighted_mean_of_the_weights_so_far(decay):
    mover = moves.Mover(lambda: moving_average(AdamW(2e-2), decay))
    moves.assert_near(averages(mover), moves.start())
    path = trail(10)
    for n, one in enumerate(moves.gradients(10), start=1):
        mover.move([one])
        shares = decay ** np.arange(n - 1, -1, -1.0)
        for name, average in averages(mover).items():
            expected = np.tensordot(shares / shares.sum(), [at[name] for at in path[:n]], 1)
            np.testing.assert_allclose(average, expected, rtol=1e-6, atol=1e-6)
    # The training itself is not touched.
    moves.assert_near(mover.weights(), path[-1], 0)


def test_lookahead_is_algorithm_1_of_its_paper():
    fast = slow = {name: value.astype(np.float64) for name, value in moves.start().items()}
    mover = moves.Mover(lambda: lookahead(keras.optimizers.SGD(0.1), 3, 0.25))
    for n, one in enumerate(moves.gradients(10), start=1):
        fast = {name: fast[name] - 0.1 * one[name] for name in fast}
        if n % 3 == 0:
            slow = {name: slow[name] + 0.25 * (fast[name] - slow[name]) for name in slow}
            fast = slow
        moves.assert_near(mover.move([one]), fast)
        moves.assert_near(averages(mover), slow)


def test_both_together_average_the_fast_weights_of_lookahead():
    path = trail(7, lambda: lookahead(AdamW(2e-2), 3))
    mover = moves.Mover(lambda: moving_average(lookahead(AdamW(2e-2), 3), 0.5))
    moves.assert_near(mover.move(moves.gradients(7)), path[-1], 0)
    shares = 0.5 ** np.arange(6, -1, -1.0)
    expected = {
        name: np.tensordot(shares / shares.sum(), [at[name] for at in path], 1)
        for name in moves.SHAPES
    }
    moves.assert_near(averages(mover), expected)


def test_weights_and_averages_change_places_and_back_bit_for_bit():
    mover = moves.Mover(lambda: moving_average(AdamW(2e-2), 0.9))
    weights, mean = mover.move(moves.gradients(5)), averages(mover)

    class Model:
        optimizer = keras.optimizers.LossScaleOptimizer(mover.optimizer)

    with pytest.raises(ZeroDivisionError), averaged_weights(Model):
        moves.assert_near(mover.weights(), mean, 0)
        raise ZeroDivisionError
    moves.assert_near(mover.weights(), weights, 0)
    moves.assert_near(averages(mover), mean, 0)
    Model.optimizer = mover.optimizer.inner
    with averaged_weights(Model):
        moves.assert_near(mover.weights(), weights, 0)


def test_rate_and_count_are_those_of_the_inner_optimizer():
    mover = moves.Mover(lambda: moving_average(lookahead(AdamW(2e-2), 3), 0.9))
    mover.move(moves.gradients(4))
    assert int(mover.optimizer.iterations) == 4
    mover.optimizer.learning_rate = 1e-2
    assert float(mover.optimizer.inner.inner.learning_rate) == np.float32(1e-2)
    names = [variable.path for variable in mover.optimizer.variables]
    assert sum(name.endswith("_average") for name in names) == 2 * len(moves.SHAPES)
    assert sum("moment" in name for name in names) == 2 * len(moves.SHAPES)


def test_fit_ends_with_the_averages_as_weights():
    inputs = keras.Input([3])
    model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    model.compile(moving_average(AdamW(1e-2), 0.9), loss="mse", jit_compile=False)
    numbers = np.random.default_rng(0)
    model.fit(numbers.normal(size=(32, 3)), numbers.normal(size=32), batch_size=4, verbose=0)
    for weight, average in zip(model.weights, model.optimizer.averages, strict=True):
        np.testing.assert_array_equal(weight.numpy(), average.numpy())
        assert np.any(average.numpy())


@pytest.mark.parametrize("devices", [["CPU:0"], ["CPU:0", "CPU:1"]])
def test_a_step_that_loss_scaling_skips_moves_no_average(devices):
    def make():
        return keras.optimizers.LossScaleOptimizer(moving_average(AdamW(2e-2), 0.5), 1.0)

    mover = moves.Mover(make, mirrored(devices))
    averaged = mover.optimizer.inner_optimizer
    mover.move(moves.gradients(1))
    before = [average.numpy() for average in averaged.averages]
    mover.move([{name: np.full(shape, np.inf, "f") for name, shape in moves.SHAPES.items()}])
    np.testing.assert_equal([average.numpy() for average in averaged.averages], before)
    assert averaged.iterations.numpy() == 1
