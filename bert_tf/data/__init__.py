"""From tables to batches: formats, labels, the order of the rows, packing, tf.data pipelines."""

from bert_tf.data.pipeline import (
    epoch_steps,
    evaluation_batches,
    overlong_share,
    padding_share,
    prediction_batches,
    repeated_epochs,
    rows_of_step,
    training_batches,
)
from bert_tf.data.readers import Table, read_table
from bert_tf.data.windowed import windowed

__all__ = [
    "Table",
    "epoch_steps",
    "evaluation_batches",
    "overlong_share",
    "padding_share",
    "prediction_batches",
    "read_table",
    "repeated_epochs",
    "rows_of_step",
    "training_batches",
    "windowed",
]
