"""From the `train` section of a configuration to the optimizer it asks for."""

from bert_tf.training.adafactor import Adafactor
from bert_tf.training.adagrad import Adagrad
from bert_tf.training.averaging import lookahead, moving_average
from bert_tf.training.freezing import gradual_factors, layer_decay_factors
from bert_tf.training.lamb import Lamb
from bert_tf.training.optimizers import AdamW
from bert_tf.training.schedules import schedule_of


def choose_optimizer(model, settings, steps, epoch_steps):
    """The optimizer a configuration asks for, with its schedule.

    Args:
      model: a TaskModel, frozen as it will be trained.
      settings: the `train` section of the configuration.
      steps: int, updates in the whole run.
      epoch_steps: int, updates in an epoch.
    Returns:
      keras.optimizers.Optimizer.
    Raises:
      ConfigError: the schedule does not fit the run.
    """
    options = {
        "learning_rate": schedule_of(settings, steps, epoch_steps),
        "weight_decay": settings.weight_decay,
        "rate_factors": rate_factors(model, settings),
    }
    for name in ("beta_2", "epsilon"):
        if getattr(settings, name) is not None:
            options[name] = getattr(settings, name)
    if settings.optimizer == "adamw":
        optimizer = AdamW(**options)
    elif settings.optimizer == "google_adamw":
        optimizer = AdamW(**{"epsilon": 1e-6, **options}, bias_correction=False)
    elif settings.optimizer == "lamb":
        optimizer = Lamb(**options)
    elif settings.optimizer == "adagrad":
        optimizer = Adagrad(**options)
    else:
        optimizer = Adafactor(**options)
    if settings.lookahead is not None:
        optimizer = lookahead(optimizer, settings.lookahead)
    if settings.ema is not None:
        optimizer = moving_average(optimizer, settings.ema)
    return optimizer


def rate_factors(model, settings):
    """What multiplies the learning rate of each variable.

    Args:
      model: a TaskModel, frozen as it will be trained.
      settings: the `train` section of the configuration.
    Returns:
      A function of the step, an integer scalar: float32 [number of trainable variables]; None where
      all factors are 1.
    """
    parts = []
    if settings.freeze == "gradual":
        parts.append(gradual_factors(model, settings.unfreeze_every))
    if settings.layer_decay is not None:
        parts.append(layer_decay_factors(model, settings.layer_decay))
    if len(parts) < 2:
        return parts[0] if parts else None
    return lambda step: parts[0](step) * parts[1](step)
