"""Several tasks through the commands: trained, continued, measured, asked, exported, refused."""

import json
import os
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file

from bert_tf import build_encoder, cli, load_export, load_task, pipeline
from bert_tf.config import FinetuneConfig, MultiTaskConfig, finetuning, load
from bert_tf.recipes import finetune_multi_task as recipe
from bert_tf.recipes.finetune_multi_task import finetune_multi_task
from bert_tf.recipes.interruption import Interrupted
from tests import tiny
from tests.recipes.test_finetune import sentences


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An untrained model, a configuration of three tasks, and their files."""
    folder = tmp_path_factory.mktemp("tasks")
    keras.utils.set_random_seed(1)
    encoder = build_encoder(tiny.config(num_hidden_layers=1, initializer_range=0.2))
    encoder.save_pretrained(str(folder / "encoder"), tiny.tokenizer(folder / "vocabulary"))
    texts = [row for seed in range(2) for row in sentences(48, seed)]
    lines = "".join(f"{text}\t{'yes' if good else 'no'}\n" for text, good in texts)
    (folder / "kind.tsv").write_text(f"text\tlabel\n{lines}")
    tags = {"good": "B-x"}
    rows = ["".join(f"{x}\t{tags.get(x, 'O')}\n" for x in text.split()) for text, _ in texts[:24]]
    (folder / "names.conll").write_text("\n".join(rows) + "\n")
    (folder / "tasks.yaml").write_text(f"""
model: {{path: {folder}/encoder}}
tasks:
  kind: {{data: {{train: {folder}/kind.tsv, validation: 0.25, max_length: 12}}, weight: 0.5}}
  names:
    task: token_classification
    data: {{train: {folder}/names.conll, validation: {folder}/names.conll, max_length: 16,
      test: {folder}/names.conll}}
mixing: {{sampling: square_root}}
train: {{batch_size: 8, epochs: 5, learning_rate: 0.02, evaluate_every: 30, checkpoint_every: 10}}
""")
    return folder


@pytest.fixture(scope="module")
def run(folder):
    argv = [f"--config={folder}/tasks.yaml", f"--workdir={folder}/run"]
    assert cli.main(["finetune", *argv]) == 0
    return folder / "run"


def test_every_task_learns_and_their_average_picks_the_weights(run):
    results = json.loads((run / "metrics.json").read_text())
    found = results["validation"]
    assert found["kind"]["accuracy"] >= 0.8 and found["names"]["f1"] >= 0.8
    assert found["average"] == pytest.approx((found["kind"]["accuracy"] + found["names"]["f1"]) / 2)
    assert found["loss"] == pytest.approx(found["kind"]["loss"] / 2 + found["names"]["loss"])
    assert results["test"]["average"] == results["test"]["names"]["f1"] and results["steps"] == 60
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    averages = [line["average"] for line in lines if line["part"] == "validation"]
    assert max(averages) == pytest.approx(found["average"])
    assert any("kind_accuracy" in line for line in lines if line["part"] == "validation")
    assert {"kind_classification", "names_accuracy"} <= {x for line in lines for x in line}
    assert (run / "confusion_kind.png").exists() and (run / "curves.png").exists()
    assert load(MultiTaskConfig, str(run / "config.yaml")).tasks["kind"].weight == 0.5


def test_evaluate_and_predict_ask_the_task_that_is_named(run, folder, capsys):
    model = f"--model={run}/model"
    argv = [model, f"--data={folder}/names.conll", "--task=names"]
    assert cli.main(["evaluate", *argv]) == 0
    results = json.loads((run / "metrics.json").read_text())
    again, want = json.loads(capsys.readouterr().out), results["test"]["names"]
    assert again.keys() == want.keys() and again["labels"] == want["labels"]
    assert again["loss"] == pytest.approx(want["loss"])
    assert cli.main(["evaluate", *argv[:2]]) == 2
    assert "--task is missing" in capsys.readouterr().err
    (folder / "in.txt").write_text("good film\nbad story\n")
    found = {}
    for name in (None, "names"):
        task = [f"--task={name}"] if name else []
        assert cli.main(["predict", model, f"--input={folder}/in.txt", *task]) == 0
        found[name] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["label"] for row in found[None]] == ["yes", "no"]
    assert [span["text"] for span in found["names"][0]["spans"]] == ["good"]
    assert cli.main(["predict", model, f"--input={folder}/in.txt", "--task=nams"]) == 2
    assert "wanted one of kind, names; did you mean names" in capsys.readouterr().err


@pytest.mark.slow  # the contract asks the same of two tasks
def test_an_export_has_a_signature_for_each_task(run, folder, capsys):
    argv = [f"--model={run}/model", f"--output={folder}/export"]
    assert cli.main(["export", *argv]) == 0
    names = set(tf.saved_model.load(f"{folder}/export/1").signatures)
    assert names == {"serving_default", "kind", "names"}
    answer, texts = load_export(folder / "export"), ["good film", "bad story"]
    assert list(answer.tasks) == ["kind", "names"]
    for name in (None, *answer.tasks):
        one, same = (pipeline(f"{folder}/{x}")(texts, task=name) for x in ("export", "run/model"))
        assert [row.keys() for row in one] == [row.keys() for row in same]
        assert [row.get("label") for row in one] == [row.get("label") for row in same]
    (folder / "in.txt").write_text("good film\nbad story\n")
    told = [f"--model={folder}/export", f"--input={folder}/in.txt", "--task=names"]
    capsys.readouterr()
    assert cli.main(["predict", *told]) == 0
    assert '"spans": [{"label": "x", "text": "good"' in capsys.readouterr().out


@pytest.mark.slow  # tests/data/test_mixed.py: batches of any step; test_finetune.py: the loop
def test_an_interrupted_run_ends_with_the_same_bits(run, folder, monkeypatch):
    config, workdir = load(MultiTaskConfig, f"{folder}/tasks.yaml"), str(folder / "stopped")
    evaluate, calls = recipe.evaluate, []

    def interrupt(*arguments):
        calls.append(1)
        if len(calls) == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return evaluate(*arguments)

    monkeypatch.setattr(recipe, "evaluate", interrupt)
    with pytest.raises(Interrupted):
        finetune_multi_task(config, workdir)
    results = finetune_multi_task(config, workdir)
    assert results["steps"] == json.loads((run / "metrics.json").read_text())["steps"]
    one, same = (load_file(folder / x / "model/model.safetensors") for x in ("run", "stopped"))
    for name, tensor in one.items():
        np.testing.assert_array_equal(tensor, same[name])


@pytest.mark.slow
def test_questions_and_choices_are_tasks_among_others(folder):
    article = [
        {"context": "a good film .", "qas": [{"question": "is ?", "answers": [answer]}]}
        for answer in [{"text": "good", "answer_start": 2}] * 8
    ]
    (folder / "squad.json").write_text(json.dumps({"data": [{"paragraphs": article}]}))
    rows = [{"text": "the film", "choices": ["good", "bad"], "label": x % 2} for x in range(8)]
    (folder / "choices.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "others.yaml").write_text(f"""
model: {{path: {folder}/encoder}}
tasks:
  asked: {{task: question_answering, data: {{train: {folder}/squad.json, max_length: 24}}}}
  chosen: {{task: multiple_choice, data: {{train: {folder}/choices.jsonl, max_length: 12}}}}
train: {{batch_size: 4, epochs: 2, learning_rate: 0.01}}
""")
    argv = [f"--config={folder}/others.yaml", f"--workdir={folder}/others"]
    assert cli.main(["finetune", *argv]) == 0
    found = json.loads((folder / "others/metrics.json").read_text())["validation"]
    average = (found["asked"]["f1"] / 100 + found["chosen"]["accuracy"]) / 2
    assert found["average"] == pytest.approx(average) and found["asked"]["f1"] > 0
    answer = pipeline(f"{folder}/others/model")(["is ?"], ["a good film ."], task="asked")[0]
    assert answer["answer"] in "a good film ."


@pytest.mark.slow
def test_packed_rows_and_pairs_that_are_told_apart_are_tasks_among_others(folder):
    pairs = [{"text": x, "text_pair": y} for x in ("good", "bad") for y in ("film", "end")] * 4
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in pairs))
    (folder / "near.yaml").write_text(
        (folder / "tasks.yaml")
        .read_text()
        .replace(
            "tasks:\n",
            "tasks:\n  near: {task: sentence_embedding, data: "
            f"{{train: {folder}/pairs.jsonl, text_pair: text_pair, max_length: 12}}}}\n",
        )
    )
    argv = [f"--config={folder}/near.yaml", f"--workdir={folder}/near"]
    assert cli.main(["finetune", *argv, "--set=tasks.kind.data.packing=true"]) == 0
    found = json.loads((folder / "near/metrics.json").read_text())["validation"]
    assert all(np.isfinite(found[name]["loss"]) for name in ("near", "kind", "names"))
    assert len(pipeline(f"{folder}/near/model")(["good"], task="near")[0]["embedding"]) > 1


@pytest.mark.slow
def test_replicas_and_micro_batches_end_with_the_same_weights(folder):
    sets = ["model.changes={hidden_dropout_prob: 0.0, attention_probs_dropout_prob: 0.0}"]
    sets += ["train.steps=6", "train.learning_rate=0.001"]
    found = []
    for number, more in enumerate(([], ["distribution.strategy=mirrored"], ["train.accumulate=2"])):
        config = load(MultiTaskConfig, f"{folder}/tasks.yaml", sets + more)
        finetune_multi_task(config, str(folder / f"replicas_{number}"))
        found.append(load_file(folder / f"replicas_{number}/model/model.safetensors"))
    for other in found[1:]:
        for name, tensor in found[0].items():
            np.testing.assert_allclose(tensor, other[name], atol=2e-5, err_msg=name)


@pytest.mark.parametrize(
    "changes, told",
    [
        (["tasks.kind.metric=loss"], "tasks.kind.metric is loss, wanted one of which more is"),
        (["tasks.kind.task=multi_task"], "tasks.kind.task is multi_task, wanted its tasks by name"),
        (["tasks.names.data.packing=true"], "tasks.names: data.packing is true, and task token_cl"),
        (["tasks.kind.weight=0"], "tasks.kind.weight is 0, wanted a number above 0"),
        (["tasks.kind.dat.train=x"], "unknown key tasks.kind.dat; did you mean tasks.kind.data?"),
        (["tasks=[]"], "tasks is [], wanted sections by their names"),
        (["train.class_weights=balanced"], "train.class_weights is given"),
    ],
)
def test_what_is_wrong_is_one_line_that_names_the_task(folder, tmp_path, capsys, changes, told):
    sets = [f"--set={change}" for change in changes]
    argv = [f"--config={folder}/tasks.yaml", f"--workdir={tmp_path}/run", *sets]
    assert cli.main(["finetune", *argv]) in (1, 2)
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert told in line, line
    assert not (tmp_path / "run").exists()


def test_the_keys_of_a_file_tell_one_task_from_several(folder, tmp_path):
    (tmp_path / "one.yaml").write_text("model: {path: a}\ndata: {train: b}\n")
    assert finetuning(str(tmp_path / "one.yaml")) is FinetuneConfig
    assert finetuning(f"{folder}/tasks.yaml") is MultiTaskConfig


@pytest.mark.slow  # a whole run; tests/test_adapters.py takes such a model apart
def test_updates_are_trained_by_all_tasks_and_left_for_each(folder, tmp_path):
    argv = [f"--config={folder}/tasks.yaml", f"--workdir={tmp_path}/run", "--set=lora.rank=4"]
    assert cli.main(["finetune", *argv, "--set=train.steps=20"]) == 0
    whole = load_task(f"{tmp_path}/run/model")
    ids = {"input_ids": np.array([[2, 5, 6, 7, 3]], "int32")}
    for name, part in whole.parts.items():
        alone = load_task(f"{folder}/encoder", adapter=f"{tmp_path}/run/adapter/{name}")
        assert alone.data_settings == part.data_settings
        np.testing.assert_allclose(alone(ids), part(ids), atol=1e-5)
