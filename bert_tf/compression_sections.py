"""The sections of making models smaller, and the kinds of their values."""

import dataclasses

from bert_tf.errors import ConfigError
from bert_tf.settings import (
    FLAG,
    MAPPING,
    POSITIVE,
    WORD,
    Kind,
    is_number,
    is_whole,
    is_word,
    one_of,
    optional,
    setting,
    whole,
)

_TEACHERS = Kind(
    "a model directory, or a list of them",
    lambda value: (
        is_word(value) or (isinstance(value, list) and value != [] and all(map(is_word, value)))
    ),
    lambda value: (value,) if is_word(value) else tuple(value),
)
_CHANCE = Kind("a number from 0 to 1", lambda v: is_number(v) and 0 <= v <= 1, float)
_PART = Kind("a share above 0, up to 1", lambda v: is_number(v) and 0 < v <= 1, float)
_COUNT_OR_LIST = Kind(
    "an integer, 1 or more, or a list of layers from 0",
    lambda v: whole(1).accepts(v) or (isinstance(v, list) and v and all(map(is_whole, v))),
    lambda v: tuple(v) if isinstance(v, list) else v,
)
_RANK = Kind(
    "an integer, 1 or more, or a share of the squared singular values between 0 and 1",
    lambda v: whole(1).accepts(v) or (is_number(v) and 0 < v < 1),
)
LAYERS = ("query", "key", "value", "attention_output", "intermediate", "output")
_LAYERS = Kind(
    f"a list of some of {', '.join(LAYERS)}",
    lambda value: isinstance(value, list) and value != [] and {*map(str, value)} <= {*LAYERS},
    tuple,
)


@dataclasses.dataclass(frozen=True)
class LoraSection:
    """Low-rank updates of an encoder's layers, which are trained with the head in the encoder's
    place; null: all of it is trained."""

    rank: int | None = setting(optional(whole(1)), None)
    alpha: float | None = setting(optional(POSITIVE), None)  # over rank a factor; null: 2 rank
    layers: tuple = setting(_LAYERS, ("query", "value"))  # which are updated, in every block

    def __post_init__(self):
        """Nothing is given that nobody would look at."""
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if self.rank is None and value != field.default:
                raise ConfigError(f"lora.rank is None and lora.{field.name} {value}, wanted a rank")


@dataclasses.dataclass(frozen=True)
class DistillationSection:
    """Who teaches the student, the model of the section `model`, and what it learns of them."""

    teacher: tuple = setting(_TEACHERS)  # one model, or an ensemble
    # Name -> weight, or a mapping of `weight` and further settings; README.md lists them
    losses: dict = setting(MAPPING, {"labels": 0.5, "logits": {"weight": 1.0, "temperature": 2.0}})
    # A file of texts without labels, with the columns of the training file but the label
    unlabelled: str | None = setting(optional(WORD), None)
    # Altered copies of each training text, with words left out or exchanged, without labels
    augmented: int = setting(whole(0), 0)
    # A file that keeps what the teachers answer for each row: written by the first run that names
    # it, read by all others; null: they are asked in every step
    answers: str | None = setting(optional(WORD), None)
    # true: the student has fresh weights, of the sizes of model.path with its changes
    fresh: bool = setting(FLAG, False)
    # A number: the student is a vector for each token, so wide, and no encoder; the encoder at
    # model.path makes them
    static: int | None = setting(optional(whole(1)), None)
    # A number: the student is an ALBERT, the layers of the encoder at model.path in so many groups,
    # each with one set of weights: the mean of its layers' or the first one's; and with vectors of
    # words so wide, null: as wide as the model
    groups: int | None = setting(optional(whole(1)), None)
    group_start: str = setting(one_of("mean", "first"), "mean")
    embedding_size: int | None = setting(optional(whole(1)), None)
    # A number, mostly with losses {labels: 1}: the teacher's layers stand in the student's place,
    # each replaced with this chance at first, which rises to 1 by `replaced_by` of all steps
    # (BERT-of-Theseus); null: no
    replacing: float | None = setting(optional(_CHANCE), None)
    replaced_by: float = setting(_PART, 0.5)

    def __post_init__(self):
        """One beginning; kept answers are all that is learned of a teacher."""
        made = {"fresh": self.fresh or None, "static": self.static, "groups": self.groups}
        made = [f"distillation.{key} is {x}" for key, x in made.items() if x is not None]
        if len(made) > 1:
            said = " and ".join(made).replace("True", "true")
            raise ConfigError(f"{said}, wanted one of them")
        if self.embedding_size is not None and self.groups is None:
            raise ConfigError(
                f"distillation.embedding_size is {self.embedding_size} and distillation.groups "
                "None, wanted a number with it"
            )
        if self.replacing is not None and self.answers is not None:
            raise ConfigError(
                f"distillation.replacing is {self.replacing} and distillation.answers "
                f"{self.answers}, wanted one of them"
            )
        taught = {*self.losses} - {"labels"}
        if self.answers is not None and taught not in ({"logits"}, {"vectors"}):
            raise ConfigError(
                f"distillation.answers is {self.answers} and distillation.losses "
                f"{', '.join(sorted(taught) or self.losses)}, wanted logits or vectors, perhaps "
                "with labels: no more is kept"
            )


@dataclasses.dataclass(frozen=True)
class TrainedSection:
    """A trained task that is made smaller."""

    path: str = setting(WORD)


@dataclasses.dataclass(frozen=True)
class PruningSection:
    """What stays of a model; null: all of it. What matters least for the loss of training rows
    goes."""

    # So many layers, the ones that matter most; or a list of them, from 0
    layers: int | tuple | None = setting(optional(_COUNT_OR_LIST), None)
    # In each layer. With fewer heads it opens here alone: no other package has such a BERT
    heads: int | None = setting(optional(whole(1)), None)
    neurons: int | None = setting(optional(whole(1)), None)  # of each feed-forward layer
    # Ranks of two matrices in the place of one, in every linear layer of a block and as words'
    # vectors; or a share of what they keep. Such a model opens here alone, too
    linear_rank: int | float | None = setting(optional(_RANK), None)
    word_rank: int | float | None = setting(optional(_RANK), None)
    rows: int = setting(whole(1), 512)  # training rows that are looked at
    # Text files, a glob: entries of the vocabulary that they use stay, and all single characters
    vocabulary: str | None = setting(optional(WORD), None)
    min_frequency: int = setting(whole(1), 1)  # how often they have to
    recover: bool = setting(FLAG, True)  # whether it is trained afterwards, as `train` says

    def __post_init__(self):
        """Something is to go."""
        keys = ("layers", "heads", "neurons", "vocabulary", "linear_rank", "word_rank")
        if all(getattr(self, key) is None for key in keys):
            raise ConfigError(f"pruning: wanted one or more of {', '.join(keys)}")


@dataclasses.dataclass(frozen=True)
class TeacherSection:
    """A teacher of pretraining; null: there is none."""

    teacher: str | None = setting(optional(WORD), None)
    # As in a run of `bert-tf distill`; `labels` are the objective's own losses. These are
    # DistilBERT's
    losses: dict = setting(
        MAPPING, {"labels": 2.0, "logits": {"weight": 5.0, "temperature": 2.0}, "cosine": 1.0}
    )
