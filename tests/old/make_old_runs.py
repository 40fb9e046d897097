"""Makes runs, records and exports in tests/old. Made by bert_tf 0.1.0 (7cd45c6), TF 2.21.0, Keras
3.15.1.

    cd /tmp && PYTHONPATH=CHECKOUT_OF_0.1 python .../tests/old/make_old_runs.py

As make_old.py, it shows how the files came about, and runs with 0.1 alone.
"""

# ruff: noqa: I001 (the modules of 0.1 that are gone look like another package's)
import json
import os
import pathlib
import shutil
import signal

import keras
import make_old
import numpy as np
from safetensors.numpy import load_file, save_file

import bert_tf
from bert_tf import cli
from bert_tf.data.masking import Masking, MaskingVocabulary
from bert_tf.data.noise import Noise
from bert_tf.data.packed_batches import packed_batches, packed_order
from bert_tf.data.packing import Packing
from bert_tf.data.pipeline import training_batches
from bert_tf.data.pretraining import evaluation_batches, pretraining_batches
from bert_tf.data.readers import read_table
from bert_tf.data.records.table import RecordTable
from bert_tf.layers.dropout import dropout, fold_in, new_key
from bert_tf.recipes import finetune, pretrain, records

HERE = pathlib.Path(__file__).parent
RUNS = HERE / "runs"
NOUNS, ADJECTIVES = ("film", "story", "actor", "end"), ("good", "bad", "very", "not")
SIZES = {name: size for name, size in make_old.SIZES.items() if name != "vocab_size"}
CLOZE = {"good": "film", "bad": "story", "very": "actor", "not": "end"}

FINETUNE = """\
model: {path: start}
data: {train: train.tsv, validation: dev.tsv, max_length: 24}
train: {batch_size: 8, steps: 50, learning_rate: 0.005, epsilon: 1.0e-4, warmup: 10,
  evaluate_every: 25, best_metric: loss}
"""
PACKED = """\
model: {path: start}
data: {train: train.tsv, validation: dev.tsv, max_length: 40, packing: true}
train: {batch_size: 8, accumulate: 2, steps: 50, learning_rate: 0.005, epsilon: 1.0e-4,
  clip_norm: 0.5, evaluate_every: 50, best_metric: loss}
"""
PRETRAIN = """\
model: {path: start, changes: {num_hidden_layers: 1}}
masking: {unit: word}
noise: {insertion: 0.05, deletion: 0.05, replacement: 0.05}
phases:
- {records: records/dynamic, validation: 0.2, steps: 25}
- {records: records/dynamic, validation: 0.2, steps: 25, packing: true, learning_rate: 0.001}
train: {batch_size: 8, learning_rate: 0.002, epsilon: 1.0e-4, evaluate_every: 13}
"""
ELECTRA = """\
model: {family: electra, tokenizer: start, changes: SIZES, generator: GENERATOR}
objective: {words: replaced_tokens}
phases:
- {records: records/dynamic, validation: 0.2}
train: {batch_size: 8, steps: 20, learning_rate: 0.002, epsilon: 1.0e-4}
"""
# Name of a folder of records -> the flags it was made with.
FLAGS = ["--tokenizer=start", "--processes=1", "--shards=1"]
RECORDS = {
    "static": "--input=corpus.txt --layout=lines --max_length=32 --dupe_factor=1",
    "dynamic": "--input=corpus.txt --layout=lines --max_length=24 --masking=dynamic "
    "--boundaries=true",
    "labels": "--input=labels.jsonl --max_length=32 --masking=dynamic --sentence_objective=none "
    "--label=tags --label=mood --label=cue",
}
UNFINISHED = ["records", *RECORDS["static"].split(), *FLAGS[:-1], "--shards=2"]


def write_files():
    """Tables, a corpus, JSON lines with labels, configurations and a model to start from."""
    random = np.random.default_rng(7)

    def sentence(most, *must):
        words = [*random.choice(make_old.WORDS[2:], random.integers(1, most)), *must]
        return " ".join(map(str, random.permutation(words)))

    for part, count in {"train": 90, "dev": 24}.items():
        labels = [str(random.choice(["bad", "good"])) for _ in range(count)]
        rows = [f"{sentence(14, label)}\t{label}" for label in labels]
        (RUNS / f"{part}.tsv").write_text("\n".join(["text\tlabel", *rows]) + "\n")
        scored = [
            {"first": sentence(8), "second": sentence(8), "score": round(random.normal(), 3)}
            for _ in range(count)
        ]
        tagged = [
            {"text": sentence(12), "label": "|".join(random.permutation(list("abc"))[:2])}
            for _ in range(count)
        ]
        for name, lines in {"pairs": scored, "multi": tagged}.items():
            text = "".join(json.dumps(line) + "\n" for line in lines)
            (RUNS / f"{name}_{part}.jsonl").write_text(text)
    documents = [[sentence(12) + " ." for _ in range(random.integers(3, 7))] for _ in range(28)]
    text = "\n\n".join("\n".join(document) for document in documents)
    (RUNS / "corpus.txt").write_text(text + "\n")
    (RUNS / "labels.jsonl").write_text("".join(json.dumps(x) + "\n" for x in labelled(random, 30)))
    sizes = {**SIZES, "embedding_size": 6, "num_hidden_layers": 1}
    shown = {"SIZES": sizes, "GENERATOR": {"hidden_size": 6}}
    configs = {"finetune": FINETUNE, "packed": PACKED, "pretrain": PRETRAIN, "electra": ELECTRA}
    for name, config in configs.items():
        for key, value in shown.items():
            config = config.replace(key, json.dumps(value))
        (RUNS / f"{name}.yaml").write_text(config)
    encoder = make_old.encoder_of("bert")
    make_old.shake(encoder, "start")
    tokenizer = make_old.tokenizer_of(pathlib.Path("vocabulary"), lowercase=True)
    encoder.save_pretrained(str(RUNS / "start"), tokenizer)


def labelled(random, count):
    """Words with a tag each, a mood, and a cloze question of two to four candidates."""
    for number in range(count):
        cue = str(random.choice(list(CLOZE)))
        words = [cue, "[MASK]", *map(str, random.choice([*NOUNS, "the", "one"], 6))]
        words = list(map(str, random.permutation(words)))
        wrong = [noun for noun in NOUNS if noun != CLOZE[cue]]
        candidates = [CLOZE[cue], *random.permutation(wrong)[: random.integers(1, 4)]]
        yield {
            "text": words,
            "tags": ["noun" if word in NOUNS else "other" for word in words],
            "mood": "good" if cue == "good" else "bad",
            "cue": {
                "candidates": list(map(str, random.permutation(candidates))),
                "answer": CLOZE[cue] if number % 5 else None,
            },
        }


def run(verb, *flags, code=0):
    assert cli.main([verb, *flags]) == code


def make_records():
    """Folders of records, one of which is not finished: the first of its two shards is there."""
    for name, flags in RECORDS.items():
        run("records", *flags.split(), *FLAGS, f"--output=records/{name}")
    follow = records._follow

    def stop(made, job, todo):
        next(made)
        raise KeyboardInterrupt

    records._follow = stop
    run(*UNFINISHED, "--output=records/unfinished", code=3)
    records._follow = follow
    shutil.copytree("records/unfinished", "rest")
    run(*UNFINISHED, "--output=rest")
    manifest = json.loads(pathlib.Path("rest/manifest.json").read_text())
    flags = {name: [*text.split(), *FLAGS] for name, text in RECORDS.items()}
    told = {"flags": {**flags, "unfinished": UNFINISHED[1:]}, "unfinished": manifest["shards"]}
    tokenizer, arrays = bert_tf.Tokenizer.from_pretrained("start"), {}
    for name in RECORDS:
        table = RecordTable(f"records/{name}", tokenizer)
        kept = ("max_length", "max_predictions", "copies", "labels", "sentence_objective")
        told[name] = {"rows": len(table), **{key: getattr(table, key) for key in kept}}
        rows = np.array([0, len(table) // 2, len(table) - 1])
        arrays |= flat(name, {k: v.numpy() for k, v in table.parse(table.read(rows)).items()})
    (HERE / "records.json").write_text(json.dumps(told, indent=1) + "\n")
    np.savez_compressed(HERE / "records.npz", **arrays)


def flat(prefix, value):
    """Nested tuples and dicts of arrays as {"prefix/key/key": array}."""
    if isinstance(value, tuple | list):
        value = dict(enumerate(value))
    if not isinstance(value, dict):
        return {prefix: np.asarray(value)}
    return {k: v for name in value for k, v in flat(f"{prefix}/{name}", value[name]).items()}


def draw():
    """What is drawn at random: the first batches of everything, masks of all units, dropout."""
    tokenizer, few = bert_tf.Tokenizer.from_pretrained("start"), dict(start_step=0, stop_step=3)
    table, rows = read_table("train.tsv"), dict(batch_size=8, max_length=40, seed=42)
    plan = packed_order(table, tokenizer, packing=Packing(), **rows)
    kept = {
        "finetune": training_batches(table, tokenizer, **rows, **few),
        "finetune-later": training_batches(table, tokenizer, **rows, start_step=100, stop_step=102),
        "finetune-packed": packed_batches(table, tokenizer, plan, **few),
    }
    vocabulary, rows = MaskingVocabulary.of(tokenizer), dict(batch_size=8, seed=42)
    tables = {name: RecordTable(f"records/{name}", tokenizer) for name in RECORDS}
    noise = Noise(insertion=0.2, deletion=0.2, replacement=0.2)
    for name, (records_of, masking, more) in {
        "pretrain-token-packed": ("dynamic", Masking(), {"packing": Packing()}),
        "pretrain-word-noise": ("dynamic", Masking(unit="word"), {"noise": noise}),
        "pretrain-ngram": ("dynamic", Masking(unit="ngram", probability=0.3), {}),
        "pretrain-span-labels": ("labels", Masking(unit="span"), {"noise": noise}),
        "pretrain-static": ("static", None, {}),
    }.items():
        given = (tables[records_of], masking, vocabulary)
        kept[name] = pretraining_batches(*given, **rows, **few, **more)
    kept["held-out"] = evaluation_batches(tables["dynamic"], Masking(), vocabulary, **rows).take(3)
    arrays = {k: v for name, each in kept.items() for k, v in flat(name, list(each)).items()}
    key = new_key(42, 7)
    keys = [key, fold_in(key, 3), fold_in(fold_in(key, 3), 1000)]
    arrays |= flat("key", [np.asarray(each) for each in keys])
    arrays["dropout"] = np.asarray(dropout(np.ones((4, 25), "float32"), 0.1, keys[1]))
    np.savez_compressed(HERE / "draws.npz", **arrays)


def stopping(room, name, number):
    """Makes the n-th call of a function of a module send SIGTERM; returns what undoes it."""
    function, calls = getattr(room, name), []

    def stop(*arguments):
        calls.append(1)
        if len(calls) == number:
            os.kill(os.getpid(), signal.SIGTERM)
        return function(*arguments)

    setattr(room, name, stop)
    return lambda: setattr(room, name, function)


def weights_of(workdir):
    """The final weights of a run, and of its generator."""
    weights = load_file(f"{workdir}/model/model.safetensors")
    if os.path.exists(f"{workdir}/model/generator"):
        generator = load_file(f"{workdir}/model/generator/model.safetensors")
        weights |= {f"generator/{name}": value for name, value in generator.items()}
    return weights


def run_all():
    """Whole runs, and two that were stopped, which end in the weights of the whole ones."""
    verbs = {"finetune": "finetune", "packed": "finetune"}
    verbs |= {"pretrain": "pretrain", "electra": "pretrain"}
    kept = {}
    for name, verb in verbs.items():
        run(verb, f"--config={name}.yaml", f"--workdir={name}")
        results = json.loads(pathlib.Path(name, "metrics.json").read_text())
        for result in results.values() if verb == "pretrain" else [results]:
            assert result["best_step"] == result["steps"], name
        kept |= {f"{name}/{key}": value for key, value in weights_of(name).items()}
    for verb, stop in {
        "finetune": (finetune.metrics, "measure", 1),
        "pretrain": (pretrain, "mean_terms", 3),  # the second is the end of phase 1
    }.items():
        undo = stopping(*stop)
        run(verb, f"--config={verb}.yaml", f"--workdir=unfinished_{verb}", code=3)
        undo()
        shutil.copytree(f"unfinished_{verb}", "rest", dirs_exist_ok=True)
        run(verb, f"--config={verb}.yaml", "--workdir=rest")
        for key, value in weights_of("rest").items():
            np.testing.assert_array_equal(value, kept[f"{verb}/{key}"], err_msg=key)
        shutil.rmtree("rest")
    save_file(kept, HERE / "final_weights.safetensors")


def make_exports():
    """Exports of the fine-tuned model and of one for pairs, and their answers."""
    asked = {"single": (make_old.TEXTS, None), "pairs": (make_old.TEXTS, make_old.PAIRS)}
    models = {"single": "finetune/model", "pairs": HERE / "models" / "bert-regression-pairs"}
    told = {}
    for name, (texts, pairs) in asked.items():
        run("export", f"--model={models[name]}", f"--output=../exports/{name}")
        answers = bert_tf.load_export(f"../exports/{name}")(texts, pairs)
        answers = {key: value.tolist() for key, value in answers.items()}
        told[name] = {"text": texts, "text_pair": pairs, "answers": answers}
        # A graph of a tiny model has 1.7 MB, and a twentieth of it when packed.
        shutil.make_archive(f"../exports/{name}", "xztar", f"../exports/{name}")
        shutil.rmtree(f"../exports/{name}")
    (HERE / "exports.json").write_text(json.dumps(told, indent=1) + "\n")


def main():
    """Makes everything anew."""
    assert bert_tf.__version__ == "0.1.0", "put a checkout of 0.1 on PYTHONPATH"
    for folder in (RUNS, HERE / "exports"):
        shutil.rmtree(folder, ignore_errors=True)
    RUNS.mkdir()
    write_files()
    os.chdir(RUNS)
    make_records()
    draw()
    run_all()
    make_exports()
    os.rename("finetune", "finished_finetune")
    for folder in ("packed", "pretrain", "electra", "rest"):
        shutil.rmtree(folder, ignore_errors=True)
    # Pictures and TensorBoard's events, which no command reads.
    for left in [*RUNS.glob("**/events"), *RUNS.glob("**/curves.png")]:
        shutil.rmtree(left) if left.is_dir() else left.unlink()


if __name__ == "__main__":
    keras.utils.set_random_seed(1)
    main()
