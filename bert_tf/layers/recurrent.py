"""Layers that read one position after the other: LSTMs, and a decoder of them that attends."""

import dataclasses

import keras
from keras import ops

from bert_tf.layers.dropout import dropout, fold_in
from bert_tf.layers.linear import Linear, with_own_seed
from bert_tf.layers.masks import MASKED_SCORE, goes_on

# How well a word's state fits a position of the source (Luong et al. 2015, eq. 8).
SCORES = ("dot", "general", "concat")


class LSTMCell(keras.layers.Layer):
    """One layer of long short-term memory (Hochreiter & Schmidhuber 1997; Gers et al. 2000).

    Its forget gate begins with 1 added to it, as in the cells of Zaremba et al. 2014.

    Args:
      width: int, D.
      initializer: of the kernels.
    """

    def __init__(self, width, initializer=None, **kwargs):
        super().__init__(**kwargs)
        self.width, self.initializer = width, initializer
        self.input_gates = Linear(4 * width, initializer, dtype=self.dtype_policy)

    def build(self, shape):
        self.input_gates.build(shape)
        self.recurrent = self.add_weight(
            name="recurrent",
            shape=(self.width, 4 * self.width),
            initializer=with_own_seed(self.initializer),
        )

    def step(self, gates, hidden, cell):
        """The states behind one more position.

        Args:
          gates: float [B, 4D], what `input_gates` gave of the position.
          hidden, cell: float [B, D], the states before it.
        Returns:
          The same two, float [B, D].
        """
        gates = gates + ops.matmul(hidden, ops.cast(self.recurrent, hidden.dtype))
        enter, forget, new, leave = ops.split(gates, 4, axis=-1)
        cell = ops.sigmoid(forget + 1.0) * cell + ops.sigmoid(enter) * ops.tanh(new)
        return ops.sigmoid(leave) * ops.tanh(cell), cell


class Beginnings(keras.layers.Layer):
    """Tells blocks where a row's text goes on: what is packed behind another text begins anew."""

    def tell(self, context, position_ids, groups):
        """The context with, as `positions`, bool [B, L]: whether a position follows the one before.

        Args:
          context: Context.
          position_ids: int [B, L] or None; here they decide nothing.
          groups: int [B, L], the encoder's `attention_mask`.
        """
        return dataclasses.replace(context, positions=goes_on(groups))


class LSTMBlock(keras.layers.Layer):
    """A layer of an encoder that reads its rows from left to right.

    Args:
      width: int, D.
      dropout_rate: float, on what it reads (Zaremba et al. 2014, section 3).
      initializer: of the kernels.
    """

    def __init__(self, width, dropout_rate=0.0, initializer=None, **kwargs):
        super().__init__(**kwargs)
        self.dropout_rate = dropout_rate
        self.cell = LSTMCell(width, initializer, dtype=self.dtype_policy)

    def build(self, shape):
        self.cell.build(shape)

    def call(self, x, context, key=None):
        """As `EncoderBlock.call`; there are no heads, and no probabilities.

        Args:
          x: float [B * F, D]; context: Context with the `positions` of `Beginnings`.
          key: integer [2] or None, for dropout.
        """
        width = self.cell.width
        gates = self.cell.input_gates(dropout(x, self.dropout_rate, fold_in(key, 1)))
        # One tensor, since Keras' scan takes no two of unknown length.
        kept = ops.cast(ops.reshape(context.positions, (-1, 1)), gates.dtype)
        read_FBX = _by_place(ops.concatenate([gates, kept], axis=-1), context)

        def step(states, read):
            kept = [state * read[:, -1:] for state in states]
            states = self.cell.step(read[:, :-1], *kept)
            return states, states

        nothing = ops.zeros((context.batch, width), gates.dtype)
        _, (hidden_FBD, _) = ops.scan(step, (nothing, nothing), read_FBX)
        return context.going_on(_flat(hidden_FBD)), no_heads(context)

    def skip(self, x, context):
        """What stands in for the block where it is skipped."""
        return context.going_on(x), no_heads(context)


class AttentiveLSTM(keras.layers.Layer):
    """A stack of LSTMs whose last state attends to an encoder (Luong et al. 2015, 3.1 and 3.3).

    The states begin as a linear layer makes them of the memory's last vector. (Luong et al. copy
    the encoder's states, which only an encoder of as many LSTMs has.)

    Args:
      width: int, D.
      layers: int, LSTMs of the stack.
      score: one of SCORES.
      input_feeding: bool, whether each step reads the attentional vector of the one before.
      dropout_rate: float, on what each LSTM reads, and on what the stack gives.
      initializer: of the kernels.
    """

    def __init__(
        self,
        width,
        layers,
        score="general",
        input_feeding=True,
        dropout_rate=0.0,
        initializer=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.width, self.score, self.input_feeding = width, score, input_feeding
        self.dropout_rate, self.initializer = dropout_rate, initializer
        policy = self.dtype_policy
        self.cells = [LSTMCell(width, initializer, dtype=policy) for _ in range(layers)]
        self.bridge = Linear(2 * layers * width, initializer, dtype=policy)
        self.combine = Linear(width, initializer, use_bias=False, dtype=policy)
        self.feed = self.score_kernel = self.score_vector = None
        if input_feeding:
            self.feed = Linear(4 * width, initializer, use_bias=False, dtype=policy)

    def build(self, shape):
        width = self.width
        for part in (*self.cells, self.bridge, *([self.feed] if self.feed is not None else [])):
            part.build((None, width))
        self.combine.build((None, 2 * width))
        initial = with_own_seed(self.initializer)
        if self.score != "dot":
            read = 2 * width if self.score == "concat" else width
            self.score_kernel = self.add_weight(
                name="score_kernel", shape=(read, width), initializer=initial
            )
        if self.score == "concat":
            self.score_vector = self.add_weight(
                name="score_vector", shape=(width,), initializer=with_own_seed(self.initializer)
            )

    def call(self, x, context, key=None):
        """The attentional vectors of rows, one position after the other.

        Args:
          x: float [B * F, D].
          context: Context with a `memory`; with a `cache`, () or the tuple that the call before
            gave.
          key: integer [2] or None, for dropout.
        Returns:
          float [B * F, D]; and a pair, no probabilities of its own and those of the memory, float32
          [B, 1, F, S], or with a cache in their place the states, float [B, N, 1, D], and of the
          memory vectors and keys, float [B, 1, S, D], and the mask, float [B, 1, 1, S].
        """
        rate, first = self.dropout_rate, self.cells[0]
        gates = first.input_gates(dropout(x, rate, fold_in(key, 1)))
        states, memory = self._told(context, gates.dtype)

        def step(states, gates):
            place, *states = states
            here = fold_in(fold_in(key, 2), place)
            states = (place + 1, *self._advanced(states, gates, memory, here))
            return states, states

        begin = (ops.zeros((), "int32"), *states)
        last, states_F = ops.scan(step, begin, _by_place(gates, context))
        (_, *states), (_, vector_FBD, *behind) = last, states_F
        out = dropout(_flat(vector_FBD), rate, fold_in(key, 3))
        if context.cache is not None:
            kept = ops.stack(states, axis=1)[:, :, None]
            return context.going_on(out), (kept, *(part[:, None] for part in memory))
        if not context.wants_probs:
            return context.going_on(out), no_heads(context)
        top_BFD = ops.transpose(behind[len(self.cells) - 1], (1, 0, 2))
        probs_BFS = self._shares(top_BFD, memory)[:, None]
        own = no_heads(context)
        return context.going_on(out), own if context.memory is None else (own, probs_BFS)

    def skip(self, x, context):
        """What stands in for the block where it is skipped."""
        return context.going_on(x), no_heads(context)

    def _told(self, context, dtype):
        """The states before the first position, and the memory: vectors, keys and mask."""
        if context.cache:
            states, *memory = context.cache
            return tuple(ops.unstack(states[:, :, 0], 2 * len(self.cells) + 1, axis=1)), tuple(
                part[:, 0] for part in memory
            )
        memory_BSD, mask_BS = context.memory, context.memory_mask
        if memory_BSD is None:
            memory_BSD = ops.zeros((context.batch, 1, self.width), dtype)
            mask_BS = ops.zeros((context.batch, 1), "int32")
        memory_BSD, there_BS = ops.cast(memory_BSD, dtype), ops.cast(mask_BS > 0, dtype)
        length = ops.shape(memory_BSD)[1]
        last_B = ops.max(ops.arange(length) * ops.cast(mask_BS > 0, "int32"), axis=1)
        end_BD = ops.take_along_axis(memory_BSD, last_B[:, None, None], axis=1)[:, 0]
        begun = ops.split(ops.tanh(self.bridge(end_BD)), 2 * len(self.cells), axis=-1)
        keys_BSD = memory_BSD
        if self.score_kernel is not None:
            kernel = ops.cast(self.score_kernel, dtype)[-self.width :]
            keys_BSD = ops.matmul(memory_BSD, kernel)
        states = (ops.zeros_like(end_BD), *begun)
        return states, (memory_BSD, keys_BSD, there_BS[:, None])

    def _advanced(self, states, gates, memory, key):
        """The attentional vector and the states of all LSTMs behind one more position."""
        vector, count = states[0], len(self.cells)
        hidden, cells = list(states[1 : 1 + count]), list(states[1 + count :])
        if self.feed is not None:
            gates = gates + self.feed(vector)
        for number, layer in enumerate(self.cells):
            if number:
                read = dropout(hidden[number - 1], self.dropout_rate, fold_in(key, number))
                gates = layer.input_gates(read)
            hidden[number], cells[number] = layer.step(gates, hidden[number], cells[number])
        shares_B1S = ops.cast(self._shares(hidden[-1][:, None], memory), gates.dtype)
        read_BD = ops.matmul(shares_B1S, memory[0])[:, 0]
        vector = ops.tanh(self.combine(ops.concatenate([read_BD, hidden[-1]], axis=-1)))
        return (vector, *hidden, *cells)

    def _shares(self, hidden_BFD, memory):
        """How much each of F states reads of each vector of the memory, float32 [B, F, S]."""
        _, keys_BSD, there_B1S = memory
        if self.score == "concat":
            kernel = ops.cast(self.score_kernel, hidden_BFD.dtype)[: self.width]
            query_BFD = ops.matmul(hidden_BFD, kernel)
            both_BFSD = ops.tanh(query_BFD[:, :, None] + keys_BSD[:, None])
            vector = ops.cast(self.score_vector, hidden_BFD.dtype)
            scores_BFS = ops.matmul(both_BFSD, vector[:, None])[..., 0]
        else:
            scores_BFS = ops.matmul(hidden_BFD, ops.transpose(keys_BSD, (0, 2, 1)))
        there_B1S = ops.cast(there_B1S, "float32")
        scores_BFS = ops.cast(scores_BFS, "float32") + (1.0 - there_B1S) * MASKED_SCORE
        powers_BFS = ops.exp(scores_BFS - ops.max(scores_BFS, axis=-1, keepdims=True)) * there_B1S
        total_BF1 = ops.sum(powers_BFS, axis=-1, keepdims=True)
        return powers_BFS / ops.where(total_BF1 > 0, total_BF1, 1.0)


def no_heads(context):
    """The probabilities of a layer that has no heads, float32 [B, 0, F, F]."""
    return ops.zeros((context.batch, 0, context.length, context.length), "float32")


def _by_place(x, context):
    """float [B * F, D] -> [F, B, D]."""
    rows = ops.reshape(x, (context.batch, context.length, x.shape[-1]))
    return ops.transpose(rows, (1, 0, 2))


def _flat(x_FBD):
    """float [F, B, D] -> [B * F, D]."""
    return ops.reshape(ops.transpose(x_FBD, (1, 0, 2)), (-1, x_FBD.shape[-1]))
