"""The learning rate as a function of the step."""

import math

import keras
from keras import ops

SCHEDULES = {
    "constant": lambda progress: ops.ones_like(progress),
    "linear": lambda progress: 1.0 - progress,
    "cosine": lambda progress: 0.5 * (1.0 + ops.cos(math.pi * progress)),
}


class WarmupSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up from 0 to the peak, then one of SCHEDULES down to the last step.

    Args:
      peak: float, the highest learning rate.
      steps: int, updates in the whole run.
      warmup: int, updates of warm-up.
      schedule: a key of SCHEDULES.
    """

    def __init__(self, peak, steps, warmup=0, schedule="linear"):
        self.peak, self.steps, self.warmup, self.schedule = peak, steps, warmup, schedule

    def __call__(self, step):
        """integer scalar -> float32 scalar, the rate of the update after `step` updates."""
        step = ops.cast(step, "float32")
        rising = (step + 1.0) / max(1, self.warmup)
        progress = (step - self.warmup) / max(1, self.steps - self.warmup)
        falling = SCHEDULES[self.schedule](ops.clip(progress, 0.0, 1.0))
        return self.peak * ops.where(step < self.warmup, rising, falling)

    def get_config(self):
        return {
            "peak": self.peak,
            "steps": self.steps,
            "warmup": self.warmup,
            "schedule": self.schedule,
        }


def warmup_steps(warmup, steps):
    """Updates of warm-up: `warmup` itself, or that share of `steps` when it is below 1."""
    return round(warmup * steps) if warmup < 1 else int(warmup)
