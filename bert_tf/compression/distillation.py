"""A student that learns from a teacher: the task model that training sees."""

import keras
from keras import ops

from bert_tf.compression.answer_losses import answer_losses
from bert_tf.errors import InputError, nearest, shown
from bert_tf.layers import key_for
from bert_tf.tasks.losses import weight_of_rows, weighted_sum
from bert_tf.tasks.soft_answers import soft_answers
from bert_tf.tasks.task_model import TaskModel

# The losses, and what each has besides its weight -> what it is where nothing is said.
LOSSES = {"labels": {}, "logits": {"temperature": 2.0}}


class Distillation(TaskModel):
    """A student and its teachers over the same rows (Hinton et al. 2015, arXiv 1503.02531).

    It trains, is measured and saved as the student is; the teachers are no part of it: their
    weights are neither trained nor kept in checkpoints.

    Args:
      student: TaskModel.
      teachers: TaskModel of the student's class and labels; several in a list are an ensemble;
        an empty list if all that they would say is among the labels.
      losses: dict of name -> dict with `weight` and further settings, or the weight alone. What is
        not there is no loss:
        `labels`, the student's own;
        `logits`, the teachers' answers (`temperature`, 2), see `answer_losses`.
      own_inputs: list of bool, which teachers have inputs of their own, named as
        `name_for_teacher` says; None: all read the student's.

    Labels: as the student's; or a dict with these as `labels` and `kept` float32 [B, T, ...], what
    T teachers answer. `sample_weight` weighs the student's own loss alone: with 0 a row without a
    label is one to learn from the teacher.
    """

    def __init__(self, student, teachers, losses=None, own_inputs=None, **kwargs):
        teachers = list(teachers) if isinstance(teachers, list | tuple) else [teachers]
        settings = settings_of({"logits": 1.0} if losses is None else losses)
        taught = [name for name in settings if name != "labels"]
        self.loss_names = (*student.loss_names, *taught)
        self.metric_names = student.metric_names
        super().__init__(student.encoder, **kwargs)
        self.student, self.settings = student, settings
        share = settings.get("labels", {"weight": 0.0})["weight"]
        own = {name: share * student.factor(name) for name in student.loss_names}
        self.loss_factors = own | {name: settings[name]["weight"] for name in taught}
        for teacher in teachers:
            check_alike(student, teacher)
            teacher.trainable = False
        # Where Keras does not look for layers.
        self._apart = _Apart(teachers, own_inputs or [False] * len(teachers))
        self.build()

    @property
    def teachers(self):
        """The teachers, list of TaskModel."""
        return self._apart.teachers

    @property
    def monitors(self):
        """The student's."""
        return self.student.monitors

    def higher_is_better(self, name):
        """As the student has it."""
        return self.student.higher_is_better(name)

    def complete_labels(self, inputs, labels):
        own, kept = _parts(labels)
        own = self.student.complete_labels(inputs, own)
        return own if kept is None else {"labels": own, "kept": kept}

    def call(self, inputs, training=False, key=None):
        """What the student answers; in training also what its teachers do.

        Args:
          inputs: dict, the student's and perhaps some teachers' own.
          training: bool, with dropout in the student; a teacher has none.
          key: integer [2], the dropout key of this step, or None.
        Returns:
          dict: `student`, what it returns; `inputs`; in training `teachers`, a list of the same.
        """
        key = key_for(training, key)
        answered = self.student(inputs, training=key is not None, key=key)
        outputs = {"student": answered, "inputs": inputs}
        if key is not None:
            outputs["teachers"] = [
                self._asked(teacher, self._inputs(inputs, number))
                for number, teacher in enumerate(self.teachers)
            ]
        return outputs

    def _asked(self, teacher, inputs):
        # Told so: Keras would hand it the `training` of the call that it is part of.
        answered = teacher(inputs, training=False)
        return keras.tree.map_structure(ops.stop_gradient, answered)

    def _inputs(self, inputs, number):
        """What a teacher reads of the inputs."""
        if not self._apart.own_inputs[number]:
            return inputs
        before = name_for_teacher(number, "")
        return {x.removeprefix(before): y for x, y in inputs.items() if x.startswith(before)}

    def loss_weights(self, labels, sample_weight=None):
        own, _ = _parts(labels)
        weights = dict(self.student.loss_weights(own, sample_weight))
        rows = weight_of_rows(own, None)
        return weights | {name: rows for name in self.settings if name != "labels"}

    def loss_terms(self, outputs, labels, sample_weight=None):
        """The student's own losses, and in training those to its teachers, a row's mean each."""
        own, kept = _parts(labels)
        terms = dict(self.student.loss_terms(outputs["student"], own, sample_weight))
        if "teachers" not in outputs:
            return terms
        rows = weight_of_rows(own, None)
        if "logits" in self.settings:
            losses = self._answer_losses(outputs, kept)
            terms["logits"] = (weighted_sum(losses, None), rows)
        return terms

    def _answer_losses(self, outputs, kept):
        inputs = outputs["inputs"]
        answers = soft_answers(self.student, outputs["student"], inputs)
        taught = [
            soft_answers(teacher, told, self._inputs(inputs, number))
            for number, (teacher, told) in enumerate(
                zip(self.teachers, outputs["teachers"], strict=True)
            )
        ]
        if kept is not None:
            taught += [[answers[0]._replace(values=x)] for x in ops.unstack(kept, axis=1)]
        return answer_losses(answers, taught, self.settings["logits"]["temperature"])

    def metric_terms(self, outputs, labels, sample_weight=None):
        """The student's."""
        return self.student.metric_terms(outputs["student"], _parts(labels)[0], sample_weight)

    def save_pretrained(self, directory, tokenizer=None):
        """Writes the student."""
        self.student.save_pretrained(directory, tokenizer)


class _Apart:
    """What belongs to a model and is no part of it."""

    def __init__(self, teachers, own_inputs):
        self.teachers, self.own_inputs = teachers, own_inputs


def name_for_teacher(number, name):
    """What an input of a teacher with a tokenizer of its own is called among the student's, str."""
    return f"teacher_{number}_{name}"


def settings_of(losses):
    """The losses with all their settings, dict of name -> dict.

    Args:
      losses: dict of name -> dict or weight.
    Raises:
      InputError: no such loss, no such setting, or a weight that is no number above 0.
    """
    if not isinstance(losses, dict) or not losses:
        raise InputError(f"losses: {shown(losses)}, wanted some of {', '.join(LOSSES)}")
    found = {}
    for name, given in losses.items():
        if name not in LOSSES:
            raise InputError(f"losses: no {shown(name)}{_hint(name, LOSSES)}")
        given = given if isinstance(given, dict) else {"weight": given}
        for key in given:
            if key not in ("weight", *LOSSES[name]):
                raise InputError(f"losses.{name}: no {shown(key)}{_hint(key, LOSSES[name])}")
        weight = given.get("weight", 1.0)
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not weight > 0:
            raise InputError(f"losses.{name}: weight {shown(weight)}, wanted a number above 0")
        found[name] = {"weight": float(weight), **LOSSES[name], **given}
    return found


def _hint(name, known):
    near = nearest(name, known)
    return f"; did you mean {near}?" if near else f"; there are {', '.join(('weight', *known))}"


def check_alike(student, teacher, where="teacher"):
    """Raises InputError if a teacher's answers are not about what the student's are.

    Args:
      student, teacher: TaskModels.
      where: str, what messages call the teacher.
    """
    if type(teacher) is not type(student):
        one, other = type(teacher).__name__, type(student).__name__
        raise InputError(f"{where}: is a {one}, wanted a {other} as the student is")
    for name in ("problem_type", "label_names"):
        own, theirs = (getattr(model, name, None) for model in (student, teacher))
        if own != theirs:
            raise InputError(
                f"{where}: its {name} {shown(theirs)}, wanted those of the student, {shown(own)}"
            )


def _parts(labels):
    """(the student's labels, what teachers are known to answer or None)."""
    if isinstance(labels, dict) and "kept" in labels:
        return labels["labels"], labels["kept"]
    return labels, None
