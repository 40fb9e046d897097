"""A label for every word of a text: names and other spans, parts of speech."""

import functools

import numpy as np
from keras import ops

from bert_tf.errors import InputError, shown
from bert_tf.layers import CRF, fold_in, key_for
from bert_tf.tags import TagSet
from bert_tf.tasks.answers import plain
from bert_tf.tasks.classifier_arguments import check_names, head_of
from bert_tf.tasks.features import Column, window_settings
from bert_tf.tasks.soft_answers import SoftAnswer, mask_of
from bert_tf.tasks.task_model import TaskModel


class TokenClassifier(TaskModel):
    """A projection of every token's vector (Devlin et al. 2019, section 4.3 and its code).

    A word has its label at its first piece. Labels that are tags of a scheme, such as B-PER and
    I-PER, mean spans, and O none; other labels are those of single words, such as parts of speech.
    Texts longer than a row are cut into windows that overlap.

    Args:
      encoder: an encoder of any family.
      num_labels: int.
      label_names: list of str, or None for LABEL_0, LABEL_1, ... as transformers names them.
      crf: bool, whether a conditional random field over the words of a window is between the logits
        and the tags (Lample et al. 2016, section 2.2); it decodes to whole spans alone. No other
        package opens such files.

    Labels: int [B, L]; below 0, such as -100, where a token has none.
    """

    arguments = ("num_labels", "label_names", "crf")
    columns = {
        "text": Column("text"),
        "label": Column("spans", target=True),
        "language": Column("name", optional=True),
    }
    token_axes = {"labels": 1}
    loss_names = ("tagging",)
    windowed = True

    def __init__(self, encoder, num_labels=2, label_names=None, crf=False, **kwargs):
        _check(num_labels, label_names, crf)
        # What a CRF answers, its best path tells, which no training step looks for.
        self.metric_names = () if crf else ("accuracy",)
        super().__init__(encoder.without_pooler(), **kwargs)
        self.num_labels, self.crf = num_labels, bool(crf)
        self.label_names = list(label_names or [f"LABEL_{i}" for i in range(num_labels)])
        self.head = head_of(encoder, num_labels, encoder.published.token_head_layers)
        self.chain = None
        if self.crf:
            self.chain = CRF(num_labels, self.tags.allowed(), dtype="float32")
            self.chain.build()
        self.build()

    @functools.cached_property
    def tags(self):
        """The TagSet of the label names."""
        return TagSet(self.label_names)

    @classmethod
    def arguments_of(cls, labels):
        """The number of labels and their names."""
        return {"num_labels": len(labels.label_names), "label_names": list(labels.label_names)}

    @staticmethod
    def features(cells, tokenizer, settings):
        """Windows of the texts and the labels of their tokens; see `word_labels.word_inputs`."""
        from bert_tf.tasks.word_labels import word_inputs

        return word_inputs(cells, tokenizer, settings)

    @staticmethod
    def fault(cells):
        """Spans that overlap: no word has two tags; see TaskModel."""
        spans = getattr(cells.get("label"), "spans", None) or []
        ends = [end for _, end, _ in spans]
        overlaps = any(start < end for (start, *_), end in zip(spans[1:], ends, strict=False))
        return "spans that overlap" if overlaps else None

    @staticmethod
    def window_counts(cells, tokenizer, settings):
        """How many windows each text has, int64 [N]."""
        return tokenizer.window_counts(cells["text"], **window_settings(settings))

    def call(self, inputs, training=False, key=None):
        """Logits of each token, of a CRF its emissions.

        Args:
          inputs: dict of int32 [B, L], see the encoder.
          training: bool, with dropout.
          key: integer [2], the dropout key of this step, or None.
        Returns:
          float32 [B, L, K].
        """
        key = key_for(training, key)
        outputs = self.encoder(inputs, training=key is not None, key=fold_in(key, 0))
        return self.head(outputs["sequence_output"], key=fold_in(key, 1))

    def outputs_of_ids(self, inputs):
        """`logits` float32 [B, L, K]; see `Refusals.outputs_of_ids`. Not of a CRF, whose labels are
        chosen for a row as a whole."""
        if self.chain is not None:
            return super().outputs_of_ids(inputs)
        return {"logits": self(inputs, training=False)}

    def loss_weights(self, labels, sample_weight=None):
        return {"tagging": ops.sum(_weights(labels, sample_weight))}

    def loss_terms(self, outputs, labels, sample_weight=None):
        """Cross-entropy of the labelled tokens; of a CRF -log p of each row's labels."""
        labels = ops.cast(labels, "int32")
        weights_BL = _weights(labels, sample_weight)
        if self.chain is None:
            known = ops.maximum(labels, 0)
            losses = ops.sparse_categorical_crossentropy(known, outputs, from_logits=True)
            total = ops.sum(losses * weights_BL)
        else:
            losses = self.chain.negative_log_likelihood(outputs, labels, labels >= 0)
            total = ops.sum(losses if sample_weight is None else losses * sample_weight)
        return {"tagging": (total, ops.sum(weights_BL))}

    def metric_terms(self, outputs, labels, sample_weight=None):
        """How many labelled tokens have their label; nothing of a CRF, which answers by paths."""
        if self.crf:
            return {}
        weights_BL = _weights(labels, sample_weight)
        right = ops.argmax(outputs, axis=-1) == ops.cast(labels, ops.argmax(outputs, -1).dtype)
        right = ops.sum(ops.cast(right, "float32") * weights_BL)
        return {"accuracy": (right, ops.sum(weights_BL))}

    def soft_answers(self, outputs, inputs):
        """The logits of every token; of a CRF its emissions. See `tasks.soft_answers`."""
        return [SoftAnswer("choice", outputs, mask_of(inputs), True)]

    @property
    def monitors(self):
        """F1 over spans, of plain labels accuracy; and others."""
        spans = ("f1", "precision", "recall", "f1_macro", "precision_macro", "recall_macro")
        return ("accuracy", *spans, "loss") if self.tags.plain else (*spans, "accuracy", "loss")

    def predictions(self, outputs, inputs):
        """The number of each token's tag, int32 [B, L]; what `features` says of words; and the
        highest score, float32 [B, L]."""
        words = [inputs.get(name) for name in ("owned", "offsets")]
        there = inputs["attention_mask"] > 0 if words[0] is None else words[0] > 0
        return self.decode(outputs, there), *words, ops.max(outputs, axis=-1)

    def decode(self, outputs, there):
        """The tags that scores [B, L, K] say of the words that are `there` (bool [B, L])."""
        if self.chain is None:
            return ops.cast(ops.argmax(outputs, axis=-1), "int32")
        return self.chain.decode(outputs, there)

    def final_metrics(self, predictions, labels, rows=None, table=None):
        """Figures of words and spans.

        Returns:
          dict: `rows`, `words`; `accuracy`, the share of words with their tag; and those of
          `span_metrics.measure`.
        Raises:
          InputError: a score is not finite.
        """
        from bert_tf.tasks import span_metrics

        windows = _windows(predictions, labels, rows)
        texts = np.arange(len(windows)) if table is None else table.rows
        found, expected = {}, {}
        for window, (tags, places, given) in windows.items():
            found.setdefault(texts[window], []).append((tags, places))
            expected.setdefault(texts[window], []).append((given, places))
        spans = [
            {text: self._spans(parts) for text, parts in part.items()} for part in (expected, found)
        ]
        true = spans[0] if table is None else self._true(table, windows)
        right = np.concatenate([tags == given for tags, _, given in windows.values()])
        figures = span_metrics.measure([true[text] for text in found], [*spans[1].values()])
        accuracy = float(right.mean()) if len(right) else 0.0
        return {"rows": len(found), "words": len(right), "accuracy": accuracy, **figures}

    def _spans(self, parts):
        from bert_tf.tasks.span_metrics import spans_by_number

        numbers, places = (np.concatenate(part) for part in zip(*parts, strict=True))
        known = numbers >= 0
        return spans_by_number(numbers[known], places[known], self.tags)

    def _true(self, table, windows):
        """The spans of the table's texts, text -> set of (start, end, label); labels that training
        did not know keep their names, so that each has its figures."""
        first = {int(table.rows[window]): window for window in windows}
        cells = table.cells(np.array([*first.values()]))["label"]
        return {
            text: {(*span[:2], label) for span, label in zip(x.spans, x.labels, strict=True)}
            for text, x in zip(first, cells, strict=True)
        }

    def answer(self, outputs, inputs, cells, tokenizer):
        """The spans in texts; of plain labels every word.

        Args: as in TaskModel.
        Returns:
          dict of [N, S], S the most spans of a text, see `tagged_spans.spans_of_words`: `label`,
          `text`, `score`, `start`, `end` in characters of the text.
        """
        from bert_tf.tasks.tagged_spans import by_text, spans_of_words

        texts = cells["text"]
        scores, places, there = by_text(outputs, inputs, texts)
        return spans_of_words(*self._tagged(scores, there), places, there, texts, self.tags)

    @functools.cached_property
    def _tagged(self):
        """Function of scores [N, T, K] and the places that count -> (tags, their probabilities);
        one graph, since a chain is a loop."""
        import tensorflow as tf

        def tagged(scores, there):
            tags, probabilities = self.decode(scores, there), tf.nn.softmax(scores)
            if self.chain is not None:
                # d log Z / d emission: the probability of this label here, over all sequences.
                with tf.GradientTape() as tape:
                    tape.watch(scores)
                    total = tf.reduce_sum(self.chain.log_partition(scores, there))
                probabilities = tape.gradient(total, scores)
            return tags, tf.gather(probabilities, tags, batch_dims=2)

        return tf.function(tagged, autograph=False, reduce_retracing=True)

    @staticmethod
    def record(answer):
        """`spans`, a list of dicts `label`, `text`, `start`, `end`, `score`."""
        count = int(np.sum(np.asarray(answer["start"]) >= 0))
        names = ("label", "text", "start", "end", "score")
        return {"spans": [{x: plain(answer[x][place]) for x in names} for place in range(count)]}

    def argument_is_published(self, name):
        """Whether other packages know the argument: a CRF they do not."""
        return name != "crf" or not self.crf


def _weights(labels, sample_weight):
    """1 for each labelled token, times the weight of its row; float32 [B, L]."""
    there = ops.cast(labels >= 0, "float32")
    return there if sample_weight is None else there * ops.cast(sample_weight, "float32")[:, None]


def _windows(predictions, labels, rows):
    """Window number -> (tags, places, labels) of its own words, in the order of the numbers."""
    found, count = {}, 0
    for batch, ((tags, owned, places, scores), given) in enumerate(
        zip(predictions, labels, strict=True)
    ):
        numbers = range(count, count + len(tags)) if rows is None else rows[batch].tolist()
        count += len(tags)
        own = given >= 0 if owned is None else owned > 0
        odd = int((~np.isfinite(scores)).any(axis=-1).sum())
        if odd:
            raise InputError(f"the model's answer for {odd} of {len(tags)} rows is not finite")
        for row, number in enumerate(numbers):
            there = own[row]
            place = np.arange(len(there))[:, None] + [0, 1] if places is None else places[row]
            found[number] = (tags[row][there], place[there], given[row][there])
    return {number: found[number] for number in sorted(found)}


def _check(num_labels, label_names, crf):
    if not isinstance(num_labels, int) or isinstance(num_labels, bool) or num_labels < 2:
        raise InputError(f"num_labels: {shown(num_labels)}, wanted a whole number of 2 or more")
    check_names(num_labels, label_names)
    if not isinstance(crf, bool | None):
        raise InputError(f"crf: {shown(crf)}, wanted true or false")
