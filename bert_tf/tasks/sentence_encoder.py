"""One vector for a text, near those of texts that mean the same."""

import numpy as np
from keras import ops

from bert_tf.errors import InputError, shown
from bert_tf.layers import Linear, fold_in, key_for, pool, truncated_normal
from bert_tf.tasks.classifier_arguments import POOLINGS, WINDOW_POOLINGS, check_choice
from bert_tf.tasks.embedding_arguments import (
    ACTIVATIONS,
    FIGURES,
    figures_of,
    layer_of,
    monitors_of,
    sizes_of,
)
from bert_tf.tasks.embedding_losses import (
    IN_BATCH,
    OBJECTIVES,
    READS,
    lacking,
    loss_of_rows,
    row_weights,
    unit_length,
)
from bert_tf.tasks.features import Column, tokenized
from bert_tf.tasks.grouped_rows import as_groups, as_rows, present, text_windows
from bert_tf.tasks.soft_answers import mask_of
from bert_tf.tasks.task_model import TaskModel

_SCALE, _MARGIN = 20.0, 0.2


class SentenceEncoder(TaskModel):
    """A vector for a text: its tokens' vectors pooled (Reimers & Gurevych 2019, arXiv 1908.10084).

    Args:
      encoder: an encoder of any family.
      pooling: "mean" (None), "cls", "max", "last", or "weighted": the mean with weights 1, 2, 3,
        ... of the tokens' places.
      normalize: bool, whether vectors have unit length; None: true.
      dense: (width, activation), a layer between pooling and unit length, or None.
      objective: the loss, one of `embedding_losses.OBJECTIVES`; None: "simcse". From a table:
        what its columns are for, see `arguments_of`.
      scale: float, what cosines are multiplied by before a softmax: one over its temperature; 20
        if None.
      margin: float, of the triplet loss; 0.2 if None.
      highest_score: float, the score of texts that mean the same, which `cosine` divides by; 1 if
        None. From a table: the highest in it.
      matryoshka: list of int, sizes: the loss is the sum of those of the first so many numbers of
        each vector, and of the whole vector (Kusupati et al. 2022, arXiv 2205.13147, eq. 1).
      window_pooling: how the vectors of a long text's windows are one (setting `windows`), before
        the dense layer: "mean" (None) or "max".

    Labels: dict of `texts` int64 [B, T], equal numbers for equal texts and -1 where a row has fewer
    than T; `score` float [B] or `category` int [B] where the table has them.

    Negatives of in-batch losses are the texts of all rows of a step, also when `accumulate` cuts it
    into micro-batches: see `training.step`. Under several replicas they are those of the replica.
    """

    arguments = (
        *("pooling", "normalize", "dense", "objective", "scale", "margin", "highest_score"),
        *("matryoshka", "window_pooling"),
    )
    columns = {
        "text": Column("text"),
        "text_pair": Column("text", optional=True, target=True),
        "negative": Column("text", optional=True, target=True, beside="text_pair"),
        "negatives": Column("texts", optional=True, target=True, beside="text_pair"),
        "score": Column("rating", optional=True, target=True, beside="text_pair"),
        "category": Column("label", optional=True, target=True),
        "language": Column("name", optional=True),
    }
    token_axes = dict.fromkeys(("input_ids", "attention_mask", "token_type_ids", "language_ids"), 2)
    loss_names = ("embedding",)
    figures = FIGURES  # until a table says which
    pools_windows = True

    def __init__(
        self,
        encoder,
        pooling=None,
        normalize=None,
        dense=None,
        objective=None,
        scale=None,
        margin=None,
        highest_score=None,
        matryoshka=None,
        window_pooling=None,
        **kwargs,
    ):
        check_choice("pooling", pooling, POOLINGS)
        check_choice("objective", objective, OBJECTIVES)
        check_choice("window_pooling", window_pooling, WINDOW_POOLINGS)
        for name, value in (("scale", scale), ("margin", margin), ("highest_score", highest_score)):
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if value is not None and not (number and value > 0):
                raise InputError(f"{name}: {shown(value)}, wanted a number above 0")
        super().__init__(encoder.without_pooler(), **kwargs)
        self.pooling, self.objective = pooling or "mean", objective or "simcse"
        self.window_pooling = window_pooling
        self.normalize = normalize is not False
        self.dense = None if dense is None else layer_of(dense)
        self.scale, self.margin, self.highest_score = scale, margin, highest_score
        config = encoder.config
        self.width = config.hidden_size if dense is None else self.dense[0]
        self.matryoshka = None if matryoshka is None else sizes_of(matryoshka, self.width)
        self.head = None
        if dense is not None:
            initializer = truncated_normal(config.initializer_range)
            self.head = Linear(self.width, initializer, dtype=self.dtype_policy)
            self.head.build((None, config.hidden_size))
        self.build()

    @property
    def in_batch(self):
        """Whether rows are told apart from the other rows of their batch."""
        return self.objective in IN_BATCH

    @classmethod
    def arguments_of(cls, labels):
        """The objective that fits a table's columns, and its highest score.

        `score`: "cosent"; `text_pair`: "multiple_negatives"; `category`: "supervised_contrastive";
        a text alone: "simcse".
        """
        columns = {*labels.kinds, labels.label}
        guess = {"score": "cosent", "text_pair": "multiple_negatives"}
        guess["category"] = "supervised_contrastive"
        fit = next((guess[name] for name in guess if name in columns), "simcse")
        if "score" not in columns:
            return {"objective": fit}
        scores = labels.cells(np.arange(len(labels)))["score"]
        highest = max(map(float, scores))
        return {"objective": fit, "highest_score": highest if highest > 0 else 1.0}

    def check_table(self, table):
        """Raises InputError if a Table to train on lacks a column that the objective reads."""
        there = {*table.kinds, table.label}
        said = f"{table.name}: objective {self.objective} reads"
        for wanted in READS[self.objective]:
            if not there & set(wanted):
                key = wanted[0] if wanted[0] == "text_pair" else f"columns.{wanted[0]}"
                raise InputError(f"{said} {' or '.join(wanted)}, wanted data.{key}")
        if self.objective == "simcse" and "text_pair" in there:
            raise InputError(f"{said} single texts, wanted no data.text_pair")
        if "category" in there and table.problem_type != "single_label_classification":
            raise InputError(f"{table.name}: category holds no classes, wanted one a text")

    def measured_on(self, table):
        """See TaskModel; of single texts without categories it is the loss alone."""
        self.figures = figures_of(table, self.objective)

    @staticmethod
    def fault(cells):
        """Refuses a negative that is the anchor or its positive; see TaskModel."""
        for name in ("text", "text_pair"):
            if name in cells and not cells[name].strip():
                return f"{name} is empty"
        negatives = [*cells.get("negatives", ()), *filter(None, [cells.get("negative")])]
        for name in ("text", "text_pair"):
            if cells.get(name) in negatives:
                what = "its anchor" if name == "text" else "its positive"
                raise InputError(f"a negative equals {what}, {shown(cells[name])}")
        return None

    @staticmethod
    def features(cells, tokenizer, settings):
        """Token ids of each text of a row, [N, T, L], or of its windows, [N, T, G, L], if
        `settings` has `windows`; of an absent negative ("") padding."""
        import tensorflow as tf

        columns = [cells[x][:, None] for x in ("text", "text_pair", "negative") if x in cells]
        if "negatives" in cells:
            negatives = cells["negatives"]
            ragged = isinstance(negatives, tf.RaggedTensor)
            columns.append(negatives.to_tensor("") if ragged else negatives)
        texts = tf.concat(columns, axis=1)
        firsts = 1 + int("text_pair" in cells)
        there = (texts != "") | (tf.range(tf.shape(texts)[1]) < firsts)
        encode = text_windows if settings.get("windows") else tokenized
        flat = encode(tf.reshape(texts, [-1]), None, tokenizer, settings)
        mask, shape = flat["attention_mask"], tf.shape(texts)
        given = tf.reshape(there, [-1, *[1] * (mask.shape.rank - 1)])
        flat["attention_mask"] = mask * tf.cast(given, tf.int32)
        inputs = {
            name: tf.ensure_shape(
                tf.reshape(ids, tf.concat([shape, tf.shape(ids)[1:]], axis=0)),
                [None, texts.shape[1], *ids.shape[1:]],
            )
            for name, ids in flat.items()
        }
        same = tf.strings.to_hash_bucket_fast(texts, 2**62)
        labels = {"texts": tf.where(there, same, -1)}
        return inputs, labels | {x: cells[x] for x in ("score", "category") if x in cells}

    def call(self, inputs, training=False, key=None):
        """The vector of each text.

        Args:
          inputs: dict of int32 [B, L], see the encoder, or [B, T, L] for T texts a row, or
            [B, T, G, L] for texts in windows. Trained by "simcse", the first text of a row is read
            twice, under two dropout masks.
          training: bool, with dropout.
          key: integer [2], the dropout key of this step, or None.
        Returns:
          float32 [B, D], or [B, T, D]; zeros of a text that is padding alone.
        """
        key = key_for(training, key)
        axes = len(inputs["input_ids"].shape)
        grouped, in_windows = axes > 2, axes == 4
        if grouped and key is not None and self.objective == "simcse":
            inputs = {name: ops.repeat(x[:, :1], 2, axis=1) for name, x in inputs.items()}
        texts = as_rows(inputs) if grouped else inputs
        rows = as_rows(texts) if in_windows else texts
        first = self.pooling == "cls"
        training = key is not None
        outputs = self.encoder(rows, only_first=first, training=training, key=fold_in(key, 0))
        vectors = pool(outputs["sequence_output"], rows.get("attention_mask"), self.pooling)
        if in_windows:
            there = ops.cast(present(texts), "int32")
            vectors = pool(as_groups(vectors, texts), there, self.window_pooling or "mean")
        vectors = self._finished(vectors)
        if not grouped:
            return vectors
        vectors = as_groups(vectors, inputs)
        there = present(inputs)
        there = ops.any(there, axis=-1) if in_windows else there
        return vectors * ops.cast(there, "float32")[:, :, None]

    def _finished(self, vectors):
        """Pooled vectors [X, D] through the dense layer and at their length, float32."""
        if self.head is not None:
            vectors = ACTIVATIONS[self.dense[1]](self.head(vectors))
        vectors = ops.cast(vectors, "float32")
        return unit_length(vectors) if self.normalize else vectors

    def outputs_of_ids(self, inputs):
        """`last_hidden_state` float [B, L, D], which readers pool, and `sentence_embedding` float32
        [B, D], which is this model's answer; see `Refusals.outputs_of_ids`."""
        tokens = self.encoder(inputs)["sequence_output"]
        pooled = pool(tokens, inputs.get("attention_mask"), self.pooling)
        return {"last_hidden_state": tokens, "sentence_embedding": self._finished(pooled)}

    def soft_vectors(self, outputs, inputs):
        """The vectors of a row's texts, float32 [B, T, D], and which there are, bool [B, T]."""
        if len(outputs.shape) == 2:
            return outputs[:, None], ops.any(mask_of(inputs), axis=-1)[:, None]
        there = present(inputs)
        return outputs, ops.any(there, axis=-1) if len(there.shape) == 3 else there

    def lacking(self, labels):
        """What rows of a batch lack to teach anything; see `embedding_losses.lacking`."""
        return lacking(self.objective, labels)

    def loss_weights(self, labels, sample_weight=None):
        weights = row_weights(self.objective, labels)
        if sample_weight is not None:
            weights = weights * ops.cast(sample_weight, "float32")
        return {"embedding": ops.sum(weights)}

    def loss_terms(self, outputs, labels, sample_weight=None):
        """The objective's loss of each row, over the whole vectors and those of `matryoshka`."""
        settings = {
            "scale": self.scale or _SCALE,
            "margin": self.margin or _MARGIN,
            "highest_score": self.highest_score or 1.0,
        }
        sizes = {*(self.matryoshka or ()), self.width}
        losses = sum(
            loss_of_rows(self.objective, outputs[:, :, :size], labels, settings)
            for size in sorted(sizes)
        )
        weights = row_weights(self.objective, labels)
        if sample_weight is not None:
            weights = weights * ops.cast(sample_weight, "float32")
        return {"embedding": (ops.sum(losses * weights), ops.sum(weights))}

    @property
    def monitors(self):
        """See `embedding_arguments.monitors_of`."""
        return monitors_of(self.objective, self.figures)

    def predictions(self, outputs, inputs):
        """The vectors, float32 [B, T, D]."""
        return outputs

    def final_metrics(self, predictions, labels, rows=None, table=None):
        """Of tables with scores `spearman` and `pearson` of the cosines; of pairs without, how well
        a text finds its partner among all others' (see `embedding_metrics.retrieval`); of
        categories, also beside these, `nearest_accuracy`. Those of the first n numbers alone end in
        `_n`."""
        from bert_tf.tasks.embedding_metrics import measure

        return measure(predictions, labels, self.matryoshka or ())

    def answer(self, outputs, inputs, cells, tokenizer):
        """`embedding` float32 [N, D]."""
        return {"embedding": outputs[:, 0]}

    @staticmethod
    def choose(answer, texts, labels, template=None):
        """Zero-shot classification: the label whose vector is nearest to a text's.

        Args:
          answer: export.Answer of such a model.
          texts, labels: lists of str.
          template: str with {} for a label; "{}" if None.
        Returns:
          list of dict: `label`; `score`, its probability; `probabilities`, of each label: a softmax
          of 20 times the cosines.
        """
        asked = [(template or "{}").replace("{}", label) for label in labels]
        vectors = [np.array([x["embedding"] for x in answer.records(x)]) for x in (texts, asked)]
        texts_ND, labels_KD = (x / np.linalg.norm(x, axis=-1, keepdims=True) for x in vectors)
        exps_NK = np.exp(_SCALE * (texts_ND @ labels_KD.T - 1))
        return [
            {
                "label": labels[int(row.argmax())],
                "score": float(row.max()),
                "probabilities": [float(x) for x in row],
            }
            for row in exps_NK / exps_NK.sum(axis=1, keepdims=True)
        ]

    def argument_is_published(self, name):
        """True: files of sentence-transformers hold all that the vectors depend on."""
        return True
