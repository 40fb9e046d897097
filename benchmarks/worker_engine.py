"""Worker: the step of the commands.

usage: worker_engine.py BATCHES.npz STEPS REPLICAS JIT LENGTH
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from by_turns import serve
from sentences import BATCH, batches
from worker_bert_tf import classifier

from bert_tf.config import DistributionSection
from bert_tf.training.distribution import make_strategy, per_replica
from bert_tf.training.loop import step_function


def fixed(data, length):
    """A batch cut or padded to rows of `length` tokens; 0 leaves it."""
    inputs, labels = data
    if not length:
        return data
    fit = {
        name: np.pad(x, [(0, 0), (0, length)])[:, :length].astype("int32")
        for name, x in inputs.items()
    }
    return fit, labels


def main(path, steps, replicas, jit, length):
    parts = DistributionSection("mirrored", replicas) if replicas > 1 else DistributionSection()
    strategy = make_strategy(parts)
    with strategy.scope():
        model = classifier(jit=bool(jit))
    rows = tf.TensorSpec((BATCH, length or None), tf.int32)
    inputs = dict.fromkeys(("input_ids", "attention_mask", "token_type_ids"), rows)
    dataset = tf.data.Dataset.from_generator(
        lambda: (fixed(data, length) for data in batches(path)),
        output_signature=(inputs, tf.TensorSpec((BATCH,), tf.int32)),
    )
    dataset = per_replica(strategy, dataset.prefetch(4))
    run = step_function(model, strategy, dataset.element_spec, jit=bool(jit))
    stream = iter(dataset)

    def unit():
        for _ in range(steps):
            outcome = run(next(stream), tf.constant(False))
        return steps * BATCH * int(outcome["applied"])

    serve(unit, f"{replicas} replicas" + ", XLA" * jit)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
