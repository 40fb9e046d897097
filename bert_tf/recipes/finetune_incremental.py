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
from bert_tf.data.labels import named_like
from bert_tf.data.places import columns_of, kinds_of
from bert_tf.datasets import task_named
from bert_tf.errors import InputError
from bert_tf.loading import load_task
from bert_tf.recipes.finetune import (
    compile_model,
    configure,
    monitor_of,
    prepare,
    require_fit,
)
from bert_tf.recipes.finetune_rows import (
    data_digests,
    data_settings,
    read_tables,
    report_rows,
    require_as_trained,
    source_of,
)
from bert_tf.recipes.workdir import claimed_workdir, model_digests, open_workdir, save_run
from bert_tf.tasks.features import features_of
from bert_tf.tasks.incremental import among_new_labels, elastic_penalty, kept_answers
from bert_tf.text import Tokenizer
from bert_tf.training.distribution import is_chief
from bert_tf.training.evaluation import collect, evaluate
from bert_tf.training.fisher import empirical_fisher
from bert_tf.training.loop import train

# What `incremental.strength` null means. For lwf the lambda of Li & Hoiem 2016; for ewc the one
# measured in benchmarks/RESULTS.md, not yet compared with others.
STRENGTHS = {"ewc": 1e4, "lwf": 1.0}


def finetune_incremental(config, workdir):
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
    data = data_digests(config) | model_digests(config.model.path)
    finished = open_workdir(workdir, config, data)
    if finished is not None:
        return finished
    strategy = prepare(config, task_named(config.task))
    tokenizer = Tokenizer.from_pretrained(config.model.path)
    with strategy.scope():
        old = _trained(config.model.path)
        require_fit(config, old.encoder, tokenizer)
        tables, old_tables = _tables(config, old)
        task = old.grown(tables["train"].label_names)
        configure(task, config)
    features = features_of(task, tokenizer, data_settings(config, type(task)))
    tests = {"old": old_tables["test"], "new": tables.get("test", tables["validation"])}
    own = {"old": np.arange(old.num_labels), "new": _labels_there(tables["train"])}

    def batches(table):
        return evaluation_batches(table, features, batch_size=config.train.batch_size)

    def accuracies(known):
        """Of both tests, when the first `known` labels are those the model can answer with."""
        found = {}
        for part, table in tests.items():
            logits, labels, _ = collect(task, batches(table))
            logits, labels = np.concatenate(logits), np.concatenate(labels)
            found[part] = _accuracies(logits, labels, known, own[part])
        return found

    before = accuracies(old.num_labels)
    source, added = _method(config, task, tables, old_tables, features, old.num_labels)
    steps = config.train.steps or source.epoch_steps * config.train.epochs
    with strategy.scope():
        compile_model(task, config.train, steps, source.epoch_steps, added_losses=added)
    report_rows(config, type(task), tables, tokenizer, steps)
    monitor = monitor_of(config.train.best_metric, task)
    with claimed_workdir(workdir, config, data, is_chief(strategy)):
        outcome = train(
            task,
            source,
            steps,
            workdir,
            config.train,
            lambda: evaluate(task, batches(tables["validation"])),
            monitor,
        )
        report = _report(config, old, task, tests, before, accuracies(task.num_labels))
        parts = [part for part in ("validation", "test") if part in tables]
        results = {**outcome, **{part: evaluate(task, batches(tables[part])) for part in parts}}
        results["incremental"] = report
        if is_chief(strategy):
            _write_report(workdir, report)
            save_run(task, tokenizer, workdir, results)
    return results


def _trained(path):
    """The task model to go on from: a classifier with one label a text."""
    model = load_task(path)
    if not hasattr(model, "grown"):
        raise InputError(f"{path}: is a {type(model).__name__}, wanted a trained classifier")
    if model.problem_type != "single_label_classification":
        raise InputError(
            f"{path}: its problem type is {model.problem_type}, incremental learning is for "
            "single_label_classification"
        )
    return model


def _tables(config, old):
    """The new rows by part, their labels numbered after the old ones, and the old rows by part."""
    names, data, section = list(old.label_names), config.data, config.incremental
    task = type(old)
    columns = {key: old.data_settings.get(key) for key in task.columns}
    require_as_trained(config, old)
    loose = types.SimpleNamespace(problem_type=None, label_names=None)
    places, kinds = columns_of(data, task), kinds_of(task)
    options = {"ignore": data.ignore_labels}
    found = read_table(data.train, places, kinds, data.format, like=loose, **options)
    if found.problem_type != old.problem_type:
        raise InputError(
            f"{data.train}: its labels are of a {found.problem_type}, the model's in "
            f"{config.model.path} of a {old.problem_type}"
        )
    spelled = {_spelling(name): name for name in names}
    own = named_like(found.label_names, names)
    for name in own:
        known = spelled.get(_spelling(name), name)
        if known != name:
            raise InputError(
                f"{data.train}: the label {name!r} and the model's {known!r} differ in case "
                "or spaces only; write one label one way"
            )
    names += [name for name in own if name not in names]
    like = types.SimpleNamespace(problem_type=old.problem_type, label_names=names)
    files = {"test": section.old_test}
    if section.method in ("replay", "ewc"):
        files["train"] = section.old_train
    columns = places | {name: place for name, place in columns.items() if place is not None}
    old_tables = {
        part: read_table(file, columns, kinds, like=old, **options) for part, file in files.items()
    }
    return read_tables(config, task, like=like), old_tables


def _spelling(name):
    return " ".join(name.casefold().split())


def _method(config, task, tables, old_tables, features, known):
    """The batches of a method, a BatchSource, and the losses it adds."""
    section, seed = config.incremental, config.train.seed
    arguments = dict(batch_size=config.train.batch_size, seed=seed)
    strength = section.strength or STRENGTHS.get(section.method)
    if section.method == "replay":
        count = max(1, round(section.share * len(old_tables["train"])))
        replayed = _sample(old_tables["train"], count, seed)
        logging.info("replaying %d of %d old rows", count, len(old_tables["train"]))
        tables["train"] = JoinedTable(tables["train"], replayed, tables["train"].label_names)
    source = source_of(tables["train"], features, arguments)
    if section.method in ("rows", "replay"):
        return source, ()
    own = among_new_labels(task, _labels_there(tables["train"]))
    if section.method == "ewc":
        rows = _sample(old_tables["train"], section.fisher_rows, seed)
        return source, (own, _elastic(task, rows, features, known, strength))
    logits = _answers_by_row(task, tables["train"], features, arguments["batch_size"], known)
    source = source._replace(batches=_with_answers(tables["train"], features, arguments, logits))
    return source, (own, kept_answers(known, section.temperature, strength))


def _sample(table, count, seed):
    """So many rows of a table, or all, chosen by the seed alone; in file order."""
    chosen = order.shuffled(len(table), seed, order.SAMPLE)[:count]
    return table.subset(np.sort(chosen))


def _elastic(task, rows, features, known, strength):
    """The penalty of elastic weight consolidation, around the weights as they are now."""
    logging.info("weighing the weights on %d old rows", len(rows))
    variables = task.trainable_variables

    def loss(inputs, labels):
        logits = task(inputs, training=False)[:, :known]
        return tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))

    examples = evaluation_batches(rows, features, batch_size=1)
    fisher = empirical_fisher(loss, [variable.value for variable in variables], examples)
    anchors = [tf.identity(variable.value) for variable in variables]
    return elastic_penalty(variables, anchors, fisher, strength)


def _answers_by_row(task, table, features, batch_size, known):
    """The old labels' logits of every row of a table, float32 [rows, known]."""
    logits = np.zeros((len(table), known), np.float32)
    for inputs, rows in prediction_batches(table, features, batch_size=batch_size):
        logits[rows.numpy()] = task.forward(inputs).numpy()[:, :known]
    return logits


def _with_answers(table, features, arguments, logits):
    """Training batches, as `BatchSource.batches`, whose inputs hold the old model's answers too."""
    labels, logits = tf.constant(table.labels(np.arange(len(table)))), tf.constant(logits)

    @tf.autograph.experimental.do_not_convert
    def beside(inputs, rows):
        return {**inputs, "old_logits": tf.gather(logits, rows)}, tf.gather(labels, rows)

    return lambda start, stop: training_batches(
        table, features, **arguments, start_step=start, stop_step=stop, extra="rows"
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
