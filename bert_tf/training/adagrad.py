"""Adagrad, for tables of which a step touches few rows."""

import keras
import tensorflow as tf

from bert_tf.training.optimizers import NO_DECAY, rate_of


class Adagrad(keras.optimizers.Optimizer):
    """Adagrad (Duchi et al. 2011, section 1.1, the diagonal form), with decoupled weight decay.

    A table's gradient may come as rows, and nothing is done to the others. The sums of squares
    begin at 0 and not at a constant, so that a step does not depend on how large gradients are: a
    mean over a batch has small ones. Useful learning rates are 0.01 to 0.2.

    Args:
      learning_rate: float or a Keras schedule.
      weight_decay: float, per unit of learning rate.
      epsilon: float, added to the root of the sum of squares.
      rate_factors: None, or a function of the step giving a float32 tensor with a factor for
        each trainable variable, in their order; factor 0 leaves a variable as it is.
    """

    # `update_step` takes a gradient as tf.IndexedSlices whose indices are unique.
    sparse_gradients = True

    def __init__(
        self, learning_rate=0.05, weight_decay=0.0, epsilon=1e-12, rate_factors=None, **kwargs
    ):
        super().__init__(learning_rate=learning_rate, **kwargs)
        # `weight_decay` is Keras' own attribute, and makes it decay in a pass of its own.
        self.decay = weight_decay
        self.epsilon, self.rate_factors = epsilon, rate_factors

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.squares = self.add_optimizer_variables(variables, "sum_of_squares")
        self.decayed = [not NO_DECAY.search(variable.path) for variable in variables]

    def apply_scaled(self, gradients, variables, factor):
        """`apply` of gradients that are summed over replicas, times a factor; see `AdamW`."""
        # Keras sums over replicas once more when it applies (TFOptimizer._backend_update_step).
        factor /= tf.distribute.get_replica_context().num_replicas_in_sync
        self.apply([_scaled(gradient, factor) for gradient in gradients], variables)

    def update_step(self, gradient, variable, learning_rate):
        """One update of one variable, a tf.Variable."""
        index = self._get_variable_index(variable)
        rate = rate_of(self, index, learning_rate)
        if self.decay and self.decayed[index]:
            variable.assign_sub(variable * (rate * self.decay))
        state = {
            "var": variable.handle,
            "accum": self.squares[index].value.handle,
            "lr": rate,
            "epsilon": self.epsilon,
        }
        if isinstance(gradient, tf.IndexedSlices):
            tf.raw_ops.ResourceSparseApplyAdagradV2(
                **state, grad=gradient.values, indices=gradient.indices
            )
            # After an update by rows TensorFlow would copy the whole table whenever it is read.
            tf.raw_ops.DisableCopyOnRead(resource=variable.handle)
        else:
            tf.raw_ops.ResourceApplyAdagradV2(**state, grad=gradient)

    def get_config(self):
        return {**super().get_config(), "weight_decay": self.decay, "epsilon": self.epsilon}


def _scaled(gradient, factor):
    if isinstance(gradient, tf.IndexedSlices):
        shape = gradient.dense_shape
        return tf.IndexedSlices(gradient.values * factor, gradient.indices, shape)
    return gradient * factor
