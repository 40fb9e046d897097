"""The sections of fine-tuning, two of which pretraining has too, and the kinds of their values."""

import dataclasses

from bert_tf.errors import ConfigError
from bert_tf.settings import (
    FLAG,
    MAPPING,
    NOT_NEGATIVE,
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

OPTIMIZERS = ("adamw", "google_adamw", "lamb", "adafactor", "adagrad")
FORMATS = "tsv csv jsonl squad c3 race swag chid conllu conll wikiann".split()
# Those of every task that pools, `tasks.classifier_arguments.POOLINGS`.
POOLINGS = ("cls", "mean", "max", "last", "weighted")
SCHEDULES = ("linear", "constant", "cosine", "inverse_sqrt", "polynomial", "steps")

FILE_OR_SHARE = Kind(
    "a file, or a share of the training rows between 0 and 1",
    lambda value: is_word(value) or (is_number(value) and 0 < value < 1),
)
FILES = Kind(
    "a file, a glob, a folder, or a list of these",
    lambda value: (
        is_word(value) or (isinstance(value, list) and value and all(map(is_word, value)))
    ),
    lambda value: value if isinstance(value, str) else tuple(value),
)
FILES_OR_SHARE = Kind(
    "a file, a glob, a folder, a list of these, or a share of the training rows between 0 and 1",
    lambda value: FILES.accepts(value) or FILE_OR_SHARE.accepts(value),
    lambda value: tuple(value) if isinstance(value, list) else value,
)
SHARE = Kind("a share above 0, up to 1", lambda v: is_number(v) and 0 < v <= 1, float)
WARMUP = Kind(
    "a share of all steps below 1, or a whole number of steps",
    lambda value: is_number(value) and value >= 0 and (value < 1 or value == int(value)),
    float,
)
FRACTION = Kind("a number between 0 and 1", lambda v: is_number(v) and 0 < v < 1, float)
_FREEZE = Kind(
    "encoder, gradual, or how many of the last layers to train (1 or more)",
    lambda value: value in ("encoder", "gradual") or whole(1).accepts(value),
)
_SEED = Kind("an integer from 0 to 2147483647", lambda x: is_whole(x) and 0 <= x < 2**31)
_CLASS_WEIGHTS = Kind(
    "balanced, or a mapping of labels to numbers above 0",
    lambda x: x == "balanced" or (type(x) is dict and x and all(map(POSITIVE.accepts, x.values()))),
    lambda x: x if x == "balanced" else {str(name): float(y) for name, y in x.items()},
)
_LABELS = Kind(
    "a list of labels",
    lambda x: isinstance(x, list) and all(is_word(name) or is_whole(name) for name in x),
    lambda value: tuple(map(str, value)),
)

PROBLEM_TYPES = ("single_label_classification", "multi_label_classification", "regression")
_COLUMN = Kind(
    "a column's name, or its number counted from 0 in a file without a header",
    lambda value: is_word(value) or whole(0).accepts(value),
)
_WIDTHS = Kind(
    "a list of layer widths such as [256, 64], each an integer from 1 to 16384",
    lambda value: isinstance(value, list) and all(map(whole(1, 2**14).accepts, value)),
    tuple,
)
_ROWS = whole(1, 2**20)  # of a batch, or of pairs


@dataclasses.dataclass(frozen=True)
class ModelSection:
    """The encoder to start from and the head to put on it."""

    path: str = setting(WORD)
    changes: dict = setting(MAPPING, {})  # fields of the encoder's configuration to change
    # One of them: an encoder with fresh weights; `path` then holds its tokenizer alone
    family: str | None = setting(optional(WORD), None)
    size: str | None = setting(optional(WORD), None)
    # null below: as the family published it; for the problem type, what the labels look like
    pooling: str | None = setting(optional(one_of(*POOLINGS)), None)
    head_layers: tuple | None = setting(optional(_WIDTHS), None)
    problem_type: str | None = setting(optional(one_of(*PROBLEM_TYPES)), None)
    options: dict = setting(MAPPING, {})  # further arguments of the task


@dataclasses.dataclass(frozen=True)
class DataSection:
    """The files and their columns."""

    # A file; a glob, a folder of documents or a list: the rows of all files in order
    train: str | tuple = setting(FILES)
    validation: str | tuple | float = setting(FILES_OR_SHARE, 0.1)
    test: str | tuple | None = setting(optional(FILES), None)
    # null: as the file's name and its beginning say
    format: str | None = setting(optional(one_of(*FORMATS)), None)
    text: str | int = setting(_COLUMN, "text")
    text_pair: str | int | None = setting(optional(_COLUMN), None)
    label: str | int = setting(_COLUMN, "label")
    ignore_labels: tuple = setting(_LABELS, ())  # whose rows are left out; kept with the model
    columns: dict = setting(MAPPING, {})  # of tasks that read others: name -> where it is
    # The column `language` of each row: name -> which of the encoder's vectors of languages it has
    languages: dict = setting(MAPPING, {})
    # Where validation and test file have their columns, if not where the training file has them
    validation_columns: dict = setting(MAPPING, {})
    test_columns: dict = setting(MAPPING, {})  # the test file alone, if elsewhere again
    max_length: int = setting(whole(3), 128)  # in tokens, special ones included
    # How many windows of max_length tokens a long text is read in, at most, their vectors pooled
    # (model.options.window_pooling); null: it is cut off
    windows: int | None = setting(optional(whole(1)), None)
    # Tokens that two windows of a long text share; null: a quarter of max_length
    overlap: int | None = setting(optional(whole(0)), None)
    # true: "[MASK]" and its like in a text are one token, not plain characters; kept with the model
    special_tokens_in_text: bool = setting(FLAG, False)
    # Of tags of words: in which ones spans are learned; whether a tag that goes on with a span that
    # nothing began is refused, else it begins one; whether the further pieces of a word are learned
    # from too, or the first one alone
    scheme: str = setting(one_of("IOB2", "BIOES"), "IOB2")
    strict_tags: bool = setting(FLAG, False)
    label_all_pieces: bool = setting(FLAG, False)
    # Several short texts in a row of max_length tokens; train.batch_size then counts such rows.
    # For a TPU or train.jit, where each new shape is compiled: all batches have one.
    packing: bool = setting(FLAG, False)

    def __post_init__(self):
        """Columns of a file are given for a file."""
        if self.validation_columns and self.splits:
            raise ConfigError(
                f"data.validation is {self.validation}, wanted a file with data.validation_columns"
            )
        if self.test_columns and self.test is None:
            raise ConfigError("data.test is None, wanted a file with data.test_columns")

    @property
    def splits(self):
        """bool, whether the validation rows are a share of the training rows."""
        return isinstance(self.validation, float)


@dataclasses.dataclass(frozen=True)
class IncrementalSection:
    """How a trained task (`model.path`) learns from new rows; null: this is no such run."""

    # rows: new rows alone; replay: a share of the old rows among them; ewc: elastic weight
    # consolidation; lwf: learning without forgetting
    method: str | None = setting(optional(one_of("rows", "replay", "ewc", "lwf")), None)
    old_test: str | None = setting(optional(WORD), None)  # a file; forgetting is measured on it
    old_train: str | None = setting(optional(WORD), None)  # a file; for replay and ewc
    share: float = setting(SHARE, 0.1)  # of the old rows, for replay
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
class FewShotSection:
    """How a classifier is made of few labelled texts by way of their vectors; null: it is not."""

    # Pairs that each text is trained in, so many with texts of its class and of other classes each
    pairs: int | None = setting(optional(_ROWS), None)
    per_class: int | None = setting(optional(whole(2)), None)  # texts to draw; null: all there are

    def __post_init__(self):
        """Texts are drawn for pairs."""
        if self.pairs is None and self.per_class is not None:
            raise ConfigError(
                f"few_shot.per_class is {self.per_class} and few_shot.pairs None, wanted a number"
            )


@dataclasses.dataclass(frozen=True)
class EncoderSection:
    """The encoder that several tasks share."""

    path: str = setting(WORD)
    changes: dict = setting(MAPPING, {})  # fields of the encoder's configuration to change


@dataclasses.dataclass(frozen=True)
class HeadSection:
    """The head of one task among several; null as in the section `model` of one task alone."""

    pooling: str | None = setting(optional(one_of(*POOLINGS)), None)
    head_layers: tuple | None = setting(optional(_WIDTHS), None)
    problem_type: str | None = setting(optional(one_of(*PROBLEM_TYPES)), None)
    options: dict = setting(MAPPING, {})  # further arguments of the task


@dataclasses.dataclass(frozen=True)
class TaskSection:
    """One task among several."""

    data: DataSection
    task: str = setting(WORD, "sequence_classification")
    head: HeadSection = HeadSection()
    weight: float = setting(POSITIVE, 1.0)  # what its loss counts for
    metric: str | None = setting(optional(WORD), None)  # its part of the average; null: its own


@dataclasses.dataclass(frozen=True)
class IntermediateSection:
    """A task that the encoder learns before the one that is wanted. What is null is as in `train`,
    but nothing is frozen; the weights that are best by the task's own figure go on."""

    data: DataSection
    task: str = setting(WORD, "sequence_classification")
    head: HeadSection = HeadSection()
    epochs: int | None = setting(optional(whole(1)), None)
    steps: int | None = setting(optional(whole(1)), None)
    batch_size: int | None = setting(optional(_ROWS), None)
    accumulate: int | None = setting(optional(whole(1)), None)
    learning_rate: float | None = setting(optional(POSITIVE), None)
    warmup: float | None = setting(optional(WARMUP), None)

    def settings(self, train):
        """The `train` section as it is for this task."""
        names = ("epochs", "steps", "batch_size", "accumulate", "learning_rate", "warmup")
        given = {x: getattr(self, x) for x in names if getattr(self, x) is not None}
        if "epochs" in given:
            given.setdefault("steps", None)
        own = dict.fromkeys(("best_metric", "class_weights", "freeze", "unfreeze_every"))
        return dataclasses.replace(train, **own, **given)


@dataclasses.dataclass(frozen=True)
class MixingSection:
    """How often each of several tasks is trained, and what it counts for."""

    # A step has rows of one task: as often as it has batches (proportional), as their square root,
    # or from the first to nearly equal from epoch to epoch (annealed)
    sampling: str = setting(one_of("proportional", "square_root", "annealed"), "proportional")
    # true: losses are weighed by what is learned of their noise, beside the tasks' weights
    learned_weights: bool = setting(FLAG, False)


@dataclasses.dataclass(frozen=True)
class TrainSection:
    """How to train. A step is one update of the weights; every `..._every` counts steps."""

    batch_size: int = setting(_ROWS, 32)  # rows a step, over all replicas and accumulated parts
    accumulate: int = setting(whole(1), 1)
    epochs: int = setting(whole(1), 3)
    steps: int | None = setting(optional(whole(1)), None)  # where given, instead of epochs
    optimizer: str = setting(one_of(*OPTIMIZERS), "adamw")
    learning_rate: float = setting(POSITIVE, 5e-5)
    weight_decay: float = setting(NOT_NEGATIVE, 0.01)
    beta_2: float | None = setting(optional(FRACTION), None)  # null: 0.999; not of ada...
    epsilon: float | None = setting(optional(POSITIVE), None)  # null: the optimizer's own
    layer_decay: float | None = setting(optional(FRACTION), None)  # of the rate, for each layer
    lookahead: int | None = setting(optional(whole(2)), None)  # steps between two synchronizations
    ema: float | None = setting(optional(FRACTION), None)  # decay of the average that is kept
    schedule: str = setting(one_of(*SCHEDULES), "linear")
    schedule_power: float | None = setting(optional(POSITIVE), None)  # of polynomial
    drop_every: int | None = setting(optional(whole(1)), None)  # of steps: in epochs
    drop_factor: float | None = setting(optional(FRACTION), None)  # of steps
    warmup: float = setting(WARMUP, 0.1)  # below 1: a share of all steps; else steps
    clip_norm: float | None = setting(optional(POSITIVE), 1.0)
    # What rows count for in a classifier's loss, by their labels. balanced: the rarer a class, the
    # more; or a mapping of labels to factors, 1 where there is none
    class_weights: str | dict | None = setting(optional(_CLASS_WEIGHTS), None)
    max_loss: float | None = setting(optional(POSITIVE), None)  # a step above it is not applied
    max_skips: int = setting(whole(0), 10)  # steps not applied before the run stops
    freeze: str | int | None = setting(optional(_FREEZE), None)
    unfreeze_every: int | None = setting(optional(whole(1)), None)
    best_metric: str | None = setting(optional(WORD), None)  # null: the task's own
    patience: int | None = setting(optional(whole(1)), None)  # evaluations without a better one
    evaluate_every: int | None = setting(optional(whole(1)), None)  # null: once an epoch
    checkpoint_every: int = setting(whole(1), 200)
    log_every: int = setting(whole(1), 10)
    seed: int = setting(_SEED, 42)
    precision: str = setting(one_of("float32", "mixed_bfloat16", "mixed_float16"), "float32")
    jit: bool = setting(FLAG, False)
    recompute: bool = setting(FLAG, False)

    def __post_init__(self):
        """What the schedule and the optimizer need, and nothing that they would not look at."""
        owners = {"schedule_power": "polynomial", "drop_every": "steps", "drop_factor": "steps"}
        for key, schedule in owners.items():
            value = getattr(self, key)
            if (self.schedule == schedule) != (value is not None):
                raise ConfigError(
                    f"train.{key} is {value} and train.schedule {self.schedule}, "
                    f"wanted a number with {schedule} and null with anything else"
                )
        lacking = {"adafactor": ("beta_2", "epsilon"), "adagrad": ("beta_2",)}
        for key in lacking.get(self.optimizer, ()):
            if getattr(self, key) is not None:
                raise ConfigError(
                    f"train.{key} is {getattr(self, key)}, wanted null with {self.optimizer}, "
                    "which has none"
                )
        if (self.freeze == "gradual") != (self.unfreeze_every is not None):
            raise ConfigError(
                f"train.unfreeze_every is {self.unfreeze_every} and train.freeze {self.freeze}, "
                "wanted a number of steps with gradual and null with anything else"
            )


@dataclasses.dataclass(frozen=True)
class DistributionSection:
    """Where the replicas run."""

    strategy: str = setting(one_of("one_device", "mirrored", "multi_worker", "tpu"), "one_device")
    virtual_devices: int | None = setting(optional(whole(1, 1024)), None)  # of one CPU, for tests
