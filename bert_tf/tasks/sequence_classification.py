"""Labels or a score for a text or a pair of texts."""

import numpy as np
from keras import ops

from bert_tf.errors import InputError, shown
from bert_tf.layers import (
    ACTIVATIONS_OF_HEADS,
    ProjectionHead,
    fold_in,
    key_for,
    pool,
    pool_examples,
    truncated_normal,
)
from bert_tf.tasks.features import Column, tokenized
from bert_tf.tasks.grouped_rows import as_groups, as_rows, present, text_windows
from bert_tf.tasks.losses import weight_of_rows, weighted_sum
from bert_tf.tasks.task_model import TaskModel

PROBLEM_TYPES = ("single_label_classification", "multi_label_classification", "regression")
POOLINGS = ("cls", "mean", "max")
WINDOW_POOLINGS = ("mean", "max")


class SequenceClassifier(TaskModel):
    """A projection of one vector for the text (Devlin et al. 2019, section 4.1).

    Args:
      encoder: an encoder of any family.
      num_labels: int; 1 for regression.
      label_names: list of str, or None for LABEL_0, LABEL_1, ... as transformers names them.
      problem_type: one of PROBLEM_TYPES; None means regression for one label, single_label
        for more, as in transformers.
      pooling: "cls" (the first token's vector), "mean", "max"; None as the family published it.
      head_layers: dense layers before the projection, a list of width or (width, activation),
        tanh if none is given; None as the family published it.
      window_pooling: how the vectors of a long text's windows are one (setting `windows`): "mean"
        (None) or "max".

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
    )
    columns = {
        "text": Column("text"),
        "text_pair": Column("text", optional=True),
        "label": Column("label", target=True),
    }
    loss_names = ("classification",)
    packs = True
    pools_windows = True

    def __init__(
        self,
        encoder,
        num_labels=2,
        label_names=None,
        problem_type=None,
        pooling=None,
        head_layers=None,
        window_pooling=None,
        **kwargs,
    ):
        _check(num_labels, label_names, problem_type, head_layers)
        for name, value, known in (
            ("pooling", pooling, POOLINGS),
            ("window_pooling", window_pooling, WINDOW_POOLINGS),
        ):
            if value is not None and value not in known:
                raise InputError(f"{name}: {shown(value)}, wanted one of {', '.join(known)}")
        how = pooling or encoder.published.pooling
        if how == "pooler" and encoder.pooler is None:
            known = ", ".join(POOLINGS)
            raise InputError(f"pooling: None, wanted one of {known}: the encoder has no pooler")
        single = "regression" if num_labels == 1 else "single_label_classification"
        problem_type = problem_type or single
        self.metric_names = () if problem_type == "regression" else ("accuracy",)
        super().__init__(encoder if how == "pooler" else encoder.without_pooler(), **kwargs)
        self.problem_type = problem_type
        self.num_labels = num_labels
        self.label_names = list(label_names or [f"LABEL_{i}" for i in range(num_labels)])
        self.pooling, self.window_pooling = pooling, window_pooling
        self.head_layers = None if head_layers is None else [_layer(x) for x in head_layers]
        config = encoder.config
        dropout_rate = config.classifier_dropout
        self.head = ProjectionHead(
            num_labels,
            encoder.published.head_layers if head_layers is None else self.head_layers,
            config.hidden_dropout_prob if dropout_rate is None else dropout_rate,
            truncated_normal(config.initializer_range),
            dtype=self.dtype_policy,
        )
        self.head.build((None, config.hidden_size))
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
        return {"classification": weight_of_rows(labels, sample_weight)}

    def loss_terms(self, outputs, labels, sample_weight=None):
        """Cross-entropy, mean binary cross-entropy over the labels, or squared error."""
        labels, outputs, sample_weight = _as_rows(labels, outputs, sample_weight)
        if self.problem_type == "single_label_classification":
            labels = ops.cast(ops.reshape(labels, (-1,)), "int32")
            losses = ops.sparse_categorical_crossentropy(labels, outputs, from_logits=True)
        elif self.problem_type == "multi_label_classification":
            each = ops.binary_crossentropy(ops.cast(labels, "float32"), outputs, from_logits=True)
            losses = ops.mean(each, axis=-1)
        else:
            difference = outputs - ops.reshape(ops.cast(labels, "float32"), ops.shape(outputs))
            losses = ops.mean(ops.square(difference), axis=-1)
        total = weighted_sum(losses, sample_weight)
        return {
            "classification": (total, self.loss_weights(labels, sample_weight)["classification"])
        }

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

    def answer(self, outputs, inputs, cells, tokenizer):
        """Labels or scores of texts.

        Args: as in TaskModel.
        Returns:
          dict: `label` string [N], `probabilities` and `logits` float32 [N, K]; of regression
          `score` float32 [N] ([N, K] of several) alone. A multi-label `label` joins by "|" the
          names whose probability is at least 0.5, as cells of data files do.
        """
        import tensorflow as tf

        names = list(self.label_names)
        if self.problem_type == "regression":
            return {"score": outputs[:, 0] if len(names) == 1 else outputs}
        if self.problem_type == "multi_label_classification":
            probabilities = tf.sigmoid(outputs)
            rows = tf.tile(tf.constant([names]), [tf.shape(outputs)[0], 1])
            chosen = tf.ragged.boolean_mask(rows, probabilities >= 0.5)
            label = tf.strings.reduce_join(chosen, axis=-1, separator="|")
        else:
            probabilities = tf.nn.softmax(outputs)
            label = tf.gather(tf.constant(names), tf.argmax(outputs, axis=-1))
        return {"label": label, "probabilities": probabilities, "logits": outputs}

    def argument_is_published(self, name):
        """Whether pooling and head layers are those of the family's published classifier."""
        if name not in ("pooling", "head_layers"):
            return True  # the pooling of windows changes no tensor, and no answer to a short text
        value = getattr(self, name)
        published = getattr(self.encoder.published, name)
        return value is None or _as_lists(value) == _as_lists(published)

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
        )
        for old, new in zip(self.head.hidden, larger.head.hidden, strict=True):
            new.kernel.assign(old.kernel)
            new.bias.assign(old.bias)
        old, new = self.head.projection, larger.head.projection
        new.kernel.assign(ops.concatenate([old.kernel, new.kernel[:, known:]], axis=1))
        new.bias.assign(ops.concatenate([old.bias, new.bias[known:]]))
        return larger


def _as_lists(value):
    """A value with lists for tuples, as JSON gives it back."""
    return [_as_lists(each) for each in value] if isinstance(value, tuple | list) else value


def _as_rows(labels, outputs, sample_weight):
    """The examples of packed rows as rows; what is not packed as it is."""
    if len(outputs.shape) == 2:
        return labels, outputs, sample_weight
    flat = [ops.reshape(outputs, (-1, outputs.shape[-1])), ops.reshape(sample_weight, (-1,))]
    several = len(labels.shape) == 3
    labels = ops.reshape(labels, (-1, labels.shape[-1]) if several else (-1,))
    return labels, *flat


def _check(num_labels, label_names, problem_type, head_layers):
    if not _is_count(num_labels):
        raise InputError(f"num_labels: {shown(num_labels)}, wanted a whole number of 1 or more")
    if label_names is not None and len(label_names) != num_labels:
        raise InputError(f"label_names: {len(label_names)} names for num_labels: {num_labels}")
    if label_names is not None and len(set(label_names)) < num_labels:
        twice = next(name for name in label_names if list(label_names).count(name) > 1)
        raise InputError(f"label_names: {shown(twice)} twice, wanted a name for each label")
    if not isinstance(head_layers, list | tuple | None):
        raise InputError(f"head_layers: {shown(head_layers)}, wanted a list of widths")
    if problem_type is not None and problem_type not in PROBLEM_TYPES:
        raise InputError(
            f"problem_type: {shown(problem_type)}, wanted one of {', '.join(PROBLEM_TYPES)}"
        )
    if problem_type == "single_label_classification" and num_labels < 2:
        raise InputError("num_labels: 1, wanted 2 or more for single_label_classification")


def _is_count(number):
    return isinstance(number, int) and not isinstance(number, bool) and number >= 1


def _layer(layer):
    paired = isinstance(layer, list | tuple) and len(layer) == 2
    width, activation = layer if paired else (layer, "tanh")
    if not _is_count(width):
        raise InputError(f"head_layers: width {shown(width)}, wanted a whole number of 1 or more")
    if not isinstance(activation, str) or activation not in ACTIVATIONS_OF_HEADS:
        known = ", ".join(ACTIVATIONS_OF_HEADS)
        raise InputError(f"head_layers: activation {shown(activation)}, wanted one of {known}")
    return [width, activation]
