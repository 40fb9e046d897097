"""The next word, from left to right."""

from keras import ops

from bert_tf.errors import InputError
from bert_tf.layers import fold_in, key_for
from bert_tf.tasks import causal_rows
from bert_tf.tasks.features import Column
from bert_tf.tasks.generation import SETTINGS, Words, as_texts, generate, generation_of
from bert_tf.tasks.masked_words import (
    masked_word_accuracy,
    masked_word_logits,
    masked_word_loss,
    masked_word_weights,
    weighed,
)
from bert_tf.tasks.task_model import TaskModel


class CausalLM(TaskModel):
    """A language model: each token is told by those before it (Radford et al. 2019, eq. 1).

    Args:
      encoder: an encoder of a family that reads from left to right, such as GPT-2.
      generation: dict, how `generate`, `predict` and exports continue texts where nothing else is
        said, see `generation.settings.Generation`; None: the likeliest word each time, 64 of them
        or half the positions.

    Attributes:
      tokenizer: Tokenizer or None, that of the directory the model was loaded from.

    Labels: int [B, L], the word that follows each position; below 0 (-100) where none is to be
    predicted. Or, for inputs with `masked_positions`, a dict as MaskedLM takes it.
    """

    arguments = ("generation",)
    columns = {"text": Column("text"), "target": Column("text", optional=True, target=True)}
    token_axes = {"labels": 1}
    loss_names = ("causal_lm",)
    metric_names = ("causal_lm_accuracy",)
    answer_options = dict.fromkeys(SETTINGS)
    tokenizer = None

    def __init__(self, encoder, generation=None, **kwargs):
        super().__init__(encoder.without_pooler(), **kwargs)
        self.generation = None if generation is None else dict(generation)
        self._settings({})  # refuses what no text can be continued by
        self.next_word_head = encoder.next_word_head()
        self._continued = {}
        self.build()

    def call(self, inputs, training=False, key=None):
        """Logits of the word after each position.

        Args:
          inputs: dict of int32 [B, L], see the encoder; with `masked_positions` int32 [B, P] only
            those positions are carried to the vocabulary.
          training: bool, with dropout.
          key: integer [2], the dropout key of this step, or None.
        Returns:
          float32 [B, L, V], or [B, P, V] with `masked_positions`.
        """
        key = key_for(training, key)
        outputs = self.encoder(inputs, training=key is not None, key=fold_in(key, 0))
        return self._logits(outputs["sequence_output"], inputs.get("masked_positions"))

    def _logits(self, sequence_BLD, positions_BP=None):
        table_VD = self.encoder.embeddings.word_embeddings
        return masked_word_logits(self.next_word_head, table_VD, sequence_BLD, positions_BP)

    def loss_weights(self, labels, sample_weight=None):
        return {"causal_lm": ops.sum(masked_word_weights(weighed(labels), sample_weight))}

    def loss_terms(self, outputs, labels, sample_weight=None):
        """Cross-entropy of the next words, a sum over them."""
        return {"causal_lm": masked_word_loss(outputs, weighed(labels), sample_weight)}

    def metric_terms(self, outputs, labels, sample_weight=None):
        """How often the next word has the highest logit."""
        accuracy = masked_word_accuracy(outputs, weighed(labels), sample_weight)
        return {"causal_lm_accuracy": accuracy}

    @staticmethod
    def features(cells, tokenizer, settings):
        """Rows of a text, or of a text and its target, and the words that follow; see
        `causal_rows.rows_of`."""
        return causal_rows.rows_of(cells["text"], cells.get("target"), tokenizer, settings)

    def argument_is_published(self, name):
        """Whether an argument changes no tensor: how texts are continued never does."""
        return True

    def generate(self, prompts, tokenizer=None, **settings):
        """Continues texts.

        Args:
          prompts: list of str, or of lists of int, the ids of their tokens.
          tokenizer: Tokenizer; None: that of the directory the model was loaded from. Of ids none
            is needed, but where `stop` is given.
          **settings: attributes of `generation.settings.Generation`, such as max_new_tokens=20,
            num_beams=4 or do_sample=True; the others are those of `generation`.
        Returns:
          list of str, what follows each text; or list of lists of int, with the id that ends a text
          where it was reached.
        Raises:
          InputError: a setting is none or cannot be, a prompt is empty or too long, or there is no
            tokenizer where one is needed.
        """
        settings, tokenizer = self._settings(settings), tokenizer or self.tokenizer
        if not len(prompts):
            return []
        texts = all(isinstance(prompt, str) for prompt in prompts)
        if tokenizer is None and (texts or settings.stop):
            raise InputError("tokenizer: None, wanted that of the model, to read and write texts")
        key = (settings, texts, tokenizer and id(tokenizer))
        if key not in self._continued:
            self._continued[key] = self._function(settings, texts, tokenizer)
        if texts:
            found = self._continued[key](_strings(prompts))
            return [text.decode() for text in found.numpy()]
        most = self.encoder.config.max_position_embeddings - settings.max_new_tokens
        for row, prompt in enumerate(prompts):
            if not 1 <= len(prompt) <= most:
                raise InputError(f"prompts[{row}]: {len(prompt)} ids, wanted 1 to {most}")
        words = self._words(tokenizer)
        rows = self._continued[key](*_padded(prompts)).numpy().tolist()
        return [row[: row.index(words.end) + 1] if words.end in row else row for row in rows]

    def _settings(self, changes):
        """Generation with some attributes changed; refuses more words than there are positions."""
        most = self.encoder.config.max_position_embeddings
        given = {**(self.generation or {}), **changes}
        settings = generation_of({"max_new_tokens": min(64, most // 2), **given})
        if settings.max_new_tokens >= most:
            raise InputError(
                f"max_new_tokens: {settings.max_new_tokens}, and the model has {most} positions"
            )
        return settings

    def _words(self, tokenizer, settings=None):
        config = self.encoder.config
        if tokenizer is None:
            inside = config.eos_token_id is not None and config.eos_token_id < config.vocab_size
            return Words(config.eos_token_id if inside else None, 0, config.vocab_size)
        _, end = causal_rows.start_and_end(tokenizer)
        surfaces = tokenizer.pieces.surfaces() if settings is not None and settings.stop else None
        return Words(end, tokenizer.pad_id, tokenizer.vocab_size, surfaces)

    def _function(self, settings, texts, tokenizer):
        """The graph of `generate`: strings to strings, or (ids, mask) to ids."""
        import tensorflow as tf

        if texts:

            def run(texts):
                return self._continuations(texts, tokenizer, settings)

            signature = [tf.TensorSpec([None], tf.string)]
        else:
            words = self._words(tokenizer, settings)

            def run(ids, mask):
                return generate(self._step, ids, mask, settings, words)

            signature = [tf.TensorSpec([None, None], tf.int32)] * 2
        graph = tf.function(run, input_signature=signature, autograph=False)
        return graph.get_concrete_function()

    def _continuations(self, texts, tokenizer, settings):
        """What follows texts, strings in the graph."""
        saved, words = self.data_settings, self._words(tokenizer, settings)
        most = self.encoder.config.max_position_embeddings - settings.max_new_tokens
        ids, mask = causal_rows.prompts_of(
            texts, tokenizer, saved, most, with_end=saved.get("target") is not None
        )
        ids = generate(self._step, ids, mask, settings, words)
        return as_texts(ids, settings, words, tokenizer)

    def _step(self, ids, mask, places, cache):
        """Logits behind the last of some tokens, and the cache; see `generation.loop`."""
        inputs = {"input_ids": ids, "attention_mask": mask, "position_ids": places}
        outputs = self.encoder(inputs, cache=cache)
        return self._logits(outputs["sequence_output"][:, -1:])[:, 0], outputs["cache"]

    def answer(self, outputs, inputs, cells, tokenizer, **options):
        """What follows each text.

        Args: as in TaskModel; options are attributes of `generation.settings.Generation`.
        Returns:
          dict: `generated` string [N].
        """
        settings = self._settings(options)
        return {"generated": self._continuations(cells["text"], tokenizer, settings)}


def _strings(texts):
    import tensorflow as tf

    return tf.constant([text.encode("utf-8", "replace") for text in texts])


def _padded(prompts):
    import tensorflow as tf

    rows = tf.ragged.constant([list(map(int, prompt)) for prompt in prompts], tf.int32)
    return causal_rows.on_the_right(rows)
