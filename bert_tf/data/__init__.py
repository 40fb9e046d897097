"""From files to batches: formats, labels, tables, the order of the examples, tf.data pipelines."""

from bert_tf.data.corpus.documents import Counts, read_documents
from bert_tf.data.pipeline import (
    epoch_steps,
    evaluation_batches,
    overlong_share,
    padding_share,
    prediction_batches,
    read_dataset,
    rows_of_step,
    training_batches,
)
from bert_tf.data.readers import Table, TextList, read_table

__all__ = [
    "Counts",
    "Table",
    "TextList",
    "epoch_steps",
    "evaluation_batches",
    "overlong_share",
    "padding_share",
    "prediction_batches",
    "read_dataset",
    "read_documents",
    "read_table",
    "rows_of_step",
    "training_batches",
]
