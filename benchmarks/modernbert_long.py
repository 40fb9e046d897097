"""ModernBERT on rows of 512 to 8,192 tokens, beside transformers on PyTorch: seconds and memory.

Random weights of the given size, one row a batch, forward passes without a gradient. Each length
and package has a process of its own, since memory is the most that a process ever held; its seconds
are the median of the repetitions, and what the process held before the first pass is told apart.
transformers runs its default attention (sdpa) and, with --eager, the other one, too.

usage: modernbert_long.py [--python=PATH of a Python that has torch and transformers]
         [--size=modernbert-base] [--lengths=512,1024,2048,4096,8192] [--repetitions=5]
         [--threads=2] [--eager]
"""

import argparse
import os
import statistics
import subprocess
import sys
import time

# package, attention -> what the table calls it
CONTENDERS = {
    ("bert_tf", ""): "bert_tf",
    ("transformers", "sdpa"): "transformers, sdpa",
    ("transformers", "eager"): "transformers, eager",
}


def bert_tf_pass(size, length, threads):
    """A function that runs one forward pass in a graph, as exports do."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    from bert_tf import build_encoder

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    encoder = build_encoder(size)
    ids = tf.random.uniform((1, length), 5, 1000, tf.int32, seed=1)
    batch = {"input_ids": ids, "attention_mask": tf.ones_like(ids)}
    run = tf.function(lambda batch: encoder(batch)["sequence_output"])
    return lambda: run(batch).numpy()


def transformers_pass(size, length, threads, attention):
    """The same of transformers' class with the same sizes."""
    import torch
    import transformers

    from bert_tf.encoders import SIZES

    torch.set_num_threads(threads)
    values = SIZES[size].to_dict()
    config = transformers.ModernBertConfig(**values, attn_implementation=attention)
    model = transformers.ModernBertModel(config).eval()
    ids = torch.randint(5, 1000, (1, length))
    mask = torch.ones_like(ids)

    def run():
        with torch.no_grad():
            return model(input_ids=ids, attention_mask=mask).last_hidden_state.numpy()

    return run


def held(key):
    """Megabytes of this process: `VmHWM`, the most it ever held, or `VmRSS`, what it holds."""
    with open("/proc/self/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(key)) / 1024


def measure(package, attention, size, length, repetitions, threads):
    """Prints the median seconds, the most megabytes held, and those held before the first pass."""
    if package == "bert_tf":
        run = bert_tf_pass(size, length, threads)
    else:
        run = transformers_pass(size, length, threads, attention)
    before = held("VmRSS")
    run()
    seconds = []
    for _ in range(repetitions):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    print("MEASURED", statistics.median(seconds), held("VmHWM"), before)


def row(python, package, attention, length, flags):
    """One line of the table, of a process of its own."""
    command = [python, os.path.abspath(__file__), f"--package={package}", f"--length={length}"]
    command += [f"--attention={attention}", f"--size={flags.size}"]
    command += [f"--repetitions={flags.repetitions}", f"--threads={flags.threads}"]
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": here}
    )
    name = CONTENDERS[package, attention]
    found = [line for line in done.stdout.splitlines() if line.startswith("MEASURED")]
    if not found:
        reason = (done.stderr.strip().splitlines() or ["killed"])[-1]
        return f"| {length} | {name} | exit code {done.returncode}: {reason[:60]} | | |"
    seconds, most, before = map(float, found[0].split()[1:])
    rate = int(length) / seconds
    return f"| {length} | {name} | {seconds:.2f} | {rate:.0f} | {most:.0f} ({before:.0f} before) |"


def main():
    """Prints the table, or in a process of its own one measurement."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default=sys.executable, help="that has torch and transformers")
    parser.add_argument("--size", default="modernbert-base")
    parser.add_argument("--lengths", default="512,1024,2048,4096,8192")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--eager", action="store_true", help="transformers' eager attention, too")
    for name in ("package", "attention", "length"):
        parser.add_argument(f"--{name}", default="", help=argparse.SUPPRESS)
    flags = parser.parse_args()
    if flags.package:
        options = (flags.size, int(flags.length), flags.repetitions, flags.threads)
        measure(flags.package, flags.attention, *options)
        return
    print(
        "| tokens | | seconds a row | tokens a second | megabytes at most |\n|---|---|---|---|---|"
    )
    for length in flags.lengths.split(","):
        for package, attention in CONTENDERS:
            if attention != "eager" or flags.eager:
                python = sys.executable if package == "bert_tf" else flags.python
                print(row(python, package, attention, length, flags), flush=True)


if __name__ == "__main__":
    main()
