"""Few labelled sentences: their vectors trained in pairs beside plain fine-tuning on the same.

    python benchmarks/few_shot.py --model=all-MiniLM-L6-v2 --train=sst2/train.tsv --dev=sst2/dev.tsv

Prints a line a draw and the mean and spread of both; `--rows` of the development file are measured.
"""

import argparse
import json
import pathlib
import statistics
import tempfile

import numpy as np

from bert_tf.config import FinetuneConfig, from_dict
from bert_tf.data import order
from bert_tf.recipes.finetune import finetune
from bert_tf.recipes.finetune_few_shot import finetune_few_shot


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("model", "train", "dev"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--per_class", type=int, default=8)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--rows", type=int, default=None)
    given = parser.parse_args()
    found = {"few_shot": [], "plain": []}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "dev.tsv").write_text("\n".join(rows_of(given.dev)[: (given.rows or -2) + 1]))
        for draw in range(given.draws):
            drawn(given.train, folder / "train.tsv", given.per_class, draw)
            for kind, accuracies in found.items():
                accuracies.append(accuracy(kind, given.model, folder, draw))
            print(json.dumps({"draw": draw, **{x: found[x][-1] for x in found}}), flush=True)
    for kind, values in found.items():
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        print(f"{kind}: mean {statistics.mean(values):.4f}, standard deviation {spread:.4f}")


def rows_of(path):
    return pathlib.Path(path).read_text(encoding="utf-8").rstrip("\n").split("\n")


def drawn(source, target, per_class, seed):
    """Writes so many rows of each class, and the header."""
    header, *rows = rows_of(source)
    labels = [row.split("\t")[1] for row in rows]
    shuffled = order.shuffled(len(rows), seed, order.SPLIT)
    chosen = []
    for label in sorted(set(labels)):
        chosen += [row for row in shuffled if labels[row] == label][:per_class]
    target.write_text("\n".join([header, *(rows[row] for row in np.sort(chosen))]) + "\n")


def accuracy(kind, model, folder, seed):
    """Of one run of 40 updates, few_shot as configs/finetune/few_shot_sst2.yaml has it."""
    settings = {
        "model": {"path": model},
        "data": {
            "train": str(folder / "train.tsv"),
            "validation": str(folder / "dev.tsv"),
            "text": "sentence",
            "max_length": 64,
        },
        "train": {"batch_size": 16, "epochs": 1, "learning_rate": 2e-5, "seed": seed},
    }
    if kind == "few_shot":
        settings["few_shot"] = {"pairs": 20}
    else:
        settings["train"] |= {"steps": 40, "evaluate_every": 40, "learning_rate": 5e-5}
    run = finetune_few_shot if kind == "few_shot" else finetune
    config = from_dict(FinetuneConfig, settings)
    return run(config, str(folder / f"{kind}{seed}"))["validation"]["accuracy"]


if __name__ == "__main__":
    main()
