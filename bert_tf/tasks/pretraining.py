"""Masked words and a relation between sentences, predicted together."""

from keras import ops

from bert_tf.errors import InputError
from bert_tf.layers import ProjectionHead, fold_in, key_for, truncated_normal
from bert_tf.tasks.task_model import TaskModel, weight_of_rows, weighted_sum


class Pretraining(TaskModel):
    """Masked LM and next sentence (Devlin et al. 2019, section 3.1).

    Args:
      encoder: an encoder with a pooler.

    Labels: a dict of `masked_ids` int [B, P], `masked_weights` float [B, P] (0 for filling) and
    `next_sentence_labels` int [B] (0 follows, 1 random).
    """

    loss_names = ("masked_lm", "next_sentence")
    quality_names = ("masked_lm_accuracy", "next_sentence_accuracy")

    def __init__(self, encoder, **kwargs):
        if not encoder.pooled:
            raise InputError("encoder: has no pooler, which the sentence objective reads")
        super().__init__(encoder, **kwargs)
        config = encoder.config
        self.masked_lm_head = encoder.masked_lm_head()
        self.sentence_head = ProjectionHead(
            2, initializer=truncated_normal(config.initializer_range), dtype=self.dtype_policy
        )
        self.sentence_head.build((None, config.hidden_size))
        self.build()

    def call(self, inputs, training=False, key=None):
        """Predictions of a batch.

        Args:
          inputs: dict of int32 [B, L], see the encoder; with `masked_positions` int32 [B, P] only
            those positions are carried to the vocabulary.
          training: bool, with dropout.
          key: integer [2], the dropout key of this step, or None.
        Returns:
          dict: `masked_lm_logits` float32 [B, P, V] ([B, L, V] without masked_positions) and
          `sentence_logits` float32 [B, 2].
        """
        key = key_for(training, key)
        outputs = self.encode(inputs, key)
        sequence_BLD = outputs["sequence_output"]
        if "masked_positions" in inputs:
            positions_BP1 = inputs["masked_positions"][:, :, None]
            sequence_BLD = ops.take_along_axis(sequence_BLD, positions_BP1, axis=1)
        shape = ops.shape(sequence_BLD)
        logits_XV = self.masked_lm_head(
            ops.reshape(sequence_BLD, (-1, sequence_BLD.shape[-1])),
            self.encoder.embeddings.word_embeddings,
        )
        return {
            "masked_lm_logits": ops.reshape(logits_XV, (shape[0], shape[1], logits_XV.shape[-1])),
            "sentence_logits": self.sentence_head(outputs["pooled_output"], key=fold_in(key, 1)),
        }

    def loss_weights(self, labels, sample_weight=None):
        weights = ops.cast(labels["masked_weights"], "float32")
        if sample_weight is not None:
            weights = weights * ops.cast(sample_weight, "float32")[:, None]
        return {
            "masked_lm": ops.sum(weights),
            "next_sentence": weight_of_rows(labels["next_sentence_labels"], sample_weight),
        }

    def loss_terms(self, outputs, labels, sample_weight=None):
        words = ops.sparse_categorical_crossentropy(
            labels["masked_ids"], outputs["masked_lm_logits"], from_logits=True
        )
        words = ops.sum(words * ops.cast(labels["masked_weights"], "float32"), axis=-1)
        sentences = ops.sparse_categorical_crossentropy(
            ops.reshape(labels["next_sentence_labels"], (-1,)),
            outputs["sentence_logits"],
            from_logits=True,
        )
        weights = self.loss_weights(labels, sample_weight)
        return {
            "masked_lm": (weighted_sum(words, sample_weight), weights["masked_lm"]),
            "next_sentence": (weighted_sum(sentences, sample_weight), weights["next_sentence"]),
        }

    def quality_terms(self, outputs, labels, sample_weight=None):
        """How often the masked word, and the relation of the sentences, is guessed right."""
        weights = self.loss_weights(labels, sample_weight)
        words = ops.argmax(outputs["masked_lm_logits"], axis=-1)
        words = ops.cast(words == ops.cast(labels["masked_ids"], words.dtype), "float32")
        words = ops.sum(words * ops.cast(labels["masked_weights"], "float32"), axis=-1)
        sentences = ops.argmax(outputs["sentence_logits"], axis=-1)
        follows = ops.reshape(labels["next_sentence_labels"], (-1,))
        sentences = sentences == ops.cast(follows, sentences.dtype)
        return {
            "masked_lm_accuracy": (weighted_sum(words, sample_weight), weights["masked_lm"]),
            "next_sentence_accuracy": (
                weighted_sum(sentences, sample_weight),
                weights["next_sentence"],
            ),
        }
