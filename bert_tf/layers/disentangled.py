"""Disentangled attention: what a word says and where it stands are two vectors."""

import dataclasses
import math

import keras
from keras import ops

from bert_tf.layers.attention import MultiHeadAttention, attend
from bert_tf.layers.dropout import dropout, fold_in
from bert_tf.layers.linear import Linear, with_own_seed
from bert_tf.layers.normalization import LayerNorm


@dataclasses.dataclass(frozen=True, eq=False)
class Relative:
    """What disentangled attention is told of positions, the same in all layers of a forward pass.

    Attributes:
      rows: (int, int), the first of the Context's vectors that rows of this length need, and the
        last and one.
      places: int [2L - 1], which of these belong to the distances L - 1 to 1 - L (query less key).
      groups: int [B, L], positions of equal number see each other.
    """

    rows: tuple
    places: object
    groups: object


def log_bucket_edges(buckets, furthest):
    """From which distances on relative positions share a bucket.

    Up to M = buckets // 2 each distance has its own; a distance d beyond has the bucket M +
    ceil((M - 1) log(d / M) / log((furthest - 1) / M)) (microsoft/DeBERTa,
    `make_log_bucket_position`).

    Args:
      buckets: int, 2 or more.
      furthest: int, more than M + 1.
    Returns:
      list of int, not falling: the bucket of d is M and how many of these are less than d. They go
      beyond `furthest` as far as there are rows for buckets.
    """
    half = buckets // 2
    if half == 1:
        return [2**30]  # what is further than 1 has the bucket 1, however far
    growth = ((furthest - 1) / half) ** (1 / (half - 1))
    edges = [half * growth**step for step in range(half + 2)]
    # A whole number that the root missed by its rounding.
    return [round(x) if abs(x - round(x)) < 1e-6 * x else math.floor(x) for x in edges]


class RelativePositions(keras.layers.Layer):
    """The vectors of distances, and which of them belong to the distances in a row.

    Args:
      span: int, how many distances to either side have a vector; 0: there are no vectors.
      width: int, D.
      furthest: int, distances from there on are alike; None: each up to `span` has its own.
      epsilon: float, of a normalization of the vectors; None: there is none.
      initializer: of the vectors.
    """

    def __init__(self, span, width, furthest=None, epsilon=None, initializer=None, **kwargs):
        super().__init__(**kwargs)
        self.span, self.width = span, width
        self.edges = None if furthest is None else log_bucket_edges(span, furthest)
        self.initializer = initializer
        self.norm = None if epsilon is None else LayerNorm(epsilon, dtype=self.dtype_policy)
        self.vectors = None

    def build(self, shape=None):
        if self.span:
            self.vectors = self.add_weight(
                name="vectors",
                shape=(2 * self.span, self.width),
                initializer=with_own_seed(self.initializer),
                autocast=False,
            )
        if self.norm is not None:
            self.norm.build((None, self.width))

    def tell(self, context, position_ids, groups):
        """The Context with a Relative and the vectors, as `RotaryPositions.tell`.

        Distances are counted in a row, whatever `position_ids` say.
        """
        if not self.span:
            return dataclasses.replace(context, positions=Relative((0, 0), None, groups))
        vectors = ops.convert_to_tensor(self.vectors)
        vectors = ops.cast(vectors, self.compute_dtype) if self.norm is None else self.norm(vectors)
        distances = context.length - 1 - ops.arange(2 * context.length - 1, dtype="int32")
        places = ops.clip(self.buckets(distances) + self.span, 0, 2 * self.span - 1)
        rows = self._rows(context.length)
        told = Relative(rows, places - rows[0], groups)
        return dataclasses.replace(context, positions=told, vectors=vectors)

    def buckets(self, distances):
        """The signed buckets of distances, int32 [...]."""
        if self.edges is None:
            return distances
        size, half = ops.abs(distances), self.span // 2
        beyond = ops.searchsorted(ops.convert_to_tensor(self.edges, "int32"), size, side="left")
        bucket = half + ops.cast(beyond, "int32")
        return ops.where(size <= half, distances, ops.sign(distances) * bucket)

    def _rows(self, length):
        """The first row that rows of a length need, and the last and one; all of them where the
        length is known to the graph alone."""
        if not isinstance(length, int):
            return 0, 2 * self.span
        reach = length - 1
        if self.edges is not None and reach > self.span // 2:
            reach = self.span // 2 + sum(edge < length - 1 for edge in self.edges)
        return max(0, self.span - reach), min(2 * self.span, self.span + reach + 1)


def by_distance(scores_NBFR):
    """Scores of queries and distances as those of queries and keys.

    Args:
      scores_NBFR: float [N, B, L, 2L - 1], for the distances L - 1, ..., 1 - L from query to key.
    Returns:
      float [N, B, L, L]: of query f and key t, that of distance f - t.
    """
    heads, batch, length, distances = ops.shape(scores_NBFR)
    # With one more column, each row of the flat tensor begins one place later than it should.
    padded = ops.pad(scores_NBFR, [(0, 0), (0, 0), (0, 0), (0, 1)])
    flat = ops.reshape(padded, (heads, batch, 2 * length * length))
    flat = flat[:, :, length - 1 : length - 1 + length * distances]
    return ops.reshape(flat, (heads, batch, length, distances))[..., :length]


class DisentangledAttention(MultiHeadAttention):
    """Self-attention whose scores are sums: of what two words say, of what one says and how far the
    other is, or both (He et al. 2021, arXiv 2006.03654, eq. 4).

    Within it heads are the first axis: the vectors of distances are those of all rows, and no
    product has to repeat them for each.

    Args:
      num_heads, dropout_rate, initializer: as in MultiHeadAttention.
      kinds: tuple of "c2p" (what the query says, where the key is) and "p2c" (the other way round).
      own_projections: bool, whether distances have kernels of their own, or those of the words.
      vector_dropout_rate: float, on the vectors of distances.
    """

    def __init__(
        self,
        num_heads,
        dropout_rate=0.0,
        initializer=None,
        kinds=(),
        own_projections=False,
        vector_dropout_rate=0.0,
        **kwargs,
    ):
        super().__init__(num_heads, dropout_rate, initializer, **kwargs)
        self.kinds, self.own_projections = kinds, own_projections
        self.vector_dropout_rate = vector_dropout_rate
        self.position_key = self.position_query = None

    def build(self, shape):
        super().build(shape)
        if self.own_projections:
            names = {"c2p": "position_key", "p2c": "position_query"}
            for name in (names[kind] for kind in self.kinds):
                layer = Linear(shape[-1], self.initializer, dtype=self.dtype_policy)
                layer.build((None, shape[-1]))
                setattr(self, name, layer)

    def call(self, x, context, key=None):
        """As MultiHeadAttention; a Context's bias is left aside, and the probabilities are None
        where it does not want them."""
        query_NBFH, key_NBTH, value_NBTH = (
            ops.swapaxes(part, 0, 1) for part in self.heads(x, context)
        )
        # The sum of so many scores is divided by the root of their number, too.
        query_NBFH = query_NBFH * (1 + len(self.kinds)) ** -0.5
        if context.first_only:
            query_NBFH = query_NBFH[:, :, :1]
        bias_NBFT, mask = None, context.mask
        if context.vectors is not None and self.kinds:
            bias_NBFT = self.bias(query_NBFH, key_NBTH, context, fold_in(key, 4))
        attended_NBFH, probs_NBFT = attend(
            query_NBFH,
            key_NBTH,
            value_NBTH,
            mask if mask is None else ops.swapaxes(mask, 0, 1),
            bias_NBFT,
            self.dropout_rate,
            fold_in(key, 0),
        )
        probs = ops.swapaxes(probs_NBFT, 0, 1) if context.wants_probs else None
        return self.merge(ops.swapaxes(attended_NBFH, 0, 1)), probs

    def bias(self, query_NBFH, key_NBTH, context, key):
        """The scores that know of distances, as `attend` adds them.

        Args:
          query_NBFH: float, divided by the root of the number of scores.
          key_NBTH: float.
          context: Context with a Relative and vectors.
          key: integer [2] or None, for dropout.
        Returns:
          float [N, B, F, T].
        """
        # Of all vectors, so that what is dropped does not depend on the length of the rows.
        vectors_RD = dropout(context.vectors, self.vector_dropout_rate, key)
        first, last = context.positions.rows
        vectors_RD = vectors_RD[first:last]
        places, width = context.positions.places, key_NBTH.shape[-1]
        if context.first_only:  # the distances 0, -1, -2, ... alone
            places = places[context.length - 1 :]
        total = 0.0
        if "c2p" in self.kinds:
            position_NRH = self._projected(vectors_RD, 1, self.position_key, places)
            scores = _products(query_NBFH * width**-0.5, position_NRH)
            total = scores if context.first_only else by_distance(scores)
        if "p2c" in self.kinds:
            # From the key: its distance to the query is the other way round.
            places = places if context.first_only else ops.flip(places, axis=0)
            position_NRH = self._projected(vectors_RD, 0, self.position_query, places)
            position_NRH = position_NRH * (width * (1 + len(self.kinds))) ** -0.5
            if context.first_only:
                total = total + ops.sum(key_NBTH * position_NRH[:, None], axis=-1)[:, :, None]
            else:
                scores = by_distance(_products(key_NBTH, position_NRH))
                total = total + ops.swapaxes(scores, -1, -2)
        return total

    def _projected(self, vectors_RD, part, own, places):
        """The vectors of distances as queries (part 0) or keys (1) of the heads, [N, places, H]."""
        width = vectors_RD.shape[-1]
        if own is None:
            some = slice(part * width, (part + 1) * width)
            projected_RD = self.qkv.columns(vectors_RD, some)
        else:
            projected_RD = own(vectors_RD)
        rows = ops.take(projected_RD, places, axis=0)
        shape = (-1, self.num_heads, width // self.num_heads)
        return ops.transpose(ops.reshape(rows, shape), (1, 0, 2))


def _products(x_NBFH, position_NRH):
    """[N, B, F, R], of all rows at once: TensorFlow 2.21 crashes in some products of matrices that
    it has to repeat, such as [4, 1, 70, 64] with [1, 64, 139]."""
    heads, batch, length, width = ops.shape(x_NBFH)
    flat = ops.reshape(x_NBFH, (heads, batch * length, width))
    scores = ops.matmul(flat, ops.swapaxes(position_NRH, -1, -2))
    return ops.reshape(scores, (heads, batch, length, ops.shape(position_NRH)[1]))
