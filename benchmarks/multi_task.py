r"""Several tasks at once beside each alone; a task after another one beside the same without it.

    python benchmarks/multi_task.py tasks --model=all-MiniLM-L6-v2 --data=DATA --workdir=many
    python benchmarks/multi_task.py intermediate --model=all-MiniLM-L6-v2 --data=DATA \
        --workdir=after

DATA holds `sst2/train.tsv` and `dev.tsv` (header `sentence label`), `cola/train.tsv` and `val.tsv`,
`stsb/sts-train.tsv` and `sts-dev.tsv` (as published), `agnews/dev.tsv` (text TAB class). Prints a
line of JSON for each result, then mean and standard deviation over the seeds, and writes all of it
to WORKDIR/results.json. Stopped, the same command goes on. `--rows` cuts every file, to try it out.
"""

import argparse
import itertools
import json
import pathlib
import statistics
import time

import numpy as np

from bert_tf.config import FinetuneConfig, MultiTaskConfig, from_dict
from bert_tf.data import order
from bert_tf.recipes.finetune import finetune
from bert_tf.recipes.finetune_after import finetune_after
from bert_tf.recipes.finetune_multi_task import finetune_multi_task

# Task -> its files in DATA, its columns, the figure that is told of it.
TASKS = {
    "sst2": ("sst2/train.tsv", "sst2/dev.tsv", {"text": "sentence", "max_length": 64}, "accuracy"),
    "cola": (
        *("cola/train.tsv", "cola/val.tsv", {"text": 3, "label": 1, "max_length": 64}),
        "matthews",
    ),
    "stsb": (
        *("stsb/sts-train.tsv", "stsb/sts-dev.tsv"),
        {"text": 5, "text_pair": 6, "label": 4, "max_length": 96},
        "spearman",
    ),
}
HEADS = {"stsb": {"problem_type": "regression"}}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("tasks", "intermediate"))
    for name in ("model", "data", "workdir"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--sampling", default="square_root", help="several with a comma between")
    parser.add_argument("--learned", action="store_true", help="weights of the losses, too")
    parser.add_argument("--news_rows", type=int, default=500, help="AG News rows to train on")
    parser.add_argument("--rows", type=int, default=None)
    given = parser.parse_args()
    given.workdir = pathlib.Path(given.workdir)
    (given.workdir / "data").mkdir(parents=True, exist_ok=True)
    found = []
    for seed in map(int, given.seeds.split(",")):
        runs = tasks(given, seed) if given.what == "tasks" else intermediate(given, seed)
        for name, run in runs:
            start = time.perf_counter()
            line = {"seed": seed, "run": name, **run()}
            line["seconds"] = round(time.perf_counter() - start, 1)
            found.append(line)
            print(json.dumps(line), flush=True)
            (given.workdir / "results.json").write_text(json.dumps(found, indent=2) + "\n")
    for name in dict.fromkeys(line["run"] for line in found):
        lines = [line for line in found if line["run"] == name]
        told = []
        for figure in [x for x in lines[0] if x not in ("seed", "run", "seconds")]:
            values = [line[figure] for line in lines]
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            told.append(f"{figure} {statistics.mean(values):.4f} +- {spread:.4f}")
        print(f"{name}: {', '.join(told)}")


def tasks(given, seed):
    """(name, function that gives figures) of each task alone, and of all together."""
    for name, (*_, figure) in TASKS.items():
        values = {"data": data_of(given, name), **settings(given, seed, HEADS.get(name))}
        config = from_dict(FinetuneConfig, values)
        folder = str(given.workdir / f"{name}_{seed}")
        yield (
            f"{name} alone",
            lambda c=config, f=folder, n=name, x=figure: {n: finetune(c, f)["validation"][x]},
        )
    together = {
        name: {"data": data_of(given, name), "head": HEADS.get(name, {}), "metric": figure}
        for name, (*_, figure) in TASKS.items()
    }
    for sampling in given.sampling.split(","):
        mixing = {"sampling": sampling, "learned_weights": given.learned}
        values = {"tasks": together, "mixing": mixing, **settings(given, seed)}
        config = from_dict(MultiTaskConfig, values)
        name = f"together, {sampling}" + ", learned weights" * given.learned
        folder = str(given.workdir / f"{sampling}{'_learned' * given.learned}_{seed}")
        yield name, lambda c=config, f=folder: together_figures(finetune_multi_task(c, f))


def together_figures(results):
    return {name: results["validation"][name][figure] for name, (*_, figure) in TASKS.items()}


def intermediate(given, seed):
    """(name, function that gives figures) of AG News from few rows, alone and after SST-2."""
    train, test = news(given, seed)
    news_data = {"train": train, "test": test, "validation": 0.2, "text": 0, "label": 1}
    values = {"data": news_data | {"max_length": 96}, **settings(given, seed)}
    before = {"data": data_of(given, "sst2"), "epochs": 1}
    configs = {"alone": values, "after SST-2": {**values, "intermediate": [before]}}
    for name, own in configs.items():
        config = from_dict(FinetuneConfig, own)
        run, folder = finetune_after if "intermediate" in own else finetune, name.replace(" ", "_")
        folder = str(given.workdir / f"{folder}_{seed}")
        yield (
            f"AG News {name}",
            lambda r=run, c=config, f=folder: {"accuracy": r(c, f)["test"]["accuracy"]},
        )


def settings(given, seed, head=None):
    train = {"epochs": given.epochs, "learning_rate": 5e-5, "seed": seed, "log_every": 50}
    return {"model": {"path": given.model, **(head or {})}, "train": train}


def data_of(given, name):
    """The section `data` of a task, its files cut to `--rows`."""
    train, dev, columns, _ = TASKS[name]
    header = isinstance(columns["text"], str)
    return {"train": cut(given, train, header), "validation": cut(given, dev, header)} | columns


def cut(given, file, header):
    """The path of a file with the first `--rows` rows of another, or of that one."""
    source = pathlib.Path(given.data) / file
    if given.rows is None:
        return str(source)
    target = given.workdir / "data" / file.replace("/", "_")
    with open(source, encoding="utf-8") as lines:
        target.write_text("".join(line for line in itertools.islice(lines, given.rows + header)))
    return str(target)


def news(given, seed):
    """The paths of AG News rows to train on, drawn by the seed, and of 2,000 others to test."""
    text = (pathlib.Path(given.data) / "agnews/dev.tsv").read_text(encoding="utf-8")
    rows = text.rstrip("\n").split("\n")
    chosen = order.shuffled(len(rows), seed, order.SPLIT)
    count, tested = min(given.news_rows, given.rows or given.news_rows), given.rows or 2000
    parts = {"train": chosen[:count], "test": chosen[-tested:]}
    for part, numbers in parts.items():
        text = "".join(rows[row] + "\n" for row in np.sort(numbers))
        (given.workdir / "data" / f"news_{part}_{seed}.tsv").write_text(text, encoding="utf-8")
    return [str(given.workdir / "data" / f"news_{part}_{seed}.tsv") for part in parts]


if __name__ == "__main__":
    main()
