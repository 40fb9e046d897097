"""A trained model as one program that takes raw text: SavedModel out, and answers from it.

text_model.py    TextModel: tokenizer, features, model and answer of a task in one graph
execution.py     running: its model without work for padding, rows of like lengths together
operations.py    Weights: the steps of its layers in operations of TensorFlow, and in which type
saved_model.py   export_saved_model: version folders, written whole, checked before they count
warmup.py        the requests that TensorFlow Serving runs before it takes any from outside
answer.py        Answer, answer_with: texts in, numpy or dicts out
opening.py       load_export: the newest version of a folder as an Answer
engines/         export_for_engine: files for ONNX Runtime and others, which get token ids
ask.py           pipeline: a directory, texts, and a dict for each; zero_shot.py: other labels
"""

from bert_tf.export.answer import Answer, answer_with
from bert_tf.export.ask import pipeline
from bert_tf.export.engines import export_for_engine, require_packages
from bert_tf.export.execution import running
from bert_tf.export.opening import is_export, load_export
from bert_tf.export.operations import Weights
from bert_tf.export.saved_model import export_saved_model
from bert_tf.export.text_model import TextModel, row_length, text_settings

__all__ = [
    "Answer",
    "TextModel",
    "Weights",
    "answer_with",
    "export_for_engine",
    "export_saved_model",
    "is_export",
    "load_export",
    "pipeline",
    "require_packages",
    "row_length",
    "running",
    "text_settings",
]
