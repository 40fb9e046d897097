"""How much a trained task forgets while it learns AG News, by each of the four methods.

    python benchmarks/forgetting.py --agnews=agnews.tsv

Before it, `make quickstart` trains the old task, praise and blame of films. The AG News file has a
text and a class name a line, no header. A hash of the text cuts it into tenths: one is the test,
one the validation, and of the rest the first 3,000 rows are trained on. Each method is one run of
`bert-tf finetune --config=configs/finetune/incremental.yaml`, one epoch; what is printed is a
table. Finished runs are taken as they are.
"""

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import time

ROWS = {"train": 3000, "validation": 500, "test": 1000}
METHODS = ("rows", "replay", "ewc", "lwf")


def main(argv=None):
    """Runs the methods one after the other; returns the exit code."""
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--agnews", required=True, help="a TSV file without a header")
    flags.add_argument("--model", default="quickstart/run/model", help="the trained old task")
    flags.add_argument("--old", default="quickstart/data", help="its train.jsonl and test.jsonl")
    flags.add_argument("--workdir", default="forgetting")
    flags.add_argument(
        "--method", action="append", help="such as lwf or ewc:1e5; default: all four"
    )
    flags = flags.parse_args(argv)
    split(flags.agnews, flags.workdir)
    print("| method | old test before | after | among old labels | new test | CPU min | wall min |")
    print("|---|---|---|---|---|---|---|")
    for name in flags.method or METHODS:
        method, _, strength = name.partition(":")
        print(run(method, strength or None, flags), flush=True)
    return 0


def split(file, directory):
    """Writes train, validation and test.jsonl; equal texts are taken once."""
    parts, seen = {part: [] for part in ROWS}, set()
    with open(file, encoding="utf-8") as lines:
        for line in lines:
            text, label = line.rstrip("\n").split("\t")
            if text not in seen:
                seen.add(text)
                tenth = int(hashlib.sha256(text.encode()).hexdigest(), 16) % 10
                parts[{0: "test", 1: "validation"}.get(tenth, "train")].append((text, label))
    os.makedirs(directory, exist_ok=True)
    for part, rows in parts.items():
        with open(os.path.join(directory, f"{part}.jsonl"), "w", encoding="utf-8") as out:
            for text, label in rows[: ROWS[part]]:
                out.write(json.dumps({"text": text, "label": label}, ensure_ascii=False) + "\n")


def run(method, strength, flags):
    """One method, to its end; returns its row of the table."""
    name = method if strength is None else f"{method} {float(strength):g}"
    workdir = os.path.join(flags.workdir, name.replace(" ", "-"))
    times = os.path.join(workdir, "minutes.json")
    if not os.path.exists(times):
        began, used = time.perf_counter(), cpu_seconds()
        sets = {
            "model.path": flags.model,
            **{f"data.{part}": os.path.join(flags.workdir, f"{part}.jsonl") for part in ROWS},
            "incremental.method": method,
            "incremental.old_train": os.path.join(flags.old, "train.jsonl"),
            "incremental.old_test": os.path.join(flags.old, "test.jsonl"),
            "incremental.strength": strength or "null",
        }
        command = [sys.executable, "-m", "bert_tf.cli.finetune", f"--workdir={workdir}"]
        command += ["--config=configs/finetune/incremental.yaml"]
        subprocess.run(
            [*command, *(f"--set={key}={value}" for key, value in sets.items())],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        minutes = [(cpu_seconds() - used) / 60, (time.perf_counter() - began) / 60]
        with open(times, "w") as file:
            json.dump(minutes, file)
    with open(os.path.join(workdir, "forgetting.json")) as file:
        accuracy = json.load(file)["accuracy"]
    old, new = accuracy["old"], accuracy["new"]
    with open(times) as file:
        minutes = json.load(file)
    figures = (
        old["before"]["of_all_labels"],
        old["after"]["of_all_labels"],
        old["after"]["of_own_labels"],
        new["after"]["of_all_labels"],
    )
    cells = [name, *(f"{x:.3f}" for x in figures), *(f"{x:.1f}" for x in minutes)]
    return "| " + " | ".join(cells) + " |"


def cpu_seconds():
    """What the finished child processes used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
