"""Students of one teacher by each method, beside one that is cut from it and has no teacher; and
the teacher pruned and factorized, and its encoder under LoRA.

    python benchmarks/distillation.py --model=quickstart/pretrained --train=SST-2/train.tsv \\
        --dev=SST-2/dev.tsv --workdir=distillation --seeds=3

The teacher is fine-tuned first, or `--teacher` names one. Each run has a workdir of its own below
`--workdir`: the same command again goes on where it stopped, and other `--methods` add to it. Then
bytes, and milliseconds for a sentence of 32 tokens by turns, of the first seed's models. Prints a
line of JSON a run, and a table; `--rows` takes that many rows of the training file.
"""

import argparse
import json
import os
import pathlib
import statistics
import time

import numpy as np
import tensorflow as tf

from bert_tf import load_task
from bert_tf.config import DistillConfig, FinetuneConfig, PruneConfig, from_dict
from bert_tf.data import order
from bert_tf.recipes.distill import distill
from bert_tf.recipes.finetune import finetune
from bert_tf.recipes.prune import prune

LOGITS = {"weight": 1.0, "temperature": 2.0}
# Method -> the losses, with the student's layers cut from the teacher.
METHODS = {
    "cut": {"labels": 1.0},
    "logits": {"labels": 0.5, "logits": LOGITS},
    "patient": {"labels": 0.5, "logits": LOGITS, "patient": 1.0},
    "distilbert": {"labels": 0.5, "logits": LOGITS, "cosine": 1.0},
    "tinybert": {"logits": LOGITS, "hidden": 1.0, "attentions": 0.1},
    "minilm": {"logits": LOGITS, "relations": {"weight": 1.0, "heads": 12}},
    "theseus": {"labels": 1.0},
    "static": {"labels": 0.5, "logits": LOGITS},
    "albert": {"labels": 0.5, "logits": LOGITS, "hidden": 1.0},
}
# What stays of the teacher, which is trained for an epoch again.
PRUNED = {
    "half_heads": {"heads": 6},
    "half_heads_and_neurons": {"heads": 6, "neurons": 768},
    "factorized": {"linear_rank": 96, "word_rank": 96},
}
WIDTH, STATIC_RATE = 256, 1e-3


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("model", "train", "dev", "workdir"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--teacher", help="a model that is fine-tuned already")
    parser.add_argument("--methods", default=",".join([*METHODS, *PRUNED, "lora"]))
    parser.add_argument("--keep_layers", default="1,3,5")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=None)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--teacher_epochs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=200, help="sentences that are timed")
    given = parser.parse_args()
    given.train = some_rows(given)
    teacher = given.teacher or teach(given)
    found = {"teacher": [figure(teacher, given)]}
    for method in given.methods.split(","):
        found[method] = []
        for seed in range(given.seeds):
            accuracy = student(method, teacher, seed, given)
            found[method].append(accuracy)
            line = {"method": method, "seed": seed, "accuracy": accuracy}
            print(json.dumps(line), flush=True)
    places = {name: place_of(name, 0, given) for name in found if name != "teacher"}
    places = {"teacher": teacher} | {name: f"{x}/model" for name, x in places.items()}
    report(found, places, milliseconds(places, given.rounds))


def some_rows(given):
    """The training file, or one of so many of its rows."""
    if given.rows is None:
        return given.train
    header, *rows = pathlib.Path(given.train).read_text("utf-8").rstrip("\n").split("\n")
    chosen = np.sort(order.shuffled(len(rows), 0, order.SAMPLE)[: given.rows])
    path = pathlib.Path(given.workdir, f"train_{given.rows}.tsv")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *(rows[row] for row in chosen)]) + "\n", "utf-8")
    return str(path)


def data_of(given):
    return {"train": given.train, "validation": given.dev, "text": "sentence", "max_length": 64}


def train_of(seed, epochs, rate=5e-5):
    return {
        **{"epochs": epochs, "seed": seed, "learning_rate": rate},
        **{"log_every": 100, "checkpoint_every": 1000},
    }


def teach(given):
    """Fine-tunes the teacher; returns its model directory."""
    settings = {
        "model": {"path": given.model},
        "data": data_of(given),
        "train": train_of(42, given.teacher_epochs),
    }
    workdir = os.path.join(given.workdir, "teacher")
    finetune(from_dict(FinetuneConfig, settings), workdir)
    return os.path.join(workdir, "model")


def figure(teacher, given):
    """The teacher's accuracy, measured once and kept."""
    path = pathlib.Path(given.workdir, "teacher_accuracy.json")
    if not path.exists():
        from bert_tf.recipes.evaluate import evaluate

        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(evaluate(teacher, given.dev)["accuracy"]))
    return json.loads(path.read_text())


def place_of(method, seed, given):
    return os.path.join(given.workdir, f"{method}_{seed}")


def student(method, teacher, seed, given):
    """Trains one student, or what else a method makes; returns its accuracy."""
    workdir = place_of(method, seed, given)
    if method in PRUNED:
        settings = {"model": {"path": teacher}, "pruning": PRUNED[method]}
        settings |= {"data": data_of(given), "train": train_of(seed, 1, 3e-5)}
        return prune(from_dict(PruneConfig, settings), workdir)["validation"]["accuracy"]
    if method == "lora":
        settings = {"model": {"path": given.model}, "lora": {"rank": 8}}
        settings |= {"data": data_of(given), "train": train_of(seed, given.teacher_epochs, 5e-4)}
        return finetune(from_dict(FinetuneConfig, settings), workdir)["validation"]["accuracy"]
    layers = [int(number) for number in given.keep_layers.split(",")]
    static = method == "static"
    whole = method in ("static", "albert")
    settings = {
        "model": {"path": teacher, "changes": {} if whole else {"keep_layers": layers}},
        "data": data_of(given),
        "distillation": {"teacher": teacher, "losses": METHODS[method]},
        "train": train_of(seed, given.epochs, STATIC_RATE if static else 5e-5),
    }
    if static:
        settings["distillation"]["static"] = WIDTH
    if method == "albert":
        settings["distillation"] |= {"groups": 2, "embedding_size": 128}
    if method == "theseus":
        settings["distillation"]["replacing"] = 0.5
    results = distill(from_dict(DistillConfig, settings), workdir)
    return results["validation"]["accuracy"]


def milliseconds(places, rounds):
    """The median time of each model for a row of 32 tokens, one model after the other in turn."""
    ids = {"input_ids": tf.constant([[101, *[2000] * 30, 102]], tf.int32)}
    ids["attention_mask"] = tf.ones_like(ids["input_ids"])
    models = {name: load_task(place) for name, place in places.items()}
    times = {name: [] for name in models}
    for number in range(rounds + 10):
        for name in models if number % 2 else reversed(models):
            start = time.perf_counter()
            models[name].forward(ids).numpy()
            if number >= 10:
                times[name].append(1e3 * (time.perf_counter() - start))
    return {name: statistics.median(each) for name, each in times.items()}


def report(found, places, times):
    """A table for RESULTS.md."""
    best, slowest = found["teacher"][0], times["teacher"]
    print("| model | accuracy, mean and spread | of the teacher's | MB | ms | of the teacher's |")
    print("|---|---|---|---|---|---|")
    for name, values in found.items():
        mean = statistics.mean(values)
        spread = f" +- {statistics.stdev(values):.4f}" if len(values) > 1 else ""
        size = os.path.getsize(os.path.join(places[name], "model.safetensors")) / 1e6
        print(
            f"| {name} | {mean:.4f}{spread} | {mean / best:.3f} | {size:.1f} | {times[name]:.2f} | "
            f"{times[name] / slowest:.2f} |"
        )


if __name__ == "__main__":
    main()
