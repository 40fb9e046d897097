"""A task model and its tokenizer as one TensorFlow program: strings in, named answers out."""

import os

import tensorflow as tf

from bert_tf.errors import InputError
from bert_tf.loading import load_task
from bert_tf.tasks import SequenceClassifier
from bert_tf.text import Tokenizer

_STRINGS = {name: tf.TensorSpec([None], tf.string, name=name) for name in ("text", "text_pair")}


class TextModel(tf.Module):
    """Holds the weights and the tokenizer, and no Keras object, so that a SavedModel has none.

    Args:
      model: SequenceClassifier.
      tokenizer: Tokenizer.
      settings: dict, what `text_settings` gives.

    Attributes:
      answer: tf.function, the signature `serving_default`. Inputs `text` string [N] and, for pairs
        only, `text_pair` string [N]. Outputs `logits` float32 [N, K], `probabilities` float32
        [N, K], `label` string [N]; of regression `score` float32 [N] alone. A multi-label `label`
        joins by "|" the names whose probability is at least 0.5, as cells of data files do.
    """

    def __init__(self, model, tokenizer, settings):
        super().__init__(name="text_model")
        self.tokenizer = tokenizer
        self.parameters = [variable.value for variable in model.weights]
        self.answer = _signature(model, tokenizer, settings)


def text_settings(model, tokenizer, max_length=None):
    """What has to be known about a model to ask it, once it is seen that it can be asked.

    Args:
      model: SequenceClassifier. Whether it takes pairs, its `data_settings["text_pair"]` says.
      tokenizer: Tokenizer, the one it was trained with.
      max_length: int, see `row_length`.
    Returns:
      dict, ready for JSON: `problem_type`, `label_names`, `max_length`, and the columns `text` and
      `text_pair` of the training file (None: single texts).
    Raises:
      InputError: the model is of another task, the tokenizer has more entries than the model has
        rows, or `max_length` exceeds the positions.
    """
    if not isinstance(model, SequenceClassifier):
        raise InputError(f"{type(model).__name__}: wanted a SequenceClassifier")
    rows = model.encoder.config.vocab_size
    if tokenizer.vocab_size > rows:
        raise InputError(
            f"the vocabulary has {tokenizer.vocab_size} entries, the model {rows} rows for them"
        )
    return {
        "problem_type": model.problem_type,
        "label_names": list(model.label_names),
        "max_length": row_length(model, max_length),
        "text": model.data_settings.get("text", "text"),
        "text_pair": model.data_settings.get("text_pair"),
    }


def load_model(directory):
    """The sequence classifier in a directory, and the tokenizer it was trained with.

    Args:
      directory: str.
    Returns:
      (SequenceClassifier, Tokenizer).
    Raises:
      InputError: the directory holds something else, or cannot be read.
    """
    model = load_task(directory)
    if not isinstance(model, SequenceClassifier):
        raise InputError(
            f"{os.fspath(directory)}: holds a task of kind {type(model).__name__}, "
            "wanted SequenceClassifier"
        )
    return model, Tokenizer.from_pretrained(directory)


def row_length(model, max_length=None):
    """How many tokens a row of text may have.

    Args:
      model: a task model.
      max_length: int, or None for what the model was trained with.
    Returns:
      int.
    Raises:
      InputError: the model has fewer positions than that, or no text would fit.
    """
    positions = model.encoder.config.max_position_embeddings
    length = max_length or model.data_settings.get("max_length") or min(512, positions)
    if not isinstance(length, int) or not 3 <= length <= positions:
        raise InputError(f"max_length: {length!r}, wanted 3 to {positions}, the model's positions")
    return length


def _signature(model, tokenizer, settings):
    """The tf.function; what it closes over is not seen by tf.saved_model."""
    names = settings["label_names"]

    def answer(text, text_pair=None):
        tokens = tokenizer(text, text_pair, max_length=settings["max_length"])
        logits = model(tokens, training=False)
        if settings["problem_type"] == "regression":
            return {"score": logits[:, 0] if len(names) == 1 else logits}
        if settings["problem_type"] == "multi_label_classification":
            probabilities = tf.sigmoid(logits)
            label = _joined(names, probabilities >= 0.5)
        else:
            probabilities = tf.nn.softmax(logits)
            label = tf.gather(tf.constant(names), tf.argmax(logits, axis=-1))
        return {"label": label, "probabilities": probabilities, "logits": logits}

    if settings["text_pair"] is None:
        return tf.function(
            lambda text: answer(text), input_signature=[_STRINGS["text"]], autograph=False
        )
    return tf.function(
        lambda text, text_pair: answer(text, text_pair),
        input_signature=list(_STRINGS.values()),
        autograph=False,
    )


def _joined(names, chosen):
    """The chosen names of each row, bool [N, K], joined by "|"; string [N]."""
    rows = tf.tile(tf.constant([names]), [tf.shape(chosen)[0], 1])
    return tf.strings.reduce_join(tf.ragged.boolean_mask(rows, chosen), axis=-1, separator="|")
