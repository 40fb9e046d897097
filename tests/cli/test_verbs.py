"""The verbs on a tiny model, through main(argv): what they print, write and return."""

import io
import json
import sys
import types

import numpy as np
import pytest

from bert_tf import cli, load_export
from bert_tf.recipes import finetune, quickstart
from bert_tf.recipes.interruption import Interrupted
from tests import tiny

ROWS = [("the film is good", "good"), ("a bad end", "bad"), ("not good", "bad"), ("two", "good")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    directory = tmp_path_factory.mktemp("model")
    tiny.save(directory, layers=2)
    return directory


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "dev.tsv"
    path.write_text("text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in ROWS))
    return path


def test_evaluate_prints_and_writes_json(folder, data, tmp_path, capsys):
    out = tmp_path / "figures.json"
    assert cli.main(["evaluate", f"--model={folder}", f"--data={data}", f"--output={out}"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["rows"] == 4 and figures == json.loads(out.read_text())


def test_evaluate_names_an_unknown_label(folder, data, capsys):
    data.write_text("text\tlabel\ngood\tgreat\n")
    assert cli.main(["evaluate", f"--model={folder}", f"--data={data}"]) == 1
    told = capsys.readouterr().err
    assert "dev.tsv, line 2" in told and "great" in told and told.count("\n") == 1


def test_evaluate_never_replaces_the_rows_by_their_figures(folder, data, capsys):
    rows = data.read_text()
    assert cli.main(["evaluate", f"--model={folder}", f"--data={data}", f"--output={data}"]) == 2
    assert f"--output: {data} is the file that is read" in capsys.readouterr().err
    assert data.read_text() == rows


def test_evaluate_names_an_output_that_cannot_be_written(folder, data, tmp_path, capsys):
    out = tmp_path / "absent" / "x.json"
    assert cli.main(["evaluate", f"--model={folder}", f"--data={data}", f"--output={out}"]) == 2
    said = f"bert-tf evaluate: --output: {out}: there is no folder {tmp_path}/absent"
    assert said in capsys.readouterr().err


@pytest.mark.slow  # test_end_to_end.py does
def test_export_then_predict_from_it_and_from_the_model(folder, tmp_path, capsys, monkeypatch):
    out = tmp_path / "serving"
    assert cli.main(["export", f"--model={folder}", f"--output={out}"]) == 0
    assert capsys.readouterr().out == f"{out}/1\n"
    answers = []
    for model in (folder, out, out / "1"):
        stdin = types.SimpleNamespace(buffer=io.BytesIO(b"good\nbad film\n"))
        monkeypatch.setattr(sys, "stdin", stdin)
        assert cli.main(["predict", f"--model={model}", "--input=-"]) == 0
        answers.append([json.loads(line) for line in capsys.readouterr().out.splitlines()])
    assert [x["text"] for x in answers[0]] == ["good", "bad film"]
    expected = load_export(out)(["good", "bad film"])
    for found in answers:
        assert [x["label"] for x in found] == expected["label"].tolist()
        shares = [x["probabilities"] for x in found]
        np.testing.assert_allclose(shares, expected["probabilities"], atol=1e-5)


def test_predict_says_which_line_is_wrong(folder, tmp_path, capsys):
    (tmp_path / "in.jsonl").write_text('{"text": "good"}\n{"sentence": "bad"}\n')
    out = tmp_path / "out.jsonl"
    argv = [f"--model={folder}", f"--input={tmp_path / 'in.jsonl'}", f"--output={out}"]
    assert cli.main(["predict", *argv]) == 1
    assert "in.jsonl, line 2: no key 'text'" in capsys.readouterr().err
    assert not out.exists()


def test_export_of_what_is_no_classifier_is_one_line(tmp_path, capsys):
    model = tiny.classifier()
    model.encoder.save_pretrained(str(tmp_path / "m"), tiny.tokenizer(tmp_path / "v"))
    assert cli.main(["export", f"--model={tmp_path / 'm'}", f"--output={tmp_path / 'x'}"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("bert-tf export: ") and told.count("\n") == 1
    assert not (tmp_path / "x").exists()


def test_export_knows_its_formats(capsys):
    assert cli.main(["export", "--model=a", "--output=b", "--format=savedmodel"]) == 2
    assert "did you mean saved_model?" in capsys.readouterr().err


def test_convert_there_and_back(folder, tmp_path, capsys):
    google, back = tmp_path / "google", tmp_path / "back"
    argv = [f"--source={folder}", f"--target={google}", "--format=google"]
    assert cli.main(["convert", *argv]) == 0
    argv = [f"--source={google}", f"--target={back}", "--format=huggingface"]
    assert cli.main(["convert", *argv]) == 0
    assert (back / "model.safetensors").exists()
    told = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()[-7:-1])
    assert told["family"] == "bert" and told["head"] == "SequenceClassifier"
    assert told["size"].startswith("2 layers of 16, 2 heads, vocabulary")
    count, whole = told["tensors"].split(" of ")
    assert whole == f"{count} matched" and int(count) == 41
    assert told["difference"].startswith("0, the largest in SequenceClassifier's outputs")
    assert cli.main(["convert", *argv]) == 1
    assert "is not empty" in capsys.readouterr().err


def test_convert_offers_the_nearest_format(folder, tmp_path, capsys):
    argv = [f"--source={folder}", f"--target={tmp_path / 'x'}", "--format=hugging_face"]
    assert cli.main(["convert", *argv]) == 2
    assert "huggingface" in capsys.readouterr().err


@pytest.fixture
def config(tmp_path):
    path, rows = tmp_path / "config.yaml", tmp_path / "train.tsv"
    for name in ("config.json", "model.safetensors"):  # read by nobody here
        (tmp_path / name).touch()
    rows.write_text("text\tlabel\ngood\t1\n")
    path.write_text(f"model: {{path: {tmp_path}}}\ndata: {{train: {rows}}}\n")
    return path


@pytest.mark.parametrize(
    "extra, reason",
    [
        (["--set", "train.epoch=3"], "did you mean train.epochs?"),
        (["--set=train.epochs"], "wanted section.key=value"),
        (["--set=train.epochs=many"], "train.epochs is 'many'"),
    ],
)
def test_finetune_names_a_wrong_setting(config, capsys, tmp_path, extra, reason):
    argv = [f"--config={config}", f"--workdir={tmp_path / 'run'}", *extra]
    assert cli.main(["finetune", *argv]) == 2
    told = capsys.readouterr().err
    assert reason in told and told.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_finetune_hands_the_settings_on_and_sums_up(config, tmp_path, capsys, monkeypatch):
    given = {}

    def recipe(settings, workdir):
        given.update(steps=settings.train.steps, workdir=workdir)
        return {"validation": {"accuracy": 0.75, "rows": 4, "confusion_matrix": [[1]]}}

    monkeypatch.setattr(finetune, "finetune", recipe)
    argv = [f"--config={config}", "--workdir=run", "--set", "train.steps=5"]
    assert cli.main(["finetune", *argv]) == 0
    assert given == {"steps": 5, "workdir": "run"}
    told = capsys.readouterr().out
    assert "validation: accuracy 0.75, rows 4\n" in told and "run/model" in told


@pytest.mark.parametrize(
    "verb, module, flags",
    [("finetune", finetune, ["--workdir=run"]), ("quickstart", quickstart, [])],
)
@pytest.mark.parametrize(
    "error, code, line",
    [
        (Interrupted("saved at step 3 of 9; run the same command again"), 3, "saved at step 3"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_an_interruption_has_its_code(
    config, capsys, monkeypatch, verb, module, flags, error, code, line
):
    def recipe(*_):
        raise error

    monkeypatch.setattr(module, verb, recipe)
    flags = [*flags, f"--config={config}"] if verb == "finetune" else flags
    assert cli.main([verb, *flags]) == code
    told = capsys.readouterr().err
    assert told.startswith(f"bert-tf {verb}: {line}") and told.count("\n") == 1


def test_quickstart_hands_its_flags_on(config, tmp_path, monkeypatch):
    given, rows = [], tmp_path / "d.tsv"
    rows.write_text("sentence\tlabel\ngood\t1\n")
    monkeypatch.setattr(quickstart, "quickstart", lambda *arguments: given.extend(arguments))
    assert cli.main(["quickstart", f"--model={tmp_path}", f"--data={rows}", "--text=sentence"]) == 0
    assert given == ["quickstart", str(tmp_path), str(rows), "sentence", "label"]


def test_finetune_draws_its_schedule_and_trains_nothing(data, tmp_path, capsys):
    (tmp_path / "config.yaml").write_text(f"model: {{path: absent}}\ndata: {{train: {data}}}\n")
    picture = tmp_path / "rate.png"
    argv = [f"--config={tmp_path / 'config.yaml'}", f"--workdir={tmp_path / 'run'}"]
    assert cli.main(["finetune", *argv, f"--draw_schedule={picture}"]) == 0
    assert str(picture) in capsys.readouterr().out
    assert picture.read_bytes().startswith(b"\x89PNG") and not (tmp_path / "run").exists()
    assert cli.main(["finetune", *argv, "--draw_schedule=rate.txt"]) == 2
    assert "rate.txt: wanted a name that ends in .png" in capsys.readouterr().err
