"""Masked words alone."""

from keras import ops

from bert_tf.layers import fold_in, key_for
from bert_tf.tasks import cloze_scoring, fill_mask
from bert_tf.tasks.features import Column
from bert_tf.tasks.masked_words import (
    masked_word_accuracy,
    masked_word_logits,
    masked_word_loss,
    masked_word_weights,
)
from bert_tf.tasks.task_model import TaskModel


class MaskedLM(TaskModel):
    """Masked LM without a sentence objective (Devlin et al. 2019, section 3.1; Liu et al. 2019).

    Args:
      encoder: an encoder of any family; its pooler, if it has one, is left aside.

    Labels: a dict of `masked_ids` int [B, P] and `masked_weights` float [B, P] (0 for filling), for
    inputs with `masked_positions`; or int [B, L], a word for every position and below 0 (-100)
    where nothing is to be predicted.
    """

    columns = {"text": Column("text"), "choices": Column("texts", optional=True)}
    loss_names = ("masked_lm",)
    metric_names = ("masked_lm_accuracy",)
    answer_options = {"top": 5}

    def __init__(self, encoder, **kwargs):
        super().__init__(encoder.without_pooler(), **kwargs)
        self.masked_lm_head = encoder.masked_lm_head()
        self.build()

    @staticmethod
    def features(cells, tokenizer, settings):
        """Texts with masks, see `fill_mask.features`; with `choices` among the cells those of a
        cloze question, see `cloze_scoring.features`."""
        read = cloze_scoring.features if "choices" in cells else fill_mask.features
        return read(cells, tokenizer, settings)

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

    def loss_weights(self, labels, sample_weight=None):
        return {"masked_lm": ops.sum(masked_word_weights(_weighed(labels), sample_weight))}

    def loss_terms(self, outputs, labels, sample_weight=None):
        return {"masked_lm": masked_word_loss(outputs, _weighed(labels), sample_weight)}

    def metric_terms(self, outputs, labels, sample_weight=None):
        """How often the masked word has the highest logit."""
        accuracy = masked_word_accuracy(outputs, _weighed(labels), sample_weight)
        return {"masked_lm_accuracy": accuracy}

    def answer(self, outputs, inputs, cells, tokenizer, top=5):
        """The likeliest words for each [MASK], see `fill_mask.answer`; or of a row's `choices` the
        likeliest, see `cloze_scoring.answer`."""
        if "choices" in cells:
            return cloze_scoring.answer(outputs, inputs, cells, tokenizer)
        return fill_mask.answer(outputs, inputs, tokenizer, top)

    @staticmethod
    def record(answer):
        """`masks`, or `choice`, `answer` and `probabilities`; see `answer`."""
        read = cloze_scoring.record if "choice" in answer else fill_mask.record
        return read(answer)


def _weighed(labels):
    """Labels as a dict with weights; of plain ones those of 0 and more count 1."""
    if isinstance(labels, dict):
        return labels
    labels = ops.convert_to_tensor(labels)
    return {
        "masked_ids": ops.maximum(labels, 0),
        "masked_weights": ops.cast(labels >= 0, "float32"),
    }
