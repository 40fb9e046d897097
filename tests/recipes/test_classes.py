"""The weights of classes: what balanced means, what is refused."""

import types

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from bert_tf.config import DataSection, FinetuneConfig, ModelSection, TrainSection
from bert_tf.data import read_table
from bert_tf.errors import ConfigError
from bert_tf.recipes.classes import weigh_classes

KINDS = {"text": "text", "label": "label"}


def table(folder, labels):
    path = folder / "rows.tsv"
    path.write_text("\n".join(["text\tlabel", *(f"good\t{label}" for label in labels)]) + "\n")
    return read_table(str(path), KINDS, KINDS)


def weighed(rows, given):
    model = types.SimpleNamespace(class_weights=None)
    train = TrainSection(class_weights=given)
    weigh_classes(model, FinetuneConfig(ModelSection("m"), DataSection("d"), train=train), rows)
    return model.class_weights


def test_balanced_is_as_scikit_learn_has_it(tmp_path, caplog):
    labels = ["b"] * 6 + ["a"] * 3 + ["c"]
    caplog.set_level("INFO", "absl")
    wanted = compute_class_weight("balanced", classes=np.array(list("abc")), y=labels)
    assert weighed(table(tmp_path, labels), "balanced") == pytest.approx(wanted)
    assert "class weights: b 0.556, a 1.11, c 3.33" in caplog.text


def test_balanced_labels_of_several_a_row_weigh_as_much_there_as_not_there(tmp_path):
    rows = table(tmp_path, ["a|b", "b", "b|c", "b|c"])
    assert weighed(rows, "balanced") == [3.0, 1.0, 1.0]


def test_factors_are_by_name_and_one_if_not_given(tmp_path):
    rows = table(tmp_path, ["a", "b", "c"])
    assert weighed(rows, {"b": 2.5}) == [1.0, 2.5, 1.0]
    assert weighed(rows, None) is None
    with pytest.raises(ConfigError, match="train.class_weights: no label 'd'; there are a, b, c"):
        weighed(rows, {"d": 2.0})


def test_numbers_and_tasks_without_classes_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="is balanced, and regression has no classes to weigh"):
        weighed(table(tmp_path, ["0.5", "1.5"]), "balanced")
    config = FinetuneConfig(
        ModelSection("m"),
        DataSection("d"),
        "question_answering",
        TrainSection(class_weights={"a": 2}),
    )
    none = types.SimpleNamespace(label_names=None, label=None, problem_type=None)
    with pytest.raises(ConfigError, match="task question_answering has no classes to weigh"):
        weigh_classes(types.SimpleNamespace(), config, none)
