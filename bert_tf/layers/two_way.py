"""Two recurrent networks over a row, one in each direction, and the mixture of their layers."""

import dataclasses

import keras
from keras import ops

from bert_tf.layers.dropout import dropout, fold_in
from bert_tf.layers.masks import goes_on


class Doubled(keras.layers.Layer):
    """Each vector twice, once for each direction (Peters et al. 2018, section 3.2: h_k,0)."""

    def build(self, shape=None):
        """There are no weights."""

    def call(self, x):
        """float [X, E] -> float [X, 2E]."""
        return ops.concatenate([x, x], axis=-1)


class StateResets(keras.layers.Layer):
    """Where recurrent networks begin anew: at the first token of each example of a row, and, from
    right to left, at its last one. So none sees padding, or another example."""

    def build(self, shape=None):
        """There are no weights."""

    def tell(self, context, position_ids, groups):
        """The context with `positions` float32 [L, 2, B, 1]: 0 where a network begins, else 1; the
        second direction is read backwards.

        Args:
          context: Context.
          position_ids: left aside.
          groups: int [B, L], the encoder's `attention_mask`.
        """
        read = (groups, ops.flip(groups, axis=1))
        keep_2BL = ops.stack([ops.cast(goes_on(each), "float32") for each in read])
        return dataclasses.replace(context, positions=ops.transpose(keep_2BL, (2, 0, 1))[..., None])


class TwoWayLSTM(keras.layers.Layer):
    """An LSTM from left to right over the first half of each vector, another from right to left
    over the second half, whose states are projected (Peters et al. 2018, section 3.1; Sak et al.
    2014, arXiv 1402.1128, eq. 1 to 7, without peepholes).

    keras.layers.LSTM projects no state, and begins nowhere anew. Published ELMo also clips states
    at 3; here the gradient's norm is clipped, as of every model.

    Args:
      cells: int, M, of each direction.
      dropout_rate: float, on the output.
      residual: bool, whether the input is added to it (Peters et al., section 3.4: from the first
        layer to the second).
    """

    def __init__(self, cells, dropout_rate=0.0, residual=True, **kwargs):
        super().__init__(**kwargs)
        self.cells, self.dropout_rate, self.residual = cells, dropout_rate, residual

    def build(self, shape):
        width, cells = shape[-1] // 2, self.cells

        def weight(name, *shape):
            bound = cells**-0.5
            uniform = keras.initializers.RandomUniform(-bound, bound)
            return self.add_weight(name=name, shape=(2, *shape), initializer=uniform)

        self.input_kernel = weight("input_kernel", width, 4 * cells)
        self.recurrent_kernel = weight("recurrent_kernel", width, 4 * cells)
        self.projection = weight("projection", cells, width)
        # What is remembered at first is remembered (Jozefowicz et al. 2015, section 2.2).
        self.bias = self.add_weight(name="bias", shape=(2, 4 * cells), initializer=_forget_bias)

    def call(self, x, context, key=None):
        """One layer; a pure function of its arguments.

        Args:
          x: float [B * L, D], for each direction a half.
          context: Context, told by `StateResets`.
          key: integer [2] or None, for dropout.
        Returns:
          float [B * L, D]; and None, for there is no attention.
        """
        batch, length, width = context.batch, context.length, x.shape[-1] // 2
        x_LBP = ops.transpose(ops.reshape(x, (batch, length, 2, width)), (1, 2, 0, 3))
        h_LBP = ops.reshape(self._run(_turned(x_LBP), context), (length, 2, batch, width))
        out = ops.reshape(ops.transpose(_turned(h_LBP), (2, 0, 1, 3)), (-1, 2 * width))
        out = dropout(out, self.dropout_rate, fold_in(key, 1))
        return (x + out if self.residual else out), None

    def _run(self, x_LBP, context):
        """The projected states [L, 2, B, P], of inputs of the same shape, in the order of steps."""
        length, batch, width = context.length, context.batch, x_LBP.shape[-1]
        # What is kept of the state behind each step; of the last one nobody asks.
        keep_LB1 = ops.roll(ops.cast(context.positions, x_LBP.dtype), -1, axis=0)
        # One product for all steps.
        rows_2XP = ops.reshape(ops.transpose(x_LBP, (1, 0, 2, 3)), (2, -1, width))
        gates_2XG = ops.matmul(rows_2XP, self.input_kernel) + self.bias[:, None, :]
        gates_2LBG = ops.reshape(gates_2XG, (2, length, batch, 4 * self.cells))
        # Gates and what is kept are one tensor, for under TensorFlow `ops.scan` takes no two whose
        # length the graph does not know.
        inputs_LBG = ops.concatenate([ops.transpose(gates_2LBG, (1, 0, 2, 3)), keep_LB1], axis=-1)
        recurrent = ops.pad(ops.cast(self.recurrent_kernel, x_LBP.dtype), ((0, 0), (0, 0), (0, 1)))
        projection = ops.cast(self.projection, x_LBP.dtype)
        ends = [self.cells * gate for gate in (1, 2, 3, 4)]

        def step(state, inputs_2BG):
            h_2BP, c_2BM = state
            gates_2BG = inputs_2BG + ops.matmul(h_2BP, recurrent)
            into, forget, new, out, keep_2B1 = ops.split(gates_2BG, ends, axis=-1)
            c_2BM = ops.sigmoid(forget) * c_2BM + ops.sigmoid(into) * ops.tanh(new)
            h_2BP = ops.matmul(ops.sigmoid(out) * ops.tanh(c_2BM), projection)
            return (h_2BP * keep_2B1, c_2BM * keep_2B1), (h_2BP, c_2BM)

        start = tuple(ops.zeros((2, batch, n), x_LBP.dtype) for n in (width, self.cells))
        _, (h_LBP, _) = ops.scan(step, start, inputs_LBG)
        return h_LBP

    def skip(self, x, context):
        """What stands in for the layer where it is skipped: x itself."""
        return x, None


class LayerMix(keras.layers.Layer):
    """All layers of an encoder mixed: gamma sum_j softmax(s)_j h_j (Peters et al. 2018, eq. 1).

    Args:
      count: int, of layers, the embeddings among them.
    """

    def __init__(self, count, **kwargs):
        super().__init__(**kwargs)
        self.count = count

    def build(self, shape=None):
        self.scores = self.add_weight(name="scores", shape=(self.count,), initializer="zeros")
        self.gamma = self.add_weight(name="gamma", shape=(1,), initializer="ones")

    def call(self, layers):
        """list of float [X, D], the lowest first -> float [X, D]."""
        shares = ops.softmax(ops.cast(self.scores, "float32")) * ops.cast(self.gamma, "float32")
        shares = ops.cast(shares, layers[0].dtype)
        return sum(shares[place] * layer for place, layer in enumerate(layers))


def _turned(x_LBP):
    """The second direction [L, B, P] of [L, 2, B, P] in reverse."""
    return ops.stack([x_LBP[:, 0], ops.flip(x_LBP[:, 1], axis=0)], axis=1)


def _forget_bias(shape, dtype=None):
    """Ones for the second of four gates, zeros for the others."""
    gate = ops.repeat(ops.array([0.0, 1.0, 0.0, 0.0], dtype), shape[-1] // 4)
    return ops.tile(gate[None], (shape[0], 1))
