"""Averages of the weights over the updates, by which a run is evaluated."""

import contextlib

import keras
import tensorflow as tf


class Averaged(keras.optimizers.Optimizer):
    """An optimizer that keeps an average of the weights; `moving_average` and `lookahead` make one.

    Another optimizer updates the weights; after every `every` of its updates `update_average` is
    called for each trainable variable with (variable, its average, updates made). The averages are
    initialized to the weights. They are optimizer variables, so a running checkpoint holds them.
    Under `fit` the model ends with the averages as its weights.

    Args:
      inner: a Keras optimizer.
      update_average: function (tf.Variable, tf.Variable, int64 scalar) -> None, which assigns.
      every: int, updates of `inner` between two calls.
    """

    def __init__(self, inner, update_average, every=1):
        super().__init__(learning_rate=0.0)
        self.inner, self.update_average, self.every = inner, update_average, every

    def build(self, variables):
        if self.built:
            return
        self.inner.build(variables)
        super().build(variables)
        self.averages = [
            self.add_variable_from_reference(
                variable, "average", lambda shape, dtype, v=variable: tf.convert_to_tensor(v.value)
            )
            for variable in variables
        ]

    def apply(self, grads, trainable_variables=None):
        """The update of the inner optimizer, then of the averages."""
        if not self.built:
            self.build(list(trainable_variables))
        self.inner.apply(grads, trainable_variables)
        tf.__internal__.distribute.interim.maybe_merge_call(
            self._update_averages,
            self._distribution_strategy,
            tf.identity(self.inner.iterations.value),
        )

    def _update_averages(self, strategy, step):
        # The number of updates is the same on all replicas.
        step = strategy.experimental_local_results(step)[0]

        def update_all():
            for variable, average in zip(self._trainable_variables, self.averages, strict=True):
                strategy.extended.update(
                    variable.value, self.update_average, args=(average.value, step), group=False
                )
            return step

        if self.every == 1:
            update_all()
        else:
            tf.cond(step % self.every == 0, update_all, lambda: step)

    def swap(self):
        """Exchanges weights and averages, one variable at a time."""
        for variable, average in zip(self._trainable_variables, self.averages, strict=True):
            weights = tf.identity(variable.value)
            variable.assign(average)
            average.assign(weights)

    def finalize_variable_values(self, var_list):
        """Called by Keras when `fit` ends: the weights become the averages."""
        for variable, average in zip(self._trainable_variables, self.averages, strict=True):
            variable.assign(average)

    @property
    def variables(self):
        return [*super().variables, *self.inner.variables]

    @property
    def iterations(self):
        return self.inner.iterations

    @property
    def learning_rate(self):
        return self.inner.learning_rate

    @learning_rate.setter
    def learning_rate(self, value):
        self.inner.learning_rate = value


def moving_average(inner, decay):
    """An optimizer with an exponential moving average of the weights.

    After n updates the average is the sum of decay^(n-i) w_i over the sum of decay^(n-i), i = 1..n.
    Early on that is close to the plain mean of the weights so far; Keras' `use_ema` is dominated by
    the first ones for about 1 / (1 - decay) updates, longer than many a fine-tuning lasts.

    Args:
      inner: a Keras optimizer.
      decay: float below 1, such as 0.999.
    Returns:
      Averaged.
    """

    def update_average(weights, average, step):
        # 1 - decay^n, exact for small n too.
        total = -tf.math.expm1(tf.cast(step, tf.float32) * tf.math.log1p(decay - 1.0))
        tf.raw_ops.ResourceApplyGradientDescent(
            var=average.handle, alpha=(1.0 - decay) / total, delta=average - weights
        )

    return Averaged(inner, update_average)


def lookahead(inner, every, share=0.5):
    """An optimizer with Lookahead (Zhang et al. 2019, algorithm 1).

    Every `every` updates the slow weights, which are the averages here, are interpolated towards
    the fast ones by `share`, and the fast ones are set to them. The optimizer's state is kept.

    Args:
      inner: a Keras optimizer.
      every: int, the paper's k.
      share: float, the paper's alpha.
    Returns:
      Averaged.
    """

    def update_average(fast, slow, step):
        slow.assign_add(share * (fast - slow))
        fast.assign(slow)

    return Averaged(inner, update_average, every)


@contextlib.contextmanager
def averaged_weights(model):
    """Within it a compiled model holds the averages of its weights, if its optimizer keeps them.

    A running checkpoint must not be written within.
    """
    optimizer = model.optimizer
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer = optimizer.inner_optimizer
    if not isinstance(optimizer, Averaged) or not optimizer.built:
        yield
        return
    optimizer.swap()
    try:
        yield
    finally:
        optimizer.swap()
