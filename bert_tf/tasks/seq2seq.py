"""A text from a text: an encoder reads the source, a decoder writes the target."""

import dataclasses

import keras
from keras import ops

from bert_tf.conversion.family import attribute_paths
from bert_tf.conversion.table import find
from bert_tf.errors import InputError
from bert_tf.layers import Linear, fold_in, key_for, truncated_normal
from bert_tf.tasks import causal_rows
from bert_tf.tasks.features import Column, tokenized
from bert_tf.tasks.generation import SETTINGS, as_texts, asking, generate
from bert_tf.tasks.masked_words import (
    masked_word_accuracy,
    masked_word_logits,
    masked_word_loss,
    masked_word_weights,
    weighed,
)
from bert_tf.tasks.soft_answers import SoftAnswer
from bert_tf.tasks.task_model import TaskModel


class Seq2Seq(TaskModel):
    """An encoder before a decoder that attends to it (Vaswani et al. 2017; Rothe et al. 2020).

    Args:
      encoder: an encoder of any family, such as a BERT.
      decoder: dict, what the decoder's config has otherwise than the encoder's, and `model_type`
        (None: a gpt2 of the encoder's sizes); or an encoder of a family that reads from left to
        right, whose weights it takes. What attends to the source is fresh. Both have the
        vocabulary of one tokenizer.
      generation: dict, how targets are written where nothing else is said; as CausalLM.

    Attributes:
      writer: the decoder, an Encoder.
      tokenizer: Tokenizer or None, that of the directory the model was loaded from.

    Labels: int [B, T], the word that follows each of `decoder_input_ids`; below 0 for none.
    """

    arguments = ("decoder", "generation")
    columns = {"text": Column("text"), "target": Column("text", target=True)}
    places = {"text": "source"}
    token_axes = dict.fromkeys(("decoder_input_ids", "decoder_attention_mask", "labels"), 1)
    loss_names = ("seq2seq",)
    metric_names = ("seq2seq_accuracy",)
    answer_options = dict.fromkeys(SETTINGS)
    tokenizer = None

    def __init__(self, encoder, decoder=None, generation=None, **kwargs):
        super().__init__(encoder.without_pooler(), **kwargs)
        source = decoder if isinstance(decoder, keras.Model) else None
        changes = _changes_of(source.config) if source is not None else decoder or {}
        self.writer = encoder.decoder(changes)
        if source is not None:
            _take(self.writer, source)
        config = self.writer.config
        if config.vocab_size != encoder.config.vocab_size:
            raise InputError(
                f"decoder: vocab_size: {config.vocab_size}, wanted {encoder.config.vocab_size}, "
                "that of the encoder, for one tokenizer"
            )
        self.decoder = {**_changes_of(config), "model_type": config.model_type}
        self.memory_projection = None
        if config.hidden_size != encoder.config.hidden_size:
            initial = truncated_normal(config.initializer_range)
            self.memory_projection = Linear(config.hidden_size, initial, dtype=self.dtype_policy)
            self.memory_projection.build((None, encoder.config.hidden_size))
        self.next_word_head = self.writer.next_word_head()
        self.generation = None if generation is None else dict(generation)
        self.graphs = {}
        asking.settings_of(self, {})  # refuses what no text can be written by
        self.build()

    def call(self, inputs, training=False, key=None):
        """Logits of the word after each of the target's tokens.

        Args:
          inputs: dict of int32 [B, L], see the encoder; and int32 [B, T] `decoder_input_ids` and
            `decoder_attention_mask` (absent: all 1).
          training: bool, with dropout.
          key: integer [2], the dropout key of this step, or None.
        Returns:
          float32 [B, T, V]; without `decoder_input_ids` what the decoder reads of the source,
          float [B, L, D].
        """
        key = key_for(training, key)
        encoded = self.encoder(inputs, training=key is not None, key=fold_in(key, 0))
        memory_BLD = encoded["sequence_output"]
        if self.memory_projection is not None:
            batch, length = ops.shape(memory_BLD)[0], ops.shape(memory_BLD)[1]
            flat_XD = ops.reshape(memory_BLD, (-1, memory_BLD.shape[-1]))
            width = self.writer.config.hidden_size
            memory_BLD = ops.reshape(self.memory_projection(flat_XD), (batch, length, width))
        if "decoder_input_ids" not in inputs:
            return memory_BLD
        written = {
            "input_ids": inputs["decoder_input_ids"],
            "attention_mask": inputs.get("decoder_attention_mask"),
            "memory": memory_BLD,
            "memory_mask": inputs.get("attention_mask"),
        }
        outputs = self.writer(written, training=key is not None, key=fold_in(key, 1))
        return self._logits(outputs["sequence_output"])

    def _logits(self, sequence_BTD):
        table_VD = self.writer.embeddings.word_embeddings
        return masked_word_logits(self.next_word_head, table_VD, sequence_BTD)

    def soft_answers(self, outputs, inputs):
        """The logits of the target's words; see `tasks.soft_answers`."""
        there = inputs["decoder_attention_mask"] > 0
        return [SoftAnswer("choice", outputs, there, of_tokens=True)]

    def loss_weights(self, labels, sample_weight=None):
        return {"seq2seq": ops.sum(masked_word_weights(weighed(labels), sample_weight))}

    def loss_terms(self, outputs, labels, sample_weight=None):
        """Cross-entropy of the target's words, a sum over them."""
        return {"seq2seq": masked_word_loss(outputs, weighed(labels), sample_weight)}

    def metric_terms(self, outputs, labels, sample_weight=None):
        """How often the next word of the target has the highest logit."""
        accuracy = masked_word_accuracy(outputs, weighed(labels), sample_weight)
        return {"seq2seq_accuracy": accuracy}

    @staticmethod
    def features(cells, tokenizer, settings):
        """The source as every encoder reads it, the target from its start, and what follows."""
        inputs = tokenized(cells["text"], None, tokenizer, settings)
        if "target" not in cells:
            return inputs, None
        written, labels = causal_rows.targets_of(cells["target"], tokenizer, settings)
        return {**inputs, **{f"decoder_{name}": x for name, x in written.items()}}, labels

    def generate(self, sources, tokenizer=None, **settings):
        """Writes the targets of sources.

        Args:
          sources: list of str, or of lists of int, the ids of their tokens.
          tokenizer, **settings: as `CausalLM.generate`.
        Returns:
          list of str; or of lists of int, with the id that ends a text where it was reached.
        Raises:
          InputError: as `CausalLM.generate`.
        """
        return asking.ask(self, sources, tokenizer, settings)

    @property
    def written_positions(self):
        """int, tokens of the longest target, its start included."""
        return self.writer.config.longest_row

    @property
    def end_id(self):
        """int, the id that ends a text; None: there is none."""
        return self.writer.config.eos_token_id

    def longest_prompt(self, settings):
        """int, tokens of the longest source."""
        return self.encoder.config.longest_row

    def continued(self, ids, mask, settings, words):
        """The targets of sources that are padded on the left, int32 [B, n] in the graph."""
        from bert_tf.tasks.generation.loop import places_of

        inputs = {"input_ids": ids, "attention_mask": mask, "position_ids": places_of(mask)}
        start, size = self.writer.config.bos_token_id, self.writer.config.vocab_size
        if start is None or start >= size:
            raise InputError(
                f"decoder: bos_token_id: {start}, wanted the id that a target begins with, 0 to "
                f"{size - 1}; a tokenizer tells it of texts"
            )
        return self._written(self(inputs), mask, start, settings, words)

    def continued_texts(self, texts, tokenizer, settings):
        """The targets of texts, strings in the graph."""
        inputs, _ = self.features({"text": texts}, tokenizer, self._row_settings())
        return self._texts(self(inputs), inputs, tokenizer, settings)

    def _row_settings(self):
        length = self.data_settings.get("max_length") or min(512, self.encoder.config.longest_row)
        return {**self.data_settings, "max_length": length, "padding": "longest"}

    def _texts(self, memory, inputs, tokenizer, settings):
        words = asking.words_of(self, tokenizer, settings)
        start, end = causal_rows.start_and_end(tokenizer)
        start = end if start is None else start
        ids = self._written(memory, inputs["attention_mask"], start, settings, words)
        return as_texts(ids, settings, words, tokenizer)

    def _written(self, memory, memory_mask, start, settings, words):
        """int32 [B, n] behind a start; the source is read in the first step and kept."""
        import tensorflow as tf

        def step(ids, mask, places, cache):
            inputs = {"input_ids": ids, "attention_mask": mask, "position_ids": places}
            if not cache:
                inputs |= {"memory": memory, "memory_mask": memory_mask}
            outputs = self.writer(inputs, cache=cache)
            return self._logits(outputs["sequence_output"][:, -1:])[:, 0], outputs["cache"]

        ids = tf.fill([tf.shape(memory)[0], 1], start)
        return generate(step, ids, tf.ones_like(ids), settings, words)

    def answer(self, outputs, inputs, cells, tokenizer, **options):
        """The target of each text.

        Args: as in TaskModel; options are attributes of `generation.settings.Generation`.
        Returns:
          dict: `generated` string [N].
        """
        settings = asking.settings_of(self, options)
        return {"generated": self._texts(outputs, inputs, tokenizer, settings)}


def _changes_of(config):
    """The fields of a decoder's config, whatever the encoder's are."""
    return {**dataclasses.asdict(config), "add_cross_attention": True}


def _take(writer, source):
    """Gives a decoder the weights of a model that reads from left to right."""
    for path in attribute_paths(source):
        find(writer, path).assign(find(source, path))
