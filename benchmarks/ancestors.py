"""A tagger on word vectors, and one on ELMo: parts of speech by encoders of the same width.

    python benchmarks/ancestors.py --models word2vec/run/model elmo/run/model \\
      --train=UD_English-EWT/en_ewt-ud-train.conllu --dev=UD_English-EWT/en_ewt-ud-dev.conllu

Each is `bert-tf finetune` of configs/finetune/pos.yaml with this `model.path`: once with the
encoder as it was pretrained, where a projection (and ELMo's mixture of layers) learns alone, and
once with all of it. What is printed is a table; finished runs are taken as they are.
"""

import argparse
import json
import os
import subprocess
import sys


def main(argv=None):
    """Runs all; returns the exit code."""
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--config", default="configs/finetune/pos.yaml")
    flags.add_argument("--models", required=True, nargs="+")
    flags.add_argument("--train", required=True)
    flags.add_argument("--dev", required=True)
    flags.add_argument("--epochs", type=int, default=3)
    flags.add_argument("--rates", nargs=2, default=["5e-3", "1e-3"], help="frozen, and not")
    flags.add_argument("--workdir", default="ancestors_benchmark")
    flags = flags.parse_args(argv)
    os.makedirs(flags.workdir, exist_ok=True)
    print("| model | trained | accuracy |\n|---|---|---|")
    for number, model in enumerate(flags.models):
        for freeze, rate in zip(("encoder", "null"), flags.rates, strict=True):
            sets = {
                "model.path": model,
                "data.train": flags.train,
                "data.validation": flags.dev,
                "train.freeze": freeze,
                "train.learning_rate": rate,
                "train.epochs": flags.epochs,
            }
            workdir = os.path.join(flags.workdir, f"{number}_{freeze}")
            command = [sys.executable, "-m", "bert_tf.cli.finetune", f"--config={flags.config}"]
            command += [f"--workdir={workdir}", *(f"--set={k}={x}" for k, x in sets.items())]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            with open(os.path.join(workdir, "metrics.json"), encoding="utf-8") as file:
                accuracy = json.load(file)["validation"]["accuracy"]
            told = "the head" if freeze == "encoder" else "all"
            print(f"| {model} | {told} | {accuracy:.4f} |", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
