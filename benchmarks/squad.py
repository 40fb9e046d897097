"""SQuAD 1.1 with a small encoder: bert_tf beside transformers, the same questions and settings.

    python benchmarks/squad.py --data=squad --torch_python=peers/bin/python

`--data` is a folder with train-v1.1.json and dev-v1.1.json. Questions are taken at equal distances
over each file. Ours is `bert-tf finetune --config=configs/finetune/squad.yaml` and then
`bert-tf predict --format=squad`; theirs is `worker_squad_transformers.py`, on PyTorch. Batch, rate,
schedule, epochs, length and overlap are the same; both predictions are scored by `squad_score`.
What is printed is a table; finished runs are taken as they are.
"""

import argparse
import json
import os
import subprocess
import sys
import time

from forgetting import cpu_seconds

import bert_tf

LENGTH, OVERLAP = 256, 64


def main(argv=None):
    """Runs both; returns the exit code."""
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--data", required=True)
    flags.add_argument("--torch_python", help="a Python with torch and transformers")
    flags.add_argument("--model", default="quickstart/pretrained")
    flags.add_argument("--train", type=int, default=10000, help="questions to train on")
    flags.add_argument("--dev", type=int, default=2000, help="questions to answer")
    flags.add_argument("--epochs", type=int, default=2)
    flags.add_argument("--batch", type=int, default=32)
    flags.add_argument("--rate", type=float, default=5e-5, help="learning rate at its highest")
    flags.add_argument("--seed", type=int, default=1)
    flags.add_argument("--workdir", default="squad_benchmark")
    flags = flags.parse_args(argv)
    os.makedirs(flags.workdir, exist_ok=True)
    files = {}
    for part, count in (("train", flags.train), ("check", 100), ("dev", flags.dev)):
        files[part] = os.path.join(flags.workdir, f"{part}.json")
        source = "train" if part == "train" else "dev"
        with open(os.path.join(flags.data, f"{source}-v1.1.json"), encoding="utf-8") as file:
            chosen = some_of(json.load(file), count)
        with open(files[part], "w", encoding="utf-8") as file:
            json.dump(chosen, file, ensure_ascii=False)
    runs = {"bert_tf": ours}
    if flags.torch_python:
        runs["transformers, PyTorch"] = theirs
    print("| | exact match | F1 | wall min | CPU min |\n|---|---|---|---|---|")
    for name, run in runs.items():
        commands, answers = run(flags, files)
        minutes = timed(commands, f"{answers}.minutes")
        with open(answers, encoding="utf-8") as file:
            score = bert_tf.squad_score(chosen, json.load(file))
        wall, cpu = (f"{x:.1f}" for x in minutes)
        figures = f"{score['exact_match']:.2f} | {score['f1']:.2f}"
        print(f"| {name} | {figures} | {wall} | {cpu} |", flush=True)
    return 0


def some_of(document, count):
    """A SQuAD document with so many of its questions, at equal distances; each stands alone."""
    every = [
        (paragraph["context"], question)
        for article in document["data"]
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
    ]
    chosen = [every[number * len(every) // count] for number in range(count)]
    return {"data": [{"paragraphs": [{"context": x, "qas": [q]} for x, q in chosen]}]}


def ours(flags, files):
    """The commands that train and answer with bert_tf, and the file of the answers."""
    workdir, answers = (os.path.join(flags.workdir, x) for x in ("bert_tf", "bert_tf.json"))
    sets = {
        "model.path": flags.model,
        "data.train": files["train"],
        "data.validation": files["check"],
        "data.max_length": LENGTH,
        "data.overlap": OVERLAP,
        "train.batch_size": flags.batch,
        "train.learning_rate": flags.rate,
        "train.epochs": flags.epochs,
        "train.seed": flags.seed,
    }
    train = [sys.executable, "-m", "bert_tf.cli.finetune", f"--workdir={workdir}"]
    train += ["--config=configs/finetune/squad.yaml"]
    train += [f"--set={key}={value}" for key, value in sets.items()]
    ask = [sys.executable, "-m", "bert_tf.cli.predict", f"--model={workdir}/model"]
    ask += [f"--input={files['dev']}", "--format=squad", f"--output={answers}"]
    return (train, ask), answers


def theirs(flags, files):
    """As `ours`, with transformers."""
    answers = os.path.join(flags.workdir, "transformers.json")
    settings = (LENGTH, OVERLAP, flags.batch, flags.rate, flags.epochs, flags.seed)
    worker = os.path.join(os.path.dirname(__file__), "worker_squad_transformers.py")
    command = [flags.torch_python, worker, flags.model, files["train"], files["dev"], answers]
    return ([*command, *map(str, settings)],), answers


def timed(commands, file):
    """Runs commands unless the file with their minutes is there; returns minutes (wall, CPU)."""
    if not os.path.exists(file):
        began, used = time.perf_counter(), cpu_seconds()
        for command in commands:
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        minutes = [(time.perf_counter() - began) / 60, (cpu_seconds() - used) / 60]
        with open(file, "w", encoding="utf-8") as out:
            json.dump(minutes, out)
    with open(file, encoding="utf-8") as minutes:
        return json.load(minutes)


if __name__ == "__main__":
    sys.exit(main())
