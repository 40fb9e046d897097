"""The dependency tree of a sentence: each word's head, and what the word is to it."""

import numpy as np
from keras import ops

from bert_tf.errors import InputError, shown
from bert_tf.layers import LOWEST, Biaffine, Linear, dropout, fold_in, key_for
from bert_tf.tasks.answers import plain
from bert_tf.tasks.classifier_arguments import check_names
from bert_tf.tasks.features import Column, tokenized
from bert_tf.tasks.soft_answers import SoftAnswer
from bert_tf.tasks.spanning_tree import best_tree
from bert_tf.tasks.task_model import TaskModel
from bert_tf.tasks.words import fit, word_starts, words_of

# Dozat and Manning 2017, table 1: widths of the vectors of a word, and their dropout.
_ARC_SIZE, _RELATION_SIZE, _DROPOUT = 400, 100, 0.33


class DependencyParser(TaskModel):
    """A score for every pair of words, of which the best tree is the answer, and one for each
    relation of a word to its head.

    A word is the vector of its first piece, the root is that of the first token. Each has four
    smaller vectors, as a dependent and as a head, for arcs and for relations (Dozat and Manning
    2017, sections 2.2 and 2.3). Words are what stands between spaces; one that contains a space, as
    CoNLL-U has them, is written with no-break spaces. Texts of a language without spaces have to be
    cut into words before: `predict --segmenter`, `pipeline(directory, segmenter=...)`.

    Args:
      encoder: an encoder of any family.
      num_labels: int, the relations, R.
      label_names: list of str, their names; None: LABEL_0, LABEL_1, ...
      arc_size, relation_size: int, the widths of the vectors; None: 400 and 100.

    Labels: dict of int32 [B, W] `heads`, 0 for the root and w for the w-th word, and `relations`,
    -1 where a word has none or is padding, and [B] `words`, how many the sentence has, those that
    were cut off included.
    """

    arguments = ("num_labels", "label_names", "arc_size", "relation_size")
    columns = {
        "text": Column("text"),
        "heads": Column("numbers", target=True),
        "relations": Column("names", target=True),
    }
    token_axes = {"word_starts": 1, "heads": 1, "relations": 1}
    loss_names = ("arc", "relation")
    metric_names = ("arc_accuracy", "relation_accuracy")
    reads_words = True

    def __init__(
        self,
        encoder,
        num_labels=2,
        label_names=None,
        arc_size=None,
        relation_size=None,
        **kwargs,
    ):
        for name, value in (("arc_size", arc_size), ("relation_size", relation_size)):
            if value is not None and not (type(value) is int and value > 0):
                raise InputError(f"{name}: {shown(value)}, wanted an integer of 1 or more, or None")
        check_names(num_labels, label_names)
        super().__init__(encoder.without_pooler(), **kwargs)
        self.num_labels = num_labels
        self.label_names = list(label_names or [f"LABEL_{i}" for i in range(num_labels)])
        self.arc_size, self.relation_size = arc_size, relation_size
        self._arc, self._relation = arc_size or _ARC_SIZE, relation_size or _RELATION_SIZE
        width = 2 * (self._arc + self._relation)
        self.word_vectors = Linear(width, dtype=self.dtype_policy)
        self.word_vectors.build((None, encoder.config.hidden_size))
        self.arcs = Linear(self._arc, dtype=self.dtype_policy)
        self.arcs.build((None, self._arc))
        self.relations = Biaffine(num_labels, dtype=self.dtype_policy)
        self.relations.build((None, self._relation))
        self.build()

    @classmethod
    def arguments_of(cls, labels):
        return {"num_labels": len(labels.label_names), "label_names": list(labels.label_names)}

    @staticmethod
    def features(cells, tokenizer, settings):
        """Token ids, [N, L], and where words begin among them, see `words.word_starts`; -1 for the
        labels of words that were cut off, and of those whose head was."""
        import tensorflow as tf

        words, text = words_of(cells["text"])
        inputs = tokenized(text, None, tokenizer, settings, return_offsets=True)
        starts, kept = word_starts(words, inputs.pop("offsets"), inputs["attention_mask"])
        inputs = {**inputs, "word_starts": starts, "words": kept}
        if "heads" not in cells:
            return inputs, None
        width = tf.shape(starts)[1]
        heads, relations = (
            fit(cells[name].to_tensor(-1), width) for name in ("heads", "relations")
        )
        there = (tf.range(width)[None] < kept[:, None]) & (heads <= kept[:, None])
        heads = tf.where(there, heads, -1)
        relations = tf.where(there, relations, -1)
        count = tf.cast(cells["heads"].row_lengths(), tf.int32)
        return inputs, {"heads": heads, "relations": relations, "words": count}

    @staticmethod
    def fault(cells):
        """Refuses a row whose words, heads and relations do not go together; see TaskModel."""
        if "heads" not in cells:
            return None
        # Bytes are split at ASCII's spaces alone, as `words_of` splits them.
        count, heads = len(cells["text"].encode().split()), cells["heads"]
        for name in ("heads", "relations"):
            if len(cells[name]) != count:
                raise InputError(f"{name}: {len(cells[name])} of them for {count} words of `text`")
        for word, head in enumerate(heads, 1):
            if head > count or head == word:
                raise InputError(
                    f"heads: {head} for word {word}, wanted 0 or the number of another word, "
                    f"{count} at most"
                )
        return None if _is_tree(heads) else "the heads are no tree"

    def call(self, inputs, training=False, key=None):
        """Scores of arcs, and the vectors of words by which relations are scored.

        Args:
          inputs: dict of int32 [B, L], see the encoder, `word_starts` among them: the first token
            of each word, W = L places, and `words` [B], how many of the places are words.
          training: bool, with dropout.
          key: integer [2], the dropout key of this step, or None.
        Returns:
          dict of float32: `arc_logits` [B, W, W + 1], each word's score for each head, 0 the root;
          `dependents` [B, W, D] and `heads` [B, W + 1, D], see `relation_logits`.
        """
        key = key_for(training, key)
        encoded = self.encoder(inputs, training=key is not None, key=fold_in(key, 0))
        starts = ops.pad(inputs["word_starts"], ((0, 0), (1, 0)))
        words = ops.take_along_axis(encoded["sequence_output"], starts[:, :, None], axis=1)
        shape = ops.shape(words)
        rows = dropout(ops.reshape(words, (-1, shape[2])), _DROPOUT, fold_in(key, 1))
        rows = ops.leaky_relu(self.word_vectors(rows), 0.1)
        rows = dropout(rows, _DROPOUT, fold_in(key, 2))
        arc, relation = self._arc, self._relation
        dependent, head, of_dependent, of_head = (
            ops.reshape(part, (shape[0], shape[1], part.shape[-1]))
            for part in ops.split(rows, (arc, 2 * arc, 2 * arc + relation), axis=-1)
        )
        asked = self.arcs(ops.reshape(dependent[:, 1:], (-1, arc)))
        asked = ops.reshape(asked, (shape[0], shape[1] - 1, arc))
        scores = ops.cast(ops.matmul(asked, ops.transpose(head, (0, 2, 1))), "float32")
        possible = ops.arange(shape[1])[None] <= inputs["words"][:, None]
        return {
            "arc_logits": ops.where(possible[:, None, :], scores, LOWEST),
            "dependents": ops.cast(of_dependent[:, 1:], "float32"),
            "heads": ops.cast(of_head, "float32"),
        }

    def relation_logits(self, outputs, heads):
        """The scores of every relation between words and given heads.

        Args:
          outputs: what `call` returned.
          heads: int32 [B, W], 0 or more.
        Returns:
          float32 [B, W, R].
        """
        chosen = ops.take_along_axis(outputs["heads"], heads[:, :, None], axis=1)
        shape = ops.shape(chosen)
        pairs = (ops.reshape(x, (-1, shape[2])) for x in (outputs["dependents"], chosen))
        return ops.reshape(self.relations(*pairs), (shape[0], shape[1], self.num_labels))

    def soft_answers(self, outputs, inputs):
        """The scores of each word's heads; those of relations depend on a head that both sides
        would have to agree on. See `tasks.soft_answers`."""
        arcs = outputs["arc_logits"]
        there = ops.arange(ops.shape(arcs)[1])[None] < inputs["words"][:, None]
        return [SoftAnswer("choice", arcs, there, of_tokens=True)]

    def loss_weights(self, labels, sample_weight=None):
        heads, relations = _weights(labels, sample_weight)
        return {"arc": ops.sum(heads), "relation": ops.sum(relations)}

    def loss_terms(self, outputs, labels, sample_weight=None):
        """Cross-entropy of each word's head, and of its relation to the right head."""
        return self._terms(outputs, labels, sample_weight, self.loss_names, _cross_entropy)

    def metric_terms(self, outputs, labels, sample_weight=None):
        """How often the head with the highest score is right, and the relation to the right one."""
        return self._terms(outputs, labels, sample_weight, self.metric_names, _is_right)

    def _terms(self, outputs, labels, sample_weight, names, measure):
        heads = ops.maximum(labels["heads"], 0)
        logits = (outputs["arc_logits"], self.relation_logits(outputs, heads))
        expected = (heads, ops.maximum(labels["relations"], 0))
        weights = _weights(labels, sample_weight)
        return {
            name: (ops.sum(measure(scores, right) * weight), ops.sum(weight))
            for name, scores, right, weight in zip(names, logits, expected, weights, strict=True)
        }

    @property
    def monitors(self):
        """Labeled and unlabeled attachment scores, and the loss."""
        return ("las", "uas", "las_universal", "loss")

    def predictions(self, outputs, inputs):
        """The heads of the best tree and the relations to them, int32 [B, W], W the words of the
        longest row alone; 0 beyond the words of a row."""
        words = inputs["words"]
        most = ops.max(words)
        scores = ops.log_softmax(outputs["arc_logits"][:, :most, : most + 1], axis=-1)
        heads = best_tree(scores, words)
        vectors = {name: outputs[name][:, : most + 1] for name in ("dependents", "heads")}
        vectors["dependents"] = vectors["dependents"][:, :most]
        relations = ops.argmax(self.relation_logits(vectors, heads), axis=-1)
        return heads, ops.cast(relations, "int32")

    def final_metrics(self, predictions, labels, rows=None, table=None):
        """The share of words, punctuation included, whose head is right.

        Returns:
          dict: `rows`, `words`; `uas`, unlabeled attachment score; `las`, those whose relation is
          right too; `las_universal`, where subtypes such as `:pass` do not count, as the CoNLL 2018
          task has it (Zeman et al. 2018, section 5.1), so that subtypes that training did not know
          are right there, too. Words that were cut off are wrong.
        """
        universal = {name.partition(":")[0]: number for number, name in enumerate(self.label_names)}
        universal = np.array([universal[x.partition(":")[0]] for x in self.label_names] + [-1])
        words = right = labeled = same_kind = 0
        for (heads, relations), expected in zip(predictions, labels, strict=True):
            right_heads, wanted = (expected[x][:, : heads.shape[1]] for x in ("heads", "relations"))
            found = (heads == right_heads) & (right_heads >= 0)
            words += int(expected["words"].sum())
            right += int(found.sum())
            labeled += int((found & (relations == wanted)).sum())
            kinds = universal[np.where(wanted < -1, -2 - wanted, wanted)]  # see cells.KINDS
            same_kind += int((found & (universal[relations] == kinds)).sum())
        count = sum(len(expected["words"]) for expected in labels)
        figures = {"uas": right, "las": labeled, "las_universal": same_kind}
        shares = {name: value / max(words, 1) for name, value in figures.items()}
        return {"rows": count, "words": words, **shares}

    def answer(self, outputs, inputs, cells, tokenizer):
        """The words of each text, the head and the relation of each.

        Args: as in TaskModel.
        Returns:
          dict, W the words of the longest text: `word` string [N, W], "" where a text has fewer;
          `head` int32 [N, W], 0 the root, -1 where there is no word or it was not read, for it
          stands beyond the longest row or has no pieces; `relation` string [N, W], "" there.
        """
        import tensorflow as tf

        words, _ = words_of(cells["text"])
        words = words.to_tensor("")
        width = tf.shape(words)[1]
        heads, relations = (fit(x, width) for x in self.predictions(outputs, inputs))
        there = tf.range(width)[None] < inputs["words"][:, None]
        names = tf.gather(tf.constant(self.label_names), tf.maximum(relations, 0))
        return {
            "word": words,
            "head": tf.where(there, heads, -1),
            "relation": tf.where(there, names, ""),
        }

    @staticmethod
    def record(answer):
        """`word`, `head` and `relation`, lists with an entry for each word of the text."""
        count = int(np.count_nonzero(np.asarray(answer["word"]) != ""))
        return {name: plain(np.asarray(value)[:count]) for name, value in answer.items()}


def _is_tree(heads):
    """Whether every word comes to the root by its heads."""
    reached = {0}
    for word in range(1, len(heads) + 1):
        way = []
        while word not in reached and word not in way:
            way.append(word)
            word = heads[word - 1]
        if word not in reached:
            return False
        reached.update(way)
    return True


def _weights(labels, sample_weight):
    """What each word's head and relation count, float32 [B, W] each."""
    weights = [ops.cast(labels[name] >= 0, "float32") for name in ("heads", "relations")]
    if sample_weight is None:
        return weights
    return [weight * ops.cast(sample_weight, "float32")[:, None] for weight in weights]


def _cross_entropy(logits, expected):
    return ops.sparse_categorical_crossentropy(expected, logits, from_logits=True)


def _is_right(logits, expected):
    return ops.cast(ops.cast(ops.argmax(logits, axis=-1), expected.dtype) == expected, "float32")
