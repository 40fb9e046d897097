"""F1 of several labels a row with 0.5 for all and with a threshold of its own for each.

Rows of one label are glued two by two, of different classes, so that each has two labels: `a|b`.
`bert-tf finetune` learns them and settles the thresholds by the validation rows; the test rows,
which it did not see, are measured with both.

    python benchmarks/multi_label_thresholds.py --model=DIR --data=agnews.tsv --workdir=DIR
"""

import argparse
import json
import pathlib
import random
import sys

from bert_tf import cli

PARTS = {"train": 800, "validation": 400, "test": 600}


def glued(path, seed):
    """Rows (text, labels) of a file with a text and a class a line, in pairs of unlike classes."""
    lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if line.count("\t") == 1]
    random.Random(seed).shuffle(rows)
    waiting = None
    for text, name in rows:
        if waiting is None or waiting[1] == name:
            waiting = waiting or (text, name)
            continue
        yield f"{waiting[0]} {text}", "|".join(sorted((waiting[1], name)))
        waiting = None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("model", "data", "workdir"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    folder = pathlib.Path(given.workdir)
    folder.mkdir(parents=True, exist_ok=True)
    rows = glued(given.data, given.seed)
    for part, count in PARTS.items():
        lines = ["text\tlabel", *("\t".join(next(rows)) for _ in range(count))]
        (folder / f"{part}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    config = {
        "model": {"path": given.model},
        "data": {**{part: str(folder / f"{part}.tsv") for part in PARTS}, "max_length": 96},
        "train": {"epochs": 2, "learning_rate": 1e-4, "seed": given.seed},
    }
    (folder / "config.yaml").write_text(json.dumps(config), encoding="utf-8")
    flags = [f"--config={folder / 'config.yaml'}", f"--workdir={folder / 'run'}"]
    if code := cli.main(["finetune", *flags]):
        return code
    measured = json.loads((folder / "run" / "metrics.json").read_text())
    settings = json.loads((folder / "run" / "model" / "config.json").read_text())
    print("thresholds", settings["bert_tf"]["thresholds"])
    for part, half, tuned in (
        ("validation", "f1_{}", "f1_{}_tuned"),
        ("test", "f1_{}_at_0.5", "f1_{}"),
    ):
        for average in ("micro", "macro"):
            values = [measured[part][name.format(average)] for name in (half, tuned)]
            print(f"{part} {average} F1: with 0.5 {values[0]:.4f}, tuned {values[1]:.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
