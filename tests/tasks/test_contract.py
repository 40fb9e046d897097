"""Every task holds to the task contract."""

import pytest

from bert_tf.tasks import TASKS
from tests import task_contract
from tests.toy_task import DocumentClassifier


@pytest.fixture(scope="module", autouse=True)
def toy_task():
    patch = pytest.MonkeyPatch()
    patch.setitem(TASKS, "document_classification", DocumentClassifier)
    yield
    patch.undo()


@pytest.mark.parametrize("check", task_contract.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", task_contract.CASES)
def test_a_task_holds_to(name, check):
    check(task_contract.case_of(name))


def test_every_task_has_a_case():
    kinds = {type(task_contract.CASES[name]().model) for name in task_contract.CASES}
    assert set(TASKS.values()) <= kinds
