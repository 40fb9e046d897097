"""The next word, from left to right."""

from keras import ops

from bert_tf.layers import fold_in, key_for
from bert_tf.tasks.task_model import TaskModel


class CausalLM(TaskModel):
    """A language model: each token is told by those before it (Radford et al. 2019, eq. 1).

    Args:
      encoder: an encoder of a family that reads from left to right, such as GPT-2.

    Labels: int [B, L], the word that follows each position; below 0 (-100) where none is to be
    predicted.
    """

    columns = {}
    loss_names = ("causal_lm",)
    metric_names = ("causal_lm_accuracy",)
    no_answer = "continues texts by `generate`"

    def __init__(self, encoder, **kwargs):
        super().__init__(encoder.without_pooler(), **kwargs)
        self.next_word_head = encoder.next_word_head()
        self.build()

    def call(self, inputs, training=False, key=None):
        """Logits of the word after each position.

        Args:
          inputs: dict of int32 [B, L], see the encoder.
          training: bool, with dropout.
          key: integer [2], the dropout key of this step, or None.
        Returns:
          float32 [B, L, V].
        """
        key = key_for(training, key)
        outputs = self.encoder(inputs, training=key is not None, key=fold_in(key, 0))
        return self.logits(outputs["sequence_output"])

    def logits(self, sequence_BLD):
        """The logits over the vocabulary of vectors, float [B, L, D] -> float32 [B, L, V]."""
        batch, length, width = ops.shape(sequence_BLD)
        table_VD = self.encoder.embeddings.word_embeddings
        logits_XV = self.next_word_head(ops.reshape(sequence_BLD, (-1, width)), table_VD)
        return ops.reshape(logits_XV, (batch, length, self.encoder.config.vocab_size))

    def loss_weights(self, labels, sample_weight=None):
        return {"causal_lm": ops.sum(_weights(labels, sample_weight))}

    def loss_terms(self, outputs, labels, sample_weight=None):
        """Cross-entropy of the next words, a sum over them."""
        weights_BL = _weights(labels, sample_weight)
        losses_BL = ops.sparse_categorical_crossentropy(
            ops.maximum(labels, 0), outputs, from_logits=True
        )
        return {"causal_lm": (ops.sum(losses_BL * weights_BL), ops.sum(weights_BL))}

    def metric_terms(self, outputs, labels, sample_weight=None):
        """How often the next word has the highest logit."""
        weights_BL = _weights(labels, sample_weight)
        chosen_BL = ops.argmax(outputs, axis=-1)
        right_BL = ops.cast(chosen_BL == ops.cast(labels, chosen_BL.dtype), "float32")
        return {"causal_lm_accuracy": (ops.sum(right_BL * weights_BL), ops.sum(weights_BL))}


def _weights(labels, sample_weight):
    """What each position counts for, float32 [B, L]: 0 where nothing is to be predicted."""
    weights_BL = ops.cast(labels >= 0, "float32")
    if sample_weight is None:
        return weights_BL
    return weights_BL * ops.cast(sample_weight, "float32")[:, None]
