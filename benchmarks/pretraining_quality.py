"""What a small BERT has learnt after the same minutes: bert_tf, transformers and KerasHub.

Same text, vocabulary, size of the model and machine; asked the same masked words of text held out.
Minutes are not taken while training, as a clock on a shared machine tells of its other users: each
worker's steps a second are measured by turns, and then as many steps are trained as fit.

usage, --folder the same in all:
  pretraining_quality.py --prepare --text='*.txt' --records=DIR --held_out=DIR --tokenizer=DIR \\
      [--config=configs/pretrain/mini.yaml]
  pretraining_quality.py --measure [--minutes=10] [--rounds=7] [--seconds=6]
  pretraining_quality.py --train --worker=NAME --steps=N [--seed=S]
  pretraining_quality.py --evaluate=MODEL --worker=NAME
  pretraining_quality.py --report

--text has a sentence a line and a blank line between documents, --records are of that text and for
bert_tf, with dynamic masks; --held_out are records of other text, with static masks. The others get
the same text as full rows. NAME is one of bert_tf, transformers, transformers_our_rate, keras_hub,
keras_hub_our_rate: each one's own recipe, and with our batch, learning rate and optimizer.
--transformers_python names the Python of an environment with torch, transformers and accelerate.

Not in the minutes: start, compilation, evaluations and saving, of all.
"""

import argparse
import glob
import json
import os
import statistics
import subprocess
import sys

from by_turns import duel
from pretraining_rows import prepare, read

HERE = os.path.dirname(os.path.abspath(__file__))
MINI = os.path.join(HERE, os.pardir, "configs", "pretrain", "mini.yaml")
# name -> (script, recipe)
WORKERS = {
    "bert_tf": ("bert_tf", "default"),
    "transformers": ("transformers", "default"),
    "transformers_our_rate": ("transformers", "our_rate"),
    "keras_hub": ("keras_hub", "default"),
    "keras_hub_our_rate": ("keras_hub", "our_rate"),
}
# Share of the machine that other programs may take in a round that counts as undisturbed.
UNDISTURBED = 0.05


def command(flags, name):
    """The beginning of a worker's command line."""
    script, recipe = WORKERS[name]
    python = flags.transformers_python if script == "transformers" else sys.executable
    script = os.path.join(HERE, f"worker_pretrain_{script}.py")
    return [python, script, flags.folder, f"--recipe={recipe}"]


def measure(flags):
    """Prints what each makes of its time, and how many steps `flags.minutes` hold."""
    _, rows, _ = read(flags.folder)
    names = flags.workers.split(",")
    output = os.path.join(flags.folder, "measured")
    options = [f"--measure={flags.seconds}", f"--output={output}"]
    turns = duel([[*command(flags, name), *options] for name in names], flags.rounds)
    rounds = list(zip(*turns.values(), strict=True))
    kept = [each for each in rounds if max(others for _, others in each) <= UNDISTURBED]
    print(f"{len(kept)} of {len(rounds)} rounds undisturbed" + ("" if kept else "; all are used"))
    print(f"| worker | steps a second (lowest to highest) | steps in {flags.minutes:g} minutes |")
    print("|---|---|---|")
    for place, name in enumerate(names):
        rates = [each[place][0] for each in kept or rounds]
        rate = statistics.median(rates)
        spread = f"{rate:.3f} ({min(rates):.3f} to {max(rates):.3f})"
        print(f"| {name} | {spread} | {round(rate * 60 * flags.minutes)} |")
    print(f"rows of text: {len(rows)}")


def train(flags):
    """Trains one worker, which writes its result.json."""
    run = f"{flags.worker}-{flags.steps}-seed{flags.seed}"
    output = os.path.join(flags.folder, "runs", run)
    if os.path.exists(os.path.join(output, "result.json")):
        raise SystemExit(f"{output}: has a result already")
    options = [f"--steps={flags.steps}", f"--seed={flags.seed}", f"--output={output}"]
    return subprocess.run([*command(flags, flags.worker), *options], check=False).returncode


def report(flags):
    """Prints a table of all results."""
    print(
        "| worker | recipe | steps | seed | held-out loss | accuracy |\n|---|---|---|---|---|---|"
    )
    loss, accuracy = read(flags.folder)[0]["by_frequency"]
    print(f"| words by their frequency | | | | {loss:.3f} | {accuracy:.1%} |")
    for path in sorted(glob.glob(os.path.join(flags.folder, "runs", "*", "result.json"))):
        with open(path, encoding="utf-8") as file:
            result = json.load(file)
        cells = [result[name] for name in ("worker", "recipe", "steps", "seed")]
        cells += [f"{result['loss']:.3f}", f"{result['accuracy']:.1%}"]
        print(f"| {' | '.join(map(str, cells))} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    deed = parser.add_mutually_exclusive_group(required=True)
    for name in ("prepare", "measure", "train", "report"):
        deed.add_argument(f"--{name}", action="store_true")
    deed.add_argument("--evaluate", metavar="MODEL")
    parser.add_argument("--folder", required=True)
    for name in ("text", "records", "held_out", "tokenizer"):
        parser.add_argument(f"--{name}", help="for --prepare")
    parser.add_argument("--config", default=MINI, help="for --prepare")
    parser.add_argument("--worker", choices=WORKERS)
    parser.add_argument("--workers", default=",".join(WORKERS), help="for --measure")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=6.0, help="of a turn")
    parser.add_argument("--transformers_python", default=sys.executable)
    flags = parser.parse_args()
    if flags.prepare:
        sources = (flags.config, flags.text, flags.records, flags.held_out, flags.tokenizer)
        if not all(sources):
            parser.error("--prepare wants --text, --records, --held_out and --tokenizer")
        prepare(flags.folder, *sources)
    elif flags.measure:
        measure(flags)
    elif flags.report:
        report(flags)
    elif not flags.worker or (flags.train and not flags.steps):
        parser.error("wanted --worker, and --steps to train")
    elif flags.train:
        sys.exit(train(flags))
    else:
        line = [*command(flags, flags.worker), f"--model={flags.evaluate}"]
        sys.exit(subprocess.run(line, check=False).returncode)


if __name__ == "__main__":
    main()
