"""Rotary positions: query and key are turned by an angle that grows with their place."""

import dataclasses
import functools

import keras
from keras import ops

from bert_tf.layers.attention import MultiHeadAttention, attend
from bert_tf.layers.bands import Bands, all_pairs, blocks_of, make_bands, rows_of, with_neighbours
from bert_tf.layers.dropout import fold_in
from bert_tf.layers.long_attention import attend_by_parts


def rotary_table(position_ids, width, theta):
    """Cosines and sines of the angles by which the pairs of a head's numbers are turned.

    The pair i of a head of H numbers is turned by p / theta^(2i / H) at position p (Su et al. 2021,
    arXiv 2104.09864, section 3.4.2).

    Args:
      position_ids: int [B, L].
      width: int, H, even.
      theta: float.
    Returns:
      (cosines, sines), each float32 [B, 1, L, H / 2].
    """
    powers = [theta ** (2 * pair / width) for pair in range(width // 2)]
    rates = 1.0 / ops.convert_to_tensor(powers, "float32")
    angles = ops.cast(position_ids, "float32")[:, None, :, None] * rates
    return ops.cos(angles), ops.sin(angles)


def rotate(x_BNLH, table):
    """Each head's numbers turned in pairs, of which the first half holds one number and the second
    half the other (EleutherAI/gpt-neox, `apply_rotary_pos_emb`).

    Args:
      x_BNLH: float.
      table: what `rotary_table` gave. The product is taken in float32 under every precision.
    Returns:
      A tensor like `x_BNLH`.
    """
    cosines, sines = table
    one, other = ops.split(ops.cast(x_BNLH, "float32"), 2, axis=-1)
    turned = ops.concatenate(
        [one * cosines - other * sines, other * cosines + one * sines], axis=-1
    )
    return ops.cast(turned, x_BNLH.dtype)


@dataclasses.dataclass(frozen=True, eq=False)
class Rotary:
    """What rotary attention is told of positions, the same in all layers of a forward pass.

    Attributes:
      whole: what `rotary_table` gave for layers that see the whole row.
      local: the same for layers that see a window of it.
      bands: Bands, of those layers.
      groups: int [B, L], positions of equal number see each other.
    """

    whole: tuple
    local: tuple
    bands: Bands
    groups: object


class RotaryPositions(keras.layers.Layer):
    """Tells a Context of the tables and bands of a forward pass; has no weights.

    Args:
      width: int, H of a head.
      theta, local_theta: float, of layers that see the whole row, and of those that see a window.
      window: int, how far the latter see to either side.
    """

    def __init__(self, width, theta, local_theta, window, **kwargs):
        super().__init__(**kwargs)
        self.table = functools.partial(rotary_table, width=width, theta=theta)
        self.local_table = functools.partial(rotary_table, width=width, theta=local_theta)
        self.window = window

    def build(self, shape=None):
        """Nothing is to be built."""
        self.built = True

    def tell(self, context, position_ids, groups):
        """The Context with a Rotary.

        Args:
          context: Context.
          position_ids: int [B, L]; None means 0, 1, 2, ... in every row.
          groups: int [B, L], positions of equal number see each other.
        """
        if position_ids is None:
            # For every row, as if given: a table of another shape may differ in the last bit.
            places = ops.arange(context.length, dtype="int32")[None]
            position_ids = ops.broadcast_to(places, (context.batch, context.length))
        told = Rotary(
            self.table(position_ids),
            self.local_table(position_ids),
            make_bands(groups, self.window),
            groups,
        )
        return dataclasses.replace(context, positions=told)


class RotaryAttention(MultiHeadAttention):
    """Self-attention whose scores know how far apart two positions are: query and key are turned.

    Args: as MultiHeadAttention.
    """

    def call(self, x, context, key=None):
        """As MultiHeadAttention; outside training, where the Context wants no probabilities, they
        are None and long rows are attended to in parts."""
        if key is not None or context.wants_probs or context.first_only:
            return super().call(x, context, key)
        return self.merge(attend_by_parts(*self.heads(x, context), context.positions.groups)), None

    def heads(self, x, context):
        """As in MultiHeadAttention, query and key turned."""
        query_BNFH, key_BNFH, value_BNFH = super().heads(x, context)
        table = self.table(context.positions)
        return rotate(query_BNFH, table), rotate(key_BNFH, table), value_BNFH

    @staticmethod
    def table(told):
        """The table of these layers in a Rotary."""
        return told.whole


class LocalAttention(RotaryAttention):
    """The same where each position sees those at most `window` places away (Beltagy et al. 2020,
    arXiv 2004.05150, figure 2b): work and memory grow with the length of a row, not its square.

    Args:
      window: int.
      Others as in RotaryAttention.
    """

    def __init__(self, *args, window, **kwargs):
        super().__init__(*args, **kwargs)
        self.window = window

    @staticmethod
    def table(told):
        """The table of these layers in a Rotary."""
        return told.local

    def call(self, x, context, key=None):
        """As MultiHeadAttention; a Context's bias is left aside, and the probabilities are None
        where it does not want them."""
        heads, options = self.heads(x, context), (self.dropout_rate, fold_in(key, 0))
        if context.first_only:
            query, *others = heads
            seen = [part[:, :, : self.window + 1] for part in others]
            mask = context.mask if context.mask is None else context.mask[..., : self.window + 1]
            attended_BN1H, probs = attend(query[:, :, :1], *seen, mask, None, *options)
            unseen = context.length - ops.shape(seen[0])[2]
            return self.merge(attended_BN1H), ops.pad(probs, [(0, 0)] * 3 + [(0, unseen)])
        bands = context.positions.bands
        query, *others = [blocks_of(part, bands) for part in heads]
        around = [with_neighbours(part, bands) for part in others]
        attended, probs = attend(query, *around, bands.mask, None, *options)
        probs = all_pairs(probs, bands) if context.wants_probs else None
        return self.merge(rows_of(attended, bands)), probs
