"""One shard of records: a pure function of the corpus, the settings and the shard's number."""

import dataclasses

import numpy as np
import tensorflow as tf

from bert_tf.config import Masking
from bert_tf.errors import ConfigError
from bert_tf.pretraining_data.corpus import blocks, cloze, corpus_plan, label_columns, segments
from bert_tf.pretraining_data.corpus.documents import sentences_of
from bert_tf.pretraining_data.masking import MaskingVocabulary, mask_rows
from bert_tf.pretraining_data.records.schema import SENTENCE_OBJECTIVES, features_of, new_records
from bert_tf.text.segmentation import SEGMENTERS

LONGEST_ROW = 1 << 15  # tokens
# Tokens of the rows that are made at once: a few MB, whatever the block and the number of copies.
_TOKENS_AT_ONCE = 1 << 19
_MASKS = 16  # a purpose of segments.Rng beside its own


@dataclasses.dataclass(frozen=True)
class RecordSettings:
    """What the records of a corpus depend on besides its text and the vocabulary.

    max_length: int, tokens a row. sentence_objective: as in `segments.sample`. masking: Masking
    with max_predictions, or None for records without masks. dupe_factor: int, copies of the corpus,
    each with pairs and masks of its own. short_probability: float, as in `segments.sample`.
    boundaries: bool, whether records say where words begin. segmenter: "jieba" or None: ## tells
    it. seed: int >= 0. reading: corpus_plan.Reading.
    """

    max_length: int = 128
    sentence_objective: str = "next_sentence"
    masking: Masking | None = None
    dupe_factor: int = 1
    short_probability: float = 0.1
    boundaries: bool = False
    segmenter: str | None = None
    seed: int = 0
    reading: corpus_plan.Reading = corpus_plan.Reading()

    def __post_init__(self):
        if not 8 <= self.max_length <= LONGEST_ROW:
            raise ConfigError(
                f"max_length is {self.max_length}, wanted 8 to {LONGEST_ROW} tokens a row"
            )
        if self.sentence_objective not in SENTENCE_OBJECTIVES:
            wanted = ", ".join(SENTENCE_OBJECTIVES)
            raise ConfigError(
                f"sentence_objective is {self.sentence_objective!r}, wanted one of {wanted}"
            )
        most = self.masking and self.masking.max_predictions
        if self.masking is not None and (most is None or most > self.max_length):
            raise ConfigError(
                f"max_predictions is {most}, wanted how many columns masks have, "
                f"{self.max_length} at most"
            )
        if self.segmenter not in (None, *SEGMENTERS):
            raise ConfigError(
                f"segmenter is {self.segmenter!r}, wanted one of {', '.join(SEGMENTERS)}"
            )
        if self.dupe_factor < 1:
            raise ConfigError(f"dupe_factor is {self.dupe_factor}, wanted 1 or more")
        if not 0 <= self.short_probability <= 1:
            raise ConfigError(
                f"short_probability is {self.short_probability}, wanted a share from 0 to 1"
            )
        if not 0 <= self.seed < 2**63:
            raise ConfigError(f"seed is {self.seed}, wanted 0 to 2**63 - 1")

    @property
    def paired(self):
        """bool, whether texts of two documents are paired."""
        return self.sentence_objective in ("next_sentence", "sentence_order_3")

    @property
    def features(self):
        """What a record holds besides labels, as `records.features_of` gives."""
        return self.features_with({})

    def features_with(self, classes):
        """What a record holds, as `records.features_of` gives.

        Args:
          classes: as `label_columns.Classes.found` gives.
        """
        return features_of(
            self.max_length,
            self.masking.max_predictions if self.masking else None,
            self.sentence_objective != "none",
            self.boundaries,
            label_columns.lengths(classes, self.max_length),
        )


class ShardMaker:
    """Makes shards; it keeps what all of them need.

    Args:
      files: list of str, the corpus.
      tokenizer: Tokenizer.
      settings: RecordSettings.
      classes: of the labels in the corpus, as `label_columns.Classes.found` gives; None for none.
    """

    def __init__(self, files, tokenizer, settings, classes=None):
        self.files, self.tokenizer, self.settings = files, tokenizer, settings
        self.classes = classes or {}
        self._vocabulary = MaskingVocabulary.of(tokenizer)
        known = SEGMENTERS.get(settings.segmenter)
        self._segment = known and known()
        self._mask = settings.masking and self._masking_graph()

    def write(self, path, number, shard):
        """Writes a shard.

        Args:
          path: str, its file.
          number: int, its number from 0.
          shard: corpus_plan.ShardPlan.
        Returns:
          dict: `summary`, as RecordWriter gives it, and `counts`, dict of name -> int.
        Raises:
          InputError: a file cannot be read or written.
        """
        counts = {"sentences": 0, "tokens": 0, "real_tokens": 0, "masked": 0}
        found = corpus_plan.raw_blocks(self.files, self.settings.reading, shard)
        with new_records(path, self.settings.features_with(self.classes)) as writer:
            for place, block in enumerate(found):
                rng = segments.Rng(self.settings.seed, number, place)
                for arrays in self.examples(block, rng, counts):
                    writer.write(arrays)
        return {"summary": writer.summary, "counts": counts}

    def examples(self, documents, rng, counts):
        """The examples of a block of documents, shuffled.

        Args:
          documents: list of RawDocument.
          rng: segments.Rng.
          counts: dict to which the numbers of what is made are added.
        Yields:
          dict of name -> int or float [N, length], a key for each feature.
        """
        tokens, chosen = self._sampled(documents, rng)
        counts["sentences"] += len(tokens.sentences) - 1
        counts["tokens"] += len(tokens.ids)
        if self.settings.sentence_objective != "none":
            for label, number in enumerate(np.bincount(chosen.labels).tolist()):
                counts[f"label_{label}"] = counts.get(f"label_{label}", 0) + number
        mask_seed = rng.random_bits(2, _MASKS)
        height = max(1, _TOKENS_AT_ONCE // self.settings.max_length)
        for start in range(0, len(chosen.labels), height):
            part = segments.Segments(*(each[start : start + height] for each in chosen))
            arrays = blocks.rows(
                tokens,
                part,
                self.settings.max_length,
                self._vocabulary.start_id,
                self._vocabulary.end_id,
                self.tokenizer.pad_id,
            )
            arrays["next_sentence_labels"] = part.labels[:, None]
            for name, labels in tokens.labels.items():
                arrays[name] = segments.labels_of(tokens, part, labels)
            for name, label in self.classes.items():
                if label["of"] == "cloze":
                    cloze.ask_where_the_blank_is(arrays, name)
                labelled = int(np.count_nonzero(arrays[name] >= 0))
                counts[f"labelled_{name}"] = counts.get(f"labelled_{name}", 0) + labelled
            if self._mask:
                self._hide(arrays, mask_seed, start)
                counts["masked"] += int(arrays["masked_lm_weights"].sum())
            counts["real_tokens"] += int(np.count_nonzero(arrays["input_mask"]))
            yield arrays

    def _sampled(self, documents, rng):
        """Tokens of a block, and Segments over them from all copies."""
        settings = self.settings
        numbered = None
        if self.classes:
            numbered = label_columns.numbered_labels(documents, self.classes, self.tokenizer)
        sentences = [sentences_of(raw, settings.reading.language) for raw in documents]
        tokens = blocks.tokenize(sentences, self.tokenizer, self._segment, numbered)
        if tokens.word_starts is None and settings.boundaries:
            continued = self._vocabulary.is_continuation[tokens.ids]
            tokens = tokens._replace(word_starts=~continued)
        # What is labelled ends where its document ends, so that a row has one label.
        if settings.sentence_objective == "none" and not self.classes:
            tokens = blocks.separated(tokens, self._vocabulary.end_id)
        copies = [
            segments.sample(
                tokens,
                settings.sentence_objective,
                settings.max_length,
                rng._replace(copy=copy),
                settings.short_probability,
                bool(self.classes),
            )
            for copy in range(settings.dupe_factor)
        ]
        together = segments.Segments(*map(np.concatenate, zip(*copies, strict=True)))
        return tokens, segments.shuffled(together, rng)

    def _hide(self, arrays, seed, first):
        """Masks rows, whose numbers in the block count from `first`, in place."""
        count = len(arrays["input_ids"])
        starts = arrays.get("token_boundary")
        starts = () if starts is None else (starts.astype(np.int32),)
        rows = np.arange(first, first + count)
        hidden = self._mask(
            arrays["input_ids"], arrays["input_mask"].astype(np.int32), seed, rows, *starts
        )
        arrays["input_ids"] = hidden["input_ids"].numpy()
        arrays["masked_lm_positions"] = hidden["masked_positions"].numpy()
        arrays["masked_lm_ids"] = hidden["masked_ids"].numpy()
        arrays["masked_lm_weights"] = hidden["masked_weights"].numpy()

    def _masking_graph(self):
        settings, vocabulary = self.settings, self._vocabulary
        matrix = tf.TensorSpec([None, settings.max_length], tf.int32)
        kinds = [matrix, matrix, tf.TensorSpec([2], tf.uint64), tf.TensorSpec([None], tf.int64)]
        if settings.boundaries or settings.segmenter:
            kinds.append(matrix)

        def hide(input_ids, input_mask, seed, rows, starts=None):
            return mask_rows(
                input_ids, input_mask, settings.masking, vocabulary, seed, starts, rows
            )

        return tf.function(hide, kinds, autograph=False)
