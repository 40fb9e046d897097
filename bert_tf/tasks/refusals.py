"""What users of Keras and transformers write that has another form here: told in one line."""

import functools

import keras
import numpy as np

from bert_tf.errors import InputError
from bert_tf.training.written_gradients import kept_by_graph

_OF_KERAS = {
    "loss": "the loss is the task's own; compile(added_losses=...) adds one, loss_factors weighs",
    "metrics": "the metrics are the task's own",
    "weighted_metrics": "the metrics are the task's own",
    "loss_weights": "compile(loss_factors={...}) weighs the losses of the task",
}
# What stands behind the optimizer where Keras is told no names.
_BEHIND = ("loss", "loss_weights", "metrics", "weighted_metrics")


def refuse_of_compile(model, given, unnamed=()):
    """Raises where a task model cannot be trained as `keras.Model.compile` is told.

    Args:
      model: TaskModel.
      given: dict of argument -> value.
      unnamed: those that stand behind the optimizer, in the order that Keras has.
    Raises:
      InputError: one is given; or its weights are in half precision, too coarse to be learned in.
    """
    if model.variable_dtype != "float32":
        kept = model.variable_dtype
        raise InputError(
            f"compile of {type(model).__name__}: its weights are {kept}, too coarse to "
            f"be learned in; make it under keras.config.set_dtype_policy('mixed_{kept}')"
        )
    names = [*_BEHIND, *(f"argument {number}" for number in range(6, 2 + len(unnamed)))]
    for name, value in [*zip(names, unnamed, strict=False), *given.items()]:
        if name in _OF_KERAS and value is None:
            continue
        known = _OF_KERAS.get(name, "compile has no such argument")
        raise InputError(f"compile({name}=...) of {type(model).__name__}: {known}")


def _of_ids(name, instead):
    """A method of `keras.Model` that refuses texts.

    Args:
      name: str, of the method.
      instead: str, what is written in their place.
    """
    keras_method = getattr(keras.Model, name)

    @functools.wraps(keras_method)
    def method(model, x=None, *arguments, **options):
        if holds_texts(x):
            _refuse_texts(model, name, f"model.{name}({instead})")
        return keras_method(model, x, *arguments, **options)

    return method


class Refusals(keras.Model):
    """What a task model answers where its user writes what Keras or transformers would take."""

    def save(self, filepath=None, *_, **__):
        """Refuses `keras.Model.save`, whose file would hold no tokenizer and open nowhere else."""
        raise InputError(
            f"{filepath}: {type(self).__name__} has no save; write model.save_pretrained("
            "directory, tokenizer), and bert_tf.load_task(directory) to read it"
        )

    @classmethod
    def from_pretrained(cls, directory=None, *_, **__):
        """Refuses what transformers calls it: a fresh head and a trained one are two things."""
        raise InputError(
            f"{cls.__name__} has no from_pretrained; write bert_tf.load_task({str(directory)!r}) "
            f"for a trained head, {cls.__name__}(bert_tf.load_encoder({str(directory)!r})) for a "
            "new one"
        )

    def outputs_of_ids(self, inputs):
        """What an engine gives of token ids alone, for tasks that need no more.

        Args:
          inputs: dict of int32 [B, L], see the encoder.
        Returns:
          dict of float tensors, named as transformers names them.
        Raises:
          InputError: the task has none.
        """
        raise InputError(
            f"{type(self).__name__}: reads more than the tokens of one text or pair, or answers "
            "more than numbers; an engine that gets ids alone cannot run it"
        )

    def __call__(self, inputs, *arguments, **options):
        """As `keras.Model.__call__`, of inputs that `call` takes; texts are refused."""
        if holds_texts(inputs):
            _refuse_texts(self, "a call", "model(tokenizer(texts))")
        with kept_by_graph():
            return super().__call__(inputs, *arguments, **options)

    predict = _of_ids("predict", "tokenizer(texts)")
    predict_on_batch = _of_ids("predict_on_batch", "tokenizer(texts)")
    fit = _of_ids("fit", "tokenizer(texts), labels")
    evaluate = _of_ids("evaluate", "tokenizer(texts), labels")
    train_on_batch = _of_ids("train_on_batch", "tokenizer(texts), labels")
    test_on_batch = _of_ids("test_on_batch", "tokenizer(texts), labels")


def _refuse_texts(model, named, instead):
    other = "bert_tf.pipeline(directory)(texts) for answers"
    if "labels" in instead:
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
