"""What a configuration asks for as a schedule, step by step, and the picture of one."""

import math

import matplotlib.image
import numpy as np
import pytest

from bert_tf.config import TrainSection
from bert_tf.errors import ConfigError
from bert_tf.training.schedules import WarmupSchedule, draw_schedule, schedule_of

# The rate after the warm-up: (step, steps, warmup) -> share of the peak.
FORMULAS = {
    "constant": lambda n, end, w: 1.0,
    "linear": lambda n, end, w: (end - n) / (end - w),
    "cosine": lambda n, end, w: (1 + math.cos(math.pi * (n - w) / (end - w))) / 2,
    "polynomial": lambda n, end, w: ((end - n) / (end - w)) ** 2.5,
    "inverse_sqrt": lambda n, end, w: math.sqrt(max(1, w) / (n + 1)),
    "steps": lambda n, end, w: 0.3 ** (n // 20),
}
OPTIONS = {
    "polynomial": {"schedule_power": 2.5},
    "steps": {"drop_every": 2, "drop_factor": 0.3},  # two epochs, of ten steps each below
}


@pytest.mark.parametrize("warmup, rising", [(0.0, 0), (7, 7), (0.25, 15)])
@pytest.mark.parametrize("name", list(FORMULAS))
def test_every_step_has_the_rate_of_the_formula(name, warmup, rising):
    options = OPTIONS.get(name, {})
    settings = TrainSection(schedule=name, learning_rate=2e-3, warmup=warmup, **options)
    schedule = schedule_of(settings, 60, 10)
    for step in range(60):
        share = (step + 1) / rising if step < rising else FORMULAS[name](step, 60, rising)
        assert float(schedule(step)) == pytest.approx(2e-3 * share, rel=5e-6, abs=1e-9)
        assert share > 0
    assert np.isfinite(float(schedule(1000)))


def test_picture_shows_the_rate_of_every_step(tmp_path):
    path = tmp_path / "rate.png"
    draw_schedule(WarmupSchedule(1.0, 100, 50), 100, str(path))
    picture = matplotlib.image.imread(path)[..., :3]
    # The line is the only thing with a colour: it rises to the middle, then falls.
    coloured = (picture.max(axis=2) - picture.min(axis=2)) > 0.3
    columns = np.flatnonzero(coloured.any(axis=0))
    heights = len(picture) - coloured[:, columns].argmax(axis=0)
    top = columns[heights.argmax()]
    assert abs((top - columns[0]) / (columns[-1] - columns[0]) - 0.5) < 0.03
    assert heights[0] < heights.max() / 2 > heights[-1]


def test_picture_of_another_kind_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="rate.xyz: wanted a name that ends in .png, .pdf or"):
        draw_schedule(WarmupSchedule(1.0, 9), 9, str(tmp_path / "rate.xyz"))
    assert not list(tmp_path.iterdir())
