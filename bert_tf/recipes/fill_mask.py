"""What a masked-LM model says of texts: words for each [MASK], and how likely a sentence is."""

import math

import numpy as np
import tensorflow as tf

from bert_tf.errors import InputError
from bert_tf.export import row_length

# Masked copies of sentences that go through the model together.
COPIES_AT_ONCE = 64
# A tokenizer is asked for rows this long to see how long a text is.
ENDLESS = 10**6


class MaskedWords:
    """A masked-LM model asked for the logits of some positions.

    Args:
      model: MaskedLM or Pretraining.
      tokenizer: Tokenizer, the one it was trained with.
      name: str, what error messages call the texts, such as their file.

    Attributes:
      settings: dict of `text`, the key of the texts in JSON lines, and `text_pair`, None.
    """

    def __init__(self, model, tokenizer, name):
        self.tokenizer, self.name = tokenizer, name
        self.max_length = row_length(model)
        self.settings = {"text": model.data_settings.get("text", "text"), "text_pair": None}
        entries = tokenizer.vocab_size  # the model may have more rows, as padding

        @tf.function(autograph=False, reduce_retracing=True)
        def log_probabilities(inputs):
            outputs = model(inputs, training=False)
            logits = outputs["masked_lm_logits"] if isinstance(outputs, dict) else outputs
            return tf.nn.log_softmax(logits[..., :entries])

        self.log_probabilities = log_probabilities

    def tokens(self, rows, special_tokens_in_text):
        """Texts as inputs of the model, dict of int32 numpy arrays [rows, length].

        Args:
          rows: list of objects with `text`, str, and `line`, their number for messages.
          special_tokens_in_text: bool, "[MASK]" is one token, not plain characters.
        Raises:
          InputError: a text is longer than the model's rows.
        """
        batch = self.tokenizer(
            [row.text for row in rows],
            max_length=ENDLESS,
            special_tokens_in_text=special_tokens_in_text,
        )
        batch = {name: ids.numpy() for name, ids in batch.items()}
        for row, length in zip(rows, batch["attention_mask"].sum(axis=1), strict=True):
            if length > self.max_length:
                raise InputError(
                    f"{self.name}, line {row.line}: {length} tokens, "
                    f"the model takes {self.max_length}"
                )
        return batch


class FillMask(MaskedWords):
    """The likeliest words for each [MASK] of a text.

    Args:
      model, tokenizer, name: as MaskedWords.
      top: int, how many words for each.
    """

    def __init__(self, model, tokenizer, name, top):
        super().__init__(model, tokenizer, name)
        self.top = min(top, tokenizer.vocab_size)

    def tell(self, rows):
        """Answers texts.

        Args:
          rows: list of objects with `text`, str, and `line`, their number for messages.
        Returns:
          list of dict: `text`, and `masks`, for each [MASK] a list of {"word", "probability"}, the
          likeliest first.
        Raises:
          InputError: a text has no [MASK], or is too long.
        """
        batch = self.tokens(rows, True)
        masked = batch["input_ids"] == self.tokenizer.mask_id
        counts = masked.sum(axis=1)
        for row, count in zip(rows, counts, strict=True):
            if not count:
                token = self.tokenizer.vocabulary[self.tokenizer.mask_id]
                raise InputError(f"{self.name}, line {row.line}: holds no {token}")
        positions = np.argsort(~masked, axis=1, kind="stable")[:, : counts.max()]
        inputs = batch | {"masked_positions": positions.astype("int32")}
        values, ids = tf.math.top_k(self.log_probabilities(inputs), self.top)
        shares, ids = np.exp(values.numpy()), ids.numpy()
        if not np.isfinite(shares).all():
            raise InputError("the model's answers are not finite numbers; its weights are damaged")
        vocabulary = self.tokenizer.vocabulary
        return [
            {
                "text": row.text,
                "masks": [
                    [
                        {"word": vocabulary[id], "probability": float(str(share))}
                        for id, share in zip(ids[place, mask], shares[place, mask], strict=True)
                    ]
                    for mask in range(counts[place])
                ],
            }
            for place, row in enumerate(rows)
        ]


class Perplexity(MaskedWords):
    """How likely a model finds a sentence: its pseudo-log-likelihood (Salazar et al. 2020, eq. 2).

    Each token is masked in a copy of the sentence, and its log probability there is summed up; the
    perplexity is the exponential of the mean's negative (their eq. 3, for one sentence).
    """

    def tell(self, rows):
        """Answers texts.

        Args:
          rows: list of objects with `text`, str, and `line`, their number for messages.
        Returns:
          list of dict: `text`, `tokens` without special ones, `log_likelihood`, the sum over them
          in nats, and `perplexity`, None of a text without tokens.
        Raises:
          InputError: a text is too long.
        """
        batch = self.tokens(rows, False)
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
        counts = np.bincount(row_of, minlength=len(rows))
        sums = np.bincount(row_of, scores, minlength=len(rows))
        return [
            {
                "text": row.text,
                "tokens": int(count),
                "log_likelihood": round(float(total), 6),
                "perplexity": round(math.exp(-total / count), 6) if count else None,
            }
            for row, count, total in zip(rows, counts, sums, strict=True)
        ]

    def _scores(self, batch, row_of, place_of):
        """The log probability of some tokens, each masked in a copy of its row; float [copies]."""
        length = int(batch["attention_mask"][row_of].sum(axis=1).max())
        inputs = {name: ids[row_of, :length] for name, ids in batch.items()}
        copies = np.arange(len(row_of))
        wanted = inputs["input_ids"][copies, place_of]
        inputs["input_ids"][copies, place_of] = self.tokenizer.mask_id
        inputs["masked_positions"] = place_of[:, None].astype("int32")
        return self.log_probabilities(inputs).numpy()[copies, 0, wanted]
