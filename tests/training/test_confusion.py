"""The picture of a confusion matrix, and what is told of a classifier stuck on one class."""

import pytest

from bert_tf.errors import InputError
from bert_tf.training.confusion import draw_confusion, stuck

SINGLE = {"confusion_matrix": [[3, 0], [2, 0]]}
SEVERAL = {"confusion_matrix": [[[1, 0], [4, 0]], [[2, 1], [1, 1]], [[5, 0], [0, 0]]]}


@pytest.mark.parametrize(
    "figures, names, told",
    [
        (SINGLE, ["bad", "good"], "all 5 rows are predicted as bad, and 3 are"),
        ({"confusion_matrix": [[3, 1], [2, 0]]}, ["bad", "good"], None),
        ({"confusion_matrix": [[3, 0], [0, 0]]}, ["bad", "good"], None),  # the rows have one too
        (SEVERAL, ["a", "b", "c"], "1 of 3 labels are never predicted: a"),
        (SINGLE, None, None),
        ({"confusion_matrix": []}, ["bad"], None),
        ({"accuracy": 1.0}, ["bad", "good"], None),
        (
            {"HasAns_f1": 0.0, "HasAns_total": 3, "NoAns_exact": 100.0},
            None,
            "none of the 3 questions that have an answer gets one",
        ),
        ({"HasAns_f1": 0.5, "HasAns_total": 3}, None, None),
        ({"HasAns_f1": 0.0, "HasAns_total": 0}, None, None),
    ],
)
def test_a_class_that_is_always_predicted_is_told(figures, names, told):
    assert stuck(figures, names) == told


@pytest.mark.parametrize("figures, names", [(SINGLE, ["$a_$", "字" * 30]), (SEVERAL, list("abc"))])
def test_the_picture_is_drawn_whatever_names_are(tmp_path, figures, names, recwarn):
    path = draw_confusion(figures, names, tmp_path / "confusion.png", "validation")
    with open(path, "rb") as file:
        assert file.read(4) == b"\x89PNG"
    assert [each.name for each in tmp_path.iterdir()] == ["confusion.png"]
    assert not recwarn.list


def test_without_a_matrix_there_is_no_picture(tmp_path):
    assert draw_confusion({"rows": 3}, ["a"], tmp_path / "confusion.png") is None
    assert not list(tmp_path.iterdir())


def test_a_picture_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "confusion.png").mkdir()
    with pytest.raises(InputError, match="confusion.png: cannot be written: "):
        draw_confusion(SINGLE, ["a", "b"], tmp_path / "confusion.png")
