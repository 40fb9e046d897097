"""Evaluation: a model, a labelled file, and every metric of the task."""

import json

from bert_tf.atomic import write_file
from bert_tf.data import evaluation_batches, read_table
from bert_tf.export import load_model, row_length
from bert_tf.tasks.metrics import measure
from bert_tf.training.evaluation import collect

BATCH_ROWS = 32
# The columns where a model directory tells none.
_COLUMNS = {"text": "text", "text_pair": None, "label": "label"}


def evaluate(model_directory, data_file, output=None):
    """Measures a model on a file with labels.

    Columns and the length of rows are those the model was trained with.

    Args:
      model_directory: str, such as `model` in a workdir.
      data_file: str, a TSV, CSV or JSON lines file.
      output: str, a file to write the figures to as JSON; None writes none.
    Returns:
      dict, ready for JSON: `loss` and what `tasks.metrics.measure` gives.
    Raises:
      InputError: a file cannot be read or written, or holds a label that the model does not know.
    """
    model, tokenizer = load_model(model_directory)
    columns = {key: model.data_settings.get(key, default) for key, default in _COLUMNS.items()}
    table = read_table(data_file, **columns, like=model)
    batches = evaluation_batches(
        table, tokenizer, batch_size=BATCH_ROWS, max_length=row_length(model)
    )
    logits, labels, loss = collect(model, batches)
    figures = {"loss": loss, **measure(labels, logits, model)}
    if output is not None:
        write_file(output, json.dumps(figures, indent=2) + "\n")
    return figures
