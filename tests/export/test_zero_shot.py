"""Labels a model was never trained with: the nearest vector, in memory and from an export."""

import json

import numpy as np
import pytest

from bert_tf import SentenceEncoder, build_encoder, export_saved_model, load_export, pipeline
from bert_tf.cli import main
from bert_tf.errors import ConfigError, InputError
from bert_tf.export import Answer, text_settings
from bert_tf.export.zero_shot import ZeroShot
from tests import oracles, tiny

TEXTS = ["a good film", "the end is bad"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vectors")
    model = SentenceEncoder(build_encoder(tiny.config(num_hidden_layers=1)))
    oracles.randomize(model)
    model.data_settings = {"max_length": 24}
    tokenizer = tiny.tokenizer(folder / "v")
    model.save_pretrained(str(folder / "m"), tokenizer)
    export_saved_model(model, tokenizer, str(folder / "export"))
    return folder


def test_a_text_gets_the_label_whose_vector_is_nearest(folder):
    ask = pipeline(str(folder / "m"))
    vectors = [
        np.array([x["embedding"] for x in ask(texts)]) for texts in (TEXTS, ["a good.", "a bad."])
    ]
    exps = np.exp(20 * vectors[0] @ vectors[1].T)
    want = exps / exps.sum(axis=1, keepdims=True)
    for asked in (ask, pipeline(str(folder / "export"))):
        found = asked(TEXTS, labels=["good", "bad"], template="a {}.")
        np.testing.assert_allclose([x["probabilities"] for x in found], want, atol=1e-5)
        assert [x["label"] for x in found] == [["good", "bad"][i] for i in want.argmax(axis=1)]
        assert [x["score"] for x in found] == [max(x["probabilities"]) for x in found]
        for record in found:  # by their names, as classifiers tell them
            assert record["scores"] == {
                "good": record["probabilities"][0],
                "bad": record["probabilities"][1],
            }


def test_predict_takes_labels(folder, tmp_path, capsys):
    (tmp_path / "a.txt").write_text("\n".join(TEXTS) + "\n")
    flags = [f"--model={folder / 'm'}", f"--input={tmp_path / 'a.txt'}", "--labels=good,bad"]
    assert main(["predict", *flags]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["text"] for line in lines] == TEXTS and {x["label"] for x in lines} <= {
        "good",
        "bad",
    }
    assert main(["predict", *flags[:2], "--template=a {}"]) == 2
    assert "wanted --labels with it" in capsys.readouterr().err
    assert main(["predict", *flags[:2], "--several"]) == 2
    assert "--several is given, wanted --labels with it" in capsys.readouterr().err
    flags[0] = f"--model={folder / 'export'}"
    assert main(["predict", *flags, "--several"]) == 2
    assert "--several: a SentenceEncoder gives each text one label" in capsys.readouterr().err


@pytest.mark.parametrize("labels", (["good"], ["good", "good"], ["good", " "], "good", []))
def test_labels_are_two_at_least(folder, labels):
    with pytest.raises(InputError, match="labels: .*wanted two different ones at least"):
        ZeroShot(load_export(str(folder / "export")), labels)


def test_a_template_has_a_place_and_a_classifier_its_own_labels(folder, tmp_path):
    with pytest.raises(ConfigError, match="template: 'about', wanted a text with {} once"):
        ZeroShot(load_export(str(folder / "export")), ["a", "b"], "about")
    model = tiny.classifier(problem_type="multi_label_classification")
    told = text_settings(model, tiny.tokenizer(tmp_path / "v"))
    with pytest.raises(InputError, match="answers with those it was trained with"):
        ZeroShot(Answer(None, type(model), told, None), ["a", "b"]).records(["a"])
