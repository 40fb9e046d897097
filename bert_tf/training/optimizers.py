"""AdamW in one fused update a variable, with a factor on each variable's learning rate."""

import re

import keras
import tensorflow as tf

# Weights that no BERT recipe decays (google-research/bert, optimization.py).
NO_DECAY = re.compile(r"(bias|gamma|beta)$")


class AdamW(keras.optimizers.Optimizer):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2).

    The numbers are those of `keras.optimizers.AdamW`; the update is a single pass over each
    variable. Biases and the scales and shifts of normalizations are not decayed.

    Args:
      learning_rate: float or a Keras schedule.
      weight_decay: float, per unit of learning rate.
      beta_1, beta_2, epsilon: float, of Adam.
      rate_factors: None, or a function of the step giving a float32 tensor with a factor for
        each trainable variable, in their order; factor 0 leaves a variable as it is.
      bias_correction: bool; False, with epsilon 1e-6, is the AdamW of Google's BERT
        (google-research/bert, optimization.py: AdamWeightDecayOptimizer).
    """

    def __init__(
        self,
        learning_rate=5e-5,
        weight_decay=0.01,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-7,
        rate_factors=None,
        bias_correction=True,
        **kwargs,
    ):
        super().__init__(learning_rate=learning_rate, **kwargs)
        # `weight_decay` is Keras' own attribute, and makes it decay in a pass of its own.
        self.decay = weight_decay
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon
        self.rate_factors = rate_factors
        self.bias_correction = bias_correction

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.first_moments, self.second_moments = self.add_optimizer_variables(
            variables, ["first_moment", "second_moment"]
        )
        self.decayed = [not NO_DECAY.search(variable.path) for variable in variables]

    def update_step(self, gradient, variable, learning_rate):
        """One update of one variable, a tf.Variable (the paper's lines 6 to 12)."""
        index = self._get_variable_index(variable)
        rate = tf.cast(learning_rate, tf.float32)
        if self.rate_factors is not None:
            rate *= self.rate_factors(self.iterations)[index]
        if self.decay and self.decayed[index]:
            variable.assign_sub(variable * (rate * self.decay))
        step = tf.cast(self.iterations + 1, tf.float32)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self.first_moments[index].value.handle,
            v=self.second_moments[index].value.handle,
            beta1_power=tf.pow(self.beta_1, step) if self.bias_correction else 0.0,
            beta2_power=tf.pow(self.beta_2, step) if self.bias_correction else 0.0,
            lr=rate,
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )

    def get_config(self):
        return {
            **super().get_config(),
            "weight_decay": self.decay,
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "bias_correction": self.bias_correction,
        }
