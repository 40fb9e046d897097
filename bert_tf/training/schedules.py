"""The learning rate as a function of the step."""

import math
import os

import keras
import numpy as np
from keras import ops

from bert_tf.atomic import new_file
from bert_tf.errors import ConfigError

# After the warm-up: (WarmupSchedule, step as a float32 scalar) -> the factor on the peak.
SCHEDULES = {
    "constant": lambda schedule, step: ops.ones_like(step),
    "linear": lambda schedule, step: 1.0 - schedule.progress(step),
    "cosine": lambda schedule, step: 0.5 * (1.0 + ops.cos(math.pi * schedule.progress(step))),
    "polynomial": lambda schedule, step: ops.power(1.0 - schedule.progress(step), schedule.power),
    # Vaswani et al. 2017, eq. 3, which counts updates from 1.
    "inverse_sqrt": lambda schedule, step: ops.rsqrt((step + 1.0) / max(1, schedule.warmup)),
    "steps": lambda schedule, step: ops.power(
        schedule.drop_factor, ops.floor(step / schedule.drop_every)
    ),
}


class WarmupSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up from 0 to the peak, then one of SCHEDULES to the last step.

    Linear, cosine and polynomial decay from the end of the warm-up and reach 0 after the last
    update. (Google's BERT decays from step 0: its rate drops a little when the warm-up ends.)

    Args:
      peak: float, the highest learning rate.
      steps: int, updates in the whole run.
      warmup: int, updates of warm-up.
      schedule: a key of SCHEDULES.
      power: float, the exponent of "polynomial".
      drop_every, drop_factor: of "steps": after every so many updates of the run, warm-up
        included, the rate is multiplied by the factor.
    """

    def __init__(
        self, peak, steps, warmup=0, schedule="linear", power=1.0, drop_every=1, drop_factor=1.0
    ):
        self.peak, self.steps, self.warmup, self.schedule = peak, steps, warmup, schedule
        self.power, self.drop_every, self.drop_factor = power, drop_every, drop_factor

    def __call__(self, step):
        """integer scalar -> float32 scalar, the rate of the update after `step` updates."""
        step = ops.cast(step, "float32")
        rising = (step + 1.0) / max(1, self.warmup)
        falling = SCHEDULES[self.schedule](self, step)
        return self.peak * ops.where(step < self.warmup, rising, falling)

    def progress(self, step):
        """float32 scalar, the fraction of the updates after the warm-up that are made."""
        return ops.clip((step - self.warmup) / max(1, self.steps - self.warmup), 0.0, 1.0)

    def get_config(self):
        names = ("peak", "steps", "warmup", "schedule", "power", "drop_every", "drop_factor")
        return {name: getattr(self, name) for name in names}


def schedule_of(settings, steps, epoch_steps):
    """The schedule a configuration asks for.

    Args:
      settings: the `train` section of the configuration.
      steps: int, updates in the whole run.
      epoch_steps: int, updates in an epoch.
    Returns:
      WarmupSchedule.
    Raises:
      ConfigError: the warm-up is longer than the run.
    """
    warmup = warmup_steps(settings.warmup, steps)
    if warmup > steps:
        raise ConfigError(f"train.warmup: {warmup} steps, the whole run has {steps}")
    options = {}
    if settings.schedule == "polynomial":
        options = {"power": settings.schedule_power}
    if settings.schedule == "steps":
        every = settings.drop_every * epoch_steps
        options = {"drop_every": every, "drop_factor": settings.drop_factor}
    return WarmupSchedule(settings.learning_rate, steps, warmup, settings.schedule, **options)


def warmup_steps(warmup, steps):
    """Updates of warm-up: `warmup` itself, or that fraction of `steps` when it is below 1."""
    return round(warmup * steps) if warmup < 1 else int(warmup)


def draw_schedule(schedule, steps, path):
    """Draws the learning rate of every update of a run.

    Args:
      schedule: a function of the step, such as a WarmupSchedule.
      steps: int, updates in the whole run.
      path: str, the picture, ending in .png, .pdf or .svg.
    Raises:
      ConfigError: it has another ending.
      InputError: it cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    ending = os.path.splitext(path)[1]
    if ending not in (".png", ".pdf", ".svg"):
        raise ConfigError(f"{path}: wanted a name that ends in .png, .pdf or .svg")
    # A picture is about 1,000 pixels wide: more points would not be seen.
    at = np.unique(np.linspace(0, steps - 1, min(steps, 4000)).round().astype(int))
    figure = Figure(figsize=(8, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.plot(at + 1, ops.convert_to_numpy(schedule(at)))
    axes.set(xlabel="step", ylabel="learning rate", ylim=(0, None))
    axes.grid(alpha=0.3)
    with new_file(path, "wb") as file:
        figure.savefig(file, dpi=120, format=ending[1:])
