"""Warm-up requests: what TensorFlow Serving runs through a model before it takes requests.

The first request of each shape is slow by orders of magnitude, because kernels are picked and
memory is taken then. Serving reads `assets.extra/tf_serving_warmup_requests`, a TFRecord of
`PredictionLog` messages (tensorflow/serving, g3doc/saved_model_warmup.md). The messages' classes
come in a package of their own; the few bytes round the tensors are written here instead.
"""

import itertools
import os

import numpy as np
import tensorflow as tf

from bert_tf.tasks.languages import COLUMN

# Sentences of several kinds: short and long, with what tokenizers stumble over.
SAMPLES = (
    "A quiet film that stays with you.",
    "no",
    "The acting is fine, but the story loses its way after an hour and never finds it again.",
    "Why 3.5 stars? Because it's half-good, half-awful!",
    "Café, naïve, Zürich, ÅNGSTRÖM.",
    "这部电影很好看。",
    "[SEP] is not a separator here, and [MASK] hides nothing.",
    "",
    "Donaudampfschifffahrtsgesellschaftskapitän " * 3,
    "One sentence after another makes a text that has to be cut somewhere. " * 60,
)
_BATCHES = (1, 4, 16)
_WORDS = (5, 25, 100, 500)

# Field numbers in tensorflow_serving/apis: prediction_log.proto, predict.proto; a map's entry has
# its key in field 1 and its value in field 2. No ModelSpec: Serving then takes `serving_default`.
_PREDICT_LOG, _REQUEST, _INPUTS, _KEY, _VALUE = 6, 1, 2, 1, 2


def sample_columns(settings, columns):
    """Rows of many kinds for every input column of a model.

    Args:
      settings: dict, see `text_model.text_settings`.
      columns: dict of column name -> tasks.features.Column.
    Returns:
      list of columns, each a list of str or of lists of str.
    """
    found = []
    for place, name in enumerate(settings["columns"]):
        if name == COLUMN:
            found.append(_languages(settings, len(SAMPLES)))
            continue
        texts = list(SAMPLES if place % 2 == 0 else SAMPLES[::-1])
        several = columns[name].kind == "texts"
        found.append([[text, texts[0]] for text in texts] if several else texts)
    return found


def _languages(settings, count):
    """So many names of languages that a model knows, one after the other."""
    return list(itertools.islice(itertools.cycle(settings["languages"]), count))


def write_warmup_requests(directory, settings, columns):
    """Writes warm-up requests of several batch sizes and lengths into a SavedModel.

    Args:
      directory: str, a SavedModel.
      settings, columns: as in `sample_columns`.
    """
    words = (" ".join(SAMPLES[:4]) + " ").split()
    path = os.path.join(directory, "assets.extra", "tf_serving_warmup_requests")
    with tf.io.TFRecordWriter(path) as records:
        for count in _WORDS:
            if count > 2 * settings["max_length"]:
                continue  # cut to the same rows as the one before
            text = " ".join((words * count)[:count])
            for batch in _BATCHES:
                inputs = {
                    name: [[text] * 2 if columns[name].kind == "texts" else text] * batch
                    for name in settings["columns"]
                }
                if COLUMN in inputs:
                    inputs[COLUMN] = _languages(settings, batch)
                records.write(prediction_log(inputs))


def prediction_log(inputs):
    """A request as a serialized tensorflow.serving.PredictionLog.

    Args:
      inputs: dict of input name -> list of str, or of lists of str of one length.
    Returns:
      bytes.
    """
    request = b""
    for name, texts in inputs.items():
        tensor = tf.make_tensor_proto(np.char.encode(np.array(texts, str), "utf-8"), tf.string)
        entry = _field(_KEY, name.encode()) + _field(_VALUE, tensor.SerializeToString())
        request += _field(_INPUTS, entry)
    return _field(_PREDICT_LOG, _field(_REQUEST, request))


def _field(number, content):
    """A field whose content is bytes (protobuf encoding, wire type 2: tag, length, content)."""
    length, varint = len(content), bytearray()
    while length > 127:
        varint.append(length & 127 | 128)
        length >>= 7
    return bytes([number << 3 | 2, *varint, length]) + content
