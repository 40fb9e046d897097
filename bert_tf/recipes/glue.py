"""GLUE and CLUE: each task under several seeds, their mean and spread, what the sites are sent."""

import csv
import json
import os
import statistics

from absl import logging

from bert_tf.atomic import new_file, write_file
from bert_tf.data.official import NO_LABEL, OFFICIAL
from bert_tf.data.official_rows import paths_of, read_official
from bert_tf.errors import ConfigError, InputError, hint, shown
from bert_tf.export import answer_with
from bert_tf.loading import load_with_tokenizer
from bert_tf.recipes.finetune import finetune
from bert_tf.recipes.workdir import claimed_workdir, open_workdir
from bert_tf.tasks.metrics import measure

# Rows that are answered, and written, together.
WINDOW_ROWS = 1024
# The range of STS-B's ratings, which predictions are cut to.
_RATINGS = (0.0, 5.0)


def glue(config, workdir, tasks, seeds, report=print):
    """Fine-tunes tasks of GLUE or CLUE under seeds, or continues where an earlier run stopped.

    Args:
      config: GlueConfig.
      workdir: str, made if absent: `NAME/seed_N` is an ordinary run, `submission` what the site
        takes, of each task's best seed; `results.json` all figures.
      tasks: list of str, keys of OFFICIAL.
      seeds: list of int.
      report: function of a line of text: each result as it comes.
    Returns:
      dict, what `results.json` holds: `tasks`, name -> `seeds` (figures by seed), `mean`, `spread`
      (standard deviation over the seeds), `best_seed`; and `score`, the mean over the tasks of the
      mean of their figures, in percent.
    Raises:
      As `finetune`; InputError also where an official file is missing.
    """
    for name in config.tasks:
        if name not in OFFICIAL:
            raise ConfigError(f"tasks.{name}: no task of GLUE or CLUE; {hint(name, OFFICIAL)}")
    open_workdir(workdir, config)
    paths = {name: paths_of(name, config.data.folder) for name in tasks}
    with claimed_workdir(workdir, config):
        return _run(config, workdir, paths, seeds, report)


def _run(config, workdir, paths, seeds, report):
    """All runs of the tasks whose files are told; as `glue`."""
    # All of them first: what is wrong with a file is said before hours of training.
    data = {
        name: _convert(name, paths[name], os.path.join(workdir, "data", name)) for name in paths
    }
    found = {}
    for name in paths:
        results = {}
        for seed in seeds:
            run = _config(config, name, seed, data[name])
            folder = os.path.join(workdir, name, f"seed_{seed}")
            results[seed] = _figures(name, finetune(run, folder))
            report(f"{name}, seed {seed}: {_told(results[seed])}")
        found[name] = _summary(name, results)
        report(f"{name}: {_told(found[name]['mean'], found[name]['spread'])}")
        best = os.path.join(workdir, name, f"seed_{found[name]['best_seed']}", "model")
        found[name] |= _submit(name, paths[name], best, os.path.join(workdir, "submission"))
    scores = [statistics.mean(task["mean"].values()) for task in found.values()]
    summary = {"tasks": found, "score": 100 * statistics.mean(scores)}
    write_file(os.path.join(workdir, "results.json"), json.dumps(summary, indent=2) + "\n")
    report(f"score: {summary['score']:.2f} over {', '.join(paths)}")
    return summary


def _convert(name, paths, folder):
    """Writes the parts that runs read as JSON lines; the section `data` of a run without length.
    The other parts are looked through."""
    os.makedirs(folder, exist_ok=True)
    data, known, task = {}, {}, OFFICIAL[name]
    classes = task.format is None and task.problem_type != "regression"
    for part in paths:
        rows, left_out = read_official(name, part, paths[part])
        labels = {row["label"]: None for row in rows if "label" in row}
        known = labels if part == "train" else known
        strange = next((x for x in labels if x not in (*known, NO_LABEL)), None)
        if classes and strange is not None:
            said = f"label {shown(strange)}, and {paths['train'][0]} has no row of it"
            raise InputError(f"{paths[part][0]}: {said}")
        if part not in ("train", "validation", "test"):
            continue
        for reason, count in left_out.items():
            logging.warning("%s: left out %d rows: one %s", paths[part][0], count, reason)
        data[part] = os.path.join(folder, f"{part}.jsonl")
        with new_file(data[part]) as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    pair = task.parts["train"].text_pair
    data["columns"] = dict(task.columns)
    data |= {"text_pair": None if pair is None else "text_pair", "format": "jsonl"}
    # Tasks of reading have an answer a row, and no labels that could be none.
    return {**data, "ignore_labels": (NO_LABEL,) if task.format is None else ()}


def _config(config, name, seed, data):
    task = OFFICIAL[name]
    return config.run(name, seed, data, task.problem_type, task.figures[0], task.task)


def _figures(name, results):
    """The figures a benchmark is about, as shares, of validation rows and of further rows with
    labels."""
    figures, mark = OFFICIAL[name].figures, OFFICIAL[name].full_mark
    figures = {x: results["validation"][x] / mark for x in figures}
    if "test" in results:  # MNLI's dev part is two
        figures |= {f"{x}_mismatched": results["test"][x] for x in OFFICIAL[name].figures}
    return figures


def _summary(name, results):
    keys = next(iter(results.values()))
    values = {x: [figures[x] for figures in results.values()] for x in keys}
    first = OFFICIAL[name].figures[0]
    return {
        "seeds": {str(seed): figures for seed, figures in results.items()},
        "mean": {x: statistics.mean(each) for x, each in values.items()},
        "spread": {x: statistics.stdev(y) if len(y) > 1 else 0.0 for x, y in values.items()},
        "best_seed": max(results, key=lambda seed: results[seed][first]),
    }


def _told(figures, spread=None):
    told = [f"{x} {figures[x]:.4f}" + (f" +- {spread[x]:.4f}" if spread else "") for x in figures]
    return ", ".join(told)


def _submit(name, paths, model_directory, folder):
    """Writes what the site takes of a task; figures of diagnostic rows whose labels are there."""
    parts = [x for x in paths if x not in ("train", "validation", "test")]
    wanted = [x for x in OFFICIAL[name].parts if x.endswith((".tsv", ".json"))]
    for part in wanted:
        if part not in paths:
            logging.info("%s: no file to predict, and no %s", name, part)
    if not parts:
        return {}
    model, tokenizer = load_with_tokenizer(model_directory)
    answer, figures = answer_with(model, tokenizer), {}
    os.makedirs(folder, exist_ok=True)
    for part in parts:
        rows, _ = read_official(name, part, paths[part])
        if part in wanted:
            _write(name, part, paths[part], rows, _answers(answer, rows), folder)
        elif any(row["label"] != NO_LABEL for row in rows):
            figures[f"{part}_matthews"] = _diagnosed(model, rows, answer)
    return figures


def _answers(answer, rows):
    """The answers to rows in their order, iterator of dict."""
    for start in range(0, len(rows), WINDOW_ROWS):
        window = rows[start : start + WINDOW_ROWS]
        yield from answer.records(*([row[name] for row in window] for name in answer.columns))


def _write(name, part, paths, rows, answers, folder):
    """One submission: GLUE's TSV of index and prediction; CLUE's JSON lines of id and label, or its
    one object of id -> answer."""
    told = zip(rows, answers, strict=True)
    if part.endswith(".json"):
        task, older = OFFICIAL[name], "test1.1" not in os.path.basename(paths[0])
        part = part.replace("11_", "10_") if older else part  # CLUE 1.0's rows and name
        sent = ((row["id"], found[task.answer]) for row, found in told)
        with new_file(os.path.join(folder, part)) as file:
            if task.whole:
                file.write(json.dumps(dict(sent), ensure_ascii=False, indent=2) + "\n")
                return
            for number, label in sent:
                file.write(json.dumps({"id": number, "label": label}, ensure_ascii=False) + "\n")
        return
    low, high = _RATINGS
    with new_file(os.path.join(folder, part)) as file:
        lines = csv.writer(file, delimiter="\t", lineterminator="\n")
        lines.writerow(("index", "prediction"))
        for row, found in told:
            rated = "score" in found and "label" not in found
            value = f"{min(max(found['score'], low), high):.3f}" if rated else found["label"]
            lines.writerow((row["id"], value))


def _diagnosed(model, rows, answer):
    """Matthews' correlation over three classes of GLUE's diagnostic rows with their labels."""
    import numpy as np

    numbers = {name: number for number, name in enumerate(model.label_names)}
    rows = [row for row in rows if row["label"] != NO_LABEL]
    labels = np.array([numbers[row["label"]] for row in rows])
    found = [list(record["probabilities"]) for record in _answers(answer, rows)]
    return measure(labels, np.array(found), model)["matthews"]
