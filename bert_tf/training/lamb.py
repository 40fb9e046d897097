"""LAMB, the optimizer for very large batches."""

import keras
import tensorflow as tf

from bert_tf.training.optimizers import NO_DECAY, rate_of


class Lamb(keras.optimizers.Optimizer):
    """LAMB (You et al. 2020, algorithm 2), with the weight decay inside the trust ratio.

    `keras.optimizers.Lamb` decays outside of it, which is another optimizer. Biases and the scales
    and shifts of normalizations are neither decayed nor adapted: their trust ratio is 1. The
    paper's phi, which could bound the norm of the weights, is the identity, as in its experiments.

    Args:
      learning_rate: float or a Keras schedule.
      weight_decay: float, the paper's lambda.
      beta_1, beta_2, epsilon: float, of Adam.
      rate_factors: None, or a function of the step giving a float32 tensor with a factor for
        each trainable variable, in their order; factor 0 leaves a variable as it is.
    """

    def __init__(
        self,
        learning_rate=1e-3,
        weight_decay=0.01,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-6,
        rate_factors=None,
        **kwargs,
    ):
        super().__init__(learning_rate=learning_rate, **kwargs)
        # `weight_decay` is Keras' own attribute, and makes it decay in a pass of its own.
        self.decay = weight_decay
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon
        self.rate_factors = rate_factors

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.first_moments, self.second_moments = self.add_optimizer_variables(
            variables, ["first_moment", "second_moment"]
        )
        self.adapted = [not NO_DECAY.search(variable.path) for variable in variables]

    def update_step(self, gradient, variable, learning_rate):
        """One update of one variable, a tf.Variable (the paper's lines 6 to 11)."""
        index = self._get_variable_index(variable)
        rate = rate_of(self, index, learning_rate)
        first, second = self.first_moments[index].value, self.second_moments[index].value
        # At rate 0 Adam's fused kernel moves both moments in one pass, and the variable not at all.
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=first.handle,
            v=second.handle,
            beta1_power=0.0,
            beta2_power=0.0,
            lr=0.0,
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )
        step = tf.cast(self.iterations + 1, tf.float32)
        mean = first / (1.0 - tf.pow(self.beta_1, step))
        square = second / (1.0 - tf.pow(self.beta_2, step))
        direction = mean / (tf.sqrt(square) + self.epsilon)
        if self.adapted[index]:
            direction += self.decay * variable
            rate *= trust_ratio(variable, direction)
        variable.assign_sub(rate * direction)

    def get_config(self):
        return {
            **super().get_config(),
            "weight_decay": self.decay,
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
        }


def trust_ratio(weights, direction):
    """Norm of the weights over norm of the direction, 1 if either is 0; a float32 scalar."""
    of_weights, of_direction = (tf.sqrt(2.0 * tf.nn.l2_loss(x)) for x in (weights, direction))
    both = (of_weights > 0) & (of_direction > 0)
    return tf.where(both, tf.math.divide_no_nan(of_weights, of_direction), 1.0)
