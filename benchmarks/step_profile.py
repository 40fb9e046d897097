"""Where the time of a training step goes, by kind of op.

usage: step_profile.py [BATCHES.npz]

BATCHES.npz: real sentences from `sentences.encode`; without it, full rows, 16 x 128.
"""

import collections
import glob
import itertools
import sys
import tempfile
import time

import numpy as np
import tensorflow as tf
from sentences import batches
from tensorflow.tsl.profiler.protobuf import xplane_pb2
from worker_bert_tf import classifier

STEPS = 20
# How the profiler names a run of compiled code, which has no op of its own.
COMPILED = "CpuExecutable::ExecuteAsyncOnStream"


def data(path):
    """A list of (inputs, labels)."""
    if path:
        return list(itertools.islice(batches(path), STEPS))
    ids = np.random.default_rng(0).integers(1000, 30000, (16, 128), "int32")
    ones = np.ones_like(ids)
    inputs = {"input_ids": ids, "attention_mask": ones, "token_type_ids": 0 * ones}
    return [(inputs, np.arange(16, dtype="int32") % 2)] * STEPS


def op_times(directory):
    """Counter of op type -> milliseconds over all steps, and of op type -> calls."""
    times, calls = collections.Counter(), collections.Counter()
    space = xplane_pb2.XSpace()
    (path,) = glob.glob(f"{directory}/**/*.xplane.pb", recursive=True)
    with open(path, "rb") as trace:
        space.ParseFromString(trace.read())
    for plane in space.planes:
        names = {key: value.name for key, value in plane.event_metadata.items()}
        for event in itertools.chain.from_iterable(line.events for line in plane.lines):
            name = names[event.metadata_id]
            place, colon, kind = name.rpartition(":")
            if name == COMPILED:
                kind = "compiled by XLA (optimizer)"
            elif not (colon and place and "::" not in name and kind.isidentifier()):
                continue
            times[kind] += event.duration_ps / 1e9
            calls[kind] += 1
    return times, calls


def main(path=None):
    tf.config.threading.set_intra_op_parallelism_threads(2)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    model, rows = classifier(), data(path)
    step = tf.function(model.train_step, reduce_retracing=True)
    rows = [tf.nest.map_structure(tf.constant, row) for row in rows]
    for row in rows[:5] * 3:
        step(row)
    with tempfile.TemporaryDirectory() as directory:
        with tf.profiler.experimental.Profile(directory):
            started = time.perf_counter()
            for row in rows:
                step(row)
            wall = (time.perf_counter() - started) * 1e3 / STEPS
        times, calls = op_times(directory)
    whole = sum(times.values())
    print("| op | ms a step | share | calls |\n|---|---|---|---|")
    print(f"| all (wall: {wall:.1f}) | {whole / STEPS:.1f} | | |")
    for kind, spent in times.most_common(32):
        print(f"| {kind} | {spent / STEPS:.2f} | {spent / whole:.1%} | {calls[kind] / STEPS:g} |")


if __name__ == "__main__":
    main(*sys.argv[1:])
