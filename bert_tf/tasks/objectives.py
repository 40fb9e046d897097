"""The objectives beside masked words: classes of a sentence or a token, and cloze questions.

Each says its logits, the labels it is about and what they weigh; `terms` and `accuracy` are the
same for all of them.
"""

from keras import ops

from bert_tf.tasks.masked_words import candidate_scores


class ClassObjective:
    """Classes of a sentence (of each example in a packed row) or of each token.

    Args:
      name: str, of the loss; its logits are NAME_logits.
      head: ProjectionHead.
      reads: "pooled_output" or "sequence_output".
      column: str, the label's name; None: as the loss.
    """

    def __init__(self, name, head, reads, column=None):
        self.name, self.head, self.reads, self.column = name, head, reads, column or name

    def logits(self, encoded, inputs, key):
        """float32 [B, K], [B, S, K] or [B, L, K], of the encoder's outputs."""
        return self.head(encoded[self.reads], key=key)

    @property
    def of_tokens(self):
        """bool, whether there is a label for each token."""
        return self.reads == "sequence_output"


class ClozeObjective:
    """Which candidate fills the blank: each is scored by the masked-LM head (`candidate_scores`).

    Args:
      name: str, of the loss; the inputs NAME_positions int32 [B] or [B, S], the blank, and
        NAME_candidates int32 [B, n, p] or [B, S, n, p], the ids of the candidates' pieces, below 0
        for none, ask the question.
      word_logits: function (sequence_output float [B, L, D], positions int32 [B, S]) -> float32
        [B, S, V].
    """

    of_tokens = False

    def __init__(self, name, word_logits):
        self.name, self.column, self.word_logits = name, name, word_logits

    def logits(self, encoded, inputs, key):
        """float32 [B, n], or [B, S, n] of packed rows; None without a question."""
        if f"{self.name}_candidates" not in inputs:
            return None
        positions, candidates = inputs[f"{self.name}_positions"], inputs[f"{self.name}_candidates"]
        alone = len(positions.shape) == 1
        logits_BSV = self.word_logits(
            encoded["sequence_output"], positions[:, None] if alone else positions
        )
        scores_BSn = candidate_scores(logits_BSV, candidates[:, None] if alone else candidates)
        return scores_BSn[:, 0] if alone else scores_BSn


def weighed_labels(objective, labels, sample_weight, logits=None):
    """The labels an objective is about, and what each counts for; below 0 there is none.

    Args:
      objective: ClassObjective or ClozeObjective.
      labels: dict; with `sentence_weights` float [B, S] labels of packed examples weigh so.
      sample_weight: float [B] or None.
      logits: float32 [..., K] or None; where given both results have its shape without K.
    Returns:
      int [...], 0 or more, and float32 [...].
    """
    wanted = ops.convert_to_tensor(labels[objective.column])
    weights = ops.cast(wanted >= 0, "float32")
    if not objective.of_tokens and "sentence_weights" in labels:
        packed = ops.cast(labels["sentence_weights"], "float32")
        weights = weights * ops.reshape(packed, ops.shape(weights))
    if sample_weight is not None:
        rows = (-1, *[1] * (len(wanted.shape) - 1))
        weights = weights * ops.reshape(ops.cast(sample_weight, "float32"), rows)
    wanted = ops.maximum(wanted, 0)
    if logits is not None:
        shape = ops.shape(logits)[:-1]
        wanted, weights = ops.reshape(wanted, shape), ops.reshape(weights, shape)
    return wanted, weights


def class_loss(objective, logits, labels, sample_weight):
    """Cross-entropy, (sum, weight); arguments as `weighed_labels`."""
    wanted, weights = weighed_labels(objective, labels, sample_weight, logits)
    losses = ops.sparse_categorical_crossentropy(wanted, logits, from_logits=True)
    return ops.sum(losses * weights), ops.sum(weights)


def class_accuracy(objective, logits, labels, sample_weight):
    """How often the right class has the highest logit, (sum, weight); else as `class_loss`."""
    wanted, weights = weighed_labels(objective, labels, sample_weight, logits)
    chosen = ops.argmax(logits, axis=-1)
    right = ops.cast(chosen == ops.cast(wanted, chosen.dtype), "float32")
    return ops.sum(right * weights), ops.sum(weights)
