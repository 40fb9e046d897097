"""The train step of the commands on parts of one CPU, and under XLA, by turns.

MiniLM's sizes, batches of 32 real sentences. Replicas share the cores, so that they cannot be
faster than one device; what they cost is what is measured. Under XLA every length of a batch is
compiled anew: both it and its partner get rows of 32 tokens.

usage: engine_throughput.py --data=train.tsv --vocabulary=vocab.txt
"""

import argparse
import os
import sys
import tempfile

from by_turns import duel, table
from sentences import encode

HERE = os.path.dirname(os.path.abspath(__file__))
# replicas, whether under XLA, tokens a row (0: as long as the batch asks for)
GROUPS = {
    "replicas": [(1, 0, 0), (2, 0, 0), (4, 0, 0)],
    "XLA": [(1, 0, 32), (1, 1, 32)],
}


def main():
    """Prints a table for each group."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--vocabulary", required=True)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=10)
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "sentences.npz")
        encode(flags.data, flags.vocabulary, path)
        worker = [sys.executable, os.path.join(HERE, "worker_engine.py"), path, str(flags.steps)]
        for name, settings in GROUPS.items():
            turns = duel([[*worker, *map(str, each)] for each in settings], flags.rounds)
            print(f"{name}\n\n{table(turns, 'examples')}\n")


if __name__ == "__main__":
    main()
