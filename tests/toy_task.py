"""A task that is not the package's: a document is classified by its sentences.

It stands for the next task somebody writes: it reads lists of texts, its tokens are on another
axis than a classifier's, and its answer has a score for each sentence.
"""

from keras import ops

from bert_tf.layers import Linear, fold_in, key_for
from bert_tf.tasks.answers import plain
from bert_tf.tasks.features import Column, tokenized
from bert_tf.tasks.losses import weight_of_rows, weighted_sum
from bert_tf.tasks.task_model import TaskModel


class DocumentClassifier(TaskModel):
    """Classes of a list of sentences: the mean of their first tokens' vectors, projected.

    Labels: int [B].
    """

    arguments = ("num_labels", "label_names", "temperature")
    columns = {"sentences": Column("texts"), "label": Column("label", target=True)}
    token_axes = dict.fromkeys(("input_ids", "attention_mask", "token_type_ids"), 2)
    loss_names = ("document",)
    metric_names = ("accuracy",)

    def __init__(self, encoder, num_labels=2, label_names=None, temperature=None, **kwargs):
        super().__init__(encoder.without_pooler(), **kwargs)
        self.num_labels, self.temperature = num_labels, temperature
        self.label_names = list(label_names or [f"LABEL_{i}" for i in range(num_labels)])
        self.projection = Linear(num_labels, dtype=self.dtype_policy)
        self.projection.build((None, encoder.config.hidden_size))
        self.build()

    @classmethod
    def arguments_of(cls, labels):
        return {"num_labels": len(labels.label_names), "label_names": list(labels.label_names)}

    @staticmethod
    def features(cells, tokenizer, settings):
        import tensorflow as tf

        texts = cells["sentences"]
        texts = texts.to_tensor("") if isinstance(texts, tf.RaggedTensor) else texts
        shape = tf.shape(texts)
        flat = tokenized(tf.reshape(texts, [-1]), None, tokenizer, settings)
        there = tf.cast(texts != "", tf.int32)[:, :, None]
        inputs = {
            name: tf.reshape(ids, [shape[0], shape[1], tf.shape(ids)[1]])
            for name, ids in flat.items()
        }
        return {**inputs, "attention_mask": inputs["attention_mask"] * there}, cells.get("label")

    def call(self, inputs, training=False, key=None):
        key = key_for(training, key)
        shape = ops.shape(inputs["input_ids"])
        flat = {
            name: ops.reshape(inputs[name], (shape[0] * shape[1], shape[2]))
            for name in self.token_axes
        }
        encoded = self.encoder(flat, only_first=True, training=key is not None, key=fold_in(key, 0))
        first = encoded["sequence_output"][:, 0]
        logits = ops.cast(self.projection(first), "float32") / (self.temperature or 1.0)
        return ops.reshape(logits, (shape[0], shape[1], self.num_labels)) * _there(inputs)

    def loss_weights(self, labels, sample_weight=None):
        return {"document": weight_of_rows(labels, sample_weight)}

    def loss_terms(self, outputs, labels, sample_weight=None):
        losses = ops.sparse_categorical_crossentropy(labels, _mean(outputs), from_logits=True)
        total = weighted_sum(losses, sample_weight)
        return {"document": (total, weight_of_rows(labels, sample_weight))}

    def metric_terms(self, outputs, labels, sample_weight=None):
        right = ops.argmax(_mean(outputs), axis=-1) == ops.cast(labels, "int32")
        return {
            "accuracy": (weighted_sum(right, sample_weight), weight_of_rows(labels, sample_weight))
        }

    def answer(self, outputs, inputs, cells, tokenizer):
        import tensorflow as tf

        label = tf.gather(tf.constant(self.label_names), tf.argmax(_mean(outputs), axis=-1))
        return {"label": label, "scores": tf.nn.softmax(outputs)[..., 0]}

    @staticmethod
    def record(answer):
        return {"label": plain(answer["label"]), "scores": plain(answer["scores"])}


def _there(inputs):
    return ops.cast(ops.any(inputs["attention_mask"] > 0, axis=-1), "float32")[:, :, None]


def _mean(logits):
    count = ops.sum(ops.cast(ops.any(logits != 0, axis=-1), "float32"), axis=-1)
    return ops.sum(logits, axis=1) / ops.maximum(count, 1)[:, None]
