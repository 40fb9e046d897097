"""Requests that arrive at random: how many a second are answered in time, beside ONNX Runtime.

An open loop: single SST-2 sentences of mixed lengths arrive at exponential intervals, whether or
not earlier ones are answered; one process answers, of those that wait up to --batch together. Rates
rise until the 99th percentile, from arrival to answer, is over 5 times what a request takes alone,
at two of them in a row; the highest rate that was not is the goodput. Engines have their turns at
each rate, and what a request takes alone is measured in every turn.

usage: poisson.py --model=MODEL --data=dev.tsv [--torch_python=PYTHON] [--seconds=20] [--batch=1,16]

MODEL and PYTHON as for serving.py.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile

import bert_tf

HERE = os.path.dirname(os.path.abspath(__file__))
TEXTS, STEP, TIMES_ALONE = 256, 1.3, 5.0


class Worker:
    """An engine's process, which answers at a rate whenever it is told one.

    Attributes:
      name: str.
      goodput: float, the highest rate so far that was answered in time; 0: none was.
      late: int, how many of the last rates were too high.
    """

    def __init__(self, name, command):
        self.name, self.goodput, self.late, self._alone = name, 0.0, 0, []
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._read()

    @property
    def alone(self):
        """float, seconds that a request takes when no other is there, the median."""
        return statistics.median(self._alone)

    def at(self, rate):
        """Answers at a rate, requests a second; notes whether in time, and returns a line on it."""
        self._process.stdin.write(f"{rate}\n")
        self._process.stdin.flush()
        found = self._read()
        in_time = found["p99"] <= TIMES_ALONE * self.alone
        self.late = 0 if in_time else self.late + 1
        self.goodput = rate if in_time else self.goodput
        p50, p99 = (f"{found[name] * 1e3:.1f}" for name in ("p50", "p99"))
        return f"| {rate:.0f} | {self.name} | {p50} | {p99} | {found['together']:.1f} |"

    def end(self):
        self._process.stdin.close()
        self._process.wait()

    def _read(self):
        for line in self._process.stdout:
            if line.startswith("{"):
                found = json.loads(line)
                self._alone.append(found["alone"])
                return found
        raise RuntimeError(f"{self.name}: ended")


def main():
    """Prints every rate's latencies, then the goodput of each engine."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--torch_python")
    parser.add_argument("--seconds", type=float, default=20, help="for which requests arrive")
    parser.add_argument("--batch", default="1,16", help="most requests together, separated by ,")
    flags = parser.parse_args()
    with open(flags.data, encoding="utf-8") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        texts = [row["sentence"].strip() for row in rows][:TEXTS]
    with tempfile.TemporaryDirectory() as directory:
        file = os.path.join(directory, "texts.json")
        with open(file, "w", encoding="utf-8") as opened:
            json.dump(texts, opened)
        tokenizer = bert_tf.Tokenizer.from_pretrained(flags.model)
        model, place = bert_tf.load_task(flags.model), os.path.join(directory, "export")
        export = bert_tf.export_saved_model(model, tokenizer, place)
        engines = {"bert_tf": [sys.executable, "bert_tf", export]}
        if flags.torch_python:
            peers = os.path.join(HERE, "worker_serving_peers.py")
            subprocess.run([flags.torch_python, peers, "make", flags.model, directory], check=True)
            engines["ONNX Runtime"] = [flags.torch_python, "onnx", flags.model, directory]
        work, settings = os.path.join(HERE, "worker_poisson.py"), [file, str(flags.seconds)]
        workers = [
            Worker(f"{name}, up to {batch} together", [python, work, *settings, batch, *which])
            for name, (python, *which) in engines.items()
            for batch in flags.batch.split(",")
        ]
        print("| requests a second | engine | p50, ms | p99, ms | together |")
        print("|---|---|---|---|---|")
        rate = 0.2 / min(worker.alone for worker in workers)
        while there := [worker for worker in workers if worker.late < 2]:
            for worker in there:
                print(worker.at(rate), flush=True)
            rate *= STEP
    print(f"\n| engine | alone, ms | goodput at p99 <= {TIMES_ALONE:.0f} times that, a second |")
    print("|---|---|---|")
    for worker in workers:
        print(f"| {worker.name} | {worker.alone * 1e3:.1f} | {worker.goodput:.0f} |")
        worker.end()


if __name__ == "__main__":
    main()
