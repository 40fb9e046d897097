"""What reading on in a domain does to an encoder's masked words, and to a task of that domain.

    python benchmarks/domain_adaptation.py --text='wikinews/wiki_*' --agnews=agnews.tsv

MiniLM (`make quickstart` fetches it) reads some MB of English news by configs/pretrain/domain.yaml;
news of other files is held out. Then AG News is learned from 1,000 rows, by the encoder as it came
and by the one that read on, two seeds each. Text is JSON lines with a `text`; the AG News file has
a text and a class name a line, no header. What is printed are tables; finished runs are taken as
they are.
"""

import argparse
import glob
import json
import os
import subprocess
import sys

import forgetting

ROWS = {"train": 1000, "validation": 500, "test": 1000}
SEEDS = (1, 2)


def main(argv=None):
    """Makes the records, runs everything; returns the exit code."""
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--text", required=True, help="a glob of JSON lines, three files or more")
    flags.add_argument("--agnews", required=True, help="a TSV file without a header")
    flags.add_argument("--model", default="quickstart/pretrained")
    flags.add_argument("--megabytes", type=float, default=3.0, help="of text to read on in")
    flags.add_argument("--workdir", default="domain")
    flags = flags.parse_args(argv)
    forgetting.ROWS = ROWS
    forgetting.split(flags.agnews, flags.workdir)
    adapted = read_on(flags)
    print("| step | held-out masked-LM loss | accuracy | perplexity |\n|---|---|---|---|")
    with open(os.path.join(adapted, "phase_1", "metrics.jsonl"), encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            if row["part"] == "validation":
                loss, accuracy = row["masked_lm"], row["masked_lm_accuracy"]
                print(f"| {row['step']} | {loss:.3f} | {accuracy:.3f} | {row['perplexity']:.1f} |")
    print("\n| encoder | seed | AG News, test accuracy | test loss |\n|---|---|---|---|")
    models = {"as it came": flags.model, "read on": os.path.join(adapted, "model")}
    for seed in SEEDS:
        for name, model in models.items():
            test = learn(flags, name, model, seed)["test"]
            print(f"| {name} | {seed} | {test['accuracy']:.4f} | {test['loss']:.4f} |", flush=True)
    return 0


def read_on(flags):
    """Masked words in the text of the domain; returns the workdir."""
    *files, held_out = sorted(glob.glob(flags.text))
    limits = {"text": (files, flags.megabytes), "held_out": ([held_out], 0.25)}
    for part, (sources, megabytes) in limits.items():
        text, records = (os.path.join(flags.workdir, part + end) for end in (".jsonl", "_records"))
        beginning(sources, megabytes * 1e6, text)
        command("records", input=text, tokenizer=flags.model, output=records,
                sentence_objective="none", masking="dynamic")  # fmt: skip
    workdir = os.path.join(flags.workdir, "run")
    sets = {
        "model.path": flags.model,
        "phases.1.records": os.path.join(flags.workdir, "text_records"),
        "phases.1.validation": os.path.join(flags.workdir, "held_out_records"),
    }
    command("pretrain", sets, config="configs/pretrain/domain.yaml", workdir=workdir)
    return workdir


def beginning(files, size, path):
    """Writes the first documents of files, as many as have `size` bytes."""
    written = 0
    with open(path, "w", encoding="utf-8") as out:
        for file in files:
            with open(file, encoding="utf-8") as lines:
                for line in lines:
                    if written < size:
                        written += len(json.loads(line)["text"].encode())
                        out.write(line)


def learn(flags, name, model, seed):
    """AG News by an encoder; returns the metrics."""
    workdir = os.path.join(flags.workdir, f"{name.replace(' ', '-')}-{seed}")
    sets = {
        "model.path": model,
        "model.pooling": "mean",
        **{f"data.{part}": os.path.join(flags.workdir, f"{part}.jsonl") for part in ROWS},
        "data.max_length": 64,
        "train.epochs": 3,
        "train.seed": seed,
    }
    command("finetune", sets, config="configs/finetune/quickstart.yaml", workdir=workdir)
    with open(os.path.join(workdir, "metrics.json"), encoding="utf-8") as file:
        return json.load(file)


def command(verb, sets=(), **flags):
    """Runs a verb of `bert-tf`."""
    given = [f"--{name}={value}" for name, value in flags.items()]
    given += [f"--set={name}={value}" for name, value in dict(sets).items()]
    subprocess.run([sys.executable, "-m", "bert_tf.cli", verb, *given], check=True)


if __name__ == "__main__":
    sys.exit(main())
