"""Masked words, a relation between sentences, and further labels, predicted together."""

import difflib

from keras import ops

from bert_tf.errors import InputError
from bert_tf.layers import ProjectionHead, fold_in, key_for, truncated_normal
from bert_tf.tasks.masked_words import (
    candidate_scores,
    masked_word_accuracy,
    masked_word_logits,
    masked_word_loss,
    masked_word_weights,
)
from bert_tf.tasks.task_model import TaskModel

# Objective over the sentences of a row -> how many answers it has.
SENTENCE_OBJECTIVES = {"next_sentence": 2, "sentence_order": 2, "sentence_order_3": 3, "none": 0}
# What a further label belongs to.
LABELLED = ("sentence", "token", "cloze")


class Pretraining(TaskModel):
    """Masked LM and a sentence objective (Devlin et al. 2019, section 3.1; Lan et al. 2020, section
    3.1).

    Args:
      encoder: an encoder; with a pooler wherever a sentence is told apart, else it is left aside.
      sentence_objective: "next_sentence" (0 follows, 1 random), "sentence_order" (0 in order, 1
        swapped), "sentence_order_3" (and 2 unrelated), or "none"; None as the family published it.
      extra_labels: dict of further labels, name -> {"of": "sentence", "token" or "cloze",
        "num_labels": K}; None for none. Each has a loss and an accuracy of its own. Classes of a
        sentence or token, whose "names", K str, may be told besides, are a projection; the at most
        K candidates of a cloze question are scored by the masked-LM head, at the blank.
      loss_factors: dict of loss name -> what it counts for in the total; 1 where nothing is said.

    Labels: a dict of `masked_ids` int [B, P] and `masked_weights` float [B, P] (0 for filling),
    `next_sentence_labels` int [B], and each further label, int [B] or [B, L]; with
    `sentence_positions` [B, S] among the inputs those of sentences are [B, S], and weighed by
    `sentence_weights` float [B, S] if these are there. A label below 0 is none.
    """

    def __init__(
        self, encoder, sentence_objective=None, extra_labels=None, loss_factors=None, **kwargs
    ):
        objective = sentence_objective or getattr(
            encoder, "published_sentence_objective", "next_sentence"
        )
        extra = dict(extra_labels or {})
        _check(encoder, objective, extra)
        if not _of_sentences(objective, extra):
            encoder = encoder.without_pooler()
        sentences = ["sentence"] * (objective != "none")
        self.loss_names = ("masked_lm", *sentences, *extra)
        self.quality_names = tuple(f"{name}_accuracy" for name in self.loss_names)
        super().__init__(encoder, **kwargs)
        self.sentence_objective, self.extra_labels = objective, extra or None
        self.loss_factors = dict(loss_factors or {})
        self.masked_lm_head = encoder.masked_lm_head()
        if sentences:
            self.sentence_head = self._head(SENTENCE_OBJECTIVES[objective])
        self.label_heads = [
            self._head(label["num_labels"]) for label in extra.values() if label["of"] != "cloze"
        ]
        self.build()

    def _head(self, num_labels):
        config = self.encoder.config
        initial = truncated_normal(config.initializer_range)
        head = ProjectionHead(num_labels, initializer=initial, dtype=self.dtype_policy)
        head.build((None, config.hidden_size))
        return head

    def call(self, inputs, training=False, key=None):
        """Predictions of a batch.

        Args:
          inputs: dict of int32 [B, L], see the encoder; with `masked_positions` int32 [B, P] only
            those positions are carried to the vocabulary; with `sentence_positions` int32 [B, S]
            each of a row's packed examples gets an answer. For a cloze question NAME_positions
            int32 [B] or [B, S], its blank, and NAME_candidates int32 [B, n, p] or [B, S, n, p], the
            ids of the candidates' pieces, below 0 for none; without them it has no answer.
          training: bool, with dropout.
          key: integer [2], the dropout key of this step, or None.
        Returns:
          dict: `masked_lm_logits` float32 [B, P, V] ([B, L, V] without masked_positions),
          `sentence_logits` float32 [B, 2 or 3] ([B, S, ...] with sentence_positions) and, for each
          further label, NAME_logits [B, K], [B, S, K] or [B, L, K]; of a cloze question [B, n] or
          [B, S, n].
        """
        key = key_for(training, key)
        outputs = self.encode(inputs, key)
        answers = {
            "masked_lm_logits": masked_word_logits(
                self.masked_lm_head,
                self.encoder.embeddings.word_embeddings,
                outputs["sequence_output"],
                inputs.get("masked_positions"),
            )
        }
        if self.sentence_objective != "none":
            answers["sentence_logits"] = self.sentence_head(
                outputs["pooled_output"], key=fold_in(key, 1)
            )
        heads = iter(self.label_heads)
        for place, (name, label) in enumerate((self.extra_labels or {}).items()):
            if label["of"] == "cloze":
                if f"{name}_candidates" in inputs:
                    answers[f"{name}_logits"] = self._chosen(name, inputs, outputs)
                continue
            seen = outputs["pooled_output" if label["of"] == "sentence" else "sequence_output"]
            answers[f"{name}_logits"] = next(heads)(seen, key=fold_in(key, 2 + place))
        return answers

    def _chosen(self, name, inputs, outputs):
        """The scores of a question's candidates, float32 [B, n], or [B, S, n] of packed rows."""
        positions, candidates = inputs[f"{name}_positions"], inputs[f"{name}_candidates"]
        alone = len(positions.shape) == 1
        logits_BSV = masked_word_logits(
            self.masked_lm_head,
            self.encoder.embeddings.word_embeddings,
            outputs["sequence_output"],
            positions[:, None] if alone else positions,
        )
        scores_BSn = candidate_scores(logits_BSV, candidates[:, None] if alone else candidates)
        return scores_BSn[:, 0] if alone else scores_BSn

    def loss_weights(self, labels, sample_weight=None):
        weights = {"masked_lm": ops.sum(masked_word_weights(labels, sample_weight))}
        for name in self.loss_names[1:]:
            weights[name] = ops.sum(self._weights(name, labels, sample_weight)[1])
        return weights

    def loss_terms(self, outputs, labels, sample_weight=None):
        logits = outputs["masked_lm_logits"]
        terms = {"masked_lm": masked_word_loss(logits, labels, sample_weight)}
        for name in self.loss_names[1:]:
            answers = outputs[f"{name}_logits"]
            wanted, weights = self._weights(name, labels, sample_weight, answers)
            losses = ops.sparse_categorical_crossentropy(wanted, answers, from_logits=True)
            terms[name] = ops.sum(losses * weights), ops.sum(weights)
        return terms

    def quality_terms(self, outputs, labels, sample_weight=None):
        """How often the masked word, the relation of the sentences, a further label is right."""
        logits = outputs["masked_lm_logits"]
        terms = {"masked_lm_accuracy": masked_word_accuracy(logits, labels, sample_weight)}
        for name in self.loss_names[1:]:
            answers = outputs[f"{name}_logits"]
            wanted, weights = self._weights(name, labels, sample_weight, answers)
            chosen = ops.argmax(answers, axis=-1)
            right = ops.cast(chosen == ops.cast(wanted, chosen.dtype), "float32")
            terms[f"{name}_accuracy"] = ops.sum(right * weights), ops.sum(weights)
        return terms

    def _weights(self, name, labels, sample_weight, answers=None):
        """The labels that a loss is about, and what each counts for, in the shape of the answers.

        Below 0 there is no label, and nothing counts.
        """
        column = "next_sentence_labels" if name == "sentence" else name
        wanted = ops.convert_to_tensor(labels[column])
        weights = ops.cast(wanted >= 0, "float32")
        of_example = name == "sentence" or self.extra_labels[name]["of"] != "token"
        if of_example and "sentence_weights" in labels:
            packed = ops.cast(labels["sentence_weights"], "float32")
            weights = weights * ops.reshape(packed, ops.shape(weights))
        if sample_weight is not None:
            rows = (-1, *[1] * (len(wanted.shape) - 1))
            weights = weights * ops.reshape(ops.cast(sample_weight, "float32"), rows)
        wanted = ops.maximum(wanted, 0)
        if answers is not None:
            shape = ops.shape(answers)[:-1]
            wanted, weights = ops.reshape(wanted, shape), ops.reshape(weights, shape)
        return wanted, weights


def _check(encoder, objective, extra):
    if objective not in SENTENCE_OBJECTIVES:
        near = difflib.get_close_matches(str(objective), SENTENCE_OBJECTIVES, n=1)
        hint = f" (nearest: {near[0]})" if near else ""
        known = ", ".join(SENTENCE_OBJECTIVES)
        raise InputError(f"sentence_objective: {objective!r}, wanted one of {known}{hint}")
    if objective == "none" and not extra:
        raise InputError("sentence_objective: none, and no extra_labels; wanted MaskedLM for that")
    for name, label in extra.items():
        if not _is_label(label):
            raise InputError(
                f"extra_labels: {name!r} is {label!r}, wanted `of` (sentence, token or cloze) and "
                "`num_labels`, 2 or more; perhaps `names` of all classes"
            )
        if name in ("masked_lm", "sentence"):
            raise InputError(f"extra_labels: {name!r} is the name of another loss")
    if _of_sentences(objective, extra) and not encoder.pooled:
        raise InputError("encoder: has no pooler, which objectives over sentences read")


def _of_sentences(objective, extra):
    """Whether anything is told of a sentence, which is what a pooler is for."""
    return objective != "none" or any(label["of"] == "sentence" for label in extra.values())


def _is_label(label):
    """Whether a further label is told as `Pretraining` wants it."""
    if not isinstance(label, dict) or label.get("of") not in LABELLED:
        return False
    count, names = label.get("num_labels"), label.get("names")
    named = names is None or (
        label["of"] != "cloze"
        and isinstance(names, list | tuple)
        and len(set(map(str, names))) == len(names) == count
    )
    right = isinstance(count, int) and count >= 2 and named
    return right and set(label) - {"names"} == {"of", "num_labels"}
