"""The runner over GLUE and CLUE: figures over seeds, files for the sites, what goes on."""

import json
import pathlib

import pytest

from bert_tf import SequenceClassifier, build_encoder, cli
from bert_tf.config import GlueConfig, load
from bert_tf.data.official import BENCHMARKS, task_names
from bert_tf.datasets import task_named
from bert_tf.errors import ConfigError, InputError
from bert_tf.recipes import glue as recipe
from bert_tf.recipes.finetune import require_able
from bert_tf.recipes.glue import glue
from tests import tiny


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Official-layout files of two tasks, a model and a configuration."""
    folder = tmp_path_factory.mktemp("glue")
    tiny.save(folder / "model")
    rows = [("good film", 1), ("bad story", 0), ("not good", 0), ("very good", 1)] * 4
    write(folder / "data/CoLA/train.tsv", [f"x\t{label}\t\t{text}" for text, label in rows])
    write(folder / "data/CoLA/dev.tsv", [f"x\t{label}\t\t{text}" for text, label in rows[:4]])
    write(folder / "data/CoLA/test.tsv", ["index\tsentence", "0\tgood", "1\tbad film"])
    header = "index\tsentence1\tsentence2"
    pairs = [f"{x}\t{text}\tfilm\t{label + 0.5}" for x, (text, label) in enumerate(rows)]
    for part in ("train", "dev"):
        write(folder / f"data/STS-B/{part}.tsv", [f"{header}\tscore", *pairs])
    write(folder / "data/STS-B/test.tsv", [header, "0\tgood\tbad", "1\ta film\tthe film"])
    (folder / "glue.yaml").write_text(f"""
model: {{path: {folder}/model}}
data: {{folder: {folder}/data, max_length: 12}}
train: {{batch_size: 8, steps: 2, learning_rate: 0.01}}
tasks: {{STS-B: {{steps: 3}}, tnews: {{epochs: 1}}}}
""")
    return folder


def write(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


LABELS = {"CoLA": ["0", "1"], "STS-B": None}


@pytest.fixture
def runs(monkeypatch):
    """The configurations of runs, which are not made: each leaves a model with figures of its seed,
    and one that was made is not made again."""
    seen = {}

    def finetune(config, workdir):
        name, seed = workdir.split("/")[-2], config.train.seed
        if workdir not in seen:
            names = LABELS[name]
            encoder = build_encoder(tiny.config(initializer_range=0.5, num_hidden_layers=1))
            model = SequenceClassifier(encoder, len(names or "1"), names)
            pair = "text_pair" if name == "STS-B" else None
            model.data_settings = {"text": "text", "text_pair": pair, "max_length": 12}
            vocabulary = pathlib.Path(workdir, "vocabulary")
            model.save_pretrained(f"{workdir}/model", tiny.tokenizer(vocabulary))
        seen[workdir] = config
        figures = dict.fromkeys(("matthews", "accuracy", "pearson", "spearman"), seed / 10)
        return {"validation": figures}

    monkeypatch.setattr(recipe, "finetune", finetune)
    return seen


@pytest.mark.slow  # several runs; its parts are tried by themselves
def test_mean_spread_and_the_files_of_the_sites(folder, runs, tmp_path):
    config, lines = load(GlueConfig, f"{folder}/glue.yaml"), []
    names = task_names("cola,STS-B")
    found = glue(config, str(tmp_path), names, [1, 3], lines.append)
    cola = found["tasks"]["CoLA"]
    assert cola["mean"] == {"matthews": 0.2} and cola["best_seed"] == 3
    assert cola["spread"]["matthews"] == pytest.approx(2**0.5 / 10)
    assert found["tasks"]["STS-B"]["mean"] == {"pearson": 0.2, "spearman": 0.2}
    assert found["score"] == pytest.approx(20.0)
    assert found == json.loads((tmp_path / "results.json").read_text())
    assert lines[0] == "CoLA, seed 1: matthews 0.1000" and "+- 0.1414" in lines[2]
    answers = [x.split("\t") for x in (tmp_path / "submission/CoLA.tsv").read_text().split("\n")]
    assert answers[0] == ["index", "prediction"] and [x[0] for x in answers[1:3]] == ["0", "1"]
    assert {x[1] for x in answers[1:3]} <= {"0", "1"}
    rated = (tmp_path / "submission/STS-B.tsv").read_text().split("\n")[1:3]
    assert all(0 <= float(row.split("\t")[1]) <= 5 for row in rated)
    first = runs[f"{tmp_path}/CoLA/seed_1"]
    assert first.train.seed == 1 and first.train.best_metric == "matthews"
    assert first.train.steps == 2 and first.data.text_pair is None and first.data.max_length == 12
    pairs = runs[f"{tmp_path}/STS-B/seed_3"]
    assert pairs.model.problem_type == "regression" and pairs.data.text_pair == "text_pair"
    assert pairs.train.steps == 3


@pytest.mark.parametrize("file, name", [("test1.1.json", "tnews11"), ("test.json", "tnews10")])
def test_clue_is_sent_json_lines_under_the_name_of_its_rows(file, name, tmp_path):
    rows = [{"id": 5, "text": "a"}, {"id": 6, "text": "b"}]
    answers = [{"label": "100", "score": 0.9}, {"label": "101", "score": 0.6}]
    recipe._write("tnews", "tnews11_predict.json", [f"x/{file}"], rows, answers, str(tmp_path))
    lines = (tmp_path / f"{name}_predict.json").read_text().splitlines()
    assert list(map(json.loads, lines)) == [{"id": 5, "label": "100"}, {"id": 6, "label": "101"}]


@pytest.mark.parametrize(
    "name, part, answers, told",
    [
        ("cmrc2018", "cmrc2018", [{"answer": "北京"}, {"answer": "他"}], {"5": "北京", "6": "他"}),
        ("chid", "chid11", [{"choice": 3}, {"choice": 0}], {"5": 3, "6": 0}),
        ("c3", "c311", [{"choice": 1}, {"choice": 0}], None),
    ],
)
def test_clue_s_tasks_of_reading_are_sent_as_the_site_asks(name, part, answers, told, tmp_path):
    rows, paths = [{"id": "5"}, {"id": "6"}], [f"{name}_public/test1.1.json"]
    recipe._write(name, f"{part}_predict.json", paths, rows, answers, str(tmp_path))
    text = (tmp_path / f"{part}_predict.json").read_text(encoding="utf-8")
    if told is not None:
        assert json.loads(text) == told
    else:
        lines = list(map(json.loads, text.splitlines()))
        assert lines == [{"id": "5", "label": 1}, {"id": "6", "label": 0}]


def test_the_runs_of_clue_s_tasks_of_reading_read_what_was_written(folder, tmp_path):
    config, asked = (
        load(GlueConfig, f"{folder}/glue.yaml"),
        {"question": "谁？", "choice": ["甲", "乙"]},
    )
    write(tmp_path / "c3.json", [json.dumps([[["好"], [{**asked, "answer": "乙"}]]])])
    data = recipe._convert("c3", {"train": [f"{tmp_path}/c3.json"]}, f"{tmp_path}/data")
    run = recipe._config(config, "c3", 1, {**data, "validation": 0.5})
    assert run.task == "multiple_choice" and run.data.columns == {"question": "question"}
    assert run.train.best_metric == "accuracy" and run.data.ignore_labels == ()
    require_able(run, task_named(run.task))
    line = json.loads((tmp_path / "data/train.jsonl").read_text(encoding="utf-8"))
    assert line == {"id": 0, "text": "好", "question": "谁？", "choices": ["甲", "乙"], "label": 1}
    assert recipe._figures("cmrc2018", {"validation": {"exact_match": 64.0}}) == {
        "exact_match": 0.64
    }


def test_a_task_differs_where_the_configuration_says(folder):
    config = load(GlueConfig, f"{folder}/glue.yaml")
    data = {"train": "a"}
    assert config.run("tnews", 1, data, None, "accuracy").train.steps is None
    assert config.run("CoLA", 1, data, None, "matthews").train.steps == 2


@pytest.mark.slow  # two trainings
def test_a_whole_run_goes_on_where_it_stopped(folder, tmp_path, capsys):
    argv = [f"--config={folder}/glue.yaml", f"--workdir={tmp_path}/run", "--tasks=CoLA"]
    assert cli.main(["glue", *argv, "--seeds=1"]) == 0
    first = json.loads((tmp_path / "run/results.json").read_text())
    assert cli.main(["glue", *argv, "--seeds=1,2"]) == 0
    again = json.loads((tmp_path / "run/results.json").read_text())
    told = capsys.readouterr()
    assert "seed_1: this run is finished" in told.err and "CoLA, seed 2: matthews" in told.out
    assert again["tasks"]["CoLA"]["seeds"]["1"] == first["tasks"]["CoLA"]["seeds"]["1"]
    assert (tmp_path / "run/CoLA/seed_2/model/model.safetensors").exists()
    assert cli.main(["glue", *argv, "--set=train.steps=5"]) == 2
    assert "train.steps (2 there, 5 now)" in capsys.readouterr().err


@pytest.mark.parametrize(
    "names, found",
    [
        ("CoLA,mrpc", ["CoLA", "MRPC"]),
        ("clue", "afqmc tnews iflytek cmnli ocnli cluewsc2020 csl cmrc2018 c3 chid".split()),
    ],
)
def test_tasks_are_named_one_by_one_or_as_a_benchmark(names, found):
    assert task_names(names) == found


def test_a_broken_file_to_predict_is_told_before_anything_is_trained(folder, runs, tmp_path):
    write(tmp_path / "data/RTE/train.tsv", ["index\tsentence1\tsentence2\tlabel", "0\ta\tb\tc"])
    (tmp_path / "data/RTE/dev.tsv").write_text((tmp_path / "data/RTE/train.tsv").read_text())
    write(tmp_path / "data/RTE/test.tsv", ["index\tsentence1\tsentence2", "0\ta"])
    config = load(GlueConfig, f"{folder}/glue.yaml", [f"data.folder={tmp_path}/data"])
    with pytest.raises(InputError, match="test.tsv, line 2: lacks its 'sentence2'"):
        glue(config, str(tmp_path / "run"), ["RTE"], [1])
    assert not runs


def test_labels_that_were_never_learned_are_told_before_anything_is_trained(folder, runs, tmp_path):
    rows = ["index\tsentence1\tsentence2\tlabel", "0\ta\tb\tentailment"]
    write(tmp_path / "data/RTE/train.tsv", rows)
    write(tmp_path / "data/RTE/dev.tsv", [*rows, "1\ta\tb\tmaybe"])
    config = load(GlueConfig, f"{folder}/glue.yaml", [f"data.folder={tmp_path}/data"])
    with pytest.raises(InputError, match="RTE/dev.tsv: label 'maybe', and .*/RTE/train.tsv has no"):
        glue(config, str(tmp_path / "run"), ["RTE"], [1])
    assert not runs


def test_what_is_no_task_no_file_and_no_seed_is_one_line(folder, tmp_path, capsys):
    with pytest.raises(ConfigError, match="'colla', wanted any of .*; did you mean CoLA"):
        task_names("colla")
    with pytest.raises(ConfigError, match="--tasks: CoLA twice"):
        task_names("glue,CoLA")
    config = load(GlueConfig, f"{folder}/glue.yaml")
    with pytest.raises(InputError, match="RTE/train.tsv: no such file, which RTE is to be learned"):
        glue(config, str(tmp_path / "run"), ["RTE"], [1])
    config = load(GlueConfig, f"{folder}/glue.yaml", ["tasks.RTA.epochs=3"])
    with pytest.raises(ConfigError, match="tasks.RTA: no task of GLUE or CLUE; did you mean RTE?"):
        glue(config, str(tmp_path / "run"), ["CoLA"], [1])
    argv = [f"--config={folder}/glue.yaml", f"--workdir={tmp_path}/run", "--tasks=CoLA"]
    for seeds, told in (("1,x", "wanted a whole number"), ("1,01", "wanted each once")):
        assert cli.main(["glue", *argv, f"--seeds={seeds}"]) == 2
        assert told in capsys.readouterr().err


@pytest.mark.parametrize("name", ["glue", "clue"])
def test_the_configurations_that_are_shipped_load(name):
    folder = pathlib.Path(__file__).parents[2] / "configs" / "glue"
    config = load(GlueConfig, str(folder / f"{name}.yaml"))
    assert set(config.tasks) <= set(BENCHMARKS[name])
