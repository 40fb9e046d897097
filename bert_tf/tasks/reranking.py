"""How well texts answer a query: a pair model that is trained on all candidates of a query."""

from keras import ops

from bert_tf.layers import LOWEST
from bert_tf.tasks.classifier_arguments import check_choice
from bert_tf.tasks.features import Column, tokenized
from bert_tf.tasks.grouped_rows import as_groups, as_rows, present
from bert_tf.tasks.losses import weighted_sum
from bert_tf.tasks.ranking_losses import NO_SCORE, RANKINGS
from bert_tf.tasks.sequence_classification import SequenceClassifier
from bert_tf.tasks.soft_answers import SoftAnswer


class Reranker(SequenceClassifier):
    """A score for a query with a text, the higher the better (Nogueira & Cho 2019, section 3).

    It is a SequenceClassifier of pairs with one label and `problem_type` "regression", and its
    files are those of one; a row of training is a query with all its candidates. Rows of a table
    with equal queries, wherever they stand, are one query's.

    Args:
      encoder: an encoder of any family.
      num_labels, problem_type: 1 and "regression" alone.
      label_names, pooling, head_layers: as in SequenceClassifier.
      ranking: the loss, a key of `ranking_losses.RANKINGS`: "listwise" (None), "listnet",
        "pairwise", "pointwise" or "regression".

    Labels: float [B, T], how relevant each candidate is, 0 for not at all; NO_SCORE where a query
    has fewer.
    """

    arguments = (
        "num_labels",
        "label_names",
        "problem_type",
        "pooling",
        "head_layers",
        "ranking",
    )
    columns = {
        "text": Column("text"),
        "text_pair": Column("text"),
        "label": Column("rating", target=True),
    }
    places = {"text": "query", "text_pair": "text", "label": "score"}
    group_by = "text"
    token_axes = dict.fromkeys(("input_ids", "attention_mask", "token_type_ids"), 2)
    loss_names = ("ranking",)
    packs = False
    pools_windows = False

    def __init__(
        self,
        encoder,
        num_labels=1,
        label_names=None,
        problem_type=None,
        pooling=None,
        head_layers=None,
        ranking=None,
        **kwargs,
    ):
        check_choice("num_labels", num_labels, (1,))
        check_choice("problem_type", problem_type, ("regression",))
        check_choice("ranking", ranking, RANKINGS)
        super().__init__(encoder, 1, label_names, "regression", pooling, head_layers, **kwargs)
        self.ranking = ranking

    @classmethod
    def arguments_of(cls, labels):
        """Nothing: there is one label, whatever the table holds."""
        return {}

    @staticmethod
    def features(cells, tokenizer, settings):
        """Token ids of the query with each of its candidates, [N, T, L], and their labels; of
        plain pairs, such as a model is asked, [N, L]."""
        import tensorflow as tf

        texts = cells["text_pair"]
        if not isinstance(texts, tf.RaggedTensor):
            return tokenized(cells["text"], texts, tokenizer, settings), cells.get("label")
        lengths = texts.row_lengths()
        queries = tf.repeat(cells["text"], lengths)
        inputs = {
            name: tf.RaggedTensor.from_row_lengths(ids, lengths).to_tensor()
            for name, ids in tokenized(queries, texts.flat_values, tokenizer, settings).items()
        }
        labels = cells.get("label")
        return inputs, None if labels is None else labels.to_tensor(NO_SCORE)

    def call(self, inputs, training=False, key=None):
        """The score of each candidate.

        Args:
          inputs: dict of int32 [B, T, L], see the encoder, or [N, L] of plain pairs.
          training, key: as in SequenceClassifier.
        Returns:
          float32 [B, T], very low where a query has fewer candidates; [N, 1] of plain pairs.
        """
        if len(inputs["input_ids"].shape) == 2:
            return super().call(inputs, training=training, key=key)
        scores = super().call(as_rows(inputs), training=training, key=key)
        return ops.where(present(inputs), as_groups(scores[:, 0], inputs), LOWEST)

    def loss_weights(self, labels, sample_weight=None):
        """The queries that the loss says something of; a listwise or pairwise one needs candidates
        of which one is better."""
        _, usable = RANKINGS[self.ranking or "listwise"]
        counted = ops.cast(usable(ops.cast(labels, "float32")), "float32")
        return {"ranking": weighted_sum(counted, sample_weight)}

    def loss_terms(self, outputs, labels, sample_weight=None):
        """The loss of each query, see `ranking_losses`; 0 of a query without weight."""
        # What is beyond the candidates of this batch is no candidate.
        labels = ops.cast(labels[:, : ops.shape(outputs)[1]], "float32")
        loss, usable = RANKINGS[self.ranking or "listwise"]
        losses = ops.where(usable(labels), loss(outputs, labels), 0.0)
        weights = self.loss_weights(labels, sample_weight)
        return {"ranking": (weighted_sum(losses, sample_weight), weights["ranking"])}

    def metric_terms(self, outputs, labels, sample_weight=None):
        """None: a ranking is measured on whole data sets."""
        return {}

    def soft_answers(self, outputs, inputs):
        """The scores of a query's candidates, numbers; see `tasks.soft_answers`."""
        return [SoftAnswer("number", outputs, outputs > LOWEST / 2)]

    @property
    def monitors(self):
        """nDCG, the reciprocal rank, and the loss."""
        return ("ndcg@10", "mrr@10", "loss")

    def higher_is_better(self, name):
        """bool, whether a larger value of this figure is the better one."""
        return name != "loss"

    def final_metrics(self, predictions, labels, rows=None, table=None):
        """Every figure of `ranking_metrics.measure`."""
        from bert_tf.tasks import ranking_metrics

        return ranking_metrics.measure(predictions, labels)

    def argument_is_published(self, name):
        """As of a SequenceClassifier; how it was trained changes no tensor and no score."""
        return name == "ranking" or super().argument_is_published(name)
