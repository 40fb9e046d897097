"""Tokens a second that a GPT-2 writes, greedily and by beams, beside transformers, by turns.

Random weights of the given size, the same for both, and prompts of 16 random tokens; both keep keys
and values, and write as many tokens, of which the ids have to be the same. One text at a time, then
eight.

usage: generation.py --work=DIR --torch_python=PYTHON [--size=gpt2] [--tokens=64] [--rounds=5]

DIR gets the model, and may be removed; PYTHON is a Python with torch and transformers.
"""

import argparse
import os
import sys

from by_turns import duel, table

HERE = os.path.dirname(os.path.abspath(__file__))
# Name -> (texts at a time, beams).
WORKLOADS = {"1 text, greedy": (1, 1), "8 texts, greedy": (8, 1), "1 text, 4 beams": (1, 4)}


def main():
    """Prints a table for each workload."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", required=True)
    parser.add_argument("--torch_python", required=True)
    parser.add_argument("--size", default="gpt2")
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    flags = parser.parse_args()
    if not os.path.exists(flags.work):
        import keras

        from bert_tf import CausalLM, build_encoder

        keras.utils.set_random_seed(1)
        CausalLM(build_encoder(flags.size)).save_pretrained(flags.work)
    worker = os.path.join(HERE, "worker_generation.py")
    pythons = {"bert_tf": sys.executable, "transformers": flags.torch_python}
    for name, (texts, beams) in WORKLOADS.items():
        sizes = [flags.work, str(texts), str(beams), str(flags.tokens)]
        commands = [[python, worker, package, *sizes] for package, python in pythons.items()]
        print(f"\n## {name}\n\n{table(duel(commands, flags.rounds), 'tokens')}", flush=True)


if __name__ == "__main__":
    main()
