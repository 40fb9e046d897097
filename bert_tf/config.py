"""Run-level configuration: all settings of each command, one frozen dataclass a command.

`load` reads one from YAML and `--set` and is strict about it; how is in settings.py.
"""

import dataclasses

from bert_tf.compression_sections import (
    DistillationSection,
    LoraSection,
    PruningSection,
    TrainedSection,
)
from bert_tf.errors import ConfigError
from bert_tf.pretraining_sections import (
    Denoising,
    Masking,
    Neighbours,
    Noise,
    PretrainConfig,
)
from bert_tf.sections import (
    FORMATS,
    DataSection,
    DistributionSection,
    EncoderSection,
    FewShotSection,
    IncrementalSection,
    IntermediateSection,
    MixingSection,
    ModelSection,
    TaskSection,
    TrainSection,
)
from bert_tf.settings import (
    POSITIVE,
    WORD,
    Kind,
    differing_keys,
    from_dict,
    keys_of,
    load,
    one_of,
    optional,
    parse_value,
    setting,
    to_dict,
    to_yaml,
    whole,
)

__all__ = [
    "FORMATS",
    "DataSection",
    "Denoising",
    "DistillConfig",
    "DistributionSection",
    "FewShotSection",
    "FinetuneConfig",
    "GlueConfig",
    "IncrementalSection",
    "LoraSection",
    "Masking",
    "ModelSection",
    "MultiTaskConfig",
    "Noise",
    "PretrainConfig",
    "PruneConfig",
    "Neighbours",
    "TrainSection",
    "differing_keys",
    "finetuning",
    "from_dict",
    "load",
    "parse_value",
    "to_dict",
    "to_yaml",
]


def _refuse_both(key, value, others, wanted="one of them"):
    """Raises ConfigError where a key is given (not null), and one of some others too."""
    for other, given in others.items():
        if value is not None and given is not None:
            raise ConfigError(f"{key} is {value} and {other} {given}, wanted {wanted}")


_TASKS = Kind("tasks by their names, each with its data", lambda value: False)


@dataclasses.dataclass(frozen=True)
class FinetuneConfig:
    """Every setting of `bert-tf finetune`."""

    model: ModelSection
    data: DataSection
    task: str = setting(WORD, "sequence_classification")
    train: TrainSection = TrainSection()
    distribution: DistributionSection = DistributionSection()
    incremental: IncrementalSection = IncrementalSection()
    few_shot: FewShotSection = FewShotSection()
    lora: LoraSection = LoraSection()
    intermediate: tuple[IntermediateSection, ...] = ()  # tasks learned before, one after the other

    def __post_init__(self):
        """What two keys must agree on; `load` puts the file's name before the message."""
        train, method, pairs = self.train, self.incremental.method, self.few_shot.pairs
        self._check_intermediate()
        others = {
            "incremental.method": method,
            "data.packing": self.data.packing or None,
            "data.text_pair": self.data.text_pair,
            "data.languages": self.data.languages or None,
            "train.freeze": train.freeze,
            "model.pooling": self.model.pooling,
            "model.head_layers": self.model.head_layers,
        }
        _refuse_both("few_shot.pairs", pairs, others)
        others = {
            "incremental.method": method,
            "few_shot.pairs": pairs,
            "train.freeze": train.freeze,
        }
        others |= {f"model.{key}": getattr(self.model, key) for key in ("family", "size")}
        cut = ("keep_layers", "num_hidden_layers")
        others |= {f"model.changes.{key}": self.model.changes.get(key) for key in cut}
        _refuse_both("lora.rank", self.lora.rank, others)
        self._check_fresh()
        others, packing = {"incremental.method": method}, "true" if self.data.packing else None
        _refuse_both("data.packing", packing, others, "false with it")
        _refuse_both("train.class_weights", train.class_weights, others, "null with it")
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

    def _check_fresh(self):
        """Fresh weights are of one kind, and nobody trained them before."""
        keys = [key for key in ("family", "size") if getattr(self.model, key) is not None]
        if len(keys) > 1:
            raise ConfigError("model.family and model.size are both given, wanted one of them")
        for other, given in (
            ("intermediate", bool(self.intermediate)),
            ("incremental.method", self.incremental.method),
            ("few_shot.pairs", self.few_shot.pairs),
        ):
            if keys and given:
                said = f"model.{keys[0]} is {getattr(self.model, keys[0])} and {other} {given}"
                raise ConfigError(f"{said}, wanted a trained model with it, at model.path")

    def _check_intermediate(self):
        others = {"incremental.method": self.incremental.method}
        others["few_shot.pairs"] = self.few_shot.pairs
        _refuse_both("intermediate", "given" if self.intermediate else None, others)
        if self.intermediate and self.distribution.strategy == "multi_worker":
            raise ConfigError(
                "intermediate is given and distribution.strategy multi_worker, wanted a run for "
                "each task, with model.path the model of the one before"
            )
        for number in range(1, len(self.intermediate) + 1):
            self.before(number, self.model.path)

    def before(self, number, path):
        """The configuration of an intermediate task alone, a FinetuneConfig.

        Args:
          number: int, of the task, from 1.
          path: str, the model that it begins with.
        """
        section = self.intermediate[number - 1]
        head = dataclasses.asdict(section.head)
        model = ModelSection(path, self.model.changes, **head)
        train = section.settings(self.train)
        try:
            return FinetuneConfig(model, section.data, section.task, train, self.distribution)
        except ConfigError as error:
            raise ConfigError(f"intermediate.{number}: {error}") from None

    def after(self, path):
        """The configuration of the task alone that begins with a model at a path."""
        model = dataclasses.replace(self.model, path=path)
        return dataclasses.replace(self, model=model, intermediate=())


@dataclasses.dataclass(frozen=True)
class MultiTaskConfig:
    """Every setting of `bert-tf finetune` for several tasks in one run."""

    model: EncoderSection
    tasks: dict[str, TaskSection] = setting(_TASKS)
    task: str = setting(one_of("multi_task"), "multi_task")
    mixing: MixingSection = MixingSection()
    train: TrainSection = TrainSection()
    distribution: DistributionSection = DistributionSection()
    lora: LoraSection = LoraSection()  # one set of updates, which all tasks train

    def __post_init__(self):
        """What two keys must agree on; `load` puts the file's name before the message."""
        for name in self.tasks:
            try:
                self.alone(name)
            except ConfigError as error:
                raise ConfigError(f"tasks.{name}: {error}") from None
        if self.train.class_weights is not None:
            raise ConfigError("train.class_weights is given, wanted null: it is for one task alone")

    def alone(self, name):
        """The configuration of one of the tasks alone, a FinetuneConfig."""
        section, head = self.tasks[name], dataclasses.asdict(self.tasks[name].head)
        model = ModelSection(self.model.path, self.model.changes, **head)
        given = (model, section.data, section.task, self.train, self.distribution)
        return FinetuneConfig(*given, lora=self.lora)


@dataclasses.dataclass(frozen=True)
class BenchmarkSection:
    """The folder of a benchmark, and how its rows are read."""

    folder: str = setting(WORD)  # that of all tasks, as its site gives it
    max_length: int = setting(whole(3), 128)  # in tokens, special ones included


@dataclasses.dataclass(frozen=True)
class BenchmarkTaskSection:
    """What differs in one task of a benchmark; null: nothing."""

    epochs: int | None = setting(optional(whole(1)), None)
    steps: int | None = setting(optional(whole(1)), None)
    batch_size: int | None = setting(optional(whole(1, 2**20)), None)
    learning_rate: float | None = setting(optional(POSITIVE), None)
    max_length: int | None = setting(optional(whole(3)), None)


@dataclasses.dataclass(frozen=True)
class GlueConfig:
    """Every setting of `bert-tf glue`."""

    model: EncoderSection
    data: BenchmarkSection
    train: TrainSection = TrainSection()  # of each run, but the seed and the best metric
    # Where a task differs, by its name
    tasks: dict[str, BenchmarkTaskSection] = dataclasses.field(default_factory=dict)
    distribution: DistributionSection = DistributionSection()

    def run(self, name, seed, data, problem_type, metric, task="sequence_classification"):
        """The FinetuneConfig of one run.

        Args:
          name: str, of the task. seed: int.
          data: dict of DataSection's keys without the length.
          problem_type: str or None.
          metric: str, the figure that picks the weights.
          task: str, as in FinetuneConfig.
        """
        own = dataclasses.asdict(self.tasks.get(name, BenchmarkTaskSection()))
        own = {key: value for key, value in own.items() if value is not None}
        length = own.pop("max_length", self.data.max_length)
        if "epochs" in own:
            own.setdefault("steps", None)
        train = dataclasses.replace(self.train, **own, seed=seed, best_metric=metric)
        model = ModelSection(self.model.path, self.model.changes, problem_type=problem_type)
        data = DataSection(**data, max_length=length)
        return FinetuneConfig(model, data, task, train, self.distribution)


@dataclasses.dataclass(frozen=True)
class DistillConfig:
    """Every setting of `bert-tf distill`; `model` is the student."""

    model: ModelSection
    data: DataSection
    distillation: DistillationSection
    task: str = setting(WORD, "sequence_classification")
    train: TrainSection = TrainSection()
    distribution: DistributionSection = DistributionSection()

    def __post_init__(self):
        """What fine-tuning asks of its sections, and rows that teachers can read."""
        self.finetuning()
        if self.data.packing:
            raise ConfigError("data.packing is true, wanted false: teachers read a text a row")
        sized = {"size": self.model.size, "family": self.model.family}
        named = [f"model.{key} is {x}" for key, x in sized.items() if x is not None]
        if named and not self.distillation.fresh:
            raise ConfigError(
                f"{named[0]} and distillation.fresh false: the student begins with the model at "
                "model.path, wanted true or null"
            )

    def finetuning(self):
        """The configuration of the student's training without a teacher, a FinetuneConfig."""
        return FinetuneConfig(self.model, self.data, self.task, self.train, self.distribution)


@dataclasses.dataclass(frozen=True)
class PruneConfig:
    """Every setting of `bert-tf prune`; `model` is the trained task that is made smaller."""

    model: TrainedSection
    data: DataSection
    pruning: PruningSection
    task: str = setting(WORD, "sequence_classification")
    train: TrainSection = TrainSection()
    distribution: DistributionSection = DistributionSection()

    def __post_init__(self):
        """What fine-tuning asks of its sections."""
        self.finetuning()

    def finetuning(self):
        """The configuration of training the smaller model, a FinetuneConfig."""
        model = ModelSection(self.model.path)
        return FinetuneConfig(model, self.data, self.task, self.train, self.distribution)


def finetuning(path):
    """The class of a configuration of fine-tuning, by the keys of its file."""
    return MultiTaskConfig if "tasks" in keys_of(path) else FinetuneConfig
