"""The next word, from left to right."""

from keras import ops

from bert_tf.layers import fold_in, key_for
from bert_tf.tasks import causal_rows
from bert_tf.tasks.features import Column
from bert_tf.tasks.generation import SETTINGS, as_texts, asking, generate
from bert_tf.tasks.masked_words import (
    masked_word_accuracy,
    masked_word_logits,
    masked_word_loss,
    masked_word_weights,
    weighed,
)
from bert_tf.tasks.soft_answers import SoftAnswer, mask_of
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
        asking.settings_of(self, {})  # refuses what no text can be continued by
        self.next_word_head = encoder.next_word_head()
        self.graphs = {}
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

    def outputs_of_ids(self, inputs):
        """`logits` float32 [B, L, V]; see `Refusals.outputs_of_ids`."""
        return {"logits": self(inputs, training=False)}

    def soft_answers(self, outputs, inputs):
        """The logits of the word after each token; see `tasks.soft_answers`."""
        return [SoftAnswer("choice", outputs, mask_of(inputs), True)]

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
        return asking.ask(self, prompts, tokenizer, settings)

    @property
    def written_positions(self):
        """int, tokens of the longest row that can be written."""
        return self.encoder.config.longest_row

    @property
    def end_id(self):
        """int, the id that ends a text; None: there is none."""
        return self.encoder.config.eos_token_id

    def longest_prompt(self, settings):
        """int, tokens of the longest prompt, as there have to be positions behind it."""
        return self.written_positions - settings.max_new_tokens

    def continued(self, ids, mask, settings, words):
        """What follows prompts that are padded on the left, int32 [B, n] in the graph."""
        return generate(self._step, ids, mask, settings, words)

    def continued_texts(self, texts, tokenizer, settings):
        """What follows texts, strings in the graph."""
        saved, words = self.data_settings, asking.words_of(self, tokenizer, settings)
        most = self.longest_prompt(settings)
        with_end = saved.get("target") is not None
        prompts = causal_rows.prompts_of(texts, tokenizer, saved, most, with_end)
        ids = self.continued(*prompts, settings, words)
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
        settings = asking.settings_of(self, options)
        return {"generated": self.continued_texts(cells["text"], tokenizer, settings)}
