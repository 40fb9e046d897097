"""Run-level configuration: everything each command can be told, one frozen dataclass a command.

`load` reads one from YAML and `--set` and is strict about it; how is in settings.py.
"""

import dataclasses

from bert_tf.errors import ConfigError
from bert_tf.sections import FILE_OR_SHARE, DistributionSection, TrainSection
from bert_tf.settings import (
    MAPPING,
    POSITIVE,
    WORD,
    Kind,
    differing_keys,
    from_dict,
    is_number,
    is_whole,
    is_word,
    load,
    one_of,
    optional,
    setting,
    to_dict,
    to_yaml,
    whole,
)

__all__ = [
    "DistributionSection",
    "FinetuneConfig",
    "TrainSection",
    "differing_keys",
    "from_dict",
    "load",
    "to_dict",
    "to_yaml",
]

PROBLEM_TYPES = ("single_label_classification", "multi_label_classification", "regression")

_COLUMN = Kind(
    "a column's name, or its number counted from 0 in a file without a header",
    lambda value: is_word(value) or (is_whole(value) and value >= 0),
)
_SHARE = Kind("a share above 0, up to 1", lambda v: is_number(v) and 0 < v <= 1, float)
_WIDTHS = Kind(
    "a list of layer widths such as [256, 64]",
    lambda value: isinstance(value, list) and all(is_whole(width) and width > 0 for width in value),
    tuple,
)


@dataclasses.dataclass(frozen=True)
class ModelSection:
    """The encoder to start from and the head to put on it."""

    path: str = setting(WORD)
    changes: dict = setting(MAPPING, {})  # fields of the encoder's configuration to change
    # null below: as the family published it; for the problem type, what the labels look like
    pooling: str | None = setting(optional(one_of("cls", "mean", "max")), None)
    head_layers: tuple | None = setting(optional(_WIDTHS), None)
    problem_type: str | None = setting(optional(one_of(*PROBLEM_TYPES)), None)


@dataclasses.dataclass(frozen=True)
class DataSection:
    """The files and their columns."""

    train: str = setting(WORD)
    validation: str | float = setting(FILE_OR_SHARE, 0.1)
    test: str | None = setting(optional(WORD), None)
    format: str | None = setting(optional(one_of("tsv", "csv", "jsonl")), None)  # null: by the name
    text: str | int = setting(_COLUMN, "text")
    text_pair: str | int | None = setting(optional(_COLUMN), None)
    label: str | int = setting(_COLUMN, "label")
    max_length: int = setting(whole(3), 128)  # in tokens, special ones included


@dataclasses.dataclass(frozen=True)
class IncrementalSection:
    """How a trained task (`model.path`) learns from new rows; null: this is no such run."""

    # rows: new rows alone; replay: a share of the old rows among them; ewc: elastic weight
    # consolidation; lwf: learning without forgetting
    method: str | None = setting(optional(one_of("rows", "replay", "ewc", "lwf")), None)
    old_test: str | None = setting(optional(WORD), None)  # a file; forgetting is measured on it
    old_train: str | None = setting(optional(WORD), None)  # a file; for replay and ewc
    share: float = setting(_SHARE, 0.1)  # of the old rows, for replay
    strength: float | None = setting(optional(POSITIVE), None)  # of ewc and lwf; null: their own
    fisher_rows: int = setting(whole(1), 500)  # old rows that ewc weighs the weights on
    temperature: float = setting(POSITIVE, 2.0)  # of lwf

    def __post_init__(self):
        """Every method has what it looks at, and nothing is given that nobody would look at."""
        if self.method is None:
            given = [x.name for x in dataclasses.fields(self) if getattr(self, x.name) != x.default]
            if given:
                raise ConfigError(
                    f"incremental.method is None and incremental.{given[0]} "
                    f"{getattr(self, given[0])}, wanted rows, replay, ewc or lwf with it"
                )
            return
        wanted = {"old_test": "forgetting is measured on it"}
        if self.method in ("replay", "ewc"):
            wanted["old_train"] = f"{self.method} learns from old rows"
        for key, reason in wanted.items():
            if getattr(self, key) is None:
                raise ConfigError(f"incremental.{key} is None, wanted a file: {reason}")


@dataclasses.dataclass(frozen=True)
class FinetuneConfig:
    """Everything `bert-tf finetune` can be told."""

    model: ModelSection
    data: DataSection
    task: str = setting(one_of("sequence_classification"), "sequence_classification")
    train: TrainSection = TrainSection()
    distribution: DistributionSection = DistributionSection()
    incremental: IncrementalSection = IncrementalSection()

    def __post_init__(self):
        """What two keys must agree on; `load` puts the file's name before the message."""
        train = self.train
        for key in ("changes", "pooling", "head_layers", "problem_type"):
            value = getattr(self.model, key)
            if value and self.incremental.method is not None:
                raise ConfigError(
                    f"model.{key} is {value} and incremental.method {self.incremental.method}, "
                    "wanted none: a trained task has its own"
                )
        if train.batch_size % train.accumulate:
            raise ConfigError(
                f"train.accumulate is {train.accumulate}, wanted a divisor of train.batch_size, "
                f"{train.batch_size}"
            )
        if (train.freeze == "gradual") != (train.unfreeze_every is not None):
            raise ConfigError(
                f"train.unfreeze_every is {train.unfreeze_every} and train.freeze {train.freeze}, "
                "wanted a number of steps with gradual and null with anything else"
            )
