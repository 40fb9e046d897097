"""Low-rank updates of the linear layers in a block, which itself stays as it is (LoRA)."""

import keras
from keras import ops

from bert_tf.layers.linear import Linear, updated

# Name of a linear layer in a block -> what its columns are, part by part.
PARTS = {
    "qkv": ("query", "key", "value"),
    "query_key": ("query", "key"),
    "key_value": ("key", "value"),
    "query": ("query",),
    "value": ("value",),
    "projection": ("attention_output",),
    "expand": ("intermediate",),
    "contract": ("output",),
}


def adaptable(block):
    """The linear layers in a block that may be updated, with the names of their parts.

    Args:
      block: layer that is built.
    Returns:
      list of (Linear, tuple of str).
    """
    found = []
    for name, value in vars(block).items():
        if name.startswith("_"):
            continue
        for layer in value if isinstance(value, list | tuple) else [value]:
            if isinstance(layer, Linear):
                whole = name in PARTS and layer.kernel is not None
                found += [(layer, PARTS[name])] if whole else []
            elif isinstance(layer, keras.layers.Layer):
                found += adaptable(layer)
    return found


class LowRank(keras.layers.Layer):
    """alpha / rank times (x down) up, for some parts of a linear layer's columns; nothing at first
    (Hu et al. 2021, arXiv 2106.09685, section 4.1).

    Args:
      linear: Linear whose product this is added to.
      parts: tuple of str, all its parts, of equal width.
      chosen: list of str, those that are updated, each by a product of its own.
      rank: int, r.
      alpha: float.
    """

    def __init__(self, linear, parts, chosen, rank, alpha):
        super().__init__(dtype=linear.dtype_policy)
        self.parts, self.chosen = parts, [part for part in parts if part in chosen]
        self.rank, self.alpha = rank, alpha
        width_in, width_out = linear.kernel.shape
        # As the authors' code (microsoft/LoRA, loralib/layers.py).
        initial = keras.initializers.RandomUniform(-(width_in**-0.5), width_in**-0.5)
        count, of_part = len(self.chosen), width_out // len(parts)
        self.down = self.add_weight((width_in, count * rank), initial, name="down")
        self.up = self.add_weight((count, rank, of_part), "zeros", name="up")
        self.built = True

    def call(self, x):
        """float [X, width in] -> float [X, width out]."""
        return ops.matmul(ops.matmul(x, self.down), self._up()) * (self.alpha / self.rank)

    def product(self):
        """What the update adds to the kernel, float32 [width in, width out]."""
        return ops.matmul(self.down, self._up()) * (self.alpha / self.rank)

    def _up(self):
        """The parts' matrices side by side, each in rows of its own: [r * chosen, width out]."""
        columns, last = [], len(self.chosen) - 1
        for part in self.parts:
            if part in self.chosen:
                place = self.chosen.index(part)
                above, below = place * self.rank, (last - place) * self.rank
                columns.append(ops.pad(self.up[place], ((above, below), (0, 0))))
            else:
                columns.append(ops.zeros(((last + 1) * self.rank, self.up.shape[2]), self.up.dtype))
        return ops.concatenate(columns, axis=1) if len(columns) > 1 else columns[0]


class LowRankBlock(keras.layers.Layer):
    """A block with updates of its linear layers, called as `EncoderBlock`.

    Args:
      block: layer that is built.
      updates: list of (Linear, LowRank), layers in it and what is added to their products.

    Attributes:
      linears, updates: lists, the layers that are updated and their LowRanks.
    """

    def __init__(self, block, updates):
        super().__init__(dtype=block.dtype_policy)
        self.block = block
        self.linears = [linear for linear, _ in updates]
        self.updates = [update for _, update in updates]
        self.built = True

    def call(self, x, context, key=None):
        """As `EncoderBlock.call`."""
        pairs = zip(self.linears, self.updates, strict=True)
        with updated({id(linear): update for linear, update in pairs}):
            return self.block(x, context=context, key=key)

    def skip(self, x, context):
        """As `EncoderBlock.skip`."""
        return self.block.skip(x, context)

    def merge(self):
        """Adds the updates to the kernels, and begins anew with none."""
        for linear, update in zip(self.linears, self.updates, strict=True):
            linear.kernel.assign_add(update.product())
            update.up.assign(ops.zeros(update.up.shape))
