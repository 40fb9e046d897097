"""Predicting masked words: the logits, the loss and the accuracy, for every task that masks."""

from keras import ops


def masked_word_logits(head, word_embeddings, sequence_output, masked_positions=None):
    """What a masked-LM head says of every position, or of the masked ones alone.

    The masked positions are gathered first: the product with the vocabulary is the dearest of all.

    Args:
      head: the encoder family's masked-LM head, float [X, D] and the table [V, E] -> [X, V].
      word_embeddings: float [V, E], the encoder's table, which is the output matrix too.
      sequence_output: float [B, L, D].
      masked_positions: int [B, P]; None for all of them.
    Returns:
      float32 [B, P, V], or [B, L, V].
    """
    if masked_positions is not None:
        sequence_output = ops.take_along_axis(sequence_output, masked_positions[:, :, None], axis=1)
    shape = ops.shape(sequence_output)
    rows_XD = ops.reshape(sequence_output, (-1, sequence_output.shape[-1]))
    logits_XV = head(rows_XD, word_embeddings)
    return ops.reshape(logits_XV, (shape[0], shape[1], logits_XV.shape[-1]))


def masked_word_weights(labels, sample_weight=None):
    """What each masked word counts for, float32 [B, P]; 0 is filling.

    Args:
      labels: dict with `masked_weights` float [B, P].
      sample_weight: float [B] or None, a factor for each row.
    """
    weights_BP = ops.cast(labels["masked_weights"], "float32")
    if sample_weight is None:
        return weights_BP
    return weights_BP * ops.cast(sample_weight, "float32")[:, None]


def masked_word_loss(logits, labels, sample_weight=None):
    """Cross-entropy of the words that were masked, as (sum, weight), float32 scalars.

    Args:
      logits: float32 [B, P, V].
      labels: dict of `masked_ids` int [B, P] and `masked_weights` float [B, P].
      sample_weight: float [B] or None.
    """
    weights_BP = masked_word_weights(labels, sample_weight)
    losses_BP = ops.sparse_categorical_crossentropy(labels["masked_ids"], logits, from_logits=True)
    return ops.sum(losses_BP * weights_BP), ops.sum(weights_BP)


def masked_word_accuracy(logits, labels, sample_weight=None):
    """How often the masked word has the highest logit, as (sum, weight); see `masked_word_loss`."""
    weights_BP = masked_word_weights(labels, sample_weight)
    chosen_BP = ops.argmax(logits, axis=-1)
    right_BP = ops.cast(chosen_BP == ops.cast(labels["masked_ids"], chosen_BP.dtype), "float32")
    return ops.sum(right_BP * weights_BP), ops.sum(weights_BP)
