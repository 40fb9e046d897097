"""Records, exports and workdirs that bert_tf 0.1 wrote: read, answered and continued as by 0.1."""

import json
import pathlib
import shutil

import numpy as np
import pytest

import bert_tf
from bert_tf import cli

from . import insides
from .weights import assert_final_weights

HERE = pathlib.Path(__file__).parent
RECORDS = json.loads((HERE / "records.json").read_text())
EXPORTS = json.loads((HERE / "exports.json").read_text())
NAMES = ("static", "dynamic", "labels")


def times(folder):
    return {path: path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))}


@pytest.mark.parametrize("name", NAMES)
def test_records_are_read_the_same(runs, name):
    told, rows = insides.read_records(f"records/{name}")
    assert told == RECORDS[name]
    wanted = np.load(HERE / "records.npz")
    assert {f"{name}/{key}" for key in rows} == {x for x in wanted if x.startswith(f"{name}/")}
    for key, values in rows.items():
        np.testing.assert_array_equal(values, wanted[f"{name}/{key}"], err_msg=key)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_command_finds_finished_records_and_would_make_the_same(runs, name):
    folder = runs / "records" / name
    before, flags = times(folder), RECORDS["flags"][name]
    assert cli.main(["records", *flags, f"--output={folder}"]) == 0
    assert times(folder) == before
    assert cli.main(["records", *flags, "--output=again"]) == 0
    for shard in json.loads((folder / "manifest.json").read_text())["shards"]:
        found = runs / "again" / shard["file"]
        assert found.read_bytes() == (folder / shard["file"]).read_bytes()


def test_unfinished_records_are_finished_the_same(runs):
    first = runs / "records" / "unfinished" / RECORDS["unfinished"][0]["file"]
    before = first.stat().st_mtime_ns
    flags = RECORDS["flags"]["unfinished"]
    assert cli.main(["records", *flags, "--output=records/unfinished"]) == 0
    assert first.stat().st_mtime_ns == before
    manifest = json.loads((first.parent / "manifest.json").read_text())
    assert manifest["shards"] == RECORDS["unfinished"]


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_answers_the_same(tmp_path, name):
    shutil.unpack_archive(HERE / "exports" / f"{name}.tar.xz", tmp_path, filter="data")
    told = EXPORTS[name]
    answers = bert_tf.load_export(str(tmp_path))(told["text"], told["text_pair"])
    assert set(answers) == set(told["answers"])
    for key, wanted in told["answers"].items():
        if key == "label":
            assert answers[key].tolist() == wanted
        else:
            np.testing.assert_allclose(answers[key], wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("verb", ["finetune", pytest.param("pretrain", marks=pytest.mark.slow)])
def test_an_unfinished_run_goes_on_to_the_weights_of_a_whole_one(runs, verb):
    workdir = f"unfinished_{verb}"
    assert cli.main([verb, f"--config={verb}.yaml", f"--workdir={workdir}"]) == 0
    assert_final_weights(runs / workdir, verb)


def test_a_finished_run_says_so_and_is_left_as_it_is(runs, capsys):
    before = times(runs / "finished_finetune")
    flags = ["--config=finetune.yaml", "--workdir=finished_finetune"]
    assert cli.main(["finetune", *flags]) == 0
    assert "this run is finished" in capsys.readouterr().err
    assert times(runs / "finished_finetune") == before


def test_a_finished_run_is_evaluated_the_same(runs, capsys):
    metrics = json.loads((runs / "finished_finetune" / "metrics.json").read_text())
    assert cli.main(["evaluate", "--model=finished_finetune/model", "--data=dev.tsv"]) == 0
    figures = json.loads(capsys.readouterr().out)
    for name, value in metrics["validation"].items():
        assert figures[name] == (pytest.approx(value, rel=1e-4) if name == "loss" else value), name
