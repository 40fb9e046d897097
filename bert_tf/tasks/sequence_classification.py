"""Labels or a score for a text or a pair of texts."""

import numpy as np
from keras import ops

from bert_tf.layers import fold_in, key_for, pool, pool_examples
from bert_tf.tasks.classifier_arguments import (
    WINDOW_POOLINGS,
    as_lists,
    check_choice,
    check_labels,
    encoder_for,
    head_of,
    layers_of,
    thresholds_of,
)
from bert_tf.tasks.entailment import choose
from bert_tf.tasks.features import Column, tokenized
from bert_tf.tasks.grouped_rows import as_groups, as_rows, present, text_windows
from bert_tf.tasks.losses import weight_of_rows, weighted_sum
from bert_tf.tasks.soft_answers import KINDS, SoftAnswer
from bert_tf.tasks.task_model import TaskModel


class SequenceClassifier(TaskModel):
    """A projection of one vector for the text (Devlin et al. 2019, section 4.1).

    Args:
      encoder: an encoder of any family.
      num_labels: int; 1 for regression.
      label_names: list of str, or None for LABEL_0, LABEL_1, ... as transformers names them.
      problem_type: one of PROBLEM_TYPES; None means regression for one label, single_label
        for more, as in transformers.
      pooling: "cls" (the first token's vector), "last", "mean", "max", "weighted" (see
        `layers.pool`); None as the family published it.
      head_layers: dense layers before the projection, a list of width or (width, activation),
        tanh if none is given; None as the family published it.
      window_pooling: how the vectors of a long text's windows are one (setting `windows`): "mean"
        (None) or "max".
      thresholds: multi-label: the probability from which on a label is given, a float for all or a
        list with one for each; None: 0.5, and `bert-tf finetune` then keeps those with the best
        F1 of each label on the validation rows.

    Attributes:
      class_weights: list of K floats or None, factors of the loss for the training to come, after
        the true class; of several labels a row, of a label that is there. Metrics are unweighted.

    Labels: int [B] for single_label, 0/1 float [B, K] for multi_label, float [B] for regression;
    with `sentence_positions` [B, S] among the inputs those of each example of a packed row, [B, S]
    or [B, S, K], and in `sample_weight` float [B, S] a 0 for a place without one.
    """

    arguments = (
        "num_labels",
        "label_names",
        "problem_type",
        "pooling",
        "head_layers",
        "window_pooling",
        "thresholds",
    )
    columns = {
        "text": Column("text"),
        "text_pair": Column("text", optional=True),
        "label": Column("label", target=True),
        "language": Column("name", optional=True),
    }
    loss_names = ("classification",)
    packs = True
    pools_windows = True
    choose = staticmethod(choose)  # labels that were never trained, of a model of entailment
    class_weights = None

    def __init__(
        self,
        encoder,
        num_labels=2,
        label_names=None,
        problem_type=None,
        pooling=None,
        head_layers=None,
        window_pooling=None,
        thresholds=None,
        **kwargs,
    ):
        check_labels(num_labels, label_names, problem_type)
        check_choice("window_pooling", window_pooling, WINDOW_POOLINGS)
        single = "regression" if num_labels == 1 else "single_label_classification"
        problem_type = problem_type or single
        self.metric_names = () if problem_type == "regression" else ("accuracy",)
        super().__init__(encoder_for(encoder, pooling, encoder.published.pooling), **kwargs)
        self.problem_type = problem_type
        self.num_labels = num_labels
        self.label_names = list(label_names or [f"LABEL_{i}" for i in range(num_labels)])
        self.pooling, self.window_pooling = pooling, window_pooling
        self.head_layers = None if head_layers is None else layers_of(head_layers)
        self.thresholds = thresholds_of(thresholds, num_labels, problem_type)
        published = encoder.published
        hidden = published.head_layers if head_layers is None else self.head_layers
        bias, rate = published.head_bias, published.head_dropout
        self.head = head_of(encoder, num_labels, hidden, bias, rate)
        self.build()

    def call(self, inputs, training=False, key=None):
        """Logits of a batch.

        Args:
          inputs: dict of int32 [B, L], see the encoder; packed rows have `sentence_positions`
            int32 [B, S]; of texts in windows [B, G, L].
          training: bool, with dropout.
          key: integer [2], the dropout key of this step, or None.
        Returns:
          float32 [B, K], or [B, S, K] of packed rows.
        """
        key = key_for(training, key)
        how = self.pooling or self.encoder.published.pooling
        grouped = len(inputs["input_ids"].shape) == 3
        rows = as_rows(inputs) if grouped else inputs
        outputs = self.encoder(
            rows,
            only_first=how in ("pooler", "cls"),
            training=key is not None,
            key=fold_in(key, 0),
        )
        if how == "pooler":
            vector = outputs["pooled_output"]
        else:
            read, mask = outputs["sequence_output"], rows.get("attention_mask")
            firsts = inputs.get("sentence_positions")
            packed = firsts is not None
            vector = pool_examples(read, mask, firsts, how) if packed else pool(read, mask, how)
        if grouped:
            vector = as_groups(vector, inputs)
            there = ops.cast(present(inputs), "int32")
            vector = pool(vector, there, self.window_pooling or "mean")
        return self.head(vector, key=fold_in(key, 1))

    def loss_weights(self, labels, sample_weight=None):
        weights = self._row_weights(labels, sample_weight)
        return {"classification": weight_of_rows(labels, weights)}

    def _row_weights(self, labels, sample_weight):
        """The rows' weights by their classes, float32 [rows]; `sample_weight` without such."""
        if self.class_weights is None or self.problem_type != "single_label_classification":
            return sample_weight
        classes = ops.cast(ops.reshape(labels, (-1,)), "int32")
        weights = ops.take(ops.cast(self.class_weights, "float32"), classes)
        if sample_weight is None:
            return weights
        return weights * ops.cast(ops.reshape(sample_weight, (-1,)), "float32")

    def loss_terms(self, outputs, labels, sample_weight=None):
        """Cross-entropy, mean binary cross-entropy over the labels, or squared error; a sum of rows
        under their weights and those of their classes."""
        labels, outputs, sample_weight = _as_rows(labels, outputs, sample_weight)
        if self.problem_type == "single_label_classification":
            labels = ops.cast(ops.reshape(labels, (-1,)), "int32")
            losses = ops.sparse_categorical_crossentropy(labels, outputs, from_logits=True)
        elif self.problem_type == "multi_label_classification":
            labels = ops.cast(labels, "float32")
            each = ops.binary_crossentropy(labels, outputs, from_logits=True)
            if self.class_weights is not None:
                factors = ops.cast(self.class_weights, "float32")
                each = each * (1 + (factors - 1) * labels)
            losses = ops.mean(each, axis=-1)
        else:
            difference = outputs - ops.reshape(ops.cast(labels, "float32"), ops.shape(outputs))
            losses = ops.mean(ops.square(difference), axis=-1)
        weights = self._row_weights(labels, sample_weight)
        return {"classification": (weighted_sum(losses, weights), weight_of_rows(labels, weights))}

    def metric_terms(self, outputs, labels, sample_weight=None):
        """Accuracy, under multi_label over single decisions; regression has its loss alone."""
        if self.problem_type == "regression":
            return {}
        labels, outputs, sample_weight = _as_rows(labels, outputs, sample_weight)
        if self.problem_type == "single_label_classification":
            right = ops.argmax(outputs, axis=-1) == ops.cast(ops.reshape(labels, (-1,)), "int32")
        else:
            right = ops.mean((outputs > 0) == (labels > 0.5), axis=-1)
        total = weighted_sum(right, sample_weight)
        return {"accuracy": (total, weight_of_rows(labels, sample_weight))}

    def outputs_of_ids(self, inputs):
        """`logits` float32 [B, K]; see `Refusals.outputs_of_ids`."""
        return {"logits": self(inputs, training=False)}

    def soft_answers(self, outputs, inputs):
        """The logits, or the numbers of regression; see `tasks.soft_answers`."""
        return [SoftAnswer(KINDS[self.problem_type], outputs)]

    @classmethod
    def arguments_of(cls, labels):
        """The number of labels, their names and the kind of problem."""
        names = labels.label_names
        return {
            "num_labels": 1 if names is None else len(names),
            "label_names": None if names is None else list(names),
            "problem_type": labels.problem_type,
        }

    @staticmethod
    def features(cells, tokenizer, settings):
        """Token ids of a text or a pair, [N, L], or of its windows, [N, G, L], if `settings` has
        `windows`; and the label as the table has it."""
        encode = text_windows if settings.get("windows") else tokenized
        inputs = encode(cells["text"], cells.get("text_pair"), tokenizer, settings)
        return inputs, cells.get("label")

    @property
    def monitors(self):
        """The figures of `metrics.measure` that rank models, and the loss."""
        from bert_tf.tasks import metrics

        return (*metrics.metric_names(self.problem_type, self.num_labels), "loss")

    def higher_is_better(self, name):
        """bool, whether a larger value of this figure is the better one."""
        from bert_tf.tasks import metrics

        return metrics.higher_is_better(name)

    def predictions(self, outputs, inputs):
        """The logits."""
        return outputs

    def final_metrics(self, predictions, labels, rows=None, table=None):
        """Every figure of `metrics.measure`."""
        from bert_tf.tasks import metrics

        return metrics.measure(np.concatenate(labels), np.concatenate(predictions), self)

    def settle(self, figures):
        """Keeps the thresholds that would have been best, where none were given."""
        if figures is None:
            self.thresholds = None
        elif self.thresholds is None:
            self.thresholds = figures.get("best_thresholds")

    def answer(self, outputs, inputs, cells, tokenizer):
        """Labels or scores of texts.

        Args: as in TaskModel.
        Returns:
          dict: `label` string [N], `probabilities` and `logits` float32 [N, K]; of regression
          `score` float32 [N] ([N, K] of several) alone. A multi-label `label` joins by "|" the
          names whose probability is at least their threshold, as cells of data files do.
        """
        import tensorflow as tf

        names = list(self.label_names)
        if self.problem_type == "regression":
            return {"score": outputs[:, 0] if len(names) == 1 else outputs}
        if self.problem_type == "multi_label_classification":
            probabilities = tf.sigmoid(outputs)
            rows = tf.tile(tf.constant([names]), [tf.shape(outputs)[0], 1])
            given = probabilities >= (0.5 if self.thresholds is None else self.thresholds)
            named = tf.ragged.boolean_mask(rows, given)
            label = tf.strings.reduce_join(named, axis=-1, separator="|")
        else:
            probabilities = tf.nn.softmax(outputs)
            label = tf.gather(tf.constant(names), tf.argmax(outputs, axis=-1))
        return {"label": label, "probabilities": probabilities, "logits": outputs}

    def argument_is_published(self, name):
        """Whether pooling and head layers are those of the family's published classifier."""
        if name not in ("pooling", "head_layers"):
            return True  # the others change no tensor, and no other package's answer
        value = getattr(self, name)
        published = getattr(self.encoder.published, name)
        return value is None or as_lists(value) == as_lists(published)

    def grown(self, label_names):
        """A classifier for more labels over the same encoder; what it knows of the old ones stays.

        Args:
          label_names: list of str that begins with the labels of this one.
        Returns:
          A SequenceClassifier over this one's encoder, whose projection has the old columns first
          and fresh ones after them; this one if there are no more labels.
        """
        known = self.num_labels
        if len(label_names) == known:
            return self
        larger = SequenceClassifier(
            self.encoder,
            len(label_names),
            list(label_names),
            self.problem_type,
            self.pooling,
            self.head_layers,
            self.window_pooling,
            self.thresholds and [*self.thresholds, *[0.5] * (len(label_names) - known)],
        )
        heads = (self.head, larger.head)
        for old, new in zip(*([*head.hidden, *head.norms] for head in heads), strict=True):
            if old is not None:
                new.set_weights(old.get_weights())
        old, new = self.head.projection, larger.head.projection
        new.kernel.assign(ops.concatenate([old.kernel, new.kernel[:, known:]], axis=1))
        if new.bias is not None:
            new.bias.assign(ops.concatenate([old.bias, new.bias[known:]]))
        return larger


def _as_rows(labels, outputs, sample_weight):
    """The examples of packed rows as rows; what is not packed as it is."""
    if len(outputs.shape) == 2:
        return labels, outputs, sample_weight
    flat = [ops.reshape(outputs, (-1, outputs.shape[-1])), ops.reshape(sample_weight, (-1,))]
    several = len(labels.shape) == 3
    labels = ops.reshape(labels, (-1, labels.shape[-1]) if several else (-1,))
    return labels, *flat
