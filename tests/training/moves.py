"""Three small variables and their gradients, for optimizers to move on one replica or several."""

import keras
import numpy as np
import tensorflow as tf

from bert_tf.training import step

SHAPES = {"kernel": (5, 4), "bias": (4,), "gamma": (4,)}


def start():
    """{name: float32 array}, where the variables begin."""
    numbers = np.random.default_rng(1)
    return {name: numbers.normal(size=shape).astype("f") for name, shape in SHAPES.items()}


def gradients(steps):
    """A dict like `start`'s for each step; a row of the kernel gets nothing now and then."""
    numbers = np.random.default_rng(2)
    every = []
    for n in range(steps):
        one = {name: numbers.normal(size=shape).astype("f") for name, shape in SHAPES.items()}
        one["kernel"][n % 5] = 0.0
        every.append(one)
    return every


class Mover:
    """An optimizer with the variables, made under a strategy.

    Args:
      make: function () -> keras.optimizers.Optimizer.
      strategy: tf.distribute.Strategy; None for one device.
    """

    def __init__(self, make, strategy=None):
        self.strategy = strategy or tf.distribute.get_strategy()
        with self.strategy.scope():
            values = start()
            self.variables = [keras.Variable(values[name], name=name) for name in SHAPES]
            self.optimizer = make()
            self.optimizer.build(self.variables)
        self.run = tf.function(self._run)

    def move(self, every):
        """Applies gradients, a list of dicts, as the train step does; returns `weights()`."""
        for one in every:
            self.run([tf.constant(one[name]) for name in SHAPES])
        return self.weights()

    def weights(self):
        """{name: float32 array}, where the variables are."""
        return {name: v.numpy() for name, v in zip(SHAPES, self.variables, strict=True)}

    def _run(self, gradients):
        def replica(gradients):
            # Onto the replica's device, where its own gradients would be.
            gradients = [tf.identity(gradient) for gradient in gradients]
            step._apply_if(tf.constant(True), self.optimizer, gradients, self.variables, 1.0)

        self.strategy.run(replica, args=(gradients,))


def assert_near(weights, expected, tolerance=1e-6):
    """Every weight is within `tolerance` of the expected one, absolute or relative."""
    for name, value in expected.items():
        np.testing.assert_allclose(
            weights[name], value, rtol=tolerance, atol=tolerance, err_msg=name
        )
