"""Records out of raw text, kB of text a second on one core, against the Model Garden's script.

Both make rows of 128 tokens with next sentences from the same text, one sentence a line and a blank
line between documents; `--dynamic` rows of ours have no masks, as these are drawn when training.
The script is `official.nlp.data.create_pretraining_data` of tf-models-official, which needs an
environment of its own; it gets the beginning of the text, as it is slow and its pace is even.

usage: records_throughput.py --data=text.txt --tokenizer=DIR [--official_python=PYTHON]
"""

import argparse
import os
import sys
import tempfile

from by_turns import duel, table

# Share of the machine that other programs may take in a round that counts as undisturbed.
UNDISTURBED = 0.05
HERE = os.path.dirname(os.path.abspath(__file__))


def beginning(path, size, folder):
    """A file with the first documents of another, about `size` bytes of them; its path."""
    with open(path, "rb") as file:
        data = file.read(size)
    part = os.path.join(folder, f"{size}.txt")
    with open(part, "wb") as file:
        file.write(data[: data.rfind(b"\n\n") + 2])
    return part


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--official_python")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--bytes", type=int, default=10_000_000)
    parser.add_argument("--official_bytes", type=int, default=300_000)
    flags = parser.parse_args()

    def worker(python, name, path, *options):
        script = os.path.join(HERE, f"worker_records_{name}.py")
        return [python, script, path, flags.tokenizer, *options]

    with tempfile.TemporaryDirectory() as folder:
        text = beginning(flags.data, flags.bytes, folder)
        less = beginning(flags.data, flags.official_bytes, folder)
        options = (("dynamic", "1"), ("static", "1"), ("static", "10"))
        each = [worker(sys.executable, "bert_tf", text, *option) for option in options]
        if flags.official_python:
            each += [
                worker(flags.official_python, "official", less, copies) for copies in ("1", "10")
            ]
        turns = duel(each, flags.rounds)
    for first in list(turns)[:3]:
        print(table({first: turns[first], **turns}, "kB"))
        print()
        print(table({first: turns[first], **turns}, "kB", UNDISTURBED))
        print()


if __name__ == "__main__":
    main()
