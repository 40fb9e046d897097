"""Which tokens of a text were replaced? And a small masked LM that replaces them."""

from keras import ops

from bert_tf.errors import InputError
from bert_tf.layers import draw, fold_in, key_for, new_key
from bert_tf.tasks.masked_lm import MaskedLM
from bert_tf.tasks.masked_words import (
    masked_word_accuracy,
    masked_word_loss,
    masked_word_weights,
)
from bert_tf.tasks.task_model import TaskModel

# Clark et al. 2020, section 2 and appendix A.
FACTORS = {"masked_lm": 1.0, "replaced_token": 50.0}


class ElectraPretraining(TaskModel):
    """Replaced-token detection (Clark et al. 2020, section 2).

    Args:
      encoder: an encoder whose family has a head for replaced tokens, the discriminator.
      generator: MaskedLM over `encoder.generator(...)`, which is trained along and draws the
        replacements; None: the discriminator alone.
      share: ElectraPretraining whose head becomes this one's too; None makes a new one.

    Labels: with a generator a dict of `masked_ids` int [B, P] and `masked_weights` float [B, P] (0
    for filling, whose position is 0); without one int [B, L], 1 replaced, 0 original, below 0
    (-100) where there is no label.
    """

    companions = ("generator",)
    no_answer = (
        "finds replaced tokens, which answers no text; its generator, where the folder has one, "
        "fills masks in"
    )

    def __init__(self, encoder, generator=None, share=None, **kwargs):
        _check(encoder, generator)
        names = tuple(FACTORS) if generator is not None else ("replaced_token",)
        self.loss_names = names
        self.metric_names = (*(f"{name}_accuracy" for name in names), "replaced_token_recall")
        super().__init__(encoder, **kwargs)
        self.loss_factors = FACTORS if generator is not None else {}
        self.generator = generator
        self.head = encoder.replaced_token_head() if share is None else share.head
        self.build()

    @staticmethod
    def companion(encoder, name, config):
        """The generator of a config, over the embeddings of an encoder, with fresh weights.

        Args:
          encoder: the discriminator's.
          name: "generator".
          config: the generator's config.
        Returns:
          MaskedLM.
        """
        return MaskedLM(encoder.generator(config))

    def without_companions(self):
        """The discriminator alone, its very layers."""
        if self.generator is None:
            return self
        alone = ElectraPretraining(self.encoder, share=self)
        alone.data_settings = self.data_settings
        return alone

    def call(self, inputs, training=False, key=None):
        """How likely each token is a replaced one; in pretraining after the masked ones were.

        Args:
          inputs: dict of int32 [B, L], see the encoder; with `masked_positions` int32 [B, P] (0,
            where [CLS] stands, is filling) and a generator, the masked words are replaced by draws
            from it first. Outside training the draws are the same every time.
          training: bool, with dropout.
          key: integer [2], the dropout key of this step, or None.
        Returns:
          float32 [B, L], logits, above 0 for replaced. In pretraining a dict: these as
          `replaced_token_logits`; `masked_lm_logits` float32 [B, P, V] of the generator;
          `masked_positions` and `drawn_ids` int32 [B, P]; `token_weights` float32 [B, L], 1 for
          the real tokens.
        """
        key = key_for(training, key)
        positions_BP = inputs.get("masked_positions")
        if self.generator is None or positions_BP is None:
            return self._discriminate(inputs, key)
        logits_BPV = self.generator(inputs, training=key is not None, key=fold_in(key, 1))
        drawn_BP = draw(logits_BPV, fold_in(new_key(0, 0) if key is None else key, 2))
        replaced = {**inputs, "input_ids": _put(inputs["input_ids"], positions_BP, drawn_BP)}
        return {
            "replaced_token_logits": self._discriminate(replaced, key),
            "masked_lm_logits": logits_BPV,
            "masked_positions": positions_BP,
            "drawn_ids": drawn_BP,
            "token_weights": _token_weights(inputs),
        }

    def _discriminate(self, inputs, key):
        encoded = self.encoder(inputs, training=key is not None, key=fold_in(key, 0))
        sequence_BLD = encoded["sequence_output"]
        shape = ops.shape(sequence_BLD)
        rows_XD = ops.reshape(sequence_BLD, (-1, sequence_BLD.shape[-1]))
        return ops.reshape(self.head(rows_XD, key=fold_in(key, 3)), shape[:2])

    def complete_labels(self, inputs, labels):
        """Labels and the mask of real tokens: a loss weight is computed from labels alone."""
        if self.generator is None:
            return labels
        return {**labels, "token_weights": _token_weights(inputs)}

    def loss_weights(self, labels, sample_weight=None):
        if self.generator is None:
            return {"replaced_token": ops.sum(_weights(labels >= 0, sample_weight))}
        return {
            "masked_lm": ops.sum(masked_word_weights(labels, sample_weight)),
            "replaced_token": ops.sum(_weights(labels["token_weights"], sample_weight)),
        }

    def loss_terms(self, outputs, labels, sample_weight=None):
        logits_BL, replaced_BL, weights_BL = _truth(outputs, labels, sample_weight)
        losses_BL = ops.binary_crossentropy(replaced_BL, logits_BL, from_logits=True)
        terms = {"replaced_token": (ops.sum(losses_BL * weights_BL), ops.sum(weights_BL))}
        if self.generator is None:
            return terms
        words = masked_word_loss(outputs["masked_lm_logits"], labels, sample_weight)
        return {"masked_lm": words, **terms}

    def metric_terms(self, outputs, labels, sample_weight=None):
        """How often generator and discriminator are right, and how many of the replaced tokens the
        discriminator finds: most are original, so that finding none is mostly right."""
        logits_BL, replaced_BL, weights_BL = _truth(outputs, labels, sample_weight)
        found_BL = ops.cast(logits_BL > 0, "float32")
        right_BL = ops.cast(found_BL == replaced_BL, "float32") * weights_BL
        asked_BL = replaced_BL * weights_BL
        terms = {
            "replaced_token_accuracy": (ops.sum(right_BL), ops.sum(weights_BL)),
            "replaced_token_recall": (ops.sum(found_BL * asked_BL), ops.sum(asked_BL)),
        }
        if self.generator is None:
            return terms
        words = masked_word_accuracy(outputs["masked_lm_logits"], labels, sample_weight)
        return {"masked_lm_accuracy": words, **terms}


def _truth(outputs, labels, sample_weight):
    """The discriminator's logits, what is true (1 replaced), and what each token counts for."""
    if not isinstance(outputs, dict):
        labels = ops.convert_to_tensor(labels)
        truth_BL = ops.cast(labels > 0, "float32")
        return outputs, truth_BL, _weights(labels >= 0, sample_weight)
    logits_BL, positions_BP = outputs["replaced_token_logits"], outputs["masked_positions"]
    # A drawn word may be the right one: then nothing was replaced (section 2).
    other_BP = ops.cast(outputs["drawn_ids"] != ops.cast(labels["masked_ids"], "int32"), "float32")
    truth_BL = _put(ops.zeros_like(logits_BL), positions_BP, other_BP)
    return logits_BL, truth_BL, _weights(outputs["token_weights"], sample_weight)


def _weights(counted_BL, sample_weight):
    weights_BL = ops.cast(counted_BL, "float32")
    if sample_weight is None:
        return weights_BL
    return weights_BL * ops.cast(sample_weight, "float32")[:, None]


def _token_weights(inputs):
    """float32 [B, L], 1 for every token that is no padding."""
    mask = inputs.get("attention_mask")
    ids = inputs["input_ids"]
    return ops.ones_like(ids, "float32") if mask is None else ops.cast(mask > 0, "float32")


def _put(row_BL, positions_BP, values_BP):
    """Rows with values put at positions; at position 0, which is filling, nothing changes."""
    row_BL, positions_BP = ops.convert_to_tensor(row_BL), ops.cast(positions_BP, "int32")
    values_BP = ops.where(positions_BP == 0, row_BL[:, :1], ops.cast(values_BP, row_BL.dtype))
    batch, length = ops.shape(row_BL)[0], ops.shape(row_BL)[1]
    places_BP = positions_BP + ops.arange(batch, dtype="int32")[:, None] * length
    flat = ops.scatter_update(
        ops.reshape(row_BL, (-1,)),
        ops.reshape(places_BP, (-1, 1)),
        ops.reshape(values_BP, (-1,)),
    )
    return ops.reshape(flat, (batch, length))


def _check(encoder, generator):
    if not encoder.published.replaces_tokens:
        raise InputError(
            f"encoder: a {encoder.config.model_type}, whose family has no head for replaced tokens"
        )
    if generator is not None and generator.encoder.embeddings is not encoder.embeddings:
        raise InputError(
            "generator: its embeddings are not the encoder's; wanted MaskedLM(encoder.generator())"
        )
