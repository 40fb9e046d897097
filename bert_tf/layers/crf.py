"""A linear-chain conditional random field over the labels of a row (Lafferty et al. 2001)."""

import keras
from keras import ops

from bert_tf.layers.masks import LOWEST

# The scores of transitions are the weights times this: an optimizer such as Adam moves each weight
# by about its rate, and that of an encoder would leave transitions where they are.
_SCALE = 100.0


class CRF(keras.layers.Layer):
    """Scores of label sequences: emissions, transitions, and what a row begins and ends with.

    s(y) = start[y_1] + sum_t emissions[t, y_t] + sum_t transitions[y_t-1, y_t] + end[y_n], over the
    places that a mask names, which need not lie side by side; the probability of y is exp(s(y)) / Z
    (Lample et al. 2016, section 2.2).

    Args:
      num_labels: int, K.
      allowed: (starts [K], transitions [K][K], ends [K]) of bool, what `decode` may choose; None:
        everything.
    """

    def __init__(self, num_labels, allowed=None, **kwargs):
        super().__init__(**kwargs)
        self.num_labels, self.allowed = num_labels, allowed

    def build(self, shape=None):
        count = self.num_labels
        zeros = {"initializer": "zeros", "dtype": "float32"}
        self.starts = self.add_weight(name="starts", shape=(count,), **zeros)
        self.transitions = self.add_weight(name="transitions", shape=(count, count), **zeros)
        self.ends = self.add_weight(name="ends", shape=(count,), **zeros)

    def scores(self, whole=False):
        """starts [K], transitions [K, K] (a row a label, a column the next one) and ends [K].

        Args:
          whole: bool, with what is not allowed very low.
        """
        found = [
            _SCALE * ops.cast(x, "float32") for x in (self.starts, self.transitions, self.ends)
        ]
        if whole and self.allowed is not None:
            barred = [ops.where(ops.convert_to_tensor(x), 0.0, LOWEST) for x in self.allowed]
            found = [score + bar for score, bar in zip(found, barred, strict=True)]
        return found

    def log_partition(self, emissions_BLK, mask_BL):
        """log Z of each row, by the forward algorithm (Rabiner 1989, section III A).

        Args:
          emissions_BLK: float32.
          mask_BL: bool, the places that count.
        Returns:
          float32 [B], 0 for a row without any.
        """
        starts_K, transitions_KK, ends_K = self.scores()

        def step(place, carry):
            alpha_BK, begun_B1, level_B1 = carry
            there_B1 = mask_BL[:, place, None]
            arrived_BK = ops.logsumexp(alpha_BK[:, :, None] + transitions_KK[None], axis=1)
            new_BK = ops.where(begun_B1, arrived_BK, starts_K[None]) + emissions_BLK[:, place]
            # Kept near 0: over hundreds of places the sums would lose their last digits.
            top_B1 = ops.stop_gradient(ops.max(new_BK, axis=-1, keepdims=True))
            alpha_BK = ops.where(there_B1, new_BK - top_B1, alpha_BK)
            return alpha_BK, begun_B1 | there_B1, level_B1 + ops.where(there_B1, top_B1, 0.0)

        level_B1 = ops.zeros_like(ops.sum(emissions_BLK, axis=1))[:, :1]
        alpha_BK, begun_B1, level_B1 = self._over_places(step, emissions_BLK, mask_BL, level_B1)
        total_B = level_B1[:, 0] + ops.logsumexp(alpha_BK + ends_K, axis=-1)
        return ops.where(begun_B1[:, 0], total_B, 0.0)

    def path_score(self, emissions_BLK, labels_BL, mask_BL):
        """s(y) of a sequence of labels, float32 [B]; arguments as `log_partition`, labels int."""
        starts_K, transitions_KK, ends_K = self.scores()
        there_BL1 = ops.cast(mask_BL, "float32")[:, :, None]
        labels_BLK = ops.one_hot(ops.where(mask_BL, labels_BL, 0), self.num_labels) * there_BL1
        # The label before each place, zeros where there is none: the last one that counts.
        length = ops.shape(mask_BL)[1]
        rank_BL = ops.cumsum(ops.cast(mask_BL, "int32"), axis=1)
        earlier_BLT = (rank_BL[:, None, :] == rank_BL[:, :, None] - 1) & mask_BL[:, None, :]
        before_BLK = ops.matmul(ops.cast(earlier_BLT, "float32"), labels_BLK)
        rows_BLK = emissions_BLK + ops.matmul(before_BLK, transitions_KK)
        rows_BLK = rows_BLK + ops.where((rank_BL == 1)[:, :, None], starts_K, 0.0)
        last_BL = rank_BL == rank_BL[:, length - 1 :]
        rows_BLK = rows_BLK + ops.where(last_BL[:, :, None], ends_K, 0.0)
        return ops.sum(rows_BLK * labels_BLK, axis=(1, 2))

    def negative_log_likelihood(self, emissions_BLK, labels_BL, mask_BL):
        """-log p(y) of each row, float32 [B]; arguments as `path_score`."""
        score_B = self.path_score(emissions_BLK, labels_BL, mask_BL)
        return self.log_partition(emissions_BLK, mask_BL) - score_B

    def decode(self, emissions_BLK, mask_BL):
        """The sequence with the highest score (Viterbi 1967; Rabiner 1989, section III B).

        Args: as `log_partition`.
        Returns:
          int32 [B, L]; of no meaning where the mask is False.
        """
        starts_K, transitions_KK, ends_K = self.scores(whole=True)
        same_K = ops.arange(self.num_labels, dtype="int32")
        length = ops.shape(emissions_BLK)[1]

        def forward(place, carry):
            best_BK, begun_B1, origins_LBK = carry
            there_B1 = mask_BL[:, place, None]
            paths_BKK = best_BK[:, :, None] + transitions_KK[None]
            new_BK = ops.where(begun_B1, ops.max(paths_BKK, axis=1), starts_K[None])
            new_BK = new_BK + emissions_BLK[:, place]
            origin_BK = ops.cast(ops.argmax(paths_BKK, axis=1), "int32")
            origin_BK = ops.where(begun_B1 & there_B1, origin_BK, same_K[None])
            origins_LBK = ops.scatter_update(origins_LBK, _at(place), origin_BK[None])
            return ops.where(there_B1, new_BK, best_BK), begun_B1 | there_B1, origins_LBK

        def backward(step, carry):
            label_B, labels_LB = carry
            place = length - 1 - step
            labels_LB = ops.scatter_update(labels_LB, _at(place), label_B[None])
            before_B1 = ops.take_along_axis(origins_LBK[place], label_B[:, None], axis=1)
            return before_B1[:, 0], labels_LB

        origins_LBK = ops.cast(ops.zeros_like(ops.transpose(emissions_BLK, (1, 0, 2))), "int32")
        best_BK, _, origins_LBK = self._over_places(forward, emissions_BLK, mask_BL, origins_LBK)
        last_B = ops.cast(ops.argmax(best_BK + ends_K, axis=-1), "int32")
        labels_LB = ops.zeros_like(origins_LBK[:, :, 0])
        _, labels_LB = ops.fori_loop(0, length, backward, (last_B, labels_LB))
        return ops.transpose(labels_LB)

    def _over_places(self, step, emissions_BLK, mask_BL, *further):
        """A loop over the places; it carries scores [B, K], and whether a row has begun [B, 1]."""
        begun_B1 = ops.any(mask_BL, axis=1, keepdims=True) & False
        scores_BK = ops.zeros_like(ops.sum(emissions_BLK, axis=1))
        return ops.fori_loop(0, ops.shape(emissions_BLK)[1], step, (scores_BK, begun_B1, *further))


def _at(place):
    """One place of the first axis, as `ops.scatter_update` wants it."""
    return ops.reshape(ops.cast(place, "int32"), (1, 1))
