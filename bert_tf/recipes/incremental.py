"""Incremental learning: a trained task learns from new rows, and what it forgets is measured."""

import json
import os
import types

import numpy as np
import tensorflow as tf
from absl import logging

from bert_tf.atomic import new_file, write_file
from bert_tf.data import (
    evaluation_batches,
    order,
    prediction_batches,
    read_table,
    training_batches,
)
from bert_tf.data.joined import JoinedTable
from bert_tf.errors import ConfigError, InputError
from bert_tf.loading import load_task
from bert_tf.recipes.finetune import (
    compile_model,
    feed_of,
    prepare,
    read_tables,
    ready,
    report_rows,
    require_fit,
)
from bert_tf.recipes.workdir import open_workdir, save_run
from bert_tf.tasks import SequenceClassifier, metrics
from bert_tf.tasks.incremental import Remembering, distillation, elastic_penalty, grown
from bert_tf.text import Tokenizer
from bert_tf.training.distribution import is_chief
from bert_tf.training.evaluation import collect, forward_function
from bert_tf.training.fisher import empirical_fisher
from bert_tf.training.loop import train

# What `incremental.strength` null means. For lwf the lambda of Li & Hoiem 2016; for ewc the one
# measured in benchmarks/RESULTS.md, not yet compared with others.
STRENGTHS = {"ewc": 1e4, "lwf": 1.0}


def learn_more(config, workdir):
    """Trains a trained task on new rows, or continues where an earlier run stopped.

    All that is computed from the old model and its data is computed again when a run continues, and
    comes out the same. Beside what `finetune` writes, the workdir gets `forgetting.json` and
    `forgetting.png`.

    Args:
      config: FinetuneConfig with `incremental.method`; `model.path` holds a trained classifier.
      workdir: str, made if absent.
    Returns:
      dict as of `finetune`, and `incremental`: what `forgetting.json` holds.
    Raises:
      As `finetune`; InputError also where old and new labels do not go together.
    """
    finished = open_workdir(workdir, config)
    if finished is not None:
        return finished
    strategy = prepare(config)
    tokenizer = Tokenizer.from_pretrained(config.model.path)
    with strategy.scope():
        old = _trained(config.model.path)
        require_fit(config, old.encoder, tokenizer)
        tables, old_tables = _tables(config, old)
        task = grown(old, tables["train"].label_names)
        ready(task, config)
    rows = dict(batch_size=config.train.batch_size, max_length=config.data.max_length)
    tests = {"old": old_tables["test"], "new": tables.get("test", tables["validation"])}
    own = {"old": np.arange(old.num_labels), "new": _labels_there(tables["train"])}

    def answers(table):
        return collect(task, evaluation_batches(table, tokenizer, **rows))

    def accuracies(known):
        """Of both tests, when the first `known` labels are those the model can answer with."""
        return {
            part: _accuracies(*answers(table)[:2], known, own[part])
            for part, table in tests.items()
        }

    def measure(part):
        logits, labels, loss = answers(tables[part])
        return {"loss": loss, **metrics.measure(labels, logits, task)}

    before = accuracies(old.num_labels)
    learner, feed = _lesson(config, task, tables, old_tables, tokenizer, old.num_labels)
    steps = config.train.steps or feed.epoch_steps * config.train.epochs
    with strategy.scope():
        compile_model(learner, config.train, steps, feed.epoch_steps)
    report_rows(config, tables, tokenizer, steps)
    watched = metrics.watched(config.train.best_metric, task.problem_type)
    outcome = train(
        learner, feed, steps, workdir, config.train, lambda: measure("validation"), watched
    )
    report = _report(config, old, task, tests, before, accuracies(task.num_labels))
    parts = [part for part in ("validation", "test") if part in tables]
    results = {**outcome, **{part: measure(part) for part in parts}, "incremental": report}
    if is_chief(strategy):
        _write_report(workdir, report)
        save_run(task, tokenizer, workdir, results)
    return results


def _trained(path):
    """The task model to go on from; single-label classification, of which forgetting is told."""
    model = load_task(path)
    kind = type(model).__name__
    if not isinstance(model, SequenceClassifier):
        raise InputError(f"{path}: is a {kind}, wanted a trained SequenceClassifier")
    if model.problem_type != "single_label_classification":
        raise InputError(
            f"{path}: its problem type is {model.problem_type}, incremental learning is for "
            "single_label_classification"
        )
    return model


def _tables(config, old):
    """The new rows by part, their labels numbered after the old ones, and the old rows by part."""
    names, data, section = list(old.label_names), config.data, config.incremental
    columns = {key: old.data_settings.get(key) for key in ("text", "text_pair", "label")}
    columns = {key: value for key, value in columns.items() if value is not None}
    if ("text_pair" in columns) != (data.text_pair is not None):
        kind = "pairs of texts" if "text_pair" in columns else "single texts"
        raise ConfigError(f"data.text_pair is {data.text_pair}, the model's texts are {kind}")
    loose = types.SimpleNamespace(problem_type=None, label_names=None)
    found = read_table(data.train, data.text, data.text_pair, data.label, data.format, like=loose)
    if found.problem_type != old.problem_type:
        raise InputError(
            f"{data.train}: its labels are of a {found.problem_type}, the model's in "
            f"{config.model.path} of a {old.problem_type}"
        )
    spelled = {_spelling(name): name for name in names}
    for name in found.label_names:
        known = spelled.get(_spelling(name), name)
        if known != name:
            raise InputError(
                f"{data.train}: the label {name!r} and the model's {known!r} differ in case "
                "or spaces only; write one label one way"
            )
    names += [name for name in found.label_names if name not in names]
    like = types.SimpleNamespace(problem_type=old.problem_type, label_names=names)
    files = {"test": section.old_test}
    if section.method in ("replay", "ewc"):
        files["train"] = section.old_train
    old_tables = {part: read_table(file, **columns, like=old) for part, file in files.items()}
    return read_tables(config, like=like), old_tables


def _spelling(name):
    return " ".join(name.casefold().split())


def _lesson(config, task, tables, old_tables, tokenizer, known):
    """What is trained and on which batches: the four methods."""
    section, seed = config.incremental, config.train.seed
    arguments = dict(
        batch_size=config.train.batch_size, max_length=config.data.max_length, seed=seed
    )
    own = _labels_there(tables["train"])
    strength = section.strength or STRENGTHS.get(section.method)
    if section.method == "replay":
        count = max(1, round(section.share * len(old_tables["train"])))
        replayed = _sample(old_tables["train"], count, seed)
        logging.info("replaying %d of %d old rows", count, len(old_tables["train"]))
        tables["train"] = JoinedTable(tables["train"], replayed, tables["train"].label_names)
    feed = feed_of(tables["train"], tokenizer, arguments)
    if section.method == "ewc":
        rows = _sample(old_tables["train"], section.fisher_rows, seed)
        penalty = _elastic(task, rows, tokenizer, config.data.max_length, known)
        return Remembering(task, own, penalty, strength), feed
    if section.method == "lwf":
        logits = _answers_by_row(task, tables["train"], tokenizer, arguments, known)
        feed = feed._replace(batches=_with_answers(tables["train"], tokenizer, arguments, logits))
        kept = distillation(known, section.temperature)
        return Remembering(task, own, kept, strength), feed
    return task, feed


def _sample(table, count, seed):
    """So many rows of a table, or all, chosen by the seed alone; in file order."""
    chosen = order.shuffled(len(table), seed, order.SAMPLE)[:count]
    return table.subset(np.sort(chosen))


def _elastic(task, rows, tokenizer, max_length, known):
    """The penalty of elastic weight consolidation, around the weights as they are now."""
    logging.info("weighing the weights on %d old rows", len(rows))
    variables = task.trainable_variables

    def loss(inputs, labels):
        logits = task(inputs, training=False)[:, :known]
        return tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))

    examples = evaluation_batches(rows, tokenizer, batch_size=1, max_length=max_length)
    fisher = empirical_fisher(loss, [variable.value for variable in variables], examples)
    anchors = [tf.identity(variable.value) for variable in variables]
    return elastic_penalty(variables, anchors, fisher)


def _answers_by_row(task, table, tokenizer, arguments, known):
    """The old labels' logits of every row of a table, float32 [rows, known]."""
    batches = prediction_batches(
        table,
        tokenizer,
        batch_size=arguments["batch_size"],
        max_length=arguments["max_length"],
    )
    logits = np.zeros((len(table), known), np.float32)
    for inputs, rows in batches:
        logits[rows.numpy()] = forward_function(task)(inputs).numpy()[:, :known]
    return logits


def _with_answers(table, tokenizer, arguments, logits):
    """Training batches, as `BatchSource.batches`, whose labels hold the old model's answers too."""
    labels, logits = tf.constant(table.labels(np.arange(len(table)))), tf.constant(logits)

    @tf.autograph.experimental.do_not_convert
    def beside(inputs, rows):
        return inputs, {"labels": tf.gather(labels, rows), "old_logits": tf.gather(logits, rows)}

    return lambda start, stop: training_batches(
        table, tokenizer, **arguments, start_step=start, stop_step=stop, extra="rows"
    ).map(beside)


def _labels_there(table):
    """The numbers of the labels that a table's rows bear, sorted."""
    return np.unique(table.labels(np.arange(len(table))))


def _accuracies(logits, labels, known, own):
    """Accuracy when the answer is one of all known labels, and when it is one of the data's own."""
    own = own[own < known]
    among = own[logits[:, own].argmax(axis=1)] if len(own) else np.full(len(labels), -1)
    return {
        "of_all_labels": float(np.mean(logits[:, :known].argmax(axis=1) == labels)),
        "of_own_labels": float(np.mean(among == labels)),
    }


def _report(config, old, task, tests, before, after):
    return {
        "method": config.incremental.method,
        "old_labels": list(old.label_names),
        "new_labels": list(task.label_names[old.num_labels :]),
        "rows": {part: len(table) for part, table in tests.items()},
        "accuracy": {part: {"before": before[part], "after": after[part]} for part in tests},
        "forgetting": {
            name: before["old"][name] - after["old"][name]
            for name in ("of_all_labels", "of_own_labels")
        },
    }


def _write_report(workdir, report):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    write_file(os.path.join(workdir, "forgetting.json"), json.dumps(report, indent=2) + "\n")
    figure = Figure(figsize=(9, 4), layout="constrained")
    FigureCanvasAgg(figure)
    panels = {"of_all_labels": "all labels to choose from", "of_own_labels": "the test's own alone"}
    for axes, (name, title) in zip(figure.subplots(1, 2), panels.items(), strict=True):
        for place, when in enumerate(("before", "after")):
            heights = [report["accuracy"][part][when][name] for part in ("old", "new")]
            bars = axes.bar([place / 3, 1 + place / 3], heights, width=0.3, label=when)
            axes.bar_label(bars, fmt="%.3f", fontsize=8)
        axes.set(title=title, ylim=(0, 1.08), ylabel="accuracy")
        axes.set_xticks([1 / 6, 7 / 6], ["old test", "new test"])
    axes.legend(fontsize=8)
    lost = report["forgetting"]["of_all_labels"]
    figure.suptitle(f"{report['method']}: {lost:+.3f} forgotten of the old task")
    with new_file(os.path.join(workdir, "forgetting.png"), "wb") as file:
        figure.savefig(file, dpi=120, format="png")
