"""Question answering through the commands: SQuAD files in and out, warnings, long texts."""

import json
import types

import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file, save_file

from bert_tf import (
    AlbertConfig,
    BertConfig,
    ElectraConfig,
    ExtractiveQA,
    Tokenizer,
    build_encoder,
    convert,
    load_task,
    read_dataset,
    squad_score,
)
from bert_tf.cli import main
from bert_tf.errors import InputError
from bert_tf.export import answer_with
from bert_tf.recipes import predict as recipe
from bert_tf.recipes.evaluate import evaluate
from tests import tiny

CONTEXTS = ("🎬 the good film . " * 9, "a bad story", "the end")
ANSWERS = (("good", 6), ("bad", 2), ("end", 1))
QUESTIONS = ("is ?", "was " * 20, "the end ?")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    encoder = build_encoder(tiny.config(num_hidden_layers=1, initializer_range=0.5))
    model = ExtractiveQA(encoder, max_answer_length=5)
    model.data_settings = {"max_length": 16, "overlap": 4}
    model.save_pretrained(str(folder), tiny.tokenizer(folder / "tokenizer"))
    return folder


@pytest.fixture(scope="module")
def squad(tmp_path_factory):
    rows = zip(CONTEXTS, QUESTIONS, ANSWERS, strict=True)
    articles = [
        {"paragraphs": [{"context": context, "qas": [{"id": f"q{number}", "question": question,
            "answers": [{"text": text, "answer_start": start}]}]}]}
        for number, (context, question, (text, start)) in enumerate(rows)
    ]  # fmt: skip
    path = tmp_path_factory.mktemp("data") / "dev.json"
    path.write_text(json.dumps({"data": articles}), encoding="utf-8")
    return path


def test_arguments_and_windows_are_kept_in_files_that_transformers_reads(folder):
    config = json.loads((folder / "config.json").read_text())
    assert config["architectures"] == ["BertForQuestionAnswering"]
    assert config["model_type"] == "bert" and config["bert_tf"]["max_answer_length"] == 5
    back = load_task(folder)
    assert back.max_answer_length == 5 and back.data_settings["overlap"] == 4


@pytest.mark.parametrize("config", (BertConfig, AlbertConfig, ElectraConfig))
def test_every_family_names_the_head_as_transformers_does_and_needs_no_pooler(tmp_path, config):
    model = ExtractiveQA(build_encoder(config(**tiny.sizes())), unanswerable=True)
    model.save_pretrained(tmp_path / "a")
    tensors = load_file(tmp_path / "a" / "model.safetensors")
    assert tensors["qa_outputs.weight"].shape == (2, 8)
    assert not [name for name in tensors if "pooler" in name]
    config = json.loads((tmp_path / "a" / "config.json").read_text())
    assert config["architectures"][0].endswith("ForQuestionAnswering")
    back = load_task(tmp_path / "a")
    assert back.unanswerable is True
    np.testing.assert_array_equal(back.head.projection.kernel, model.head.projection.kernel)


def test_a_pooler_in_older_files_is_left_aside_and_google_s_head_is_read(tmp_path, caplog):
    model = ExtractiveQA(build_encoder(tiny.config()))
    model.save_pretrained(tmp_path / "a")
    file = tmp_path / "a" / "model.safetensors"
    pooler = {
        "bert.pooler.dense.weight": np.zeros((16, 16)),
        "bert.pooler.dense.bias": np.zeros(16),
    }
    save_file(load_file(file) | {name: x.astype("float32") for name, x in pooler.items()}, file)
    kernel = load_task(tmp_path / "a").head.projection.kernel
    assert "ExtractiveQA has no use for 2 tensors (bert.pooler.dense." in caplog.text
    convert(str(tmp_path / "a"), str(tmp_path / "google"), "google")
    np.testing.assert_array_equal(load_task(tmp_path / "google").head.projection.kernel, kernel)


def test_evaluation_scores_what_predict_writes_and_tells_of_faults(folder, squad, tmp_path, caplog):
    figures = evaluate(folder, squad)
    assert "1 of 3 rows are measured all the same: the answer is not in the text" in caplog.text
    assert "of 3 rows that were looked at 1 have a question of more than 8 tokens" in caplog.text
    answers = tmp_path / "answers.json"
    flags = [f"--model={folder}", f"--input={squad}"]
    assert main(["predict", *flags, f"--output={answers}", "--format=squad"]) == 0
    found = json.loads(answers.read_text())
    assert list(found) == ["q0", "q1", "q2"]
    score = squad_score(json.loads(squad.read_text()), found)
    assert figures["rows"] == 3
    assert {name: figures[name] for name in score} == pytest.approx(score)


def test_how_likely_no_answer_is_goes_into_the_file_of_the_official_scorer(
    squad, tmp_path, capsys, monkeypatch
):
    records = [{"answer": "good", "no_answer": 0.25}, {"answer": ""}, {"answer": "end"}]
    settings = {"columns": {"question": "question", "context": "context"}}
    ask = types.SimpleNamespace(columns=tuple(settings["columns"]), task=ExtractiveQA)
    ask.settings, ask.records = settings, lambda *columns: records
    monkeypatch.setattr(recipe, "_answerer", lambda *_: ask)
    output, second = tmp_path / "answers.json", tmp_path / "na.json"
    tiny.save(tmp_path / "m")
    flags = [
        f"--model={tmp_path / 'm'}",
        f"--input={squad}",
        f"--output={output}",
        "--format=squad",
    ]
    assert main(["predict", *flags[:3], f"--na_probs={second}"]) == 2
    assert "wanted --format=squad with it" in capsys.readouterr().err
    assert main(["predict", *flags, f"--na_probs={output}"]) == 2
    assert main(["predict", *flags, f"--na_probs={squad}"]) == 2
    assert f"--na_probs: {squad} is the file that is read" in capsys.readouterr().err
    records[1]["no_answer"] = records[2]["no_answer"] = 1.5
    assert main(["predict", *flags, f"--na_probs={second}"]) == 0
    found = json.loads(second.read_text())
    assert found == {"q0": 0.25, "q1": 1.5, "q2": 1.5}
    dataset = json.loads(squad.read_text())
    dataset["data"][2]["paragraphs"][0]["qas"][0]["answers"] = []
    score = squad_score(dataset, json.loads(output.read_text()), na_probs=found)
    assert score["NoAns_exact"] == 100.0 and score["HasAns_exact"] == 50.0
    del records[0]["no_answer"]
    assert main(["predict", *flags, f"--na_probs={second}"]) == 2
    assert "was trained with answers to all questions" in capsys.readouterr().err
    monkeypatch.setattr(ask, "records", refused)
    assert main(["predict", *flags]) == 1
    assert f"{squad}, question 2: not finite" in capsys.readouterr().err


def refused(*columns):
    error = InputError("not finite")
    error.row = 1
    raise error


@pytest.mark.slow  # the parts are tried above, and each way of asking is traced anew
def test_json_lines_have_ids_alternatives_and_what_was_asked(folder, squad, tmp_path):
    lines = tmp_path / "answers.jsonl"
    flags = [f"--model={folder}", f"--input={squad}", f"--output={lines}", "--top=3"]
    assert main(["predict", *flags]) == 0
    found = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [line["id"] for line in found] == ["q0", "q1", "q2"]
    for line, context in zip(found, CONTEXTS, strict=True):
        assert line["context"] == context and 1 < len(line["alternatives"]) <= 3
        best = {name: line[name] for name in ("answer", "start", "end", "score")}
        assert line["alternatives"][0] == best


def test_a_text_of_many_windows_is_answered_as_if_they_went_through_at_once(folder):
    model = load_task(folder)
    tokenizer = Tokenizer.from_pretrained(folder)
    context = " ".join(np.random.default_rng(1).choice(tiny.WORDS[:12], 500))
    cells = {"question": tf.constant(["is ?"]), "context": tf.constant([context])}
    settings = {"max_length": 16, "overlap": 4, "padding": "longest"}
    inputs, _ = model.features(cells, tokenizer, settings)
    assert len(inputs["rows"]) > 64
    at_once = model.answer(model(inputs), inputs, cells, tokenizer)
    found = answer_with(model, tokenizer)(["is ?"], [context])
    assert found["answer"][0].encode() == at_once["answer"].numpy()[0]
    assert found["start"][0] == at_once["start"].numpy()[0]
    np.testing.assert_allclose(found["score"], at_once["score"], rtol=1e-4)


@pytest.mark.parametrize(
    "flag, row, code, message",
    (
        ("--format=xml", {}, 2, "--format is 'xml', wanted jsonl or squad"),
        ("--format=squad", {}, 1, "line 1: `id` is missing, and --format=squad names by it"),
        ("--top=2", {"context": 5}, 1, "line 1: key 'context' is 5, wanted a string"),
    ),
)
def test_what_cannot_be_answered_is_one_line(folder, tmp_path, capsys, flag, row, code, message):
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({"question": "is ?", "context": "the end", **row}) + "\n")
    assert main(["predict", f"--model={folder}", f"--input={file}", flag]) == code
    assert message in capsys.readouterr().err


def test_a_window_too_short_for_question_and_text_is_refused(folder, squad, tmp_path, capsys):
    (tmp_path / "a.yaml").write_text(
        f"task: question_answering\nmodel: {{path: {folder}}}\n"
        f"data: {{train: {squad}, max_length: 7}}\n"
    )
    flags = [f"--config={tmp_path / 'a.yaml'}", f"--workdir={tmp_path / 'run'}"]
    assert main(["finetune", *flags]) == 2
    assert "max_length: 7, wanted 8 at least" in capsys.readouterr().err


def test_a_dataset_for_fit_has_windows_and_the_places_of_the_answers(folder, squad):
    tokenizer = Tokenizer.from_pretrained(folder)
    options = dict(batch_size=4, max_length=16, task="question_answering", shuffle_seed=1)
    inputs, labels = next(iter(read_dataset(str(squad), tokenizer, **options)))
    assert inputs["input_ids"].shape[0] == 4 and "rows" not in inputs
    assert set(labels) == {"start_positions", "end_positions"}
