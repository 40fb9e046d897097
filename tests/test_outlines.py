"""What is checked before TensorFlow is imported is what the tasks themselves say."""

import types

import pytest

from bert_tf.outlines import OUTLINES
from bert_tf.tasks import TASKS


def test_every_task_has_an_outline_in_the_same_order():
    assert list(OUTLINES) == list(TASKS)


@pytest.mark.parametrize("name", TASKS)
def test_an_outline_says_what_its_task_says(name):
    task, outline = TASKS[name], OUTLINES[name]
    assert outline.columns == task.columns and list(outline.columns) == list(task.columns)
    assert outline.arguments == task.arguments
    assert outline.places == task.places
    assert outline.several == (task.parts is not None)


@pytest.mark.parametrize("name", [name for name, x in OUTLINES.items() if x.monitors is not None])
def test_an_outline_has_every_figure_that_models_of_its_task_may_have(name):
    task, found = TASKS[name], set()
    told = dict(num_labels=None, objective=None, tags=types.SimpleNamespace(plain=False))
    told |= dict(loss_names=task.loss_names, metric_names=task.metric_names)
    told |= dict(figures=getattr(task, "figures", ()))
    for kind in ("single_label_classification", "multi_label_classification", "regression"):
        model = types.SimpleNamespace(problem_type=kind, **told)
        found |= set(task.monitors.fget(model))
    assert set(OUTLINES[name].monitors) == found
