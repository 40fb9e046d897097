"""Pruning through the command: smaller files, exact resume, every bad input."""

import json
import os
import signal

import numpy as np
import pytest
from safetensors.numpy import load_file

from bert_tf import LstmConfig, SequenceClassifier, Tokenizer, build_encoder, cli, load_task
from bert_tf.recipes import finetune
from tests import tiny

ROWS = [("a good film", "good"), ("a bad film", "bad"), ("very good", "good"), ("bad , bad", "bad")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prune")
    model = tiny.classifier(layers=2)
    model.save_pretrained(str(folder / "model"), tiny.tokenizer(folder / "words"))
    lines = ["text\tlabel", *("\t".join(row) for row in ROWS * 4)]
    (folder / "rows.tsv").write_text("\n".join(lines) + "\n")
    (folder / "texts.txt").write_text("a good film\nthe bad story\n")
    return folder


def argv_of(folder, workdir, *sets):
    (folder / "config.yaml").write_text(
        f"model: {{path: {folder}/model}}\n"
        f"data: {{train: {folder}/rows.tsv, validation: {folder}/rows.tsv, max_length: 12}}\n"
        "train: {batch_size: 8, steps: 4, learning_rate: 1e-3, evaluate_every: 2, warmup: 0}\n"
        "pruning: {heads: 1, neurons: 8, rows: 8}\n"
    )
    sets = [f"--set={x}" for x in sets]
    return ["prune", f"--config={folder}/config.yaml", f"--workdir={workdir}", *sets]


def test_what_is_left_is_a_smaller_model(folder, capsys):
    run = folder / "run"
    sets = ["pruning.recover=false", "pruning.layers=1", f"pruning.vocabulary={folder}/texts.txt"]
    assert cli.main(argv_of(folder, run, *sets)) == 0
    told = capsys.readouterr()
    assert "opens here alone: no other package" in told.err and "before: parameters" in told.out
    model, results = load_task(run / "model"), json.loads((run / "metrics.json").read_text())
    config = model.encoder.config
    assert (config.num_hidden_layers, config.num_attention_heads, config.head_width) == (1, 1, 8)
    assert config.intermediate_size == 8 and model.label_names == ["bad", "good"]
    tokenizer = Tokenizer.from_pretrained(run / "model")
    assert json.loads((run / "kept.json").read_text())["tokenizer"] == tokenizer.fingerprint
    entries = tokenizer.vocab_size
    assert entries == config.vocab_size < len(tiny.vocabulary())
    assert results["validation"]["accuracy"] == results["pruned"]["accuracy"]
    assert results["pruned"]["parameters"] == model.count_params() < results["before"]["parameters"]
    assert cli.main(argv_of(folder, run, *sets)) == 0 and "finished" in capsys.readouterr().err


@pytest.mark.slow
def test_an_interrupted_recovery_ends_with_the_same_bits(folder, tmp_path, monkeypatch):
    assert cli.main(argv_of(folder, tmp_path / "whole")) == 0
    measure, calls = finetune.evaluate, []

    def interrupt(*arguments):
        calls.append(len(calls))
        os.kill(os.getpid(), signal.SIGINT) if calls == [0] else None
        return measure(*arguments)

    monkeypatch.setattr(finetune, "evaluate", interrupt)
    assert cli.main(argv_of(folder, tmp_path / "run")) == 3
    assert cli.main(argv_of(folder, tmp_path / "run")) == 0
    ends = [load_file(tmp_path / x / "model" / "model.safetensors") for x in ("whole", "run")]
    assert all(np.array_equal(ends[0][name], ends[1][name]) for name in ends[0])


@pytest.mark.parametrize(
    ("sets", "code", "line"),
    [
        (["pruning.heads=0"], 2, "pruning.heads is 0, wanted an integer, 1 or more, or null"),
        pytest.param(
            ["pruning.heads=3"],
            2,
            "pruning.heads: 3, wanted at most 2, which a layer has",
            marks=pytest.mark.slow,
        ),
        (["pruning.layers=[0, 7]"], 2, "pruning.layers: [0, 7], wanted numbers from 0 to 1 in ris"),
        (
            ["pruning={heads: null, neurons: null}"],
            2,
            "pruning: wanted one or more of layers, heads, neu",
        ),
        (["task=token_classification"], 1, "model: a SequenceClassifier, wanted a trained TokenCl"),
        (["pruning.vocabulary={}/absent.txt"], 1, "absent.txt"),
        (["model.path={}/absent"], 1, "absent: no such directory"),
    ],
)
def test_bad_input_is_one_line(folder, tmp_path, capsys, sets, code, line):
    sets = [x.replace("{}", str(folder)) for x in sets]
    assert cli.main(argv_of(folder, tmp_path / "run", *sets)) == code
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert line in told and told.startswith("bert-tf prune: "), told
    assert not (tmp_path / "run" / "metrics.json").exists()


def test_a_run_goes_on_with_its_own_vocabulary_alone(folder, tmp_path, capsys):
    (tmp_path / "run").mkdir()
    kept = {"layers": [0, 1], "heads": None, "neurons": None, "tokenizer": "another"}
    (tmp_path / "run" / "kept.json").write_text(json.dumps(kept))
    sets = "pruning={heads: null, neurons: null, vocabulary: " + f"{folder}/texts.txt" + "}"
    assert cli.main(argv_of(folder, tmp_path / "run", sets)) == 1
    assert f"{tmp_path}/run: the run there has another vocabulary" in capsys.readouterr().err


def test_thresholds_of_the_whole_model_do_not_stay(folder, tmp_path):
    model = tiny.classifier(problem_type="multi_label_classification", layers=2)
    model.thresholds = [0.999, 0.001]
    model.save_pretrained(str(folder / "several"), tiny.tokenizer(folder / "words"))
    sets = [f"model.path={folder}/several", "train.learning_rate=0.01", "train.steps=8"]
    assert cli.main(argv_of(folder, tmp_path / "run", *sets, "train.evaluate_every=8")) == 0
    results = json.loads((tmp_path / "run" / "metrics.json").read_text())
    kept = load_task(tmp_path / "run" / "model").thresholds
    assert kept == pytest.approx(results["validation"]["best_thresholds"])
    assert kept != [0.999, 0.001]


@pytest.mark.parametrize(
    ("sets", "line"),
    [
        (["data.text_pair=text"], "data.text_pair is text, the model's texts are single texts"),
        (["model.path={}/two"], "pruning: its layers are factorized, wanted a model that is not"),
        (["model.path={}/lstm", "pruning.neurons=1"], "pruning: layers of a lstm have no heads"),
    ],
)
def test_what_is_no_fault_of_a_setting_names_none(folder, tmp_path, capsys, sets, line):
    if not (folder / "two").exists():
        factors = tiny.config(linear_rank=4, num_hidden_layers=2)
        of_lstm = LstmConfig(len(tiny.vocabulary()), 16, num_hidden_layers=2)
        for name, config in {"two": factors, "lstm": of_lstm}.items():
            model = SequenceClassifier(build_encoder(config), 2, ["bad", "good"])
            model.save_pretrained(str(folder / name), tiny.tokenizer(folder / "words"))
    sets = [x.replace("{}", str(folder)) for x in sets]
    assert cli.main(argv_of(folder, tmp_path / "run", *sets)) == 2
    assert line in capsys.readouterr().err.strip().splitlines()[-1]
