"""How likely a language model finds a text, of masked words or from left to right."""

import math

import numpy as np
import tensorflow as tf

from bert_tf.errors import InputError
from bert_tf.export import row_length

# Masked copies of sentences that go through the model together.
COPIES_AT_ONCE = 64
# A tokenizer is asked for rows this long to see how long a text is.
ENDLESS = 10**6


# The losses that are means over words, of which a task has one.
_OF_WORDS = ("masked_lm", "causal_lm", "seq2seq", "bidirectional_lm")


def with_perplexity(means):
    """Means of losses, and `perplexity`, the exponential of that over words, if there is one."""
    loss = next((means[name] for name in _OF_WORDS if name in means), None)
    return means if loss is None else {**means, "perplexity": math.exp(min(loss, 700.0))}


class Perplexity:
    """How likely a model finds a sentence: its pseudo-log-likelihood (Salazar et al. 2020, eq. 2).

    Each token is masked in a copy of the sentence, and its log probability there is summed up; the
    perplexity is the exponential of the mean's negative (their eq. 3, for one sentence).

    Args:
      model: a TaskModel with `masked_lm_logits`.
      tokenizer: Tokenizer, the one it was trained with.

    Attributes:
      columns: its inputs, as those of an export's Answer.
      settings: dict of `columns`, the key of the texts in JSON lines.
    """

    columns = ("text",)

    def __init__(self, model, tokenizer):
        tokenizer.require_mask("the likelihood of each word")
        self.task, self.tokenizer, self.max_length = type(model), tokenizer, row_length(model)
        self.settings = {"columns": {"text": model.data_settings.get("text", "text")}}
        entries = tokenizer.vocab_size  # the model may have more rows, as padding

        @tf.function(autograph=False, reduce_retracing=True)
        def log_probabilities(inputs):
            logits = model.masked_lm_logits(model(inputs, training=False))
            return tf.nn.log_softmax(logits[..., :entries])

        self.log_probabilities = log_probabilities

    def records(self, texts):
        """Answers texts.

        Args:
          texts: list of str.
        Returns:
          list of dict: `tokens` without special ones, `log_likelihood`, the sum over them in nats,
          and `perplexity`, None of a text without tokens.
        Raises:
          InputError: a text is too long, with `row`, its number from 0; or an answer is no finite
            number.
        """
        batch = self.tokenizer(texts, max_length=ENDLESS)
        batch = {name: ids.numpy() for name, ids in batch.items()}
        for row, length in enumerate(batch["attention_mask"].sum(axis=1)):
            if length > self.max_length:
                error = InputError(f"{length} tokens, the model takes {self.max_length}")
                error.row = row
                raise error
        special = (self.tokenizer.cls_id, self.tokenizer.sep_id, self.tokenizer.pad_id)
        row_of, place_of = np.nonzero(
            (batch["attention_mask"] > 0) & ~np.isin(batch["input_ids"], special)
        )
        scores = np.zeros(len(row_of))
        for start in range(0, len(row_of), COPIES_AT_ONCE):
            part = slice(start, start + COPIES_AT_ONCE)
            scores[part] = self._scores(batch, row_of[part], place_of[part])
        if not np.isfinite(scores).all():
            raise InputError("the model's answers are not finite numbers; its weights are damaged")
        counts = np.bincount(row_of, minlength=len(texts))
        return _told(counts, np.bincount(row_of, scores, minlength=len(texts)))

    def _scores(self, batch, row_of, place_of):
        """The log probability of some tokens, each masked in a copy of its row; float [copies]."""
        length = int(batch["attention_mask"][row_of].sum(axis=1).max())
        inputs = {name: ids[row_of, :length] for name, ids in batch.items()}
        copies = np.arange(len(row_of))
        wanted = inputs["input_ids"][copies, place_of]
        inputs["input_ids"][copies, place_of] = self.tokenizer.mask_id
        inputs["masked_positions"] = place_of[:, None].astype("int32")
        return self.log_probabilities(inputs).numpy()[copies, 0, wanted]


class NextWordPerplexity:
    """How likely a model that reads from left to right finds a text, as `Perplexity` tells it: the
    sum of the log-probabilities of each next word, the end included; the first is not asked where
    no token stands before a text.

    Args and attributes: as Perplexity; the model is a CausalLM.
    """

    columns = ("text",)

    def __init__(self, model, tokenizer):
        self.task, self.tokenizer, self.max_length = type(model), tokenizer, row_length(model)
        self.settings = {"columns": {"text": model.data_settings.get("text", "text")}}
        entries = tokenizer.vocab_size  # the model may have more rows, as padding

        @tf.function(autograph=False, input_signature=[tf.TensorSpec([None], tf.string)])
        def scores(texts):
            settings = {"max_length": ENDLESS, "padding": "longest"}
            inputs, labels = model.features({"text": texts}, tokenizer, settings)
            logits = model(inputs, training=False)[..., :entries]
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(labels, 0), logits)
            asked = tf.cast(labels >= 0, tf.float32)
            return tf.reduce_sum(asked, axis=1), -tf.reduce_sum(losses * asked, axis=1)

        self.scores = scores

    def records(self, texts):
        """Answers texts; as `Perplexity.records`."""
        lengths = self.tokenizer.pieces(texts)[0].row_lengths().numpy()
        for row, length in enumerate(lengths + 2):
            if length > self.max_length:
                error = InputError(f"{length} tokens, the model takes {self.max_length}")
                error.row = row
                raise error
        parts = [texts[start : start + 32] for start in range(0, len(texts), 32)]
        found = [[x.numpy() for x in self.scores(tf.constant(part))] for part in parts]
        counts, sums = (np.concatenate(x).astype(float) for x in zip(*found, strict=True))
        if not np.isfinite(sums).all():
            raise InputError("the model's answers are not finite numbers; its weights are damaged")
        return _told(counts, sums)


def _told(counts, sums):
    """Counts of tokens and sums of their log-probabilities as records."""
    return [
        {
            "tokens": int(count),
            "log_likelihood": round(float(total), 6),
            "perplexity": round(math.exp(-total / count), 6) if count else None,
        }
        for count, total in zip(counts, sums, strict=True)
    ]
