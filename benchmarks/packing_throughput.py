"""Pretraining on packed rows against rows of one example: real tokens a second, by turns.

The records (`bert-tf records --max_length=512 --masking=dynamic`) are packed; sorted by length, as
rows of one example are unless told otherwise; or all padded to the full length, as they are where
every batch has to have one shape. MiniLM's sizes, 8 rows a batch, masked words and, where the
records have them, sentences.

usage: packing_throughput.py --records=DIR --tokenizer=DIR
"""

import argparse
import os
import sys

from by_turns import duel, table

WORKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "worker_packing.py")
LAYOUTS = ("packed", "sorted", "padded")


def main():
    """Prints tables of all rounds and of the undisturbed ones."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", required=True)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=3)
    flags = parser.parse_args()
    given = [flags.records, flags.tokenizer, str(flags.steps)]
    turns = duel([[sys.executable, WORKER, *given, layout] for layout in LAYOUTS], flags.rounds)
    for disturbed in (1.0, 0.05):
        print(table(turns, "real tokens", disturbed), end="\n\n")


if __name__ == "__main__":
    main()
