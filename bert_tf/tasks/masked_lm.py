"""Masked words alone."""

from keras import ops

from bert_tf.layers import fold_in, key_for
from bert_tf.tasks import fill_mask
from bert_tf.tasks.masked_words import (
    masked_word_accuracy,
    masked_word_logits,
    masked_word_loss,
    masked_word_weights,
    weighed,
)
from bert_tf.tasks.soft_answers import SoftAnswer, masked_places
from bert_tf.tasks.task_model import TaskModel


class MaskedLM(TaskModel):
    """Masked LM without a sentence objective (Devlin et al. 2019, section 3.1; Liu et al. 2019).

    Args:
      encoder: an encoder of any family; its pooler, if it has one, is left aside.

    Labels: a dict of `masked_ids` int [B, P] and `masked_weights` float [B, P] (0 for filling), for
    inputs with `masked_positions`; or int [B, L], a word for every position and below 0 (-100)
    where nothing is to be predicted.
    """

    columns = fill_mask.COLUMNS
    loss_names = ("masked_lm",)
    metric_names = ("masked_lm_accuracy",)
    answer_options = {"top": 5}
    features = staticmethod(fill_mask.features)
    record = staticmethod(fill_mask.record)

    def __init__(self, encoder, **kwargs):
        super().__init__(encoder.without_pooler(), **kwargs)
        self.masked_lm_head = encoder.masked_lm_head()
        self.build()

    def call(self, inputs, training=False, key=None):
        """Logits over the vocabulary.

        Args:
          inputs: dict of int32 [B, L], see the encoder; with `masked_positions` int32 [B, P] only
            those positions are carried to the vocabulary.
          training: bool, with dropout.
          key: integer [2], the dropout key of this step, or None.
        Returns:
          float32 [B, L, V], or [B, P, V] with `masked_positions`.
        """
        key = key_for(training, key)
        outputs = self.encoder(inputs, training=key is not None, key=fold_in(key, 0))
        return masked_word_logits(
            self.masked_lm_head,
            self.encoder.embeddings.word_embeddings,
            outputs["sequence_output"],
            inputs.get("masked_positions"),
        )

    def masked_lm_logits(self, outputs):
        """The logits over the vocabulary among the outputs of `call`."""
        return outputs

    def outputs_of_ids(self, inputs):
        """`logits` float32 [B, L, V]; see `Refusals.outputs_of_ids`."""
        return {"logits": self(inputs, training=False)}

    def soft_answers(self, outputs, inputs):
        """The logits at every word that is to be predicted; see `tasks.soft_answers`."""
        return [SoftAnswer("choice", outputs, masked_places(inputs), True)]

    def loss_weights(self, labels, sample_weight=None):
        return {"masked_lm": ops.sum(masked_word_weights(weighed(labels), sample_weight))}

    def loss_terms(self, outputs, labels, sample_weight=None):
        return {"masked_lm": masked_word_loss(outputs, weighed(labels), sample_weight)}

    def metric_terms(self, outputs, labels, sample_weight=None):
        """How often the masked word has the highest logit."""
        accuracy = masked_word_accuracy(outputs, weighed(labels), sample_weight)
        return {"masked_lm_accuracy": accuracy}

    def answer(self, outputs, inputs, cells, tokenizer, top=5):
        """The likeliest words for each [MASK], or the likeliest choice; see `fill_mask.answer`."""
        return fill_mask.answer(outputs, inputs, cells, tokenizer, top)
