"""Every metric of a model directory on a file, and what files it refuses."""

import json

import numpy as np
import pytest

from bert_tf import ConfigError, InputError, MaskedLM
from bert_tf.loading import load_with_tokenizer as load_model
from bert_tf.recipes.evaluate import evaluate
from tests import tiny

ROWS = [("the film is good", "good"), ("a bad end", "bad"), ("not good", "bad"), ("two", "good")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    directory = tmp_path_factory.mktemp("model")
    tiny.save(directory)
    return directory


def tsv(path, rows, header="text\tlabel"):
    path.write_text("\n".join([header, *("\t".join(row) for row in rows)]) + "\n", "utf-8")
    return path


def test_figures_are_those_of_the_model_s_own_answers(folder, tmp_path):
    file = tsv(tmp_path / "dev.tsv", ROWS * 20)
    figures = evaluate(folder, file, tmp_path / "figures.json")
    model, tokenizer = load_model(folder)
    logits = model(tokenizer([text for text, _ in ROWS], max_length=24)).numpy()
    labels = np.array([label == "good" for _, label in ROWS], int)
    assert figures["rows"] == 80
    assert figures["accuracy"] == pytest.approx(np.mean(logits.argmax(1) == labels))
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    loss = -np.log(shares[range(len(ROWS)), labels]).mean()
    assert figures["loss"] == pytest.approx(loss, abs=1e-5)
    assert {"f1", "f1_macro", "matthews", "confusion_matrix"} <= set(figures)
    assert json.loads((tmp_path / "figures.json").read_text()) == figures


def test_a_name_that_tells_nothing_goes_with_the_format_named(folder, tmp_path):
    file = tsv(tmp_path / "dev.data", ROWS)
    assert evaluate(folder, file, format="tsv")["rows"] == len(ROWS)
    with pytest.raises(ConfigError, match="the name tells no format"):
        evaluate(folder, file)


def test_rows_that_training_ignored_are_not_measured(tmp_path, caplog):
    """As OCNLI's, where annotators did not agree."""
    tiny.save(tmp_path / "m", ignore_labels=["-"])
    file = tsv(tmp_path / "dev.tsv", [*ROWS, ("a film", "-")])
    assert evaluate(tmp_path / "m", file)["rows"] == len(ROWS)
    config = json.loads((tmp_path / "m" / "config.json").read_text())
    config["bert_tf"]["ignore_labels"] = [3]
    (tmp_path / "m" / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=r"ignore_labels: \[3\], wanted a list of strings"):
        evaluate(tmp_path / "m", file)


def test_one_class_for_every_row_is_told(folder, tmp_path, caplog):
    file = tsv(tmp_path / "dev.tsv", [("good film", "good"), ("good film", "bad")])
    evaluate(folder, file)
    assert f"{file}: all 2 rows are predicted as " in caplog.text and ", and 1 are" in caplog.text


def test_columns_and_kind_are_the_model_s(tmp_path):
    names = {"text": "first", "text_pair": "second", "label": "rating"}
    tiny.save(tmp_path / "m", label_names=("LABEL_0",), problem_type="regression", **names)
    rows = [("good", "bad", "1.5"), ("a", "the", "-2"), ("film", "film", "0")]
    file = tsv(tmp_path / "dev.tsv", [(c, a, b) for a, b, c in rows], "rating\tfirst\tsecond")
    assert {"pearson", "spearman", "mean_squared_error"} <= set(evaluate(tmp_path / "m", file))


def test_multi_label_cells_are_read_and_all_of_one_label_is_fine(tmp_path):
    kind = "multi_label_classification"
    tiny.save(tmp_path / "m", label_names=("x", "y"), problem_type=kind)
    file = tsv(tmp_path / "dev.tsv", [("good", "x|y"), ("bad", "x|y")])
    assert 0 <= evaluate(tmp_path / "m", file)["f1_micro"] <= 1


@pytest.mark.parametrize(
    "rows, reason",
    [
        (
            [("good", "good"), ("so", "neutral")],
            "line 3.*'neutral' is no label of the training data",
        ),
        ([("good",)], "line 2: has 1 columns"),
        ([], "has no rows"),
    ],
)
def test_rows_that_cannot_be_used_are_named(folder, tmp_path, rows, reason):
    with pytest.raises(InputError, match=reason):
        evaluate(folder, tsv(tmp_path / "dev.tsv", rows), tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()


def test_other_models_and_folders_are_refused(folder, tmp_path):
    file = tsv(tmp_path / "dev.tsv", ROWS)
    with pytest.raises(InputError, match="absent"):
        evaluate(tmp_path / "absent", file)
    model, tokenizer = load_model(folder)
    model.encoder.save_pretrained(str(tmp_path / "encoder"), tokenizer)
    with pytest.raises(InputError, match="encoder"):
        evaluate(tmp_path / "encoder", file)


def test_a_vocabulary_that_does_not_fit_the_weights_is_refused(folder, tmp_path):
    model, tokenizer = load_model(folder)
    model.save_pretrained(str(tmp_path / "m"), tokenizer)
    with open(tmp_path / "m" / "vocab.txt", "a") as file:
        file.write("more\n")
    with pytest.raises(InputError, match="entries for"):
        evaluate(tmp_path / "m", tsv(tmp_path / "dev.tsv", ROWS))
    (tmp_path / "m" / "vocab.txt").unlink()
    with pytest.raises(InputError, match="vocab.txt|tokenizer"):
        evaluate(tmp_path / "m", tsv(tmp_path / "dev.tsv", ROWS))


@pytest.mark.slow  # test_predict.py tells columns too
def test_columns_may_be_told_otherwise_than_the_model_knows_them(folder, tmp_path):
    rows = [(label, text) for text, label in ROWS]
    other = tsv(tmp_path / "other.tsv", rows, "stars\treview")
    figures = evaluate(folder, other, text="review", label="stars")
    assert figures == evaluate(folder, tsv(tmp_path / "dev.tsv", ROWS))
    numbered = tsv(tmp_path / "numbers.tsv", rows[1:], "\t".join(rows[0]))
    assert evaluate(folder, numbered, text=1, label=0) == figures


def test_a_model_of_masked_words_has_no_labels_in_tables(tmp_path):
    model = MaskedLM(tiny.classifier().encoder)
    model.save_pretrained(str(tmp_path / "m"), tiny.tokenizer(tmp_path / "v"))
    with pytest.raises(InputError, match="a MaskedLM, which no table has labels for"):
        evaluate(tmp_path / "m", tsv(tmp_path / "dev.tsv", ROWS))


def test_figures_are_kept_where_the_picture_cannot_be_drawn(folder, tmp_path, monkeypatch):
    def fails(*_):
        raise InputError("no picture")

    monkeypatch.setattr("bert_tf.recipes.evaluate.draw_depths", fails)
    output = tmp_path / "figures.json"
    with pytest.raises(InputError, match="no picture"):
        evaluate(folder, tsv(tmp_path / "dev.tsv", ROWS), output, depths=tmp_path / "depths.png")
    figures = json.loads(output.read_text())
    assert figures["rows"] == len(ROWS)
    assert figures["depths"][-1]["accuracy"] == figures["accuracy"]


def test_a_picture_that_the_model_has_no_use_for_is_refused_before_it_is_measured(
    folder, tmp_path, monkeypatch
):
    monkeypatch.setattr("bert_tf.recipes.evaluate.evaluation.evaluate", None)
    file = tsv(tmp_path / "dev.tsv", ROWS)
    said = r"a SequenceClassifier, which attends to no source \(--attention\)"
    with pytest.raises(InputError, match=said):
        evaluate(folder, file, attention=str(tmp_path / "attention.png"))
    monkeypatch.setattr("bert_tf.recipes.evaluate.measure_depths", _has_no_layers)
    with pytest.raises(InputError, match="no layers of its own"):
        evaluate(folder, file, depths=str(tmp_path / "depths.png"))


def _has_no_layers(*_):
    raise InputError("no layers of its own")
