"""Worker of poisson.py: answers requests that arrive at a rate, for each rate on stdin.

usage: worker_poisson.py TEXTS SECONDS BATCH bert_tf EXPORT
       worker_poisson.py TEXTS SECONDS BATCH onnx MODEL DIRECTORY

It prints a line of JSON with what a request takes alone, the median in seconds; then for each rate
the same, percentiles of the latency, and how many were answered together on the average.
"""

import json
import os
import queue
import statistics
import sys
import threading
import time

import numpy as np

# What configs/serving/README.md says of a program that does nothing but answer.
os.environ.setdefault("TF_ONEDNN_ASSUME_FROZEN_WEIGHTS", "1")

ALONE = 64


def answer_of(engine, *where):
    """Function of a list of str to labels."""
    if engine == "bert_tf":
        import bert_tf

        answer = bert_tf.load_export(*where)
        return lambda texts: answer(texts)["label"].tolist()
    from worker_serving_peers import OPTIMIZED, onnx_runtime, with_tokenizer

    model, directory = where
    return with_tokenizer(onnx_runtime(os.path.join(directory, OPTIMIZED)), model)


def latencies(answer, texts, rate, seconds, batch):
    """From arrival to answer, float [requests], and the number of calls that answered them.

    Args:
      answer: function of a list of str.
      texts: list of str, asked one after the other.
      rate: float, arrivals a second.
      seconds: float, for which they arrive; then what waits is answered.
      batch: int, the most that are answered together; no call waits for more to come.
    """
    intervals = np.random.default_rng(0).exponential(1 / rate, max(50, int(rate * seconds)))
    arrivals, waiting, spent, calls = np.cumsum(intervals), queue.SimpleQueue(), [], 0

    def arrive(start):
        for number, arrival in enumerate(arrivals):
            time.sleep(max(0.0, start + arrival - time.perf_counter()))
            waiting.put((texts[number % len(texts)], start + arrival))

    thread = threading.Thread(target=arrive, args=[time.perf_counter()])
    thread.start()
    while len(spent) < len(arrivals):
        together = [waiting.get()]
        while len(together) < batch and not waiting.empty():
            together.append(waiting.get())
        answer([text for text, _ in together])
        now, calls = time.perf_counter(), calls + 1
        spent.extend(now - arrival for _, arrival in together)
    thread.join()
    return np.array(spent), calls


def alone(answer, texts):
    """What a text takes when no other is there, the median in seconds."""
    spent = []
    for text in texts:
        begun = time.perf_counter()
        answer([text])
        spent.append(time.perf_counter() - begun)
    return statistics.median(spent)


def main(file, seconds, batch, *engine):
    answer, batch = answer_of(*engine), int(batch)
    with open(file, encoding="utf-8") as opened:
        texts = json.load(opened)
    for size in range(1, batch + 1):  # every shape of a batch has its first time
        answer(texts[:size])
    print(json.dumps({"alone": alone(answer, texts[:ALONE])}), flush=True)
    for line in sys.stdin:
        found = {"alone": alone(answer, texts[:ALONE])}
        spent, calls = latencies(answer, texts, float(line), float(seconds), batch)
        found["p50"], found["p99"] = np.percentile(spent, [50, 99])
        print(json.dumps(found | {"together": len(spent) / calls}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
