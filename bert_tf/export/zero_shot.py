"""Labels that a model was never trained with: each text gets one of those it is asked about."""

import inspect

from bert_tf.errors import ConfigError, InputError, shown


class ZeroShot:
    """Answers texts with one of some labels, as far as the model's task can.

    Such a task has `choose(answer, texts, labels, template)`: dicts with `label`, `score` and
    `probabilities`, a number for each of the labels.

    Args:
      answer: Answer.
      labels: list of str, two at least, in the words of the texts.
      template: str, what is said of a text, with {} where a label stands; None as the task has it.
      several: bool, whether any number of the labels may fit, as far as the task decides each.
    Raises:
      InputError: the model's task knows its own labels alone, or these are none.
      ConfigError: the template has no {}.
    """

    def __init__(self, answer, labels, template=None, several=False):
        task = answer.task
        if not hasattr(task, "choose"):
            raise InputError(f"labels: a {task.__name__} answers with those it was trained with")
        named = not isinstance(labels, str) and all(isinstance(x, str) for x in labels)
        labels = [label.strip() for label in labels] if named else []
        if len(labels) < 2 or len(set(labels)) < len(labels) or not all(labels):
            given = labels if named else shown(labels)
            raise InputError(f"labels: {given}, wanted two different ones at least")
        if template is not None and template.count("{}") != 1:
            raise ConfigError(f"template: {template!r}, wanted a text with {{}} once in it")
        self.task, self.settings = task, {**answer.settings}
        self.columns = answer.columns[:1]
        self.settings["columns"] = {name: answer.settings["columns"][name] for name in self.columns}
        if several and "several" not in inspect.signature(task.choose).parameters:
            raise InputError(f"several: a {task.__name__} gives each text one label")
        self._asked = (labels, template, several) if several else (labels, template)
        self._answer = answer

    def records(self, texts):
        """A dict for each text; see `Answer.records`. `scores` has the probabilities by the labels,
        as records of classifiers have."""
        labels = self._asked[0]
        return [
            {**record, "scores": dict(zip(labels, record["probabilities"], strict=True))}
            for record in self.task.choose(self._answer, texts, *self._asked)
        ]
