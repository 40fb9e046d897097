"""Asking a model: texts in, numpy out, whether it lies in an export or in memory."""

import json
import os

import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401 registers the operations in our exports

from bert_tf.errors import InputError
from bert_tf.export.text_model import TextModel, text_settings

SETTINGS_FILE = os.path.join("assets.extra", "bert_tf.json")


class Answer:
    """Answers texts; one call is one batch.

    Args:
      function: takes string tensors `text` and perhaps `text_pair` by name, gives a dict of
        tensors.
      settings: dict, see `text_model.text_settings`.
      kept: whatever has to live as long as the function.
    """

    def __init__(self, function, settings, kept):
        self._function, self._kept = function, kept
        self.settings = settings

    def __call__(self, texts, pairs=None):
        """Answers N texts, or N pairs of texts.

        Args:
          texts: list of N str.
          pairs: list of N str, for a model of pairs and only for one.
        Returns:
          dict of numpy arrays: `label` [N] str, `probabilities` and `logits` float32 [N, K]; of
          regression `score` float32 [N]. Of a multi-label model `label` holds the names with a
          probability of at least 0.5, joined by "|".
        Raises:
          InputError: pairs are missing or not wanted, or the arguments are no lists of str.
        """
        if (pairs is not None) != (self.settings["text_pair"] is not None):
            wanted = "text alone" if pairs is not None else "pairs of texts"
            raise InputError(f"the model takes {wanted}")
        inputs = {"text": _strings(texts, "texts")}
        if pairs is not None:
            inputs["text_pair"] = _strings(pairs, "pairs")
            if len(pairs) != len(texts):
                raise InputError(f"pairs has {len(pairs)} texts, texts has {len(texts)}")
        if not len(texts):  # rows without a token are nothing a model can run on
            inputs = {name: tf.constant([""]) for name in inputs}
        outputs = self._function(**inputs)
        outputs = {name: value.numpy()[: len(texts)] for name, value in outputs.items()}
        if "label" in outputs:
            outputs["label"] = np.array([name.decode() for name in outputs["label"]], dtype=str)
        return outputs


def answer_with(model, tokenizer, max_length=None):
    """An Answer from a model in memory: the very program that an export of it holds.

    Args, Raises: as `export_saved_model`.
    """
    settings = text_settings(model, tokenizer, max_length)
    program = TextModel(model, tokenizer, settings)
    return Answer(program.answer, settings, program)


def load_export(directory):
    """An Answer from an export.

    Args:
      directory: str, what `export_saved_model` was given (the newest version is taken), or one of
        its version folders.
    Returns:
      Answer.
    Raises:
      InputError: there is no export, or it cannot be read.
    """
    folder = _version_folder(os.fspath(directory))
    try:
        with open(os.path.join(folder, SETTINGS_FILE), encoding="utf-8") as file:
            settings = json.load(file)
    except (OSError, ValueError):
        raise InputError(
            f"{folder}: has no readable {SETTINGS_FILE}, which our exports have"
        ) from None
    try:
        loaded = tf.saved_model.load(folder)
        function = loaded.signatures["serving_default"]
    except (OSError, KeyError, ValueError, tf.errors.OpError) as error:
        raise InputError(f"{folder}: not a whole SavedModel: {first_line(error)}") from None
    return Answer(function, settings, loaded)


def is_export(directory):
    """bool, whether a directory is an export or one of its version folders."""
    return _is_saved_model(directory) or bool(versions(directory))


def versions(directory):
    """The numbers of the version folders in a directory, ascending; a list of int."""
    try:
        names = [name for name in os.listdir(directory) if name.isascii() and name.isdigit()]
    except OSError:
        return []
    return sorted(int(name) for name in names if _is_saved_model(os.path.join(directory, name)))


def first_line(error):
    """The first line of an exception's message, or its kind if it has none."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _is_saved_model(directory):
    return os.path.isfile(os.path.join(directory, "saved_model.pb"))


def _version_folder(directory):
    if _is_saved_model(directory):
        return directory
    found = versions(directory)
    if not found:
        reason = "holds no export" if os.path.isdir(directory) else "is no directory"
        raise InputError(f"{directory}: {reason}; wanted what bert-tf export has written")
    return os.path.join(directory, str(found[-1]))


def _strings(texts, name):
    if isinstance(texts, str | bytes):
        raise InputError(f"{name} is one string, wanted a list of them")
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise InputError(f"{name}[{number}] is {text!r}, wanted a string")
    try:
        return tf.constant([text.encode() for text in texts], tf.string, shape=[len(texts)])
    except UnicodeEncodeError as error:
        raise InputError(f"{name}: {error.object!r} holds half a surrogate pair") from None
