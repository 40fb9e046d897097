"""Blanks of a text, filled by spans that are told word by word (Du et al. 2022, "GLM", arXiv
2103.10360, section 2.1)."""

from bert_tf.errors import InputError
from bert_tf.layers import MultiHeadAttention
from bert_tf.tasks import fill_mask
from bert_tf.tasks.answers import plain
from bert_tf.tasks.features import Column
from bert_tf.tasks.generation import SETTINGS, as_texts, asking, generate
from bert_tf.tasks.generation.loop import any_of
from bert_tf.tasks.masked_lm import MaskedLM
from bert_tf.tasks.masked_words import masked_word_logits
from bert_tf.tasks.task_model import TaskModel

# Token types: 0 in the text, 1 where a span begins, 2, 3, ... its words, up to the last.
SPAN_PLACES = 32
# What is a blank, besides the mask token, in a text without it.
_BLANK = "_{3,}"


class BlankInfilling(MaskedLM):
    """A BERT that reads a text with blanks, and tells what stands in each, one after the other.

    It is trained as MaskedLM, on rows that say more: behind the text stand the spans, and what they
    read is told by `reading_order` (objective `blank_infilling` of pretraining). Its answers are
    texts: each blank's span is told from [CLS] on, until [SEP], behind the text and the spans of
    the blanks before it.

    Args:
      encoder: an encoder with 32 token types, of blocks with plain attention, such as a BERT.
      generation: dict, how spans are written where nothing else is said; as CausalLM.

    Attributes:
      tokenizer: Tokenizer or None, that of the directory the model was loaded from.

    Labels: as MaskedLM.
    """

    arguments = ("generation",)
    columns = {"text": Column("text")}
    answer_options = dict.fromkeys(SETTINGS)
    outputs_of_ids = TaskModel.outputs_of_ids
    masked_lm_logits = None  # no [MASK] of a text was ever asked
    tokenizer = None

    def __init__(self, encoder, generation=None, **kwargs):
        types = encoder.config.type_vocab_size
        if types < SPAN_PLACES:
            raise InputError(
                f"type_vocab_size: {types}, wanted {SPAN_PLACES}, for the places within a span"
            )
        super().__init__(encoder, **kwargs)
        self.generation = None if generation is None else dict(generation)
        self.graphs = {}
        asking.settings_of(self, {})  # refuses what no span can be written by

    @staticmethod
    def features(cells, tokenizer, settings):
        """As `fill_mask.features`; where a text has no [MASK], each ___ is one."""
        mask = tokenizer.pieces.settings.mask_token
        return fill_mask.features({"text": _masked(cells["text"], mask)}, tokenizer, settings)

    def argument_is_published(self, name):
        """True: how spans are written changes no tensor."""
        return True

    def generate(self, texts, tokenizer=None, **settings):
        """Fills the blanks of texts.

        Args:
          texts: list of str, each with a mask token, such as [MASK], or a ___ at least.
          tokenizer, **settings: as `CausalLM.generate`; `max_new_tokens` is of each span.
        Returns:
          list of str, the texts with their blanks filled.
        Raises:
          InputError: a setting is none or cannot be, there is no tokenizer, or a text has no blank
            or is too long.
        """
        tokenizer, texts = tokenizer or self.tokenizer, list(texts)
        for row, text in enumerate(texts):
            if not isinstance(text, str):
                raise InputError(f"texts[{row}]: {text!r}, wanted a str")
        if texts and tokenizer is not None:
            inputs, _ = self.features({"text": texts}, tokenizer, self._row_settings())
            counts = [inputs[name].numpy().tolist() for name in ("tokens", "limit", "masks")]
            for row, found in enumerate(zip(*counts, strict=True)):
                _check(*found, f"texts[{row}]: ")
        return asking.ask(self, texts, tokenizer, settings)

    @property
    def written_positions(self):
        """int, tokens of the longest row."""
        return self.encoder.config.longest_row

    @property
    def end_id(self):
        """None: the tokenizer tells what ends a span."""
        return None

    def continued_texts(self, texts, tokenizer, settings):
        """Texts with their blanks filled, strings in the graph."""
        inputs, _ = self.features({"text": texts}, tokenizer, self._row_settings())
        mask = tokenizer.pieces.settings.mask_token
        return _filled(_masked(texts, mask), self._spans(inputs, tokenizer, settings), mask)

    def _row_settings(self):
        length = self.data_settings.get("max_length") or min(512, self.encoder.config.longest_row)
        return {**self.data_settings, "max_length": length, "padding": "longest"}

    def answer(self, outputs, inputs, cells, tokenizer, **options):
        """The text with its blanks filled, and what fills them.

        Args: as in TaskModel; options are attributes of `generation.settings.Generation`.
        Returns:
          dict: `generated` string [N]; `blanks` string [N, M], "" beyond a row's; `masks`, `tokens`
          and `limit` int32 [N], see `fill_mask.features`.
        """
        spans = self._spans(inputs, tokenizer, asking.settings_of(self, options))
        mask = tokenizer.pieces.settings.mask_token
        counts = {name: inputs[name] for name in ("masks", "tokens", "limit")}
        filled = _filled(_masked(cells["text"], mask), spans, mask)
        return {"generated": filled, "blanks": spans, **counts}

    @staticmethod
    def record(answer):
        """`generated`, and `blanks`, list of str.

        Raises:
          InputError: the text has no blank, or is longer than the model's rows.
        """
        counts = [int(answer[name]) for name in ("tokens", "limit", "masks")]
        _check(*counts)
        blanks = [plain(text) for text in answer["blanks"][: counts[-1]]]
        return {"generated": plain(answer["generated"]), "blanks": blanks}

    def _spans(self, inputs, tokenizer, settings):
        """What stands in each blank, string [N, M], M the most of a row; "" beyond a row's."""
        import tensorflow as tf

        words, most = asking.words_of(self, tokenizer, settings), settings.max_new_tokens
        blanks_NM, count_N = inputs["masked_positions"], inputs["masks"]
        rows, blanks = tf.shape(blanks_NM)[0], tf.shape(blanks_NM)[1]
        spans_NMT = tf.fill([rows, blanks, most], words.pad)

        def body(number, row, spans_NMT):
            place_N, here_N = blanks_NM[:, number], number < count_N
            row = _begun(row, place_N, here_N, words)
            new = self._span(row, place_N, here_N, settings, words, number * most)
            row = _told(row, new, place_N, here_N, words)
            new_NT = tf.pad(new, [[0, 0], [0, most - tf.shape(new)[1]]], constant_values=words.pad)
            new_NT = tf.ensure_shape(new_NT, [None, most])
            this_M1 = (tf.range(blanks) == number)[:, None]
            return number + 1, row, tf.where(this_M1, new_NT[:, None], spans_NMT)

        row = _of_text(inputs)
        shapes = {name: tf.TensorShape([None, None]) for name in row}
        shapes = (tf.TensorShape([]), shapes, tf.TensorShape([None, None, most]))
        *_, spans_NMT = tf.while_loop(
            lambda number, *_: number < blanks,
            body,
            (tf.constant(0), row, spans_NMT),
            shapes,
            parallel_iterations=1,
        )
        flat = as_texts(tf.reshape(spans_NMT, [-1, most]), settings, words, tokenizer)
        texts_NM = tf.reshape(tf.strings.strip(flat), [rows, blanks])
        return tf.where(tf.sequence_mask(count_N, blanks), texts_NM, "")

    def _span(self, row, place_N, here_N, settings, words, first_draw):
        """The words of one blank of each row, int32 [N, n]; of a row without it its end."""
        import tensorflow as tf

        blocks = [getattr(block, "block", block) for block in self.encoder.blocks]
        if any(type(getattr(x, "attention", None)) is not MultiHeadAttention for x in blocks):
            raise InputError(
                f"{type(self).__name__}: a {self.encoder.config.model_type} keeps no keys and "
                "values of earlier words; wanted blocks of plain attention, such as a BERT's"
            )
        length_N = tf.reduce_sum(row["attention_mask"], axis=1)

        def step(ids, mask, places, cache):
            inputs, times = row, tf.shape(ids)[0] // tf.shape(place_N)[0]  # of beams
            place_X, length_X, here_X = (tf.repeat(x, times) for x in (place_N, length_N, here_N))
            if cache:
                types_X1 = tf.minimum(places - length_X[:, None] + 2, SPAN_PLACES - 1)
                inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types_X1}
                inputs["position_ids"] = place_X[:, None]
            outputs = self.encoder(inputs, cache=cache)
            table_VD = self.encoder.embeddings.word_embeddings
            last_X1D = outputs["sequence_output"][:, -1:]
            logits_XV = masked_word_logits(self.masked_lm_head, table_VD, last_X1D)[:, 0]
            ends_V = tf.one_hot(words.end, logits_XV.shape[-1], 1e4)
            return tf.where(here_X[:, None], logits_XV, ends_V), outputs["cache"]

        given = row["input_ids"], row["attention_mask"]
        return generate(step, *given, settings, words, first_draw)


def _check(tokens, limit, masks, place=""):
    """Raises InputError for a text that is too long, or has no blank."""
    if tokens > limit:
        raise InputError(f"{place}{tokens} tokens, the model takes {limit}")
    if not masks:
        raise InputError(f"{place}holds no blank, [MASK] or ___")


def _masked(texts, mask):
    """Texts whose blanks are mask tokens, string [N]."""
    import tensorflow as tf

    texts = tf.convert_to_tensor(texts)
    masked = tf.strings.regex_full_match(texts, f"(?s).*{any_of((mask,))}.*")
    return tf.where(masked, texts, tf.strings.regex_replace(texts, _BLANK, mask))


def _of_text(inputs):
    """Texts as rows to be told further, padded on the left: dict of int32 [N, L]."""
    import tensorflow as tf

    mask_NL = inputs["attention_mask"]
    spare_N1 = tf.reduce_sum(1 - mask_NL, axis=1, keepdims=True)
    places_NL = tf.range(tf.shape(mask_NL)[1]) - spare_N1
    real_NL = tf.cast(places_NL >= 0, tf.int32)
    places_NL = places_NL * real_NL
    nothing_NL = tf.zeros_like(mask_NL)
    return {
        "input_ids": tf.gather(inputs["input_ids"], places_NL, batch_dims=1) * real_NL,
        "attention_mask": real_NL,
        "position_ids": places_NL,
        "token_type_ids": nothing_NL,
        "reading_order": nothing_NL,
    }


def _begun(row, place_N, here_N, words):
    """Rows in which a span begins, where there is its blank."""
    import tensorflow as tf

    start_N1 = tf.fill([tf.shape(place_N)[0], 1], words.start)
    return _longer(row, start_N1, place_N, here_N[:, None], tf.ones([1], tf.int32))


def _told(row, new_Nn, place_N, here_N, words):
    """Rows with the words of a span, without its end and what stands behind it."""
    import tensorflow as tf

    ended_Nn = tf.cumsum(tf.cast(new_Nn == words.end, tf.int32), axis=1) > 0
    types_n = tf.minimum(tf.range(tf.shape(new_Nn)[1]) + 2, SPAN_PLACES - 1)
    return _longer(row, new_Nn, place_N, here_N[:, None] & ~ended_Nn, types_n)


def _longer(row, ids_Nn, place_N, there_Nn, types_n):
    """Rows with more tokens of the blanks at some places; what is not there is padding."""
    import tensorflow as tf

    count, last = tf.shape(ids_Nn)[1], tf.reduce_max(row["reading_order"], axis=1, keepdims=True)
    ones_Nn = tf.ones_like(ids_Nn)
    more = {
        "input_ids": ids_Nn,
        "attention_mask": tf.cast(there_Nn, tf.int32),
        "position_ids": ones_Nn * place_N[:, None],
        "token_type_ids": ones_Nn * types_n,
        "reading_order": last + 1 + tf.range(count),
    }
    return {name: tf.concat([x, more[name]], axis=1) for name, x in row.items()}


def _filled(texts_N, spans_NM, mask):
    """Texts in which each mask token gave way to a span, string [N]."""
    import tensorflow as tf

    parts_NP = tf.strings.split(texts_N, mask).to_tensor("")
    nothing_NP = tf.fill(tf.shape(parts_NP), "")
    spans_NP = tf.concat([spans_NM, nothing_NP], axis=1)[:, : tf.shape(parts_NP)[1]]
    return tf.strings.reduce_join(tf.strings.join([parts_NP, spans_NP]), axis=1)
