"""A task model and its tokenizer as one TensorFlow program: strings in, named answers out."""

import tensorflow as tf

from bert_tf.errors import InputError
from bert_tf.tasks import SequenceClassifier

_STRINGS = {name: tf.TensorSpec([None], tf.string, name=name) for name in ("text", "text_pair")}


class TextModel(tf.Module):
    """Holds the weights and the tokenizer, and no Keras object, so that a SavedModel has none.

    Args:
      model: SequenceClassifier. Whether it takes pairs, its `data_settings["text_pair"]` says.
      tokenizer: Tokenizer, the one it was trained with.
      max_length: int, tokens a row; None takes `data_settings["max_length"]`, or without one 512,
        or the model's positions where they are fewer.

    Attributes:
      answer: tf.function, the signature `serving_default`. Inputs `text` string [N] and, for pairs
        only, `text_pair` string [N]. Outputs `logits` float32 [N, K], `probabilities` float32
        [N, K], `label` string [N]; of regression `score` float32 [N] alone. A multi-label `label`
        joins by "|" the names whose probability is at least 0.5, as cells of data files do.
      settings: dict, what has to be known about it from outside, ready for JSON.

    Raises:
      InputError: the model is of another task, the tokenizer has more entries than the model has
        rows, or `max_length` exceeds the positions.
    """

    def __init__(self, model, tokenizer, max_length=None):
        super().__init__(name="text_model")
        if not isinstance(model, SequenceClassifier):
            raise InputError(f"{type(model).__name__}: wanted a SequenceClassifier")
        check_vocabulary(model, tokenizer)
        columns = model.data_settings
        self.settings = {
            "problem_type": model.problem_type,
            "label_names": list(model.label_names),
            "max_length": row_length(model, max_length),
            "text": columns.get("text", "text"),
            "text_pair": columns.get("text_pair"),
        }
        self.tokenizer = tokenizer
        self.parameters = [variable.value for variable in model.weights]
        self.answer = _signature(model, tokenizer, self.settings)


def check_vocabulary(model, tokenizer):
    """Raises InputError if the tokenizer has ids that the model's word embeddings lack."""
    rows = model.encoder.config.vocab_size
    if tokenizer.vocab_size > rows:
        raise InputError(
            f"the vocabulary has {tokenizer.vocab_size} entries, the model {rows} rows for them"
        )


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
        return tf.function(lambda text: answer(text), input_signature=[_STRINGS["text"]])
    return tf.function(
        lambda text, text_pair: answer(text, text_pair), input_signature=list(_STRINGS.values())
    )


def _joined(names, chosen):
    """The chosen names of each row, bool [N, K], joined by "|"; string [N]."""
    rows = tf.tile(tf.constant([names]), [tf.shape(chosen)[0], 1])
    return tf.strings.reduce_join(tf.ragged.boolean_mask(rows, chosen), axis=-1, separator="|")
