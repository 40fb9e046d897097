"""What users of Keras and transformers write that has another form here: told in one line."""

import keras
import numpy as np

from bert_tf.errors import InputError

_OF_KERAS = {
    "loss": "the loss is the task's own; compile(added_losses=...) adds one, loss_factors weighs",
    "metrics": "the metrics are the task's own",
    "weighted_metrics": "the metrics are the task's own",
    "loss_weights": "compile(loss_factors={...}) weighs the losses of the task",
}


def refuse_of_compile(model, given):
    """Raises for arguments of `keras.Model.compile` that a task model does not take.

    Args:
      model: TaskModel.
      given: dict of argument -> value.
    Raises:
      InputError: one is given.
    """
    for name, value in given.items():
        if name in _OF_KERAS and value is None:
            continue
        known = _OF_KERAS.get(name, "compile has no such argument")
        raise InputError(f"compile({name}=...) of {type(model).__name__}: {known}")


def save(model, filepath=None, *_, **__):
    """Refuses `keras.Model.save`, whose file would hold no tokenizer and open nowhere else."""
    raise InputError(
        f"{filepath}: {type(model).__name__} has no save; write "
        "model.save_pretrained(directory, tokenizer), and bert_tf.load_task(directory) to read it"
    )


def from_pretrained(kind, directory=None, *_, **__):
    """Refuses what transformers calls it, since a fresh head and a trained one are two things."""
    raise InputError(
        f"{kind.__name__} has no from_pretrained; write bert_tf.load_task({str(directory)!r}) for "
        f"a trained head, {kind.__name__}(bert_tf.load_encoder({str(directory)!r})) for a new one"
    )


def outputs_of_ids(model, inputs):
    """What an engine gives of token ids alone, for tasks that need no more.

    Args:
      model: TaskModel.
      inputs: dict of int32 [B, L], see the encoder.
    Returns:
      dict of float tensors, named as transformers names them.
    Raises:
      InputError: the task has none.
    """
    raise InputError(
        f"{type(model).__name__}: reads more than the tokens of one text or pair, or answers more "
        "than numbers; an engine that gets ids alone cannot run it"
    )


def predict(model, x, *arguments, **options):
    """As `keras.Model.predict`, of inputs that `call` takes; texts are refused."""
    texts = [x] if isinstance(x, str) else x
    if isinstance(texts, list | tuple | np.ndarray) and len(texts) and _is_text(texts[0]):
        raise InputError(
            f"predict of {type(model).__name__} takes token ids, got texts; write "
            "model.predict(tokenizer(texts)), or bert_tf.pipeline(directory)(texts) for answers"
        )
    return keras.Model.predict(model, x, *arguments, **options)


def _is_text(value):
    while isinstance(value, list | tuple) and value:
        value = value[0]
    return isinstance(value, str)
