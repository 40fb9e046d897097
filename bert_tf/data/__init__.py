"""From tables to batches: formats, labels, the order of the rows, packing, tf.data pipelines.

The names below load on first use: the formats alone are read without TensorFlow.
"""

import importlib

# Not lazily: whoever imports the module first would find it in the place of the function.
from bert_tf.data.windowed import windowed as windowed

# Name -> the module here that has it.
_MODULES = {
    "Table": "readers",
    "epoch_steps": "pipeline",
    "evaluation_batches": "pipeline",
    "overlong_share": "pipeline",
    "padding_share": "pipeline",
    "prediction_batches": "pipeline",
    "read_table": "readers",
    "repeated_epochs": "pipeline",
    "rows_of_step": "pipeline",
    "training_batches": "pipeline",
}

__all__ = sorted([*_MODULES, "windowed"])


def __getattr__(name):
    if name in _MODULES:
        value = getattr(importlib.import_module(f"bert_tf.data.{_MODULES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'bert_tf.data' has no attribute {name!r}")
