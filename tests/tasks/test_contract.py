"""Every task holds to the task contract."""

import functools

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


# Other kinds of labels under a model that "single label" has shown to save, to step and so on.
ALIKE = ("several labels", "regression")
OF_LABELS = (
    task_contract.names_are_those_of_the_terms,
    task_contract.terms_of_parts_add_up_to_the_whole,
    task_contract.rows_weigh_as_they_are_told,
    task_contract.the_export_answers_as_the_model_in_memory,
    task_contract.answers_are_a_record_for_each_row,
)
# Other families under a task that another case has shown to count and to weigh.
OTHER_FAMILIES = ("translations by the Transformer", "translations by LSTMs")
OF_FAMILIES = (
    task_contract.a_step_moves_every_weight,
    task_contract.saved_and_loaded_is_the_same_bit_for_bit,
)
# Saved weights and exports are looked at by other checks; one kind of answer will do here.
ASKED = ("single label",)
# As an export takes seconds to trace, one of texts and one of windows. Others answer from memory,
# by the same graph.
EXPORTED = ("single label", "questions")
# Their answers from memory are another case's too, or an export's.
ANSWERED_ALIKE = (*EXPORTED, "several labels", "spans by a CRF", "pretraining", "translations")
ANSWERED_ALIKE += ("blanks", "trees")  # by their files: test_blank_infilling.py and so on


def checks():
    for name in task_contract.CASES:
        for check in task_contract.CHECKS:
            seen = name in ALIKE and check not in OF_LABELS
            seen |= name in OTHER_FAMILIES and check not in OF_FAMILIES
            seen |= check is task_contract.a_directory_answers_as_its_model and name not in ASKED
            whole = check is task_contract.the_export_answers_as_the_model_in_memory
            seen |= whole and name not in EXPORTED
            memory = check is task_contract.answers_are_a_record_for_each_row
            seen |= memory and name in ANSWERED_ALIKE
            marks = [pytest.mark.slow] if seen else []
            yield pytest.param(name, check, marks=marks, id=f"{name}-{check.__name__}")


kept = functools.lru_cache(1)(task_contract.case_of)
kinds = {}  # the class of each case that a check has seen


@pytest.mark.parametrize("name, check", checks())
def test_a_task_holds_to(name, check):
    changes = check is task_contract.a_step_moves_every_weight
    case = (task_contract.case_of if changes else kept)(name)
    kinds[name] = type(case.model)
    check(case)


def test_every_task_has_a_case():
    for name in task_contract.CASES.keys() - kinds.keys():
        kinds[name] = type(task_contract.CASES[name]().model)
    assert set(TASKS.values()) <= set(kinds.values())
