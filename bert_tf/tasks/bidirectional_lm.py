"""The next word and the word before, each told from its own side."""

from keras import ops

from bert_tf.layers import fold_in, key_for
from bert_tf.tasks.masked_words import (
    masked_word_accuracy,
    masked_word_loss,
    masked_word_weights,
)
from bert_tf.tasks.task_model import TaskModel


class BidirectionalLM(TaskModel):
    """A language model in each direction over the top layer, with one output matrix for both
    (Peters et al. 2018, section 3.1).

    The mixture of layers, which a later task learns, is no part of it, and is frozen.

    Args:
      encoder: an encoder of a family with layers in two directions, such as ELMo.

    Labels: dict of `masked_ids` int [B, P] and `masked_weights` float [B, P] (0 for filling); of
    two neighbouring words each is asked: 0, 2, 4, ... are words that follow, 1, 3, 5, ... words
    that go before.
    """

    loss_names = ("bidirectional_lm",)
    metric_names = ("bidirectional_lm_accuracy",)
    no_answer = "tells words from one side each, which answers no text; other tasks begin with it"

    def __init__(self, encoder, **kwargs):
        super().__init__(encoder.without_pooler(), **kwargs)
        self.next_word_head = encoder.two_way_head()
        self.encoder.mix.trainable = False
        self.build()

    def call(self, inputs, training=False, key=None):
        """Logits of the words beside some.

        Args:
          inputs: dict of int32 [B, L], see the encoder; `masked_positions` int32 [B, P], where what
            follows (0, 2, ...) or goes before (1, 3, ...) is asked; absent: all of a row's pairs.
          training: bool, with dropout.
          key: integer [2], the dropout key of this step, or None.
        Returns:
          float32 [B, P, V].
        """
        key = key_for(training, key)
        encoded = self.encoder(
            inputs, return_intermediates=True, training=key is not None, key=fold_in(key, 0)
        )
        top_BLD = encoded["hidden_states"][-1]
        positions_BP = inputs.get("masked_positions")
        if positions_BP is None:
            positions_BP = _all_pairs(inputs["input_ids"])
        asked_BPD = ops.take_along_axis(top_BLD, positions_BP[:, :, None], axis=1)
        width, count = top_BLD.shape[-1] // 2, ops.shape(positions_BP)[1]
        follows_P1 = (ops.arange(count) % 2 == 0)[:, None]
        asked_BPE = ops.where(follows_P1, asked_BPD[..., :width], asked_BPD[..., width:])
        table_VE = self.encoder.embeddings.word_embeddings
        logits_XV = self.next_word_head(ops.reshape(asked_BPE, (-1, width)), table_VE)
        return ops.reshape(logits_XV, (-1, count, logits_XV.shape[-1]))

    def loss_weights(self, labels, sample_weight=None):
        return {"bidirectional_lm": ops.sum(masked_word_weights(labels, sample_weight))}

    def loss_terms(self, outputs, labels, sample_weight=None):
        """Cross-entropy of the words, a sum over both directions; the mean is that of the two."""
        return {"bidirectional_lm": masked_word_loss(outputs, labels, sample_weight)}

    def metric_terms(self, outputs, labels, sample_weight=None):
        """How often the word beside has the highest logit."""
        accuracy = masked_word_accuracy(outputs, labels, sample_weight)
        return {"bidirectional_lm_accuracy": accuracy}


def _all_pairs(ids_BL):
    """The places of every pair of neighbours, 0 1, 1 2, 2 3, ..., int32 [B, 2 (L - 1)]."""
    batch, length = ops.shape(ids_BL)[0], ops.shape(ids_BL)[1]
    places_P = (ops.arange(2 * (length - 1), dtype="int32") + 1) // 2
    return ops.broadcast_to(places_P[None], (batch, 2 * (length - 1)))
