"""Which of several choices answers a question about a text, or fills the blank in it."""

import numpy as np
from keras import ops

from bert_tf.errors import InputError
from bert_tf.layers import LOWEST, fold_in, key_for, pool
from bert_tf.tasks.answers import plain
from bert_tf.tasks.classifier_arguments import check_choice, encoder_for, head_of
from bert_tf.tasks.features import Column, tokenized
from bert_tf.tasks.grouped_rows import as_groups, as_rows, present
from bert_tf.tasks.losses import weight_of_rows, weighted_sum
from bert_tf.tasks.soft_answers import SoftAnswer
from bert_tf.tasks.task_model import TaskModel

RANKINGS = ("listwise", "pointwise")


class MultipleChoice(TaskModel):
    """A score for the text with each choice; the highest is the answer.

    Each choice is a row of its own, the text and "question choice" as a pair, and its vector is
    projected to one number (Radford et al. 2018, section 3.3; Devlin et al. 2019, section 4.4). A
    choice whose row is padding has the probability 0 and counts nowhere. Cloze by choosing is the
    same: the text has a blank, such as `___`, or `[MASK]` under `special_tokens_in_text`, and the
    choices are what may stand there.

    Args:
      encoder: an encoder of any family.
      ranking: "listwise" (None): the loss of a row is the cross-entropy of a softmax over its
        choices, -log(exp(s_right) / sum_c exp(s_c)) (ListNet's top-one probability, Cao et al.
        2007, section 4.2). "pointwise": it is the mean over the choices of the binary cross-entropy
        of sigmoid(s_c), 1 for the right one and 0 for the others: each stands for itself.
      pooling: as in SequenceClassifier; None as the family published it.

    Labels: int [B], the number of the right choice, from 0.
    """

    arguments = ("ranking", "pooling")
    columns = {
        "text": Column("text"),
        "choices": Column("texts"),
        "question": Column("text", optional=True),
        "label": Column("number", target=True),
    }
    token_axes = dict.fromkeys(("input_ids", "attention_mask", "token_type_ids"), 2)
    loss_names = ("choice",)
    metric_names = ("accuracy",)

    def __init__(self, encoder, ranking=None, pooling=None, **kwargs):
        check_choice("ranking", ranking, RANKINGS)
        published = encoder.published.for_choices()
        super().__init__(encoder_for(encoder, pooling, published.pooling), **kwargs)
        self.ranking, self.pooling = ranking, pooling
        self.head = head_of(encoder, 1, published.head_layers, rate=published.head_dropout)
        self.build()

    @staticmethod
    def features(cells, tokenizer, settings):
        """Token ids of the text with each choice, [N, C, L]; of an absent choice ("") padding."""
        import tensorflow as tf

        choices = cells["choices"]
        choices = choices.to_tensor("") if isinstance(choices, tf.RaggedTensor) else choices
        shape = tf.shape(choices)
        there = tf.reshape(choices != "", [-1])
        second = tf.reshape(choices, [-1])
        if "question" in cells:
            second = _joined(tf.repeat(cells["question"], shape[1]), second)
        flat = tokenized(tf.repeat(cells["text"], shape[1]), second, tokenizer, settings)
        flat["attention_mask"] *= tf.cast(there, tf.int32)[:, None]
        inputs = {
            name: tf.reshape(ids, [shape[0], shape[1], tf.shape(ids)[1]])
            for name, ids in flat.items()
        }
        return inputs, cells.get("label")

    @staticmethod
    def fault(cells):
        """Refuses a row without choices, and a label that is none of them; see TaskModel."""
        there = [number for number, choice in enumerate(cells["choices"]) if choice]
        if not there:
            raise InputError("choices are all empty, wanted one at least that is not")
        if "label" in cells and int(cells["label"]) not in there:
            numbers = ", ".join(map(str, there))
            raise InputError(f"label is {cells['label']}, wanted the number of a choice: {numbers}")
        return "one choice alone" if len(there) == 1 else None

    def call(self, inputs, training=False, key=None):
        """The score of each choice.

        Args:
          inputs: dict of int32 [B, C, L], see the encoder.
          training: bool, with dropout.
          key: integer [2], the dropout key of this step, or None.
        Returns:
          float32 [B, C], very low where the row of a choice is padding.
        """
        key = key_for(training, key)
        how = self.pooling or self.encoder.published.for_choices().pooling
        rows = as_rows(inputs)
        outputs = self.encoder(
            rows,
            only_first=how in ("pooler", "cls"),
            training=key is not None,
            key=fold_in(key, 0),
        )
        if how == "pooler":
            vector = outputs["pooled_output"]
        else:
            vector = pool(outputs["sequence_output"], rows.get("attention_mask"), how)
        scores_BC = as_groups(self.head(vector, key=fold_in(key, 1))[:, 0], inputs)
        return ops.where(present(inputs), scores_BC, LOWEST)

    def loss_weights(self, labels, sample_weight=None):
        return {"choice": weight_of_rows(labels, sample_weight)}

    def loss_terms(self, outputs, labels, sample_weight=None):
        """Cross-entropy over the choices, or the mean of their binary ones; see `ranking`."""
        labels = ops.cast(ops.reshape(labels, (-1,)), "int32")
        if self.ranking == "pointwise":
            right_BC = ops.one_hot(labels, ops.shape(outputs)[1], dtype="float32")
            # 0 where there is no choice: its score is very low, and it is never the right one.
            each_BC = ops.softplus(outputs) - right_BC * outputs
            count_B = ops.sum(ops.cast(_scored(outputs), "float32"), axis=-1)
            losses = ops.sum(each_BC, axis=-1) / ops.maximum(count_B, 1)
        else:
            losses = ops.sparse_categorical_crossentropy(labels, outputs, from_logits=True)
        total = weighted_sum(losses, sample_weight)
        return {"choice": (total, weight_of_rows(labels, sample_weight))}

    def metric_terms(self, outputs, labels, sample_weight=None):
        """How often the right choice has the highest score."""
        right = ops.argmax(outputs, axis=-1) == ops.cast(ops.reshape(labels, (-1,)), "int32")
        total = weighted_sum(right, sample_weight)
        return {"accuracy": (total, weight_of_rows(labels, sample_weight))}

    def soft_answers(self, outputs, inputs):
        """The scores of a row's choices; see `tasks.soft_answers`."""
        return [SoftAnswer("choice", outputs)]

    @property
    def monitors(self):
        """Accuracy, and the loss."""
        return ("accuracy", "loss")

    def predictions(self, outputs, inputs):
        """The highest score, float32 [B], and its number, int32 [B]."""
        return ops.max(outputs, axis=-1), ops.argmax(outputs, axis=-1)

    def final_metrics(self, predictions, labels, rows=None, table=None):
        """`rows` and `accuracy`.

        Raises:
          InputError: a score is not finite.
        """
        scores, choices = (np.concatenate(part) for part in zip(*predictions, strict=True))
        odd = int((~np.isfinite(scores)).sum())
        if odd:
            raise InputError(
                f"the model's answer for {odd} of {len(scores)} rows is not a finite number"
            )
        right = choices == np.concatenate(labels)
        return {"rows": len(right), "accuracy": float(np.mean(right))}

    def answer(self, outputs, inputs, cells, tokenizer):
        """The choices that are made.

        Args: as in TaskModel.
        Returns:
          dict: `choice` int32 [N], its number, -1 of a row without any; `answer` string [N], the
          choice itself; `probabilities` float32 [N, C], 0 where a row has fewer: their softmax, of
          a pointwise model the sigmoid of each; `logits` float32 [N, C].
        """
        import tensorflow as tf

        choices = cells["choices"]
        choices = choices.to_tensor("") if isinstance(choices, tf.RaggedTensor) else choices
        choice = tf.argmax(outputs, axis=-1, output_type=tf.int32)
        several = tf.sigmoid if self.ranking == "pointwise" else tf.nn.softmax
        there = _scored(outputs)
        return {
            "choice": tf.where(tf.reduce_any(there, axis=-1), choice, -1),
            "answer": tf.gather(choices, choice, batch_dims=1),
            "probabilities": tf.where(there, several(outputs), 0.0),
            "logits": outputs,
        }

    @staticmethod
    def record(answer):
        """`choice`, `answer` and `probabilities`, a number for each of the row's own choices.

        Raises:
          InputError: the row has no choices.
        """
        there = np.flatnonzero(np.asarray(answer["logits"]) > LOWEST / 2)
        if not len(there):
            raise InputError("choices are all empty, wanted one at least that is not")
        own = np.asarray(answer["probabilities"])[: there[-1] + 1]
        return {
            "choice": plain(answer["choice"]),
            "answer": plain(answer["answer"]),
            "probabilities": plain(own),
        }

    def argument_is_published(self, name):
        """Whether the pooling is published; how it was ranked changes no tensor and no score."""
        published = self.encoder.published.for_choices().pooling
        return name == "ranking" or self.pooling in (None, published)


def _scored(scores):
    """Where there is a choice, bool [B, C]."""
    return scores > LOWEST / 2


# What is written without spaces between words: Chinese and Japanese letters, and their marks.
_NO_SPACES = r"\p{Han}\p{Hiragana}\p{Katakana}\x{3000}-\x{303f}\x{ff00}-\x{ffef}"


def _joined(questions, choices):
    """ "question choice", string [X]; without the space between Chinese, and to no question."""
    import tensorflow as tf

    ends = tf.strings.regex_full_match(questions, f"(?s).*[{_NO_SPACES}]")
    begins = tf.strings.regex_full_match(choices, f"(?s)[{_NO_SPACES}].*")
    without = (ends & begins) | (questions == "")
    return tf.strings.join([questions, tf.where(without, "", " "), choices])
