"""The sections of making models smaller, and the kinds of their values."""

import dataclasses

from bert_tf.settings import MAPPING, WORD, Kind, is_word, optional, setting

_TEACHERS = Kind(
    "a model directory, or a list of them",
    lambda value: (
        is_word(value) or (isinstance(value, list) and value != [] and all(map(is_word, value)))
    ),
    lambda value: (value,) if is_word(value) else tuple(value),
)


@dataclasses.dataclass(frozen=True)
class DistillationSection:
    """Who teaches the student, the model of the section `model`, and what it learns of them."""

    teacher: tuple = setting(_TEACHERS)  # one model, or an ensemble
    # Name -> weight, or a mapping of `weight` and further settings; README.md lists them
    losses: dict = setting(MAPPING, {"labels": 0.5, "logits": {"weight": 1.0, "temperature": 2.0}})
    # A file of texts without labels, with the columns of the training file but the label
    unlabelled: str | None = setting(optional(WORD), None)
