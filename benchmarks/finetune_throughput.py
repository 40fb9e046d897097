"""Fine-tuning throughput against transformers on PyTorch and against KerasHub, by turns.

A BERT of MiniLM's sizes (6 layers of 384, 12 heads, 30,522 words), batches of 32 real sentences,
AdamW with decay 0.01, dropout 0.1, clipping at norm 1. Same token ids, same batches for bert_tf and
transformers; KerasHub gets the rows of 128 tokens that its preprocessor makes.

usage: finetune_throughput.py --data=train.tsv --vocabulary=vocab.txt [--torch_python=PYTHON]

`--data` has the columns `sentence` and `label`. `--torch_python` is a Python with torch and
transformers; without it the comparison with them is left out. `--compile` adds torch.compile, which
takes minutes to warm up.
"""

import argparse
import os
import sys
import tempfile

from by_turns import duel, table
from sentences import encode

# Share of the machine that other programs may take in a round that counts as undisturbed.
UNDISTURBED = 0.05
HERE = os.path.dirname(os.path.abspath(__file__))


def workers(path, flags):
    """Argument lists of the processes that compete."""
    steps, threads = str(flags.steps), str(flags.threads)

    def worker(python, name, count, *options):
        return [python, os.path.join(HERE, f"worker_{name}.py"), path, count, threads, *options]

    each = [worker(sys.executable, "bert_tf", steps)]
    if flags.torch_python:
        compiled = [("fused", "compile")] if flags.compile else []
        for options in (("fused",), ("foreach",), *compiled):
            each.append(worker(flags.torch_python, "transformers", steps, *options))
    each.append(worker(sys.executable, "keras_hub", str(max(1, flags.steps // 10))))
    return each


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--vocabulary", required=True)
    parser.add_argument("--torch_python")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "sentences.npz")
        encode(flags.data, flags.vocabulary, path)
        turns = duel(workers(path, flags), flags.rounds)
    print(table(turns, "examples"))
    print()
    print(table(turns, "examples", UNDISTURBED))


if __name__ == "__main__":
    main()
