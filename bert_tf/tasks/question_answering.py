"""Extractive question answering: the part of a text that answers a question about it."""

import math

import numpy as np
from keras import ops

from bert_tf.errors import ConfigError, InputError, shown
from bert_tf.layers import LOWEST, ProjectionHead, fold_in, key_for, truncated_normal
from bert_tf.tasks.answers import plain
from bert_tf.tasks.features import Column, window_settings
from bert_tf.tasks.losses import weight_of_rows, weighted_sum
from bert_tf.tasks.soft_answers import SoftAnswer
from bert_tf.tasks.spans import best_span, merged, span_scores, token_positions
from bert_tf.tasks.task_model import TaskModel

# Tokens of the longest answer, as in google-research/bert `run_squad.py`.
MAX_ANSWER_LENGTH = 30
# Half a row for the question, the special tokens, and a token of the text.
_SHORTEST = 8
# Rows of a table that are looked through at once.
_CHUNK = 4096


class ExtractiveQA(TaskModel):
    """Scores for each token to be the first and the last of the answer (Devlin et al. 2019, section
    4.2); where there may be none (section 4.3), [CLS] has the scores of that.

    A row is question and text as a pair. A text too long for it is cut into windows that overlap
    (`data.overlap` tokens, the document stride's complement), and the best span of them all is the
    answer. A question of more than half a row is cut there.

    Args:
      encoder: an encoder of any family.
      unanswerable: bool, whether "" may be the answer; None: False.
      no_answer_threshold: float, "" is the answer where its score, the lowest over the windows, is
        higher by more than this than the best span's; None: 0, and `bert-tf finetune` then keeps
        what gives the best F1 on the validation rows.
      max_answer_length: int, tokens of the longest answer; None: 30.

    Labels: dict of int32 [B], `start_positions` and `end_positions`, the tokens; 0 both of a window
      that does not hold the whole answer.
    """

    arguments = ("unanswerable", "no_answer_threshold", "max_answer_length")
    columns = {
        "question": Column("text"),
        "context": Column("text"),
        "answers": Column("answers", target=True),
        "language": Column("name", optional=True),
    }
    loss_names = ("span",)
    windowed = True
    full_mark = 100.0
    answer_options = {"top": 1}

    def __init__(
        self,
        encoder,
        unanswerable=None,
        no_answer_threshold=None,
        max_answer_length=None,
        **kwargs,
    ):
        _check_arguments(unanswerable, no_answer_threshold, max_answer_length)
        super().__init__(encoder.without_pooler(), **kwargs)
        self.unanswerable = unanswerable
        self.no_answer_threshold = no_answer_threshold
        self.max_answer_length = max_answer_length
        config = encoder.config
        initializer = truncated_normal(config.initializer_range)
        layers = encoder.published.token_head_layers
        rate = encoder.published.span_dropout
        self.head = ProjectionHead(2, layers, rate, initializer, dtype=self.dtype_policy)
        self.head.build((None, config.hidden_size))
        self.build()

    @classmethod
    def arguments_of(cls, labels):
        """`unanswerable`, if a question of the training rows has no answer."""
        rows = _first_windows(labels)
        for start in range(0, len(rows), _CHUNK):
            if not all(labels.cells(rows[start : start + _CHUNK])["answers"]):
                return {"unanswerable": True}
        return {}

    @staticmethod
    def features(cells, tokenizer, settings):
        """The windows of question and context, and which tokens the answer begins and ends with."""
        import tensorflow as tf

        number = cells.get("window")
        inputs = tokenizer.windows(
            cells["question"],
            cells["context"],
            number=number,
            padding=settings["padding"],
            **_window_settings(settings),
        )
        rows = inputs["rows"] if number is None else inputs.pop("rows")
        if "answers" not in cells:
            return inputs, None
        spans = tf.gather(cells["answers"], rows)
        return inputs, token_positions(inputs["offsets"], spans[:, :1], spans[:, 1:])

    @staticmethod
    def window_counts(cells, tokenizer, settings):
        """How many windows each row has, int64 [rows]."""
        return tokenizer.window_counts(
            cells["question"], cells["context"], **_window_settings(settings)
        )

    @staticmethod
    def fault(cells):
        """An answer that is empty, or is not where it is said to be; see TaskModel."""
        for answer in cells.get("answers", ())[:1]:  # the others are not trained on
            text, start = answer["text"], answer["answer_start"]
            if not text.strip():
                return "the answer is empty; a question without one has an empty list"
            if start < 0 or not cells["context"].startswith(text, start):
                return "the answer is not in the text at its answer_start"
        return None

    def call(self, inputs, training=False, key=None):
        """The scores of each token.

        Args:
          inputs: dict of int32 [B, L], see the encoder.
          training: bool, with dropout.
          key: integer [2], the dropout key of this step, or None.
        Returns:
          dict of float32 [B, L], `start_logits` and `end_logits`; very low in padding.
        """
        key = key_for(training, key)
        outputs = self.encoder(inputs, training=key is not None, key=fold_in(key, 0))
        logits_BL2 = self.head(outputs["sequence_output"], key=fold_in(key, 1))
        mask = inputs.get("attention_mask")
        if mask is not None:
            logits_BL2 = ops.where(mask[:, :, None] > 0, logits_BL2, LOWEST)
        return {"start_logits": logits_BL2[:, :, 0], "end_logits": logits_BL2[:, :, 1]}

    def outputs_of_ids(self, inputs):
        """`start_logits` and `end_logits` float32 [B, L]; see `Refusals.outputs_of_ids`."""
        return self(inputs, training=False)

    def loss_weights(self, labels, sample_weight=None):
        return {"span": weight_of_rows(labels, sample_weight)}

    def loss_terms(self, outputs, labels, sample_weight=None):
        """The mean of the two cross-entropies over the tokens of a row."""
        losses = 0.0
        for side in ("start", "end"):
            positions = ops.cast(ops.reshape(labels[f"{side}_positions"], (-1,)), "int32")
            logits = outputs[f"{side}_logits"]
            losses += ops.sparse_categorical_crossentropy(positions, logits, from_logits=True) / 2
        total = weighted_sum(losses, sample_weight)
        return {"span": (total, weight_of_rows(labels, sample_weight))}

    def soft_answers(self, outputs, inputs):
        """Where the answer begins and ends, a choice of tokens each; see `tasks.soft_answers`."""
        sides = ("start_logits", "end_logits")
        return [SoftAnswer("choice", outputs[side], of_tokens=True) for side in sides]

    @property
    def monitors(self):
        """F1, exact match, and the loss."""
        return ("f1", "exact_match", "loss")

    def predictions(self, outputs, inputs):
        """The best span of each window, its score, first character and the one behind its last;
        and the score of no answer. All [B]; None where the inputs are no windows of a table."""
        if "offsets" not in inputs:
            return None
        scores = span_scores(outputs, inputs, self.max_answer_length or MAX_ANSWER_LENGTH)
        return (*best_span(scores, inputs["offsets"]), _no_answer_score(outputs))

    def final_metrics(self, predictions, labels, rows=None, table=None):
        """`rows`, and the figures of `squad_metrics.figures`: `exact_match`, `f1` and, where some
        questions have no answer, those of SQuAD 2.0; then `best_f1_thresh` is the
        `no_answer_threshold` that would give `best_f1`.

        Raises:
          InputError: a score is not finite, or there is no table to hold the answers against.
        """
        if table is None:
            raise InputError("question answering is measured on a table, and there is none")
        found = [np.concatenate(part) for part in zip(*predictions, strict=True)]
        windows = np.concatenate(rows)
        scores, starts, ends, nothing = (x[np.argsort(windows)] for x in found)
        odd = int((~np.isfinite(scores + nothing)).sum())
        if odd:
            raise InputError(
                f"the model's answer for {odd} of {len(scores)} windows is not a finite number"
            )
        firsts = _first_windows(table)
        cells = table.cells(firsts)
        best = [
            begin + int(np.argmax(scores[begin:end]))
            for begin, end in zip(firsts, [*firsts[1:], len(table)], strict=True)
        ]
        texts = [
            context[starts[window] : ends[window]] if scores[window] > LOWEST / 2 else ""
            for window, context in zip(best, cells["context"], strict=True)
        ]
        odds = (np.minimum.reduceat(nothing, firsts) - scores[best]).tolist()
        answers = [[x["text"] for x in some] for some in cells["answers"]]
        return {"rows": len(texts), **self._figures(answers, texts, odds, cells["context"])}

    def settle(self, figures):
        """Keeps the `no_answer_threshold` that would have been best, where none was given."""
        if figures is None:
            self.no_answer_threshold = None
        elif self.unanswerable and self.no_answer_threshold is None:
            self.no_answer_threshold = figures.get("best_f1_thresh")

    def _figures(self, answers, texts, odds, contexts):
        """The figures of answers; `odds` is the score of no answer less the best span's."""
        from bert_tf.tasks import squad_metrics

        chinese = squad_metrics.is_chinese(contexts)
        some_without = not chinese and not all(answers)
        threshold = self.no_answer_threshold or 0.0
        if not self.unanswerable:
            return squad_metrics.figures(answers, texts, chinese, some_without)
        if some_without:
            return squad_metrics.figures(answers, texts, False, True, odds, most=threshold)
        texts = ["" if more > threshold else x for x, more in zip(texts, odds, strict=True)]
        return squad_metrics.figures(answers, texts, chinese)

    def answer(self, outputs, inputs, cells, tokenizer, top=1):
        """The best span of each text.

        Args: as in TaskModel; `top` int, how many spans are told of.
        Returns:
          dict, [N]: `answer` string, cut out of the context; `start`, `end` int32, in characters of
          the Python string, -1 of no answer; `score` float32, its probability among all spans of
          the text; if the model was trained with unanswerable questions `no_answer` float32, the
          probability that there is none ("" is the answer then). With `top` above 1 also
          `answers`, `starts`, `ends` and `scores` [N, top], the best spans.
        """
        import tensorflow as tf

        context = cells["context"]
        found = merged(
            span_scores(outputs, inputs, self.max_answer_length or MAX_ANSWER_LENGTH),
            inputs["offsets"],
            inputs["rows"],
            tf.size(context),
            top,
            _no_answer_score(outputs) if self.unanswerable else None,
        )
        starts, ends = found["starts"], found["ends"]
        texts = tf.strings.substr(
            tf.repeat(context, top),
            tf.maximum(tf.reshape(starts, [-1]), 0),
            tf.reshape(ends - starts, [-1]),
            unit="UTF8_CHAR",
        )
        texts = tf.reshape(texts, [-1, top])
        answer = {
            "answer": texts[:, 0],
            "start": starts[:, 0],
            "end": ends[:, 0],
            "score": found["scores"][:, 0],
        }
        if self.unanswerable:
            none = found["odds"] > (self.no_answer_threshold or 0.0)
            blank = {"answer": "", "start": -1, "end": -1, "score": found["nothing"]}
            answer = {name: tf.where(none, blank[name], value) for name, value in answer.items()}
            answer["no_answer"] = found["nothing"]
        if top > 1:
            several = {"answers": texts, "starts": starts, "ends": ends, "scores": found["scores"]}
            answer |= several
        return answer

    @staticmethod
    def record(answer):
        """`answer`, `start`, `end`, `score`, perhaps `no_answer`; and `alternatives`, a list of
        such dicts, if several spans were asked for."""
        names = ("answer", "start", "end", "score")
        record = {name: plain(answer[name]) for name in (*names, "no_answer") if name in answer}
        if "answers" in answer:
            several = zip(*(answer[f"{name}s"] for name in names), strict=True)
            spans = [dict(zip(names, map(plain, one), strict=True)) for one in several]
            record["alternatives"] = [span for span in spans if span["start"] >= 0]
        return record

    def argument_is_published(self, name):
        """True: none of the arguments changes a tensor, or a score of a token."""
        return True


def _check_arguments(unanswerable, threshold, longest):
    if unanswerable is not None and not isinstance(unanswerable, bool):
        raise InputError(f"unanswerable: {shown(unanswerable)}, wanted true or false")
    if threshold is not None:
        number = isinstance(threshold, int | float) and not isinstance(threshold, bool)
        if not number or not math.isfinite(threshold):
            raise InputError(f"no_answer_threshold: {shown(threshold)}, wanted a finite number")
        if not unanswerable:
            raise InputError(
                f"no_answer_threshold: {threshold}, wanted null without `unanswerable`"
            )
    whole = isinstance(longest, int) and not isinstance(longest, bool)
    if longest is not None and not (whole and longest > 0):
        raise InputError(f"max_answer_length: {shown(longest)}, wanted a whole number, 1 or more")


def _window_settings(settings):
    """The arguments of `Tokenizer.windows` that a model's settings hold."""
    length = settings["max_length"]
    if length < _SHORTEST:
        raise ConfigError(
            f"max_length: {length}, wanted {_SHORTEST} at least for a question and a text"
        )
    return window_settings(settings)


def _no_answer_score(outputs):
    return outputs["start_logits"][:, 0] + outputs["end_logits"][:, 0]


def _first_windows(table):
    """The number of each row's first window in a WindowedTable; of a Table of each row."""
    rows = getattr(table, "rows", None)
    return np.arange(len(table)) if rows is None else np.unique(rows, return_index=True)[1]
