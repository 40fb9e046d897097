"""Adafactor as Keras has it, with our decay and our factors on the learning rate."""

import keras

from bert_tf.training.optimizers import NO_DECAY, rate_of


class Adafactor(keras.optimizers.Adafactor):
    """Adafactor (Shazeer & Stern 2018, algorithm 4), with decoupled weight decay.

    A variable's learning rate is the given one times the root mean square of the variable, so
    useful ones are larger than Adam's, 1e-3 to 1e-2; it is held below 1 / sqrt(updates). Biases and
    the scales and shifts of normalizations are not decayed. Keras keeps the second moments whole
    beside their factors: the memory it takes is half of Adam's, not the little of the paper.

    Args:
      learning_rate: float or a Keras schedule.
      weight_decay: float, per unit of learning rate.
      rate_factors: None, or a function of the step giving a float32 tensor with a factor for
        each trainable variable, in their order; factor 0 leaves a variable as it is.
    """

    def __init__(self, learning_rate=1e-3, weight_decay=0.0, rate_factors=None, **kwargs):
        super().__init__(learning_rate=learning_rate, relative_step=False, **kwargs)
        # `weight_decay` is Keras' own attribute, and makes it decay everything.
        self.decay = weight_decay
        self.rate_factors = rate_factors

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.decayed = [not NO_DECAY.search(variable.path) for variable in variables]

    def update_step(self, gradient, variable, learning_rate):
        """One update of one variable, a tf.Variable."""
        index = self._get_variable_index(variable)
        rate = rate_of(self, index, learning_rate)
        if self.decay and self.decayed[index]:
            variable.assign_sub(variable * (rate * self.decay))
        super().update_step(gradient, variable, rate)

    def get_config(self):
        return {**super().get_config(), "weight_decay": self.decay}
