"""What each task reads and is told, for checks that are not to wait until TensorFlow is imported.

The task classes are the rule; `tests/test_outlines.py` holds each line here against its class.
"""

import typing
from collections.abc import Mapping

from bert_tf.errors import ConfigError, nearest

LANGUAGE = "language"  # the column of languages, which most encoders have no use for


class Column(typing.NamedTuple):
    """One column that a task reads.

    Attributes:
      kind: str, a key of `data.cells.KINDS`, such as "text", "texts" or "name"; or "label".
      optional: bool, a table may lack it; it is read only where a setting names it.
      target: bool, what is to be predicted: absent when a model answers.
      beside: str, the column without which this one says nothing.
    """

    kind: str
    optional: bool = False
    target: bool = False
    beside: str | None = None


class Outline(typing.NamedTuple):
    """What a configuration can say of a task.

    Attributes:
      columns, arguments, places: as the task class has them.
      monitors: tuple of str, the figures that models of the task may have, whatever they are told;
        None where some depend on the data.
      several: bool, whether it is made of other tasks.
    """

    columns: Mapping[str, Column]
    arguments: tuple = ()
    monitors: tuple | None = None
    places: Mapping[str, str] = {}
    several: bool = False


_TEXT, _MORE, _NAME = Column("text"), Column("text", optional=True), Column("name", optional=True)
_TARGET, _MORE_TARGET = Column("text", target=True), Column("text", True, True)
_WORDS = {"text": _TEXT, "choices": Column("texts", optional=True)}
_HEAD = ("num_labels", "label_names", "problem_type", "pooling", "head_layers")
_EXACT = ("precision", "recall", "f1")
_F1 = tuple(f"{name}{average}" for average in ("", "_macro", "_micro") for name in _EXACT)
_MASKED = ("loss", "masked_lm", "masked_lm_accuracy")

# Task name in configurations, as in `tasks.TASKS` -> its outline.
OUTLINES = {
    "sequence_classification": Outline(
        {
            "text": _TEXT,
            "text_pair": _MORE,
            "label": Column("label", target=True),
            LANGUAGE: _NAME,
        },
        (*_HEAD, "window_pooling", "thresholds"),
        (
            *("accuracy", "matthews", "exact_match", *_F1),
            *("pearson", "spearman", "mean_squared_error", "loss"),
        ),
    ),
    "reranking": Outline(
        {"text": _TEXT, "text_pair": _TEXT, "label": Column("rating", target=True)},
        (*_HEAD, "ranking"),
        ("ndcg@10", "mrr@10", "loss"),
        {"text": "query", "text_pair": "text", "label": "score"},
    ),
    "multiple_choice": Outline(
        {
            "text": _TEXT,
            "choices": Column("texts"),
            "question": _MORE,
            "label": Column("number", target=True),
        },
        ("ranking", "pooling"),
        ("accuracy", "loss"),
    ),
    "dependency_parsing": Outline(
        {
            "text": _TEXT,
            "heads": Column("numbers", target=True),
            "relations": Column("names", target=True),
        },
        ("num_labels", "label_names", "arc_size", "relation_size"),
        ("las", "uas", "las_universal", "loss"),
    ),
    "question_answering": Outline(
        {
            "question": _TEXT,
            "context": _TEXT,
            "answers": Column("answers", target=True),
            LANGUAGE: _NAME,
        },
        ("unanswerable", "no_answer_threshold", "max_answer_length"),
        ("f1", "exact_match", "loss"),
    ),
    "sentence_embedding": Outline(
        {
            "text": _TEXT,
            "text_pair": _MORE_TARGET,
            "negative": Column("text", True, True, beside="text_pair"),
            "negatives": Column("texts", True, True, beside="text_pair"),
            "score": Column("rating", True, True, beside="text_pair"),
            "category": Column("label", True, True),
            LANGUAGE: _NAME,
        },
        (
            *("pooling", "normalize", "dense", "objective", "scale", "margin", "highest_score"),
            *("matryoshka", "window_pooling"),
        ),
        (
            *("mrr@10", "ndcg@10", "recall@1", "recall@10", "spearman", "pearson"),
            *("nearest_accuracy", "loss"),
        ),
    ),
    "token_classification": Outline(
        {"text": _TEXT, "label": Column("spans", target=True), LANGUAGE: _NAME},
        ("num_labels", "label_names", "crf"),
        ("accuracy", *(name for name in _F1 if "micro" not in name), "loss"),
    ),
    "masked_lm": Outline(_WORDS, (), _MASKED),
    "blank_infilling": Outline({"text": _TEXT}, ("generation",), _MASKED),
    "causal_lm": Outline(
        {"text": _TEXT, "target": _MORE_TARGET},
        ("generation",),
        ("loss", "causal_lm", "causal_lm_accuracy"),
    ),
    "seq2seq": Outline(
        {"text": _TEXT, "target": _TARGET},
        ("decoder", "share_embeddings", "label_smoothing", "generation"),
        ("loss", "seq2seq", "seq2seq_accuracy"),
        {"text": "source"},
    ),
    "pretraining": Outline(_WORDS, ("sentence_objective", "extra_labels")),
    "skip_gram": Outline({}),
    "bidirectional_lm": Outline({}),
    "electra_pretraining": Outline({}),
    "multi_task": Outline({}, ("tasks", "task_weights", "learned_weights"), several=True),
}


def outline_of(name, key="task"):
    """The Outline of a task; raises ConfigError as `require_task`."""
    require_task(name, OUTLINES, key)
    require_alone(name, OUTLINES[name].several, key)
    return OUTLINES[name]


def require_task(name, known, key="task"):
    """Raises ConfigError where a name is none of the tasks that are known."""
    if name not in known:
        near = nearest(name, known)
        hint = f" (nearest: {near})" if near else ""
        raise ConfigError(f"{key} is {name!r}, wanted one of {', '.join(known)}{hint}")


def require_alone(name, several, key="task"):
    """Raises ConfigError where a task is several, which have a section of their own."""
    if several:
        raise ConfigError(f"{key} is {name}, wanted its tasks by name in the section `tasks`")


def require_arguments(given, options, known, task):
    """Raises ConfigError where the section `model` has an argument that the task lacks.

    Args:
      given: iterable of str, the arguments.
      options: dict, those of them that stand in `model.options`.
      known: tuple of str, the task's.
      task: str, its name.
    """
    for name in given:
        if name not in known:
            near = nearest(name, known)
            hint = f" (nearest: {near})" if near else ""
            key = f"model.options.{name}" if name in options else f"model.{name}"
            raise ConfigError(f"{key}: task {task} has no such argument{hint}")


def require_figure(name, known, key="train.best_metric"):
    """Raises ConfigError where a figure is none of those that are known, tuple of str."""
    if name not in known:
        near = nearest(name, known)
        hint = f"; did you mean {near}?" if near else ""
        raise ConfigError(f"{key} is {name}, wanted one of {', '.join(known)}{hint}")
