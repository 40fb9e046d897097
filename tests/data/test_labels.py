"""Label cells: which problem they state, how classes are numbered, what each row's value is."""

import numpy as np
import pytest

from bert_tf.data.labels import LabelColumn, named_like
from bert_tf.errors import InputError


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
        (["1_1", "2_5"], "single_label_classification", ("1_1", "2_5"), [0, 1]),  # no numbers
        (["True", "False"], "single_label_classification", ("False", "True"), [1, 0]),
        (
            ["True", "false", "true", "FALSE"],
            "single_label_classification",
            ("false", "true"),
            [1, 0, 1, 0],
        ),
        (["True", "true", "x"], "single_label_classification", ("True", "true", "x"), [0, 1, 2]),
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


@pytest.mark.parametrize(
    "names, cells, values",
    [
        (["LABEL_0", "LABEL_1"], ["1", "0", "LABEL_1"], [1, 0, 1]),
        (["False", "True"], ["true", "false", "True"], [1, 0, 1]),  # JSON's and Python's
        (["false", "true"], ["TRUE", "False"], [1, 0]),
        (["true", "True"], ["True", "true"], [1, 0]),  # as they are spelled, if both are there
    ],
)
def test_another_spelling_of_a_given_name_is_that_class(names, cells, values):
    assert encode(*cells, names=names)[2].tolist() == values


@pytest.mark.parametrize("names", [["LABEL_1", "LABEL_0"], ["bad", "good"], ["LABEL_0", "good"]])
def test_a_number_stands_for_no_name_that_is_not_its_own(names):
    with pytest.raises(InputError, match="file, line 2: column 'label': '0' is no label of the"):
        encode("0", "1", names=names)


@pytest.mark.parametrize("cells", [["0.0", "1.0"], ["1", "0.0"], ["\uff10", "\uff11", "\uff10"]])
def test_whole_numbers_taken_for_ratings_are_warned_of(cells, caplog):
    with caplog.at_level("WARNING", "absl"):
        assert encode(*cells)[0] == "regression"
    assert "taken for ratings (regression); for classes set model.problem_type" in caplog.text
    assert encode(*cells, problem_type="single_label_classification")[1] == tuple(sorted({*cells}))


def test_ratings_are_not_warned_of(caplog):
    with caplog.at_level("WARNING", "absl"):
        assert encode("0.0", "1.5", "3.0")[0] == "regression"
        assert encode("0.0", "1.0", problem_type="regression")[0] == "regression"
        assert encode(*[f"{number}.0" for number in range(99)])[0] == "regression"
    assert not caplog.text


def test_a_label_of_a_megabyte_or_of_control_characters_is_cut_in_messages():
    for cell in ("x" * 2**20, "\x1b[2J"):
        with pytest.raises(InputError) as caught:
            encode(cell, "a", names=["a", "b" * 2**20, "\x1b"])
        assert len(str(caught.value)) < 400 and "\x1b" not in str(caught.value)


def test_many_distinct_labels_cost_memory_in_proportion():
    cells = [f"label {number}" for number in range(30_000)]
    assert encode(*cells)[2].max() == 29_999  # a one-hot square of them would be 3.6 GB


def test_a_new_class_beside_unnamed_ones_is_named_as_they_are():
    assert named_like(("0", "2"), ["LABEL_0", "LABEL_1"]) == ["LABEL_0", "LABEL_2"]
    assert named_like(("0", "more"), ["LABEL_0", "LABEL_1"]) == ["0", "more"]
    assert named_like(("0", "2"), ["bad", "good"]) == ["0", "2"]
