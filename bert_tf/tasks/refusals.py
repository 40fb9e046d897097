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
# What stands behind the optimizer where Keras is told no names.
_BEHIND = ("loss", "loss_weights", "metrics", "weighted_metrics")


def refuse_of_compile(model, given, unnamed=()):
    """Raises for arguments of `keras.Model.compile` that a task model does not take.

    Args:
      model: TaskModel.
      given: dict of argument -> value.
      unnamed: those that stand behind the optimizer, in the order that Keras has.
    Raises:
      InputError: one is given.
    """
    names = [*_BEHIND, *(f"argument {number}" for number in range(6, 2 + len(unnamed)))]
    for name, value in [*zip(names, unnamed, strict=False), *given.items()]:
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


def call(model, inputs, *arguments, **options):
    """As `keras.Model.__call__`, of inputs that `call` takes; texts are refused."""
    if holds_texts(inputs):
        _refuse_texts(model, "a call", "model(tokenizer(texts))")
    return keras.Model.__call__(model, inputs, *arguments, **options)


def predict(model, x, *arguments, **options):
    """As `keras.Model.predict`; texts are refused."""
    if holds_texts(x):
        _refuse_texts(model, "predict", "model.predict(tokenizer(texts))")
    return keras.Model.predict(model, x, *arguments, **options)


def fit(model, x=None, *arguments, **options):
    """As `keras.Model.fit`; texts are refused."""
    if holds_texts(x):
        _refuse_texts(model, "fit", "model.fit(tokenizer(texts), labels)")
    return keras.Model.fit(model, x, *arguments, **options)


def evaluate(model, x=None, *arguments, **options):
    """As `keras.Model.evaluate`; texts are refused."""
    if holds_texts(x):
        _refuse_texts(model, "evaluate", "model.evaluate(tokenizer(texts), labels)")
    return keras.Model.evaluate(model, x, *arguments, **options)


def _refuse_texts(model, named, instead):
    other = "bert_tf.pipeline(directory)(texts) for answers"
    if named in ("fit", "evaluate"):
        other = "bert_tf.read_dataset(file, tokenizer) for a table"
    raise InputError(
        f"{named} of {type(model).__name__} takes token ids, got texts; write {instead}, or {other}"
    )


def holds_texts(x):
    """bool, whether inputs are strings: one, or a list, an array, a tensor or columns of them, or a
    tf.data.Dataset whose rows begin with such; columns beside token ids are none."""
    if isinstance(x, str | bytes):
        return True
    if isinstance(x, dict):
        return "input_ids" not in x and any(map(holds_texts, x.values()))
    if isinstance(x, list | tuple):
        return bool(x) and holds_texts(x[0])
    if hasattr(x, "element_spec"):
        return holds_texts(x.element_spec)
    kind = getattr(x, "dtype", None)
    if getattr(kind, "kind", None) == "O":
        return any(isinstance(each, str | bytes) for each in np.asarray(x).ravel()[:1])
    return getattr(kind, "kind", None) in ("U", "S", "T") or getattr(kind, "name", "") == "string"
