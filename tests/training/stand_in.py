"""The smallest task model: one linear layer behind dropout, which compiles in no time."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from bert_tf.layers import Linear, dropout, fold_in, key_for
from bert_tf.tasks.losses import weight_of_rows, weighted_sum
from bert_tf.tasks.task_model import TaskModel

WIDTH = 6
DATA = np.random.default_rng(0).standard_normal((64, WIDTH)).astype("float32")
LABELS = (DATA @ np.arange(WIDTH) + 1).astype("float32")


class Line(TaskModel):
    """Squared error of a linear layer over dropped-out inputs."""

    loss_names = ("error",)

    def __init__(self, rate=0.5, factor=1.0, outputs=1):
        super().__init__(Linear(outputs))
        self.encoder.build((None, WIDTH))
        self.rate, self.loss_factors = rate, {"error": factor}
        self.build()

    def call(self, inputs, training=False, key=None):
        key = key_for(training, key)
        return self.encoder(dropout(inputs["x"], self.rate, fold_in(key, 0)))[:, 0]

    def loss_weights(self, labels, sample_weight=None):
        return {"error": weight_of_rows(labels, sample_weight)}

    def loss_terms(self, outputs, labels, sample_weight=None):
        total = weighted_sum(ops.square(outputs - labels), sample_weight)
        return {"error": (total, self.loss_weights(labels, sample_weight)["error"])}


def line(optimizer=None, rate=0.5, factor=1.0, **options):
    """A compiled Line that always starts from the same weights."""
    keras.utils.set_random_seed(11)
    model = Line(rate, factor)
    model.compile(optimizer or keras.optimizers.SGD(0.02), seed=5, **options)
    return model


def batch(step, rows=4):
    """The rows of a step, and their labels."""
    at = np.arange(rows * step, rows * (step + 1)) % len(DATA)
    return {"x": DATA[at], "attention_mask": np.ones((rows, 3), "int32")}, LABELS[at]


def batches(start, stop):
    """A dataset of the batches of these steps."""
    inputs, labels = zip(*(batch(step) for step in range(start, max(stop, start + 1))), strict=True)
    inputs = {name: np.stack([x[name] for x in inputs]) for name in inputs[0]}
    return tf.data.Dataset.from_tensor_slices((inputs, np.stack(labels))).take(stop - start)


def same_bits(one, other):
    """Whether two models have exactly the same weights."""
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)
