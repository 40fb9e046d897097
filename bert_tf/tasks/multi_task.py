"""Several tasks over one encoder: each has its own head, loss, columns and answers."""

import re

from keras import ops

from bert_tf.errors import ConfigError, InputError, nearest, shown
from bert_tf.layers import fold_in, key_for
from bert_tf.tasks.task_model import TaskModel

# How many times the learning rate a logarithm of a variance moves a step. Adam moves a weight by
# about the rate, and at a BERT's it would take 10^5 steps to arrive.
_RATE = 100.0

# What a SavedModel has for itself among its signatures; each task's has the task's name.
_RESERVED = ("serving_default", "__saved_model_init_op", "__saved_model_train_op")


class MultiTask(TaskModel):
    """One encoder under the heads of several tasks (Caruana 1997; Liu et al. 2019, MT-DNN).

    Inputs and labels are dicts, task name -> what that task takes; any of them may have no row in a
    batch, and its loss then counts for nothing. A task whose rows are told apart from the others of
    the batch, such as by in-batch negatives, sees its own rows alone; their batch is then not cut
    into micro-batches.

    Args:
      encoder: an encoder of any family.
      tasks: dict of name (letters, digits, _ and -) -> TaskModel over this encoder; or what this
        class gives under this name: a dict of `task`, a key of TASKS, `arguments` and `data`, its
        data settings.
      task_weights: dict of name -> what a task's loss counts for; 1 for what is not named.
      learned_weights: bool, whether the tasks' losses are weighed by what the model learns of their
        noise (Kendall et al. 2018, eq. 7): exp(-s) loss + s / 2 for each task, s the logarithm of
        its variance. Of a regression they have exp(-s) loss / 2, the same at the best s.

    Attributes:
      parts: dict of name -> TaskModel, each whole: it is measured, answers and is saved alone.
    """

    arguments = ("tasks", "task_weights", "learned_weights")

    def __init__(self, encoder, tasks, task_weights=None, learned_weights=None, **kwargs):
        parts = _parts(encoder, tasks)
        _check_weights(task_weights, parts)
        self.loss_names = _names(parts, "loss_names")
        self.metric_names = _names(parts, "metric_names")
        if not any(part.encoder.pooler is not None for part in parts.values()):
            encoder = encoder.without_pooler()
        super().__init__(encoder, **kwargs)
        self.task_names, self.models = tuple(parts), list(parts.values())
        self.task_weights, self.learned_weights = task_weights, bool(learned_weights)
        weights = dict.fromkeys(parts, 1.0) | (task_weights or {})
        self.loss_factors = {
            f"{name}_{loss}": weights[name] * part.factor(loss)
            for name, part in parts.items()
            for loss in part.loss_names
        }
        if learned_weights:
            shape = (len(parts),)
            self.uncertainty = self.add_weight(shape, "zeros", "float32", name="uncertainty")
        self.build()

    @property
    def parts(self):
        """dict of name -> TaskModel."""
        return dict(zip(self.task_names, self.models, strict=True))

    @property
    def tasks(self):
        """What config.json keeps of each task, dict of name -> dict ready for JSON."""
        return {name: _description(part) for name, part in self.parts.items()}

    @property
    def log_variances(self):
        """float32 [tasks], s of each task under `learned_weights`."""
        value = ops.convert_to_tensor(self.uncertainty)
        # The value is _RATE times the weight, its gradient the weight's own: Adam would not see a
        # factor, and the norm that the whole gradient is clipped to must not.
        return value + ops.stop_gradient((_RATE - 1) * value)

    def call(self, inputs, training=False, key=None):
        """Outputs of the tasks that are among the inputs.

        Args:
          inputs: dict of task name -> that task's inputs.
          training: bool, with dropout.
          key: integer [2], the dropout key of this step, or None.
        Returns:
          dict of task name -> that task's outputs.
        """
        key = key_for(training, key)
        return {
            name: part(inputs[name], training=key is not None, key=fold_in(key, place))
            for place, (name, part) in enumerate(self.parts.items())
            if name in inputs
        }

    def complete_labels(self, inputs, labels):
        """The labels of each task, completed by it."""
        parts = self.parts
        return {name: parts[name].complete_labels(inputs[name], x) for name, x in labels.items()}

    def loss_weights(self, labels, sample_weight=None):
        """What each task's losses are divided by: of its own rows alone, perhaps 0.

        Args:
          labels: dict of task name -> that task's labels.
          sample_weight: float [B] for the rows of each task alike, dict of task name -> float [B],
            or None.
        """
        found = dict.fromkeys(self.loss_names, ops.zeros((), "float32"))
        for name, part in self.parts.items():
            if name in labels:
                weights = part.loss_weights(labels[name], _of_task(sample_weight, name))
                found |= {f"{name}_{loss}": weight for loss, weight in weights.items()}
        return found

    def loss_terms(self, outputs, labels, sample_weight=None):
        """Each task's losses; under `learned_weights` as the class says, for each row's weight."""
        terms = self._terms("loss_terms", self.loss_names, outputs, labels, sample_weight)
        if self.learned_weights:
            for place, (name, part) in enumerate(self.parts.items()):
                noise = self.log_variances[place]
                for number, loss in enumerate(part.loss_names):
                    total, weight = terms[f"{name}_{loss}"]
                    # Once a task, in whose first loss it has the weight of the rows.
                    beside = 0.5 * noise * weight if number == 0 else 0.0
                    terms[f"{name}_{loss}"] = (ops.exp(-noise) * total + beside, weight)
        return terms

    def metric_terms(self, outputs, labels, sample_weight=None):
        """Each task's streaming metrics."""
        return self._terms("metric_terms", self.metric_names, outputs, labels, sample_weight)

    def _terms(self, kind, names, outputs, labels, sample_weight):
        nothing = ops.zeros((), "float32")
        found = dict.fromkeys(names, (nothing, nothing))
        for name, part in self.parts.items():
            if name in outputs and name in labels:
                weight = _of_task(sample_weight, name)
                terms = getattr(part, kind)(outputs[name], labels[name], weight)
                found |= {f"{name}_{term}": value for term, value in terms.items()}
        return found

    @property
    def monitors(self):
        """The average of one figure a task, the loss, and TASK_FIGURE for each task's own."""
        own = [f"{name}_{x}" for name, part in self.parts.items() for x in part.monitors]
        return ("average", "loss", *own)

    def higher_is_better(self, name):
        """bool, whether a larger value of this figure is the better one."""
        for task, part in self.parts.items():
            if name.startswith(f"{task}_") and name[len(task) + 1 :] in part.monitors:
                return part.higher_is_better(name[len(task) + 1 :])
        return name != "loss"

    def compile(self, *arguments, **options):
        """As `TaskModel.compile`, for all tasks."""
        if options.get("adversarial") is not None:
            raise InputError("compile(adversarial=...): wanted None for a model of several tasks")
        for name, part in self.parts.items():
            if part.in_batch and options.get("accumulate", 1) > 1:
                raise ConfigError(
                    f"accumulate: {options['accumulate']}, and the rows of task {name} are told "
                    "apart from all others of its batch: wanted 1"
                )
        super().compile(*arguments, **options)
        for part in self.models:
            part.encoder.recompute = self.encoder.recompute


def part_of(model, name=None):
    """The model of one task among several.

    Args:
      model: TaskModel.
      name: str, of the task; None for the first, or for a model of one task.
    Returns:
      TaskModel; `model` itself where it is of one task.
    Raises:
      ConfigError: there is no such task.
    """
    parts = model.parts
    if parts is None:
        if name is not None:
            raise ConfigError(f"task {shown(name)}: a {type(model).__name__} is of one task alone")
        return model
    name = next(iter(parts)) if name is None else name
    if name not in parts:
        near = nearest(name, parts)
        hint = f"; did you mean {near}?" if near else ""
        raise ConfigError(f"task {shown(name)}: wanted one of {', '.join(parts)}{hint}")
    return parts[name]


def _of_task(sample_weight, name):
    return sample_weight.get(name) if isinstance(sample_weight, dict) else sample_weight


def _names(parts, kind):
    """The losses or metrics of all tasks, behind the names of these."""
    names = [f"{name}_{x}" for name, part in parts.items() for x in getattr(part, kind)]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"tasks: two have a {name}; give one another name")
    return tuple(names)


def _parts(encoder, tasks):
    """The tasks' models over an encoder, dict of name -> TaskModel, checked."""
    if not isinstance(tasks, dict) or not tasks:
        raise InputError(f"tasks: {shown(tasks)}, wanted one or more by name")
    parts = {}
    for name, task in tasks.items():
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            raise InputError(f"tasks: {shown(name)}: wanted letters, digits, _ and - in a name")
        if name in _RESERVED:
            raise InputError(f"tasks: {name}: is a signature of every export, wanted another name")
        part = task if isinstance(task, TaskModel) else _described(encoder, name, task)
        if part.encoder.embeddings is not encoder.embeddings:
            raise InputError(f"tasks: {name}: wanted a model over the encoder of all")
        fault = _fault(part)
        if fault is not None:
            raise InputError(f"tasks: {name}: a {type(part).__name__} {fault}")
        parts[name] = part
    return parts


def _fault(part):
    """Why a task cannot be one of several, or None."""
    if part.parts is not None:
        return "has several tasks itself"
    if part.companions:
        return "has models beside its encoder"
    if not any(column.target for column in part.columns.values()):
        return "learns from no table"
    return None


def _description(part):
    """A task as `_described` builds it, dict ready for JSON."""
    from bert_tf.tasks import TASKS

    kinds = type(part).__mro__
    arguments = {name: getattr(part, name) for name in part.arguments}
    return {
        "task": next(name for kind in kinds for name, x in TASKS.items() if x is kind),
        "arguments": {name: x for name, x in arguments.items() if x is not None},
        "data": dict(part.data_settings),
    }


def _described(encoder, name, description):
    """The model that a description tells of.

    Raises:
      InputError: it is none.
    """
    from bert_tf.conversion.data_settings import checked_settings
    from bert_tf.tasks import TASKS

    sections = {"task": str, "arguments": dict, "data": dict}
    for key, kind in sections.items():
        value = description.get(key) if isinstance(description, dict) else None
        if not isinstance(value, kind):
            raise InputError(f"tasks: {name}: {key} is {shown(value)}, wanted a {kind.__name__}")
    kind, arguments = TASKS.get(description["task"]), description["arguments"]
    if kind is None:
        known = ", ".join(TASKS)
        raise InputError(f"tasks: {name}: task is {shown(description['task'])}, wanted {known}")
    for argument in arguments:
        if argument not in kind.arguments:
            raise InputError(f"tasks: {name}: {kind.__name__} has no argument {shown(argument)}")
    try:
        part = kind(encoder, **arguments)
        part.data_settings = checked_settings(description["data"], kind, "data")
    except InputError as error:
        raise InputError(f"tasks: {name}: {error}") from None
    return part


def _check_weights(weights, parts):
    """Raises InputError unless weights are None or numbers above 0 of tasks that there are."""
    if weights is None:
        return
    if not isinstance(weights, dict):
        raise InputError(f"task_weights: {shown(weights)}, wanted a number by task")
    for name, weight in weights.items():
        number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if name not in parts or not number or not 0 < weight < float("inf"):
            known = ", ".join(parts)
            given = f"{shown(name)}: {shown(weight)}"
            raise InputError(f"task_weights: {given}, wanted a number above 0 for any of {known}")
