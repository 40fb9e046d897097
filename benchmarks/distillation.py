"""Students of one teacher by each method, beside one that is cut from it and has no teacher; the
teacher pruned and factorized, its encoder under LoRA and LayerDrop, and its exports in int8 and
bfloat16.

    python benchmarks/distillation.py --model=quickstart/pretrained --train=SST-2/train.tsv \\
        --dev=SST-2/dev.tsv --workdir=distillation --seeds=3

The teacher is fine-tuned first, or `--teacher` names one that was trained on the same columns. Each
run has a workdir of its own below `--workdir`: the same command again goes on where it stopped, and
other `--methods` add to it. Then bytes, and milliseconds for a text of 32 tokens by turns, of the
first seed's models: from ids to logits, and from a string to the answer of an export. Prints a line
of JSON a run, a table, and which students keep 97 % of the accuracy in 55 % of the time. `--rows`
takes that many rows of the training file.
"""

import argparse
import json
import os
import pathlib
import statistics

from model_times import megabytes, milliseconds, text_of

from bert_tf import Tokenizer, load_task
from bert_tf.config import DistillConfig, FinetuneConfig, PruneConfig, from_dict
from bert_tf.data import order
from bert_tf.errors import ConfigError
from bert_tf.export import require_packages
from bert_tf.loading.cutting import kept_layers_of_task
from bert_tf.recipes.depths import measure_depths, spread_layers
from bert_tf.recipes.distill import distill
from bert_tf.recipes.evaluate import evaluate, labelled_batches
from bert_tf.recipes.finetune import finetune
from bert_tf.recipes.measured_export import export_for_engine, export_for_serving
from bert_tf.recipes.prune import prune

LOGITS = {"weight": 1.0, "temperature": 2.0}
# Method -> the losses, with the student's layers cut from the teacher; of TinyBERT those of its
# first run, whose student learns the answers in a second one.
METHODS = {
    "cut": {"labels": 1.0},
    "logits": {"labels": 0.5, "logits": LOGITS},
    "patient": {"labels": 0.5, "logits": LOGITS, "patient": 1.0},
    "distilbert": {"labels": 0.5, "logits": LOGITS, "cosine": 1.0},
    "tinybert": {"hidden": 1.0, "attentions": 1.0},
    "minilm": {"logits": LOGITS, "relations": 1.0},
    "theseus": {"labels": 1.0},
    "static": {"labels": 0.5, "logits": LOGITS},
    "albert": {"labels": 0.5, "logits": LOGITS, "hidden": 1.0},
}
# What stays of the teacher, a share of what it has, which is trained for an epoch again.
PRUNED = {
    "half_heads": {"heads": (1, 2)},
    "half_heads_and_neurons": {"heads": (1, 2), "neurons": (1, 2)},
    "factorized": {"linear_rank": (1, 4), "word_rank": (1, 4)},
}
SIZES = {"heads": "num_attention_heads", "neurons": "intermediate_size"}
EXPORTS = ("int8", "bfloat16")
WIDTH, STATIC_RATE, TOKENS = 256, 1e-3, 32
# A student is to keep this share of the accuracy in that share of the time.
KEPT, TIME = 0.97, 0.55


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("model", "train", "dev", "workdir"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--text", default="sentence", help="the column of texts")
    parser.add_argument("--label", default=None, help="that of labels; by default the usual one")
    parser.add_argument("--max_length", type=int, default=64, help="tokens a row")
    parser.add_argument("--teacher", help="a model that is fine-tuned already")
    methods = [*METHODS, *PRUNED, "lora", "layerdrop", *EXPORTS]
    parser.add_argument("--methods", default=",".join(methods))
    parser.add_argument("--keep_layers", help="as 1,3,5; by default every other one")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=None)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--teacher_epochs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=200, help="how often each model is timed")
    given = parser.parse_args()
    given.train = some_rows(given)
    teacher = given.teacher or teach(given)
    given.sizes = json.loads(pathlib.Path(teacher, "config.json").read_text("utf-8"))
    depth = given.sizes["num_hidden_layers"]
    half = spread_layers(depth, max(depth // 2, 1))
    given.keep_layers = [int(x) for x in (given.keep_layers or "").split(",") if x] or half
    found, places = {"teacher": [figure(teacher, given)]}, {"teacher": teacher}
    for method in given.methods.split(","):
        for seed in range(1 if method in EXPORTS else given.seeds):
            for name, accuracy, place in made(method, teacher, seed, given):
                found.setdefault(name, []).append(accuracy)
                places.setdefault(name, place)
                line = {"method": name, "seed": seed, "accuracy": accuracy}
                print(json.dumps(line), flush=True)
    exports = os.path.join(given.workdir, "exports")
    times = milliseconds(places, sample(teacher, given), exports, given.rounds)
    report(found, places, *times, len(given.keep_layers))


def some_rows(given):
    """The training file, or one of so many of its rows."""
    if given.rows is None:
        return given.train
    header, *rows = pathlib.Path(given.train).read_text("utf-8").rstrip("\n").split("\n")
    chosen = sorted(order.shuffled(len(rows), 0, order.SAMPLE)[: given.rows])
    path = pathlib.Path(given.workdir, f"train_{given.rows}.tsv")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *(rows[row] for row in chosen)]) + "\n", "utf-8")
    return str(path)


def data_of(given):
    columns = {"text": given.text} | ({} if given.label is None else {"label": given.label})
    return {"train": given.train, "validation": given.dev, "max_length": given.max_length} | columns


def train_of(seed, epochs, rate=5e-5):
    return {
        **{"epochs": epochs, "seed": seed, "learning_rate": rate},
        **{"log_every": 100, "checkpoint_every": 1000},
    }


def teach(given):
    """Fine-tunes the teacher; returns its model directory."""
    return tuned(given, "teacher", train_of(42, given.teacher_epochs))[1]


def tuned(given, name, train, changes=None, **sections):
    """Fine-tunes the model; returns its accuracy and its directory."""
    model = {"path": given.model, "changes": changes or {}}
    settings = {"model": model, "data": data_of(given), "train": train, **sections}
    workdir = os.path.join(given.workdir, name)
    results = finetune(from_dict(FinetuneConfig, settings), workdir)
    return results["validation"]["accuracy"], os.path.join(workdir, "model")


def figure(teacher, given):
    """The teacher's accuracy, measured once and kept."""
    path = pathlib.Path(given.workdir, "teacher_accuracy.json")
    return kept(path, lambda: evaluate(teacher, given.dev)["accuracy"])


def kept(path, function):
    """What a function gives, which a file keeps as JSON."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(function()))
    return json.loads(path.read_text())


def made(method, teacher, seed, given):
    """What a method makes, trained if it has not been: a list of (name, accuracy, its place)."""
    name = f"{method}_{seed}"
    workdir = os.path.join(given.workdir, name)
    if method in EXPORTS:
        return exported(method, teacher, given)
    if method == "layerdrop":
        return sub_networks(name, seed, given)
    if method == "lora":
        train = train_of(seed, given.teacher_epochs, 5e-4)
        return [(method, *tuned(given, name, train, lora={"rank": 8}))]
    if method in PRUNED:
        pruning = {
            what: given.sizes[SIZES.get(what, "hidden_size")] * part // whole
            for what, (part, whole) in PRUNED[method].items()
        }
        settings = {"model": {"path": teacher}, "pruning": pruning}
        settings |= {"data": data_of(given), "train": train_of(seed, 1, 3e-5)}
        results = prune(from_dict(PruneConfig, settings), workdir)
    elif method == "tinybert":
        first = os.path.join(given.workdir, f"{name}_inside")
        student(method, teacher, seed, given, first)
        start = {"path": os.path.join(first, "model")}
        results = student("logits", teacher, seed, given, workdir, start, {"logits": LOGITS})
    else:
        results = student(method, teacher, seed, given, workdir)
    return [(method, results["validation"]["accuracy"], os.path.join(workdir, "model"))]


def student(method, teacher, seed, given, workdir, start=None, losses=None):
    """Trains one student; returns the results of its run."""
    changes = {} if method in ("static", "albert") else {"keep_layers": given.keep_layers}
    settings = {
        "model": start or {"path": teacher, "changes": changes},
        "data": data_of(given),
        "distillation": {"teacher": teacher, "losses": losses or METHODS[method]},
        "train": train_of(seed, given.epochs, STATIC_RATE if method == "static" else 5e-5),
    }
    width = given.sizes["hidden_size"]
    if method == "static":
        settings["distillation"]["static"] = min(WIDTH, width)
    if method == "albert":
        settings["distillation"] |= {"groups": 2, "embedding_size": min(128, width)}
    if method == "theseus":
        settings["distillation"]["replacing"] = 0.5
    return distill(from_dict(DistillConfig, settings), workdir)


def sub_networks(name, seed, given):
    """A model trained with LayerDrop, and what is left of it with fewer layers, down to half."""
    train = train_of(seed, given.teacher_epochs)
    _, place = tuned(given, name, train, {"layer_drop_rate": 0.2})
    path = pathlib.Path(given.workdir, name, "depths.json")

    def measured():
        model, tokenizer = load_task(place), Tokenizer.from_pretrained(place)
        table, batches = labelled_batches(model, tokenizer, given.dev)
        depths = measure_depths(model, batches, table)
        for each in depths:
            folder = path.parent / f"layers_{len(each['layers'])}"
            kept_layers_of_task(model, each["layers"]).save_pretrained(str(folder), tokenizer)
        return [(len(each["layers"]), each["accuracy"]) for each in depths]

    return [
        (f"layerdrop, {count} layers", accuracy, str(path.parent / f"layers_{count}"))
        for count, accuracy in kept(path, measured)
        if count >= len(given.keep_layers)
    ]


def exported(method, teacher, given):
    """The teacher as an ONNX file in int8, or a SavedModel in bfloat16, measured beside it."""
    folder = os.path.join(given.workdir, method)
    path = pathlib.Path(given.workdir, f"{method}.json")

    def measured():
        measure = {"data": given.dev, "force": True}
        if method == "int8":
            report = export_for_engine(teacher, folder, "onnx", "int8", **measure)
            return report["engine"], report["file"]
        place, report = export_for_serving(teacher, folder, precision="bfloat16", **measure)
        return report["engine"], place

    if method == "int8":
        try:
            require_packages("onnx", "int8")
        except ConfigError as error:
            print(f"int8 is left out: {error}", flush=True)
            return []
    return [(method, *kept(path, measured))]


def sample(teacher, given):
    """A text of 32 tokens, or as many as a row may have, out of the validation file."""
    model, tokenizer = load_task(teacher), Tokenizer.from_pretrained(teacher)
    table, _ = labelled_batches(model, tokenizer, given.dev)
    texts = table.cells(range(min(100, len(table))))["text"]
    return text_of(min(TOKENS, given.max_length), texts, tokenizer)


def report(found, places, from_ids, from_strings, depth):
    """A table for RESULTS.md, and which students of so many layers are good and quick."""
    best, share = found["teacher"][0], "of the teacher's"
    heads = ["model", "accuracy, mean and spread", share, "MB"]
    heads += ["ms from ids", share, "ms from a string", share]
    print(f"\n| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    students = []
    for name, values in found.items():
        mean, place = statistics.mean(values), places[name]
        spread = f" +- {statistics.stdev(values):.4f}" if len(values) > 1 else ""
        cells = [name, f"{mean:.4f}{spread}", f"{mean / best:.3f}", f"{megabytes(place):.1f}"]
        for times in (from_ids, from_strings):
            both = [times[name], times[name] / times["teacher"]] if name in times else []
            cells += [f"{x:.2f}" for x in both] or ["-", "-"]
        print(f"| {' | '.join(cells)} |")
        if layers_of(place) == depth:
            students.append((name, mean / best, from_strings[name] / from_strings["teacher"]))
    good = [name for name, accuracy, time in students if accuracy >= KEPT and time <= TIME]
    told = [f"{name} {accuracy:.3f} at {time:.2f}" for name, accuracy, time in students]
    print(
        f"\nAt least {KEPT} of the teacher's accuracy at {TIME} of its time or less, from a string:"
    )
    print(f"{', '.join(good) or 'none'}; of {depth} layers there are {', '.join(told) or 'none'}")


def layers_of(place):
    """How many layers a model directory has; None of what is no such directory."""
    path = pathlib.Path(place, "config.json")
    return json.loads(path.read_text("utf-8"))["num_hidden_layers"] if path.exists() else None


if __name__ == "__main__":
    main()
