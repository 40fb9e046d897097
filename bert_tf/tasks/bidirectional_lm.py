"""The next word and the word before, each told from its own side."""

from keras import ops

from bert_tf.errors import InputError, shown
from bert_tf.layers import draw_frequent, fold_in, key_for
from bert_tf.tasks.masked_words import (
    masked_word_accuracy,
    masked_word_loss,
    masked_word_weights,
)
from bert_tf.tasks.sampled_words import sampled_word_loss
from bert_tf.tasks.task_model import TaskModel


class BidirectionalLM(TaskModel):
    """A language model in each direction over the top layer, with one output matrix for both
    (Peters et al. 2018, section 3.1).

    The mixture of layers, which a later task learns, is no part of it, and is frozen.

    Args:
      encoder: an encoder of a family with layers in two directions, such as ELMo.
      sampled_words: int, with how many words, drawn anew in each step, the right ones are compared
        in training; frequent words are to have the lowest ids. There is no accuracy then, and the
        loss outside of training is that over all words. None: all words, always.

    Labels: dict of `masked_ids` int [B, P] and `masked_weights` float [B, P] (0 for filling); of
    two neighbouring words each is asked: 0, 2, 4, ... are words that follow, 1, 3, 5, ... words
    that go before.
    """

    loss_names = ("bidirectional_lm",)
    no_answer = "tells words from one side each, which answers no text; other tasks begin with it"

    def __init__(self, encoder, sampled_words=None, **kwargs):
        size = encoder.config.vocab_size
        whole = type(sampled_words) is int and 0 < sampled_words < size
        if sampled_words is not None and not whole:
            said = f"wanted a whole number from 1, below {size}, the words there are"
            raise InputError(f"sampled_words: {shown(sampled_words)}, {said}")
        self.metric_names = ("bidirectional_lm_accuracy",) if sampled_words is None else ()
        super().__init__(encoder.without_pooler(), **kwargs)
        self.sampled_words = sampled_words
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
          float32 [B, P, V]; in training with `sampled_words` a dict of what the loss is made of:
          `vectors` float [B, P, E], and `drawn` int32 [S], words that are a function of the key.
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
        if key is not None and self.sampled_words is not None:
            drawn = draw_frequent(self.sampled_words, table_VE.shape[0], fold_in(key, 1))
            return {"vectors": asked_BPE, "drawn": drawn}
        logits_XV = self.next_word_head(ops.reshape(asked_BPE, (-1, width)), table_VE)
        return ops.reshape(logits_XV, (-1, count, logits_XV.shape[-1]))

    def loss_weights(self, labels, sample_weight=None):
        return {"bidirectional_lm": ops.sum(masked_word_weights(labels, sample_weight))}

    def loss_terms(self, outputs, labels, sample_weight=None):
        """Cross-entropy of the words, a sum over both directions; the mean is that of the two."""
        if not isinstance(outputs, dict):
            return {"bidirectional_lm": masked_word_loss(outputs, labels, sample_weight)}
        table_VE = self.next_word_head.table(self.encoder.embeddings.word_embeddings)
        given = outputs["vectors"], table_VE, outputs["drawn"]
        return {"bidirectional_lm": sampled_word_loss(*given, labels, sample_weight)}

    def metric_terms(self, outputs, labels, sample_weight=None):
        """How often the word beside has the highest logit; nothing with `sampled_words`."""
        if self.sampled_words is not None:
            return {}
        accuracy = masked_word_accuracy(outputs, labels, sample_weight)
        return {"bidirectional_lm_accuracy": accuracy}


def _all_pairs(ids_BL):
    """The places of every pair of neighbours, 0 1, 1 2, 2 3, ..., int32 [B, 2 (L - 1)]."""
    batch, length = ops.shape(ids_BL)[0], ops.shape(ids_BL)[1]
    places_P = (ops.arange(2 * (length - 1), dtype="int32") + 1) // 2
    return ops.broadcast_to(places_P[None], (batch, 2 * (length - 1)))
