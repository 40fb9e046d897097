"""How far a student's answers are from its teachers', one number a row."""

import math

from keras import ops

from bert_tf.errors import InputError, shown
from bert_tf.tasks.losses import mean_there


def answer_losses(student, teachers, temperature):
    """The losses of the rows of a batch, those of several answers a row added up.

    Of a choice it is T^2 times the divergence KL(p || q) of the softmaxes of the logits over T, p
    the mean of the teachers' (Hinton et al. 2015, arXiv 1503.02531, eq. 1 and sections 2 and 3);
    of answers that each stand for themselves the mean of the same of sigmoids; of a number the
    squared error to the teachers' mean.

    Args:
      student: list of SoftAnswer.
      teachers: list of lists of SoftAnswer, one of each teacher, of the same kinds and sizes.
      temperature: float, T.
    Returns:
      float32 [B], 0 where all agree.
    """
    losses = 0.0
    for own, *theirs in zip(student, *teachers, strict=True):
        of_places = _LOSSES[own.kind](own.values, [x.values for x in theirs], temperature)
        # Elsewhere logits may be so low that they differ by much and mean nothing.
        losses = losses + mean_there(of_places, own.there)
    return losses


def choice_loss(own, theirs, temperature):
    """T^2 KL(p || q) over the last axis: float32 [..., K] and a list of the same -> [...]."""
    logs = [ops.log_softmax(values / temperature) for values in theirs]
    wanted = _mean_of_logs(logs)
    own = ops.log_softmax(own / temperature)
    return temperature**2 * ops.sum(ops.exp(wanted) * (wanted - own), axis=-1)


def several_loss(own, theirs, temperature):
    """T^2 times the mean over the last axis of KL(p || q) of sigmoids; arguments as
    `choice_loss`."""
    logs = [_mean_of_logs([ops.log_sigmoid(s * x / temperature) for x in theirs]) for s in (1, -1)]
    owns = [ops.log_sigmoid(sign * own / temperature) for sign in (1, -1)]
    each = sum(ops.exp(log) * (log - q) for log, q in zip(logs, owns, strict=True))
    return temperature**2 * ops.mean(each, axis=-1)


def number_loss(own, theirs, temperature):
    """The squared error to the mean of the teachers' numbers, [...]; T plays no part."""
    return ops.square(own - sum(theirs) / len(theirs))


def _mean_of_logs(logs):
    """log of the mean of exp(x) over a list of tensors."""
    if len(logs) == 1:
        return logs[0]
    return ops.logsumexp(ops.stack(logs), axis=0) - math.log(len(logs))


_LOSSES = {"choice": choice_loss, "several": several_loss, "number": number_loss}


def check_alike(student, teacher, where="teacher"):
    """Raises InputError if a teacher's answers are not about what the student's are.

    Args:
      student, teacher: TaskModels.
      where: str, what messages call the teacher.
    """
    if type(teacher) is not type(student):
        one, other = type(teacher).__name__, type(student).__name__
        raise InputError(f"{where}: is a {one}, wanted a {other} as the student is")
    for name, own, theirs in what_answers_are_about(student, teacher):
        if own != theirs:
            raise InputError(
                f"{where}: its {name} {shown(theirs)}, wanted those of the student, {shown(own)}"
            )


def what_answers_are_about(one, other):
    """(name, one's, the other's) of each argument that tells what two task models answer; what the
    number of a regression is called matters nothing."""
    names = ["problem_type", "label_names"]
    if getattr(one, "problem_type", None) == getattr(other, "problem_type", None) == "regression":
        names.remove("label_names")
    return [(name, getattr(one, name, None), getattr(other, name, None)) for name in names]
