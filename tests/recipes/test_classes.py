"""The weights of classes: what balanced means, what is refused."""

import types

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from bert_tf.config import DataSection, FinetuneConfig, ModelSection, TrainSection
from bert_tf.data import read_table
from bert_tf.data.windowed import WindowedTable
from bert_tf.errors import ConfigError
from bert_tf.recipes.classes import report_labels, report_stuck, weigh_classes
from bert_tf.tasks.span_metrics import measure

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


SPANS = {"text": "text", "label": "spans"}


def tagged(folder, text):
    (folder / "a.conll").write_text(text)
    return read_table(str(folder / "a.conll"), {"text": "text", "label": "label"}, SPANS)


def test_spans_are_counted_by_their_kinds_and_words_by_their_labels(tmp_path):
    rows = tagged(tmp_path, "a B-x\nb I-x\nc B-y\n\nd B-x\n\ne O\n\nf B-x\n")
    assert report_labels(rows) == ", 2 kinds of spans (x 3, y 1)"
    assert report_labels(rows.subset(np.array([1, 2]))) == ", 2 kinds of spans (x 1)"
    windows = WindowedTable(rows, np.array([2, 1, 1, 3]))
    assert len(windows) == 7 and report_labels(windows) == ", 2 kinds of spans (x 3, y 1)"
    assert report_labels(tagged(tmp_path, "a B-x\n\nb O\n")) == ", 1 kind of spans (x 1)"
    rows = tagged(tmp_path, "a DET\nb NOUN\n\nc NOUN\n")
    assert report_labels(rows) == ", 2 labels (NOUN 2, DET 1)"


def test_relations_of_words_are_counted(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"names": ["a", "b", "a"]}\n{"names": ["c", "a"]}\n')
    rows = read_table(str(tmp_path / "a.jsonl"), {"names": "names"}, {"names": "names"})
    assert report_labels(rows) == ", 3 labels (a 3, b 1, c 1)"


def test_a_tagger_that_finds_nothing_is_told_of(caplog):
    figures = {"words": 4, **measure([{(0, 1, "x")}, {(0, 2, "y")}], [set(), set()])}
    report_stuck(types.SimpleNamespace(label_names=["O", "B-x"]), {"validation": figures})
    assert "validation: no span is predicted, and there are 2" in caplog.text
    words = {(0, 1, "NOUN"), (1, 2, "DET")}, {(0, 1, "NOUN"), (1, 2, "NOUN")}
    figures = {"words": 2, **measure([words[0]], [words[1]])}
    report_stuck(types.SimpleNamespace(), {"test": figures})
    assert "test: all 2 words are predicted as NOUN, and 1 are" in caplog.text
    caplog.clear()
    for true, found in ((words[0], words[0]), (set(), set()), (words[0], {(0, 1, "NOUN")})):
        report_stuck(types.SimpleNamespace(), {"test": {"words": 2, **measure([true], [found])}})
    assert not caplog.records
