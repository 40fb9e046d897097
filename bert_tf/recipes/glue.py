"""GLUE and CLUE: each task under several seeds, their mean and spread, what the sites are sent."""

import csv
import itertools
import json
import os
import statistics

from absl import logging

from bert_tf.atomic import new_file, write_file
from bert_tf.data.official import BENCHMARKS, OFFICIAL, path_of, read_official
from bert_tf.errors import ConfigError, InputError, nearest
from bert_tf.export import answer_with
from bert_tf.loading import load_with_tokenizer
from bert_tf.recipes.finetune import finetune
from bert_tf.recipes.workdir import claimed_workdir, open_workdir
from bert_tf.tasks import TASKS
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
      mean of their figures (of CMRC 2018 of the exact matches alone, as CLUE counts), in percent.
    Raises:
      As `finetune`; InputError also where an official file is missing.
    """
    for name in config.tasks:
        if name not in OFFICIAL:
            near = nearest(name, OFFICIAL)
            hint = f"did you mean {near}?" if near else f"there are {', '.join(OFFICIAL)}"
            raise ConfigError(f"tasks.{name}: no task of GLUE or CLUE; {hint}")
    open_workdir(workdir, config)
    paths = {name: _paths(config, name) for name in tasks}
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
    scores = [_score(name, task["mean"]) for name, task in found.items()]
    summary = {"tasks": found, "score": statistics.mean(scores)}
    write_file(os.path.join(workdir, "results.json"), json.dumps(summary, indent=2) + "\n")
    report(f"score: {summary['score']:.2f} over {', '.join(paths)}")
    return summary


def task_names(text):
    """The tasks of a flag: names with commas between, or those of a whole benchmark.

    Raises:
      ConfigError: one is no task, or stands twice.
    """
    known = {name.lower(): name for name in OFFICIAL}
    found = []
    for name in text.split(","):
        key = name.strip().lower()
        if key not in known and key not in BENCHMARKS:
            near = nearest(key, [*known, *BENCHMARKS])
            hint = f"; did you mean {known.get(near, near)}?" if near else ""
            raise ConfigError(f"--tasks: {name!r}, wanted any of {', '.join(OFFICIAL)}{hint}")
        found += BENCHMARKS[key] if key in BENCHMARKS else [known[key]]
    twice = next((name for name in found if found.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"--tasks: {twice} twice")
    return found


def _paths(config, name):
    """The files of a task, dict of part -> path; parts to be predicted may be missing."""
    folder, task = config.data.folder, OFFICIAL[name]
    paths = {part: path_of(name, folder, part) for part in task.parts}
    for part in ("train", "validation"):
        if paths[part] is None:
            place = os.path.join(folder, task.folders[0], task.parts[part].files[0])
            raise InputError(f"{place}: no such file, which {name} is to be learned from")
    return {part: path for part, path in paths.items() if path is not None}


def _convert(name, paths, folder):
    """Writes the parts that runs read as JSON lines; the section `data` of a run without length.
    The other parts are looked through."""
    os.makedirs(folder, exist_ok=True)
    data = {}
    for part in paths:
        rows, left_out = read_official(name, part, paths[part])
        if part not in ("train", "validation", "test"):
            continue
        for reason, count in left_out.items():
            logging.warning("%s: left out %d rows: one %s", paths[part], count, reason)
        data[part] = os.path.join(folder, f"{part}.jsonl")
        with new_file(data[part]) as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    task = OFFICIAL[name]
    data["format"] = "jsonl"
    if task.read is not None:  # an optional column is read where it is named
        return {**data, "columns": {x: x for x in ("question",) if x in rows[0]}}
    pair = task.parts["train"].text_pair
    return {**data, "text_pair": None if pair is None else "text_pair"}


def _config(config, name, seed, data):
    task = OFFICIAL[name]
    return config.run(name, seed, data, task.problem_type, task.figures[0], task.learned_as)


def _figures(name, results):
    """The figures a benchmark is about, of validation rows and of further rows with labels."""
    figures = {x: results["validation"][x] for x in OFFICIAL[name].figures}
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


def _score(name, mean):
    """What a task adds to a benchmark's score, in percent."""
    task = OFFICIAL[name]
    figures = [mean[x] for x in task.counted] or mean.values()
    return statistics.mean(figures) * 100 / TASKS[task.learned_as].full_mark


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
        else:
            figures[f"{part}_matthews"] = _diagnosed(model, rows, answer)
    return figures


def _answers(answer, rows):
    """The answers to rows in their order, iterator of dict."""
    for start in range(0, len(rows), WINDOW_ROWS):
        window = rows[start : start + WINDOW_ROWS]
        yield from answer.records(*([row[name] for row in window] for name in answer.columns))


def _write(name, part, path, rows, answers, folder):
    """One submission: GLUE's TSV of index and prediction, or what CLUE takes: JSON lines of id and
    label, of C3 with the number of the choice; one object by id, of CMRC of answers, of ChID of
    numbers.

    Sources: the FAQ of gluebenchmark.com; CLUE's guide to submissions of 2021-09-04 and its
    clue_submit_examples.zip.
    """
    told = zip(rows, answers, strict=True)
    if part.endswith(".json"):
        older = "test1.1" not in os.path.basename(path)
        part = part.replace("11_", "10_") if older else part  # CLUE 1.0's rows and name
        if rows[0].keys() & {"group", "context"}:
            found = (
                _assigned(told) if "group" in rows[0] else {x["id"]: y["answer"] for x, y in told}
            )
            write_file(os.path.join(folder, part), json.dumps(found, ensure_ascii=False) + "\n")
            return
        with new_file(os.path.join(folder, part)) as file:
            for row, found in told:
                label = found["choice"] if "choices" in row else found["label"]
                line = {"id": row["id"], "label": label}
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
        return
    low, high = _RATINGS
    with new_file(os.path.join(folder, part)) as file:
        lines = csv.writer(file, delimiter="\t", lineterminator="\n")
        lines.writerow(("index", "prediction"))
        for row, found in told:
            rated = "score" in found and "label" not in found
            value = f"{min(max(found['score'], low), high):.3f}" if rated else found["label"]
            lines.writerow((row["id"], value))


def _assigned(told):
    """The numbers of choices by blank, for rows and their answers: in a group no choice is taken
    twice, and the product of the probabilities is the highest, as CLUE's baseline has it."""
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    found = {}
    for _, rows in itertools.groupby(told, lambda both: both[0]["group"]):
        rows = list(rows)
        shares = np.array([answer["probabilities"] for _, answer in rows], float)
        blanks, choices = linear_sum_assignment(np.log(np.maximum(shares, 1e-37)), maximize=True)
        numbers = dict(zip(blanks.tolist(), choices.tolist(), strict=True))
        for place, (row, answer) in enumerate(rows):  # more blanks than choices: none is left
            found[row["id"]] = numbers.get(place, answer["choice"])
    return found


def _diagnosed(model, rows, answer):
    """Matthews' correlation over three classes of GLUE's diagnostic rows with their labels."""
    import numpy as np

    numbers = {name: number for number, name in enumerate(model.label_names)}
    labels = np.array([numbers[row["label"]] for row in rows])
    found = [list(record["probabilities"]) for record in _answers(answer, rows)]
    return measure(labels, np.array(found), model)["matthews"]
