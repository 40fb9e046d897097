"""What a model scores with fewer layers."""

import json

import numpy as np
import pytest

from bert_tf import cli, load_task
from bert_tf.recipes.depths import spread_layers
from tests import tiny


def test_layers_are_spread_evenly_and_the_last_one_stays():
    assert spread_layers(6, 3) == [1, 3, 5] and spread_layers(6, 6) == [0, 1, 2, 3, 4, 5]
    assert spread_layers(12, 4) == [2, 5, 8, 11] and spread_layers(6, 1) == [5]
    assert spread_layers(6, 4) == [0, 2, 3, 5]


def test_evaluate_draws_the_score_of_each_depth(tmp_path, capsys):
    tiny.save(tmp_path / "model", layers=2)
    (tmp_path / "dev.tsv").write_text("text\tlabel\ngood film\tgood\nbad film\tbad\nstory\tbad\n")
    argv = [f"--model={tmp_path}/model", f"--data={tmp_path}/dev.tsv"]
    assert cli.main(["evaluate", *argv, f"--depths={tmp_path}/depths.png"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert [x["layers"] for x in figures["depths"]] == [[1], [0, 1]]
    assert figures["depths"][1]["loss"] == pytest.approx(figures["loss"])
    cut = load_task(tmp_path / "model", keep_layers=[1])
    batch = tiny.tokenizer(tmp_path / "v")(["good film", "bad film", "story"])
    logits = np.asarray(cut(batch), np.float64)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    want = -np.log(shares[[0, 1, 2], [1, 0, 0]]).mean()
    assert figures["depths"][0]["loss"] == pytest.approx(want, rel=1e-4)
    assert (tmp_path / "depths.png").read_bytes().startswith(b"\x89PNG")
    assert cli.main(["evaluate", *argv, f"--depths={tmp_path}/depths.gif"]) == 2
    assert "wanted a name that ends in .png, .pdf or .svg" in capsys.readouterr().err
