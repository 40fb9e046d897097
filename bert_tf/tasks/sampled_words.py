"""The softmax over a few words in the place of all of them, for training on large vocabularies."""

from keras import ops

from bert_tf.layers import LOWEST, log_expected
from bert_tf.tasks.masked_words import masked_word_weights


def sampled_word_loss(vectors, table, drawn, labels, sample_weight=None):
    """Cross-entropy of words among themselves and words that were drawn (Jean et al. 2015, arXiv
    1412.2007, section 3.1; TensorFlow's `sampled_softmax_loss`).

    From every logit the logarithm of how often its word is drawn is taken, so that what is learned
    are the logits of the softmax over all. A drawn word counts for nothing where it is the right
    one.

    Args:
      vectors: float [B, P, E], what the output matrix would be multiplied by.
      table: float [V, E], the output matrix, frequent words first.
      drawn: int [S], what `draw_frequent(S, V, key)` gave.
      labels, sample_weight: as `masked_words.masked_word_loss`.
    Returns:
      (sum, weight), float32 scalars.
    """
    size, count, width = table.shape[0], drawn.shape[0], table.shape[1]
    right_X = ops.reshape(ops.cast(labels["masked_ids"], "int32"), (-1,))
    x_XE = ops.reshape(vectors, (-1, width))
    right_XE = ops.cast(ops.take(table, right_X, axis=0), x_XE.dtype)
    drawn_SE = ops.cast(ops.take(table, drawn, axis=0), x_XE.dtype)
    right_X1 = ops.cast(ops.sum(x_XE * right_XE, axis=-1, keepdims=True), "float32")
    others_XS = ops.cast(ops.matmul(x_XE, ops.transpose(drawn_SE)), "float32")
    right_X1 = right_X1 - log_expected(right_X, count, size)[:, None]
    others_XS = others_XS - log_expected(drawn, count, size)
    others_XS = ops.where(drawn[None] == right_X[:, None], LOWEST, others_XS)
    both_XC = ops.concatenate([right_X1, others_XS], axis=1)
    losses_X = ops.logsumexp(both_XC, axis=-1) - right_X1[:, 0]
    weights_BP = masked_word_weights(labels, sample_weight)
    return ops.sum(losses_X * ops.reshape(weights_BP, (-1,))), ops.sum(weights_BP)
