"""Predicting masked words: the logits, the loss and the accuracy, for every task that masks."""

from keras import ops

from bert_tf.layers import LOWEST


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


def candidate_scores(logits, candidates):
    """What a masked-LM head says of candidates for a blank: the mean of their pieces' logits.

    Args:
      logits: float32 [B, S, V], at each blank.
      candidates: int [B, S, n, p], the ids of each candidate's pieces; below 0 there is none.
    Returns:
      float32 [B, S, n], very low for a candidate without pieces.
    """
    shape = ops.shape(candidates)
    ids = ops.reshape(ops.maximum(candidates, 0), (shape[0], shape[1], -1))
    pieces_BSnp = ops.reshape(ops.take_along_axis(logits, ids, axis=-1), shape)
    there_BSnp = ops.cast(candidates >= 0, "float32")
    count_BSn = ops.sum(there_BSnp, axis=-1)
    mean_BSn = ops.sum(pieces_BSnp * there_BSnp, axis=-1) / ops.maximum(count_BSn, 1)
    return ops.where(count_BSn > 0, mean_BSn, LOWEST)


def weighed(labels):
    """Labels as a dict with weights; of plain ones, int [B, L], those of 0 and more count 1."""
    if isinstance(labels, dict):
        return labels
    labels = ops.convert_to_tensor(labels)
    return {
        "masked_ids": ops.maximum(labels, 0),
        "masked_weights": ops.cast(labels >= 0, "float32"),
    }


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


def uniform_loss(logits, labels, sample_weight=None):
    """Cross-entropy of all words alike, which smooths the labels (Szegedy et al. 2016, section 7),
    as (sum, weight); arguments as `masked_word_loss`."""
    weights_BP = masked_word_weights(labels, sample_weight)
    losses_BP = ops.logsumexp(logits, axis=-1) - ops.mean(logits, axis=-1)
    return ops.sum(losses_BP * weights_BP), ops.sum(weights_BP)


def masked_word_accuracy(logits, labels, sample_weight=None):
    """How often the masked word has the highest logit, as (sum, weight); see `masked_word_loss`."""
    weights_BP = masked_word_weights(labels, sample_weight)
    chosen_BP = ops.argmax(logits, axis=-1)
    right_BP = ops.cast(chosen_BP == ops.cast(labels["masked_ids"], chosen_BP.dtype), "float32")
    return ops.sum(right_BP * weights_BP), ops.sum(weights_BP)
