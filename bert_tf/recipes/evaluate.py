"""Evaluation: a model, a labelled file, and every metric of the task."""

import json

from bert_tf.atomic import require_another_file, write_file
from bert_tf.data import evaluation_batches, read_table, windowed
from bert_tf.data.formats import has_keys
from bert_tf.data.grouped import grouped
from bert_tf.data.places import format_of, kinds_of, places_of
from bert_tf.datasets import fault_of, report_cut_texts, report_faults
from bert_tf.errors import ConfigError, InputError
from bert_tf.export import row_length
from bert_tf.loading import load_with_tokenizer
from bert_tf.recipes.attention import ROWS, draw_attention
from bert_tf.recipes.classes import report_stuck
from bert_tf.recipes.depths import draw_depths, measure_depths
from bert_tf.recipes.output_files import check_output_files, check_picture
from bert_tf.recipes.perplexity import with_perplexity
from bert_tf.recipes.written import written_figures
from bert_tf.tasks.features import check_padding, check_token_types, features_of
from bert_tf.tasks.multi_task import part_of
from bert_tf.training import evaluation

BATCH_ROWS = 32


def evaluate(
    model_directory,
    data_file,
    output=None,
    task=None,
    format=None,
    depths=None,
    attention=None,
    **columns,
):
    """Measures a model on a file with labels.

    The length of rows, and the columns that are not given, are those the model was trained with.

    Args:
      model_directory: str, such as `model` in a workdir.
      data_file: str, a TSV, CSV or JSON lines file.
      output: str, a file to write the figures to as JSON, before anything is drawn; None writes
        none.
      task: str, which of several tasks the labels are of.
      format: str, how the file is written; None takes what its name and its beginning say.
      depths: str, a picture: what the model scores with fewer layers is measured and drawn too.
      attention: str, a picture to draw of what the first targets that the model writes read of
        their sources; None draws none.
      **columns: str or int, where the columns of these names are; None as in training.
    Returns:
      dict, ready for JSON: what `training.evaluation.evaluate` gives; and `depths`, see
      `measure_depths`, on request.
    Raises:
      InputError: a file cannot be read or written, or holds a label that the model does not know;
        the model's layers cannot be taken alone, or it attends to no source.
      ConfigError: a column is given that the model's task does not read, the output is the data, or
        which task is not said; there is no folder for a file to write.
    """
    require_another_file(output, data_file)
    check_output_files(output=output, depths=depths, attention=attention)
    for picture in (depths, attention):
        if picture is not None:
            check_picture(picture)
    model, tokenizer = load_with_tokenizer(model_directory)
    if task is None and model.parts is not None:
        names = ", ".join(model.parts)
        raise ConfigError(f"--task is missing: {model_directory} holds several, {names}")
    model = part_of(model, task)
    if not any(column.target for column in model.columns.values()):
        named = type(model).__name__
        raise InputError(f"{model_directory}: a {named}, which no table has labels for")
    if attention is not None and not hasattr(model, "attention"):
        named = type(model).__name__
        raise InputError(f"{model_directory}: a {named}, which attends to no source (--attention)")
    table, batches = labelled_batches(model, tokenizer, data_file, format, **columns)
    # First, for there are families whose layers cannot be taken alone.
    by_depth = None if depths is None else measure_depths(model, batches, table)
    figures = evaluation.evaluate(model, batches, table)
    figures = with_perplexity({**figures, **written_figures(model, tokenizer, table)})
    report_stuck(model, {data_file: figures})
    if depths is not None:
        figures["depths"] = by_depth
    if output is not None:
        write_file(output, json.dumps(figures, indent=2) + "\n")
    if depths is not None:
        draw_depths(model, by_depth, depths)
    if attention is not None:
        texts = table.cells(range(min(ROWS, len(table))))["text"]
        draw_attention(model, tokenizer, list(texts), attention)
    return figures


def labelled_batches(model, tokenizer, data_file, format=None, **columns):
    """The rows of a file with labels as a model is measured on them.

    Args:
      model: TaskModel.
      tokenizer: Tokenizer.
      data_file, format, **columns: as in `evaluate`.
    Returns:
      (table, tf.data.Dataset of (inputs, labels, numbers of rows)).
    Raises:
      InputError, ConfigError: as `evaluate`.
    """
    task, saved = type(model), model.data_settings
    known = {name: saved[name] for name in task.columns if saved.get(name) is not None}
    given = {name: place for name, place in columns.items() if place is not None}
    format = format_of(task, data_file, format)
    if has_keys(format):  # the training file may have had numbers for columns
        known = {name: name if isinstance(x, int) else x for name, x in known.items()}
    places = places_of(task, {**known, **given}, format=format)
    options = {"fault": fault_of(task, saved.get("languages")), "like": model}
    options["ignore"] = saved.get("ignore_labels") or ()
    table = read_table(data_file, places, kinds_of(task), format, **options)
    table = grouped(table, task.group_by)
    length = row_length(model)
    settings = {"overlap": length // 4, **saved, **places, "max_length": length}
    check_padding(tokenizer, model.encoder.config)
    check_token_types(task, tokenizer, settings, model.encoder.config)
    features = features_of(model, tokenizer, settings)
    report_faults(table, "are measured all the same")
    report_cut_texts(task, table, tokenizer, settings)
    table = windowed(table, features)
    return table, evaluation_batches(table, features, batch_size=BATCH_ROWS, numbered=True)
