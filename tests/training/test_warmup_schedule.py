"""Learning rates: every value of a run against a plain formula."""

import numpy as np
import oracles
import pytest
import tensorflow as tf

from bert_tf.config import TrainSection
from bert_tf.errors import ConfigError
from bert_tf.training.schedules import WarmupSchedule, schedule_of, warmup_steps


def rates(schedule, steps):
    return [float(schedule(step)) for step in range(steps)]


@pytest.mark.parametrize("kind", ["constant", "linear", "cosine"])
@pytest.mark.parametrize("warmup", [0, 1, 4, 19])
def test_every_rate_of_a_run(kind, warmup):
    schedule = WarmupSchedule(0.5, 20, warmup, kind)
    want = [oracles.learning_rate(step, 0.5, 20, warmup, kind) for step in range(20)]
    np.testing.assert_allclose(rates(schedule, 20), want, rtol=1e-5)
    assert min(want) > 0 or kind == "cosine"
    assert max(rates(schedule, 20)) == pytest.approx(0.5)


def test_a_run_of_warm_up_alone_and_a_step_after_the_last():
    np.testing.assert_allclose(rates(WarmupSchedule(1.0, 4, 4), 4), [0.25, 0.5, 0.75, 1.0])
    assert float(WarmupSchedule(1.0, 4, 1)(9)) == 0
    assert float(WarmupSchedule(1.0, 4, 1, "cosine")(9)) == pytest.approx(0, abs=1e-7)


def test_polynomial_inverse_square_root_and_steps():
    polynomial = WarmupSchedule(2.0, 10, 0, "polynomial", power=2.0)
    np.testing.assert_allclose(
        rates(polynomial, 10), [2 * (1 - step / 10) ** 2 for step in range(10)], rtol=1e-5
    )
    root = WarmupSchedule(2.0, 100, 4, "inverse_sqrt")
    want = [2 * min((n + 1) / 4, (4 / (n + 1)) ** 0.5) for n in range(100)]
    np.testing.assert_allclose(rates(root, 100), want, rtol=1e-5)
    steps = WarmupSchedule(2.0, 9, 0, "steps", drop_every=3, drop_factor=0.5)
    np.testing.assert_allclose(rates(steps, 9), [2, 2, 2, 1, 1, 1, 0.5, 0.5, 0.5], rtol=1e-6)


def test_the_step_may_be_a_variable_and_the_schedule_part_of_a_graph():
    schedule = WarmupSchedule(0.5, 20, 4)
    step = tf.Variable(7, dtype="int64")
    rate = tf.function(lambda: schedule(step))()
    assert rate.dtype == "float32" and float(rate) == pytest.approx(float(schedule(7)))


def test_warm_up_is_a_share_below_1_and_steps_from_1_on():
    assert [warmup_steps(x, 200) for x in (0.0, 0.1, 0.999, 1.0, 30.0)] == [0, 20, 200, 1, 30]


def test_a_warm_up_longer_than_the_run_is_refused():
    with pytest.raises(ConfigError, match="train.warmup: 30 steps, the whole run has 20"):
        schedule_of(TrainSection(warmup=30.0), 20, 10)
    assert schedule_of(TrainSection(warmup=0.1, learning_rate=0.5), 20, 10).warmup == 2


def test_a_schedule_survives_its_config():
    schedule = WarmupSchedule(0.5, 20, 4, "steps", drop_every=3, drop_factor=0.5)
    again = WarmupSchedule.from_config(schedule.get_config())
    assert rates(again, 20) == rates(schedule, 20)
