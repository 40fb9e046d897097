"""Lines a second of a tokenizer in the graph beside `tokenizers`, one thread each, in turns.

    python benchmarks/tokenizers_throughput.py --folders=DIR,DIR --text=FILE [--lines=20000]

Needs transformers. A folder is one that `Tokenizer.from_pretrained` reads; `portable` is the same
tokenizer by TensorFlow's core operations, where that is another. Offsets and padding are made by
both. Each figure is the median of the rounds; the first round, which traces, does not count.
"""

import argparse
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
BATCH, LONGEST, ROUNDS = 256, 256, 4


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folders", required=True)
    parser.add_argument("--text", required=True)
    parser.add_argument("--lines", type=int, default=20000)
    arguments = parser.parse_args()
    import tensorflow as tf
    import transformers

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    from bert_tf import Tokenizer

    with open(arguments.text, encoding="utf-8", errors="replace") as file:
        lines = [line.rstrip("\n") for line in file][: arguments.lines]
    batches = [lines[i : i + BATCH] for i in range(0, len(lines), BATCH)]
    for folder in arguments.folders.split(","):
        ours = Tokenizer.from_pretrained(folder)
        theirs = transformers.AutoTokenizer.from_pretrained(folder).backend_tokenizer
        theirs.enable_padding()
        theirs.enable_truncation(LONGEST)
        ways = {"tokenizers": theirs.encode_batch, "bert_tf": _call(ours)}
        if ours.portable() is not ours:
            ways["bert_tf portable"] = _call(ours.portable())
        seconds = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, way in ways.items():
                start = time.perf_counter()
                for batch in batches:
                    way(batch)
                seconds[name].append(time.perf_counter() - start)
        for name, taken in seconds.items():
            rate = len(lines) / statistics.median(taken[1:])
            print(f"{folder}: {name}: {rate:.0f} lines a second")


def _call(tokenizer):
    return lambda batch: tokenizer(batch, max_length=LONGEST, return_offsets=True)


if __name__ == "__main__":
    main()
