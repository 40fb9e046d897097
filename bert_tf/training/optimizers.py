"""AdamW in a fused update of each variable, with a factor on each variable's learning rate."""

import functools
import re

import keras
import tensorflow as tf

# Weights that no BERT recipe decays (google-research/bert, optimization.py).
NO_DECAY = re.compile(r"(bias|gamma|beta)$")

# Entries from which on a compiled update pays. Below, starting it costs more than it spares.
LARGE = 2**16

# Tables of which a batch touches few rows.
TABLE = re.compile(r"word_embeddings$")


class AdamW(keras.optimizers.Optimizer):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2).

    The numbers are those of `keras.optimizers.AdamW`; for each large variable,
    scaling, decay and update are compiled together. Biases and the scales and shifts of
    normalizations are not decayed. The gradient of the word table may come as rows: those that
    never had a gradient have no moments, and nothing but decay is done to them.

    Args:
      learning_rate: float or a Keras schedule.
      weight_decay: float, per unit of learning rate.
      beta_1, beta_2, epsilon: float, of Adam.
      rate_factors: None, or a function of the step giving a float32 tensor with a factor for
        each trainable variable, in their order; factor 0 leaves a variable as it is.
      bias_correction: bool; False, with epsilon 1e-6, is the AdamW of Google's BERT
        (google-research/bert, optimization.py: AdamWeightDecayOptimizer).
    """

    # `update_step` takes the gradient of a table as tf.IndexedSlices whose indices are unique.
    sparse_gradients = True

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
        self._gradient_factor, self._summed = 1.0, False

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.first_moments, self.second_moments = self.add_optimizer_variables(
            variables, ["first_moment", "second_moment"]
        )
        self.decayed = [not NO_DECAY.search(variable.path) for variable in variables]
        self.tables = [i for i, variable in enumerate(variables) if TABLE.search(variable.path)]
        # Which rows of each table have had a gradient.
        self.touched = [
            self.add_variable((variables[i].shape[0],), "zeros", "bool", name="touched")
            for i in self.tables
        ]

    def apply_scaled(self, gradients, variables, factor):
        """`apply` of gradients that are summed over replicas, times a factor, within the update.

        Args:
          gradients: list of tensors, or of tf.IndexedSlices without repeated rows.
          variables: list of what they belong to.
          factor: float or float32 scalar.
        """
        self._gradient_factor, self._summed = factor, True
        try:
            self.apply(gradients, variables)
        finally:
            self._gradient_factor, self._summed = 1.0, False

    def _all_reduce_sum_gradients(self, grads_and_vars):
        # Keras sums over replicas whatever it is given.
        return grads_and_vars if self._summed else super()._all_reduce_sum_gradients(grads_and_vars)

    def update_step(self, gradient, variable, learning_rate):
        """One update of one variable, a tf.Variable (the paper's lines 6 to 12)."""
        index = self._get_variable_index(variable)
        rate = rate_of(self, index, learning_rate)
        decay = rate * self.decay if self.decay and self.decayed[index] else None
        large = variable.shape.num_elements() >= LARGE
        update = _update_compiled if large else _update_plain
        if index in self.tables:
            touched = self.touched[self.tables.index(index)].value.handle
            if isinstance(gradient, tf.IndexedSlices):
                update = functools.partial(_update_rows, touched)
            else:
                _assign(touched, tf.ones(variable.shape[:1], tf.bool))
        update(
            variable.handle,
            self.first_moments[index].value.handle,
            self.second_moments[index].value.handle,
            gradient,
            tf.cast(self._gradient_factor, tf.float32),
            decay,
            self._adam(rate),
        )

    def _adam(self, rate):
        """The scalars of Adam at this step, under the names of TensorFlow's op."""
        step = tf.cast(self.iterations + 1, tf.float32)
        return {
            "lr": rate,
            "beta1_power": tf.pow(self.beta_1, step) if self.bias_correction else tf.zeros(()),
            "beta2_power": tf.pow(self.beta_2, step) if self.bias_correction else tf.zeros(()),
            "beta1": self.beta_1,
            "beta2": self.beta_2,
            "epsilon": self.epsilon,
        }

    def get_config(self):
        return {
            **super().get_config(),
            "weight_decay": self.decay,
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "bias_correction": self.bias_correction,
        }


def rate_of(optimizer, index, learning_rate):
    """The learning rate of a variable, float32: the schedule's, times the factor it has of its own.

    Args:
      optimizer: with `rate_factors` and `iterations`.
      index: int, the number of the variable.
      learning_rate: what Keras hands to `update_step`.
    """
    rate = tf.cast(learning_rate, tf.float32)
    if optimizer.rate_factors is None:
        return rate
    return rate * optimizer.rate_factors(optimizer.iterations)[index]


def _update_plain(weight, first, second, gradient, factor, decay, adam):
    """Scales the gradient, decays the weight and runs TensorFlow's Adam, one after the other.

    Args:
      weight, first, second: handles of a variable and its two moments.
      gradient: float32, of the variable's shape.
      factor: float32 scalar, times which the gradient counts.
      decay: float32 scalar, the share of the weight taken off; None for nothing.
      adam: what `AdamW._adam` gives.
    """
    if decay is not None:
        _assign(weight, _read(weight) * (1.0 - decay))
    tf.raw_ops.ResourceApplyAdam(var=weight, m=first, v=second, grad=gradient * factor, **adam)


@tf.function(autograph=False, jit_compile=True)
def _update_compiled(weight, first, second, gradient, factor, decay, adam):
    """The same numbers, compiled: one loop for each of the weight and its moments."""
    handles = weight, first, second
    w, m, v = _moved(*map(_read, handles), gradient * factor, decay, adam)
    for handle, value in zip(handles, (w, m, v), strict=True):
        _assign(handle, value)


def _update_rows(touched, weight, first, second, gradient, factor, decay, adam):
    """The same numbers where the gradient, a tf.IndexedSlices, has few of a table's rows.

    Args:
      touched: handle of bool [rows], which of them have had a gradient.
    """
    if decay is not None:
        _decay_compiled(weight, decay)
    tf.raw_ops.ResourceScatterUpdate(
        resource=touched, indices=gradient.indices, updates=tf.ones_like(gradient.indices, tf.bool)
    )
    flags = _read(touched, tf.bool)
    rows = tf.where(flags)[:, 0]
    places = tf.gather(tf.cumsum(tf.cast(flags, tf.int32)) - 1, gradient.indices)
    values = tf.scatter_nd(
        places[:, None], gradient.values * factor, [tf.shape(rows)[0], gradient.values.shape[1]]
    )
    handles = weight, first, second
    old = [
        tf.raw_ops.ResourceGather(resource=handle, indices=rows, dtype=tf.float32)
        for handle in handles
    ]
    for handle, value in zip(handles, _moved(*old, values, None, adam), strict=True):
        tf.raw_ops.ResourceScatterUpdate(resource=handle, indices=rows, updates=value)
    # After an update by rows TensorFlow would copy the whole table whenever it is read.
    tf.raw_ops.DisableCopyOnRead(resource=weight)


@tf.function(autograph=False, jit_compile=True)
def _decay_compiled(weight, decay):
    """Takes the share `decay` off a weight, in place."""
    _assign(weight, _read(weight) * (1.0 - decay))


def _moved(w, m, v, gradient, decay, adam):
    """Weight and moments after one update."""
    m += (gradient - m) * (1.0 - adam["beta1"])
    v += (tf.square(gradient) - v) * (1.0 - adam["beta2"])
    rate = adam["lr"] * tf.sqrt(1.0 - adam["beta2_power"]) / (1.0 - adam["beta1_power"])
    w = (w if decay is None else w * (1.0 - decay)) - rate * m / (tf.sqrt(v) + adam["epsilon"])
    return w, m, v


def _read(handle, dtype=tf.float32):
    return tf.raw_ops.ReadVariableOp(resource=handle, dtype=dtype)


def _assign(handle, value):
    tf.raw_ops.AssignVariableOp(resource=handle, value=value)
