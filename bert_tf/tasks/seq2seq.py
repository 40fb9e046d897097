"""A text from a text: an encoder reads the source, a decoder writes the target."""

import keras
from keras import ops

from bert_tf.errors import InputError, shown
from bert_tf.layers import Linear, fold_in, key_for, truncated_normal
from bert_tf.tasks import causal_rows, decoders
from bert_tf.tasks.features import Column, tokenized
from bert_tf.tasks.generation import SETTINGS, as_texts, asking, generate
from bert_tf.tasks.masked_words import (
    masked_word_accuracy,
    masked_word_logits,
    masked_word_loss,
    masked_word_weights,
    uniform_loss,
    weighed,
)
from bert_tf.tasks.soft_answers import SoftAnswer
from bert_tf.tasks.task_model import TaskModel


class Seq2Seq(TaskModel):
    """An encoder before a decoder that attends to it (Vaswani et al. 2017; Rothe et al. 2020).

    Args:
      encoder: an encoder of any family, such as a BERT.
      decoder: dict, what the decoder's config has otherwise than the encoder's, and `model_type`
        (None: a gpt2 of the encoder's sizes); or a model of a family that has decoders, such as a
        BERT or a GPT-2, whose weights it takes, those of a head for words too. What attends to the
        source is fresh. Both have the vocabulary of one tokenizer.
      share_embeddings: bool, whether the encoder's embeddings are the decoder's too (Vaswani et al.
        2017, section 3.4); a decoder's `tie_word_embeddings` shares its table with the output.
      label_smoothing: float, the share of the loss that wants all words alike (as above, section
        5.4); a loss of its own, so that `seq2seq` and the perplexity are those of the targets.
      generation: dict, how targets are written where nothing else is said; as CausalLM.

    Attributes:
      writer: the decoder, an Encoder.
      tokenizer: Tokenizer or None, that of the directory the model was loaded from.

    Labels: int [B, T], the word that follows each of `decoder_input_ids`; below 0 for none.
    """

    arguments = ("decoder", "share_embeddings", "label_smoothing", "generation")
    from_models = ("decoder",)
    columns = {"text": Column("text"), "target": Column("text", target=True)}
    places = {"text": "source"}
    token_axes = dict.fromkeys(("decoder_input_ids", "decoder_attention_mask", "labels"), 1)
    loss_names = ("seq2seq",)
    metric_names = ("seq2seq_accuracy",)
    answer_options = dict.fromkeys(SETTINGS)
    tokenizer = None

    def __init__(
        self,
        encoder,
        decoder=None,
        share_embeddings=None,
        label_smoothing=None,
        generation=None,
        **kwargs,
    ):
        super().__init__(encoder.without_pooler(), **kwargs)
        source = decoder if isinstance(decoder, keras.Model) else None
        if source is not None and share_embeddings:
            raise InputError("share_embeddings: true, and the decoder is a model with its own")
        given = (decoder or {}) if source is None else decoders.trunk(source).config
        self.writer = encoder.decoder(given, bool(share_embeddings))
        config = self.writer.config
        if config.vocab_size != encoder.config.vocab_size:
            raise InputError(
                f"decoder: vocab_size: {config.vocab_size}, wanted {encoder.config.vocab_size}, "
                "that of the encoder, for one tokenizer"
            )
        self.decoder, self.share_embeddings = decoders.changes_of(config), share_embeddings
        self.memory_projection = None
        if config.hidden_size != encoder.config.hidden_size:
            initial = truncated_normal(config.initializer_range)
            self.memory_projection = Linear(config.hidden_size, initial, dtype=self.dtype_policy)
            self.memory_projection.build((None, encoder.config.hidden_size))
        self.next_word_head = self.writer.next_word_head()
        if source is not None:
            decoders.take(self, source)
        self.label_smoothing = label_smoothing
        self._smooth(label_smoothing)
        self.generation = None if generation is None else dict(generation)
        self.graphs = {}
        asking.settings_of(self, {})  # refuses what no text can be written by
        self.build()

    def _smooth(self, share):
        """Adds the loss that wants all words alike."""
        number = isinstance(share, int | float) and not isinstance(share, bool)
        if share is not None and not (number and 0 < share < 1):
            raise InputError(f"label_smoothing: {shown(share)}, wanted a share between 0 and 1")
        if share is not None:
            self.loss_names = ("seq2seq", "uniform")
            self.loss_factors = {"seq2seq": 1.0 - share, "uniform": share}
            self.means["uniform"] = keras.metrics.Mean(name="uniform")

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
        total = ops.sum(masked_word_weights(weighed(labels), sample_weight))
        return dict.fromkeys(self.loss_names, total)

    def loss_terms(self, outputs, labels, sample_weight=None):
        """Cross-entropy of the target's words, a sum over them."""
        terms = {"seq2seq": masked_word_loss(outputs, weighed(labels), sample_weight)}
        if self.label_smoothing is not None:
            terms["uniform"] = uniform_loss(outputs, weighed(labels), sample_weight)
        return terms

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

    def attention(self, sources, targets=None, tokenizer=None):
        """What each word of a target reads of its source.

        Args:
          sources: list of str.
          targets: list of str; None: what `generate` writes.
          tokenizer: Tokenizer; None: that of the directory the model was loaded from.
        Returns:
          list of dict: `source` and `target`, lists of str, the tokens, the target's end included;
          `attention` float32 [T, S], of the last block, the mean over its heads. Row t is of the
          step that told target token t.
        Raises:
          InputError: there is no tokenizer.
        """
        tokenizer = tokenizer or self.tokenizer
        targets = self.generate(sources, tokenizer) if targets is None else targets
        return decoders.attention(self, list(sources), list(targets), tokenizer)

    @property
    def written_positions(self):
        """int, tokens of the longest target, its start included."""
        return self.writer.config.longest_row

    @property
    def end_id(self):
        """int, the id that ends a text; None: there is none."""
        return getattr(self.writer.config, "eos_token_id", None)

    @property
    def start_id(self):
        """int, the id that a target begins with; None: a tokenizer has to tell it."""
        return getattr(self.writer.config, "bos_token_id", None)

    def special_ids(self, tokenizer=None):
        """dict of `start`, `end` and `pad`: int, the ids before, behind and beside a target, those
        of a tokenizer if one is given; None where it is not known."""
        words = asking.words_of(self, tokenizer, asking.settings_of(self, {}))
        return {"start": words.start, "end": words.end, "pad": words.pad}

    def longest_prompt(self, settings):
        """int, tokens of the longest source."""
        return self.encoder.config.longest_row

    def continued(self, ids, mask, settings, words):
        """The targets of sources that are padded on the left, int32 [B, n] in the graph."""
        from bert_tf.tasks.generation.loop import places_of

        inputs = {"input_ids": ids, "attention_mask": mask, "position_ids": places_of(mask)}
        start = words.start
        if start is None:
            raise InputError(
                "tokenizer: None, and the decoder's config has no bos_token_id of its vocabulary; "
                "wanted one of them, that tells what a target begins with"
            )
        return self._written(self(inputs), mask, start, settings, words)

    def continued_texts(self, texts, tokenizer, settings):
        """The targets of texts, strings in the graph."""
        inputs, _ = self.features({"text": texts}, tokenizer, self.row_settings())
        return self._texts(self(inputs), inputs, tokenizer, settings)

    def row_settings(self):
        """dict, the settings under which texts become rows outside of training."""
        length = self.data_settings.get("max_length") or min(512, self.encoder.config.longest_row)
        return {**self.data_settings, "max_length": length, "padding": "longest"}

    def _texts(self, memory, inputs, tokenizer, settings):
        words = asking.words_of(self, tokenizer, settings)
        mask = inputs["attention_mask"]
        ids = self._written(memory, mask, words.start, settings, words)
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
