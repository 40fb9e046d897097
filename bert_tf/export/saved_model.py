"""SavedModels in numbered version folders: none is overwritten, and none appears unchecked."""

import json
import os
import shutil
import uuid

import numpy as np
import tensorflow as tf

from bert_tf.atomic import sync_tree
from bert_tf.errors import InputError
from bert_tf.export.answer import SETTINGS_FILE, first_line, load_export
from bert_tf.export.text_model import TextModel, text_settings
from bert_tf.export.warmup import SAMPLES, write_warmup_requests

# How far the export may be from the model, for logits of size 1 and in proportion above.
_TOLERANCE = {"float32": 1e-5, "bfloat16": 3e-2, "float16": 3e-3}


def export_saved_model(model, tokenizer, directory, max_length=None):
    """Writes a model and its tokenizer as a SavedModel: text in, answer out.

    It is written beside its final place, asked the same texts as the model, and renamed only when
    the answers agree; TensorFlow Serving may watch the directory meanwhile.

    Args:
      model: SequenceClassifier.
      tokenizer: Tokenizer, the one the model was trained with.
      directory: str, made if absent; holds the versions 1, 2, ...
      max_length: int, tokens a row; None takes what the model was trained with.
    Returns:
      str, the new version folder.
    Raises:
      InputError: the model cannot be exported (see text_settings), the place cannot be written, or
        the export answers otherwise than the model. Nothing is left under a version's name then.
    """
    settings = text_settings(model, tokenizer, max_length)
    directory = os.fspath(directory)
    unfinished = os.path.join(directory, f".unfinished-{uuid.uuid4().hex}")
    try:
        os.makedirs(unfinished)
        _write(TextModel(model, tokenizer, settings), settings, unfinished)
        _check(load_export(unfinished), model, tokenizer, settings)
        sync_tree(unfinished)
        return _publish(unfinished, directory)
    except OSError as error:
        reason = error.strerror or first_line(error)
        raise InputError(f"{directory}: cannot be written: {reason}") from error
    except tf.errors.OpError as error:
        raise InputError(f"{directory}: cannot be written: {first_line(error)}") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _write(program, settings, directory):
    tf.saved_model.save(program, directory, signatures={"serving_default": program.answer})
    os.makedirs(os.path.join(directory, "assets.extra"))
    with open(os.path.join(directory, SETTINGS_FILE), "w", encoding="utf-8") as file:
        json.dump(settings, file, ensure_ascii=False, indent=2)
    write_warmup_requests(directory, settings)


def _check(answer, model, tokenizer, settings):
    """Raises InputError unless the export's numbers are the model's, for texts of many kinds."""
    texts = list(SAMPLES)
    pairs = None if settings["text_pair"] is None else texts[::-1]
    tokens = tokenizer(texts, pairs, max_length=settings["max_length"])
    expected = np.asarray(model(tokens, training=False))
    outputs = answer(texts, pairs)
    found = outputs["score" if "score" in outputs else "logits"].reshape(expected.shape)
    allowed = _TOLERANCE[model.compute_dtype] * max(1.0, np.abs(expected).max())
    difference = np.abs(found - expected).max()
    if not difference <= allowed:
        raise InputError(
            f"the export's answers differ from the model's by {difference:.1e}, "
            f"allowed {allowed:.1e}; nothing was exported"
        )


def _publish(unfinished, directory):
    """Renames to the next free number; whoever else exports at this moment gets another."""
    taken = [int(name) for name in os.listdir(directory) if name.isascii() and name.isdigit()]
    version = max(taken, default=0) + 1
    while True:
        folder = os.path.join(directory, str(version))
        try:
            os.rename(unfinished, folder)
            return folder
        except OSError:
            if not os.path.lexists(folder):
                raise
            version += 1
