"""Label cells: which problem they state, how classes are numbered, what each row's value is."""

import numpy as np
import pytest

from bert_tf.data.labels import LabelColumn


def encode(*cells, **options):
    column = LabelColumn("file", "label")
    for line, cell in enumerate(cells, 2):
        column.add(cell, line)
    labels = column.encode(**options)
    return labels.problem_type, labels.names, labels.values[labels.numbers]


@pytest.mark.parametrize(
    "cells, problem_type, names, values",
    [
        (["b", "a ", "b"], "single_label_classification", ("a", "b"), [1, 0, 1]),
        (["10", "9", "-1"], "single_label_classification", ("-1", "9", "10"), [2, 1, 0]),
        (["10", "9", "x"], "single_label_classification", ("10", "9", "x"), [0, 1, 2]),
        (["1", "2.5", "1"], "regression", None, [1.0, 2.5, 1.0]),
        (["1.0", "2.0"], "regression", None, [1.0, 2.0]),
        (["b|a", "", "b"], "multi_label_classification", ("a", "b"), [[1, 1], [0, 0], [0, 1]]),
    ],
)
def test_problem_type_and_values_follow_from_the_cells(cells, problem_type, names, values):
    found = encode(*cells)
    assert found[:2] == (problem_type, names)
    np.testing.assert_array_equal(found[2], values)
    assert found[2].dtype == (np.int32 if problem_type.startswith("single") else np.float32)


def test_given_problem_type_wins():
    assert encode("1.0", "2", problem_type="single_label_classification")[1] == ("1.0", "2")
    assert encode("1", "2", problem_type="regression")[2].dtype == np.float32
    names = ("0", "1")
    kind, _, values = encode("1", "0", problem_type="multi_label_classification", names=names)
    np.testing.assert_array_equal(values, [[0, 1], [1, 0]])


def test_given_names_keep_their_order_and_need_not_all_occur():
    assert encode("a", "a", names=["b", "c", "a"], varied=False)[2].tolist() == [2, 2]
    assert encode("1", "0.5", names=["0.5", "1"])[0] == "single_label_classification"


def test_many_distinct_labels_cost_memory_in_proportion():
    cells = [f"label {number}" for number in range(30_000)]
    assert encode(*cells)[2].max() == 29_999  # a one-hot square of them would be 3.6 GB
