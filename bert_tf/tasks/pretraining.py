"""Masked words, a relation between sentences, and further labels, predicted together."""

from keras import ops

from bert_tf.errors import InputError, nearest, shown
from bert_tf.layers import ProjectionHead, fold_in, key_for, truncated_normal
from bert_tf.tasks import fill_mask
from bert_tf.tasks.masked_words import (
    masked_word_accuracy,
    masked_word_logits,
    masked_word_loss,
    masked_word_weights,
)
from bert_tf.tasks.objectives import (
    ClassObjective,
    ClozeObjective,
    class_accuracy,
    class_loss,
    weighed_labels,
)
from bert_tf.tasks.soft_answers import SoftAnswer, masked_places
from bert_tf.tasks.task_model import TaskModel

# Objective over the sentences of a row -> how many answers it has.
SENTENCE_OBJECTIVES = {"next_sentence": 2, "sentence_order": 2, "sentence_order_3": 3, "none": 0}
# What files of other packages mean by their head of two answers.
TWO_WAY = ("next_sentence", "sentence_order")
# What a further label belongs to.
LABELLED = ("sentence", "token", "cloze")


class Pretraining(TaskModel):
    """Masked LM and a sentence objective (Devlin et al. 2019, section 3.1; Lan et al. 2020, section
    3.1).

    Args:
      encoder: an encoder; with a pooler where a sentence is classified, else it is left aside.
      sentence_objective: "next_sentence" (0 follows, 1 random), "sentence_order" (0 in order, 1
        swapped), "sentence_order_3" (and 2 unrelated), or "none"; None as the family published it.
      extra_labels: dict of further labels, name -> {"of": "sentence", "token" or "cloze",
        "num_labels": K}; None for none. Each has a loss and an accuracy of its own. Classes of a
        sentence or token, perhaps with "names", K str, are a projection; the at most
        K candidates of a cloze question are scored by the masked-LM head, at the blank.

    Labels: a dict of `masked_ids` int [B, P] and `masked_weights` float [B, P] (0 for filling),
    `next_sentence_labels` int [B], and each further label, int [B] or [B, L]; with
    `sentence_positions` [B, S] among the inputs those of sentences are [B, S], and weighed by
    `sentence_weights` float [B, S] if these are there. A label below 0 is none.
    """

    arguments = ("sentence_objective", "extra_labels")
    columns = fill_mask.COLUMNS
    answer_options = {"top": 5}
    features = staticmethod(fill_mask.features)
    record = staticmethod(fill_mask.record)

    def __init__(self, encoder, sentence_objective=None, extra_labels=None, **kwargs):
        published = encoder.published.sentence_objective or "next_sentence"
        objective, extra = sentence_objective or published, extra_labels or {}
        _check(encoder, objective, extra)
        extra = dict(extra)
        if not _of_sentences(objective, extra):
            encoder = encoder.without_pooler()
        self.loss_names = ("masked_lm", *["sentence"] * (objective != "none"), *extra)
        self.metric_names = tuple(f"{name}_accuracy" for name in self.loss_names)
        super().__init__(encoder, **kwargs)
        self.sentence_objective, self.extra_labels = objective, extra or None
        self.masked_lm_head = encoder.masked_lm_head()
        if objective != "none":
            self.sentence_head = self._head(SENTENCE_OBJECTIVES[objective])
        self.label_heads = [
            self._head(label["num_labels"]) for label in extra.values() if label["of"] != "cloze"
        ]
        self.objectives = self._objectives(extra)
        self.build()

    def _head(self, num_labels):
        config = self.encoder.config
        initial = truncated_normal(config.initializer_range)
        head = ProjectionHead(num_labels, initializer=initial, dtype=self.dtype_policy)
        head.build((None, config.hidden_size))
        return head

    def _objectives(self, extra):
        """What is predicted besides masked words, in the order of their dropout keys."""
        found, heads = [], iter(self.label_heads)
        if self.sentence_objective != "none":
            found.append(
                ClassObjective(
                    "sentence", self.sentence_head, "pooled_output", "next_sentence_labels"
                )
            )
        for name, label in extra.items():
            if label["of"] == "cloze":
                found.append(ClozeObjective(name, self._word_logits))
            else:
                reads = "pooled_output" if label["of"] == "sentence" else "sequence_output"
                found.append(ClassObjective(name, next(heads), reads))
        return found

    def _word_logits(self, sequence_output, positions):
        """float32 [B, P, V] at positions int32 [B, P]; at all for None."""
        table = self.encoder.embeddings.word_embeddings
        return masked_word_logits(self.masked_lm_head, table, sequence_output, positions)

    def call(self, inputs, training=False, key=None):
        """Predictions of a batch.

        Args:
          inputs: dict of int32 [B, L], see the encoder; with `masked_positions` int32 [B, P] only
            those positions are carried to the vocabulary; with `sentence_positions` int32 [B, S]
            each of a row's packed examples gets an answer. A cloze question takes two more,
            see ClozeObjective; without them it has no answer.
          training: bool, with dropout.
          key: integer [2], the dropout key of this step, or None.
        Returns:
          dict: `masked_lm_logits` float32 [B, P, V] ([B, L, V] without masked_positions),
          `sentence_logits` float32 [B, 2 or 3] ([B, S, ...] with sentence_positions) and, for each
          further label, NAME_logits [B, K], [B, S, K] or [B, L, K]; of a cloze question [B, n] or
          [B, S, n].
        """
        key = key_for(training, key)
        encoded = self.encoder(inputs, training=key is not None, key=fold_in(key, 0))
        sequence_output, positions = encoded["sequence_output"], inputs.get("masked_positions")
        answers = {"masked_lm_logits": self._word_logits(sequence_output, positions)}
        # The sentence's key is 1 whether there is one or not.
        first = 1 if self.sentence_objective != "none" else 2
        for place, objective in enumerate(self.objectives, start=first):
            logits = objective.logits(encoded, inputs, fold_in(key, place))
            if logits is not None:
                answers[f"{objective.name}_logits"] = logits
        return answers

    def masked_lm_logits(self, outputs):
        """The logits over the vocabulary among the outputs of `call`."""
        return outputs["masked_lm_logits"]

    def soft_answers(self, outputs, inputs):
        """The logits at every word that is to be predicted; see `tasks.soft_answers`."""
        return [SoftAnswer("choice", outputs["masked_lm_logits"], masked_places(inputs), True)]

    def loss_weights(self, labels, sample_weight=None):
        weights = {"masked_lm": ops.sum(masked_word_weights(labels, sample_weight))}
        for objective in self.objectives:
            weights[objective.name] = ops.sum(weighed_labels(objective, labels, sample_weight)[1])
        return weights

    def loss_terms(self, outputs, labels, sample_weight=None):
        logits = outputs["masked_lm_logits"]
        terms = {"masked_lm": masked_word_loss(logits, labels, sample_weight)}
        for objective in self.objectives:
            logits = outputs[f"{objective.name}_logits"]
            terms[objective.name] = class_loss(objective, logits, labels, sample_weight)
        return terms

    def metric_terms(self, outputs, labels, sample_weight=None):
        """How often the masked word, the relation of the sentences, a further label is right."""
        logits = outputs["masked_lm_logits"]
        terms = {"masked_lm_accuracy": masked_word_accuracy(logits, labels, sample_weight)}
        for objective in self.objectives:
            logits = outputs[f"{objective.name}_logits"]
            accuracy = class_accuracy(objective, logits, labels, sample_weight)
            terms[f"{objective.name}_accuracy"] = accuracy
        return terms

    def answer(self, outputs, inputs, cells, tokenizer, top=5):
        """The likeliest words for each [MASK]; see `fill_mask.answer`."""
        return fill_mask.answer(outputs["masked_lm_logits"], inputs, cells, tokenizer, top)

    def argument_is_published(self, name):
        """Whether published classes have it: two answers about a pair of sentences, whichever of
        two objectives they mean, and no further label."""
        value = getattr(self, name)
        return value in TWO_WAY if name == "sentence_objective" else value is None


def _check(encoder, objective, extra):
    if not isinstance(objective, str) or objective not in SENTENCE_OBJECTIVES:
        near = nearest(objective, SENTENCE_OBJECTIVES)
        hint = f" (nearest: {near})" if near else ""
        known = ", ".join(SENTENCE_OBJECTIVES)
        raise InputError(f"sentence_objective: {shown(objective)}, wanted one of {known}{hint}")
    if not isinstance(extra, dict):
        raise InputError(f"extra_labels: {shown(extra)}, wanted a label by its name")
    if objective == "none" and not extra:
        raise InputError("sentence_objective: none, and no extra_labels; wanted MaskedLM for that")
    for name, label in extra.items():
        if not _is_label(label):
            raise InputError(
                f"extra_labels: {shown(name)} is {shown(label)}, wanted `of` (sentence, token or "
                "cloze) and `num_labels`, 2 or more; perhaps `names` of all classes"
            )
        if name in ("masked_lm", "sentence"):
            raise InputError(f"extra_labels: {name!r} is the name of another loss")
    if _of_sentences(objective, extra) and encoder.pooler is None:
        raise InputError("encoder: has no pooler, which objectives over sentences read")


def _of_sentences(objective, extra):
    """Whether any objective is over a sentence, which is what a pooler is for."""
    return objective != "none" or any(label["of"] == "sentence" for label in extra.values())


def _is_label(label):
    """Whether a further label is described as `Pretraining` wants it."""
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
