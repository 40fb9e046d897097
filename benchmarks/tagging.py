"""Names in text with a small encoder: bert_tf beside transformers, the same rows and settings.

    python benchmarks/tagging.py --config=configs/finetune/wnut17.yaml \\
      --train=wnut17/wnut17train.conll --dev=wnut17/emerging.dev.conll \\
      --torch_python=peers/bin/python

Ours is `bert-tf finetune` of this configuration, without a CRF and with one; theirs is
`worker_tagging_transformers.py`, on PyTorch, at the configuration's batch, rate, epochs and length.
Each answers the file of `--dev` after every epoch, and the epoch with the best F1 counts. What is
printed is a table; finished runs are taken as they are.
"""

import argparse
import json
import os
import subprocess
import sys

from forgetting import cpu_seconds
from squad import timed

from bert_tf.config import FinetuneConfig, load


def main(argv=None):
    """Runs all; returns the exit code."""
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--config", required=True)
    flags.add_argument("--train", required=True)
    flags.add_argument("--dev", required=True)
    flags.add_argument("--torch_python", help="a Python with torch, transformers and seqeval")
    flags.add_argument("--model", default="quickstart/pretrained")
    flags.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    flags.add_argument("--crf", action="store_true", help="with a CRF, too")
    flags.add_argument("--workdir", default="tagging_benchmark")
    flags = flags.parse_args(argv)
    os.makedirs(flags.workdir, exist_ok=True)
    kinds = ["bert_tf"] + ["bert_tf, CRF"] * flags.crf
    kinds += ["transformers, PyTorch"] * bool(flags.torch_python)
    print("| | seed | F1 | precision | recall | wall min | CPU min |\n" + "|---" * 7 + "|")
    for seed in flags.seeds:
        for kind in kinds:
            figures, minutes = (theirs if "PyTorch" in kind else ours)(flags, kind, seed)
            shown = [f"{100 * figures[name]:.2f}" for name in ("f1", "precision", "recall")]
            shown += [f"{x:.1f}" for x in minutes]
            print(f"| {kind} | {seed} | {' | '.join(shown)} |", flush=True)
    return 0


def ours(flags, kind, seed):
    """Figures and (wall, CPU) minutes of a run of bert_tf."""
    workdir = os.path.join(flags.workdir, f"ours{'_crf' if 'CRF' in kind else ''}_{seed}")
    sets = {
        "model.path": flags.model,
        "model.options.crf": str("CRF" in kind).lower(),
        "data.train": flags.train,
        "data.validation": flags.dev,
        "train.seed": seed,
    }
    command = [sys.executable, "-m", "bert_tf.cli.finetune", f"--config={flags.config}"]
    command += [f"--workdir={workdir}", *(f"--set={key}={value}" for key, value in sets.items())]
    minutes = timed([command], f"{workdir}.minutes")
    with open(os.path.join(workdir, "metrics.json"), encoding="utf-8") as file:
        return json.load(file)["validation"], minutes


def theirs(flags, kind, seed):
    """As `ours`, with transformers."""
    config, path = load(FinetuneConfig, flags.config), f"{flags.workdir}/theirs_{seed}.json"
    settings = (config.data.max_length, config.train.batch_size, config.train.learning_rate)
    worker = os.path.join(os.path.dirname(__file__), "worker_tagging_transformers.py")
    command = [flags.torch_python, worker, flags.model, flags.train, flags.dev]
    command += map(str, (*settings, config.train.epochs, seed))
    if not os.path.exists(path):
        used = cpu_seconds()
        found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        figures = {**json.loads(found), "cpu_seconds": cpu_seconds() - used}
        with open(path, "w", encoding="utf-8") as file:
            json.dump(figures, file)
    with open(path, encoding="utf-8") as file:
        figures = json.load(file)
    return figures, (figures["seconds"] / 60, figures["cpu_seconds"] / 60)


if __name__ == "__main__":
    sys.exit(main())
