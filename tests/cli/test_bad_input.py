"""Whatever is wrong with what a user hands in: one clear line, exit code 1, nothing written."""

import json
import shutil

import pytest

from bert_tf import cli
from tests import tiny

GOOD = "text\tlabel\nthe film is good\tgood\na bad end\tbad\n"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    directory = tmp_path_factory.mktemp("model")
    tiny.save(directory, layers=2)
    return directory


def evaluated(model, data, tmp_path, capsys):
    """The one line that `bert-tf evaluate` has for a model or a file that cannot be used."""
    out = tmp_path / "figures.json"
    assert cli.main(["evaluate", f"--model={model}", f"--data={data}", f"--output={out}"]) == 1
    told = capsys.readouterr()
    assert told.out == "" and not out.exists()
    assert told.err.startswith("bert-tf evaluate: ") and told.err.count("\n") == 1
    return told.err


@pytest.mark.parametrize(
    "content, reason",
    [
        (None, "cannot be read: No such file"),
        (b"", "is empty"),
        (b"text\tlabel\n", "has no rows"),
        (b"text\tlabel\ngood\n", "line 2: has 1 columns"),
        (b"text\tlabel\ngood\tgood\nfine\tneutral\n", "line 3: column 'label': 'neutral'"),
        (b"text\tlabel\ngood\tgood\nb\xe4d\tbad\n", "line 3, byte 2"),
        (b"txt\tlabel\ngood\tgood\n", "no column 'text' in the header; did you mean 'txt'?"),
    ],
)
def test_a_file_that_cannot_be_used(saved, tmp_path, capsys, content, reason):
    path = tmp_path / "dev.tsv"
    if content is not None:
        path.write_bytes(content)
    told = evaluated(saved, path, tmp_path, capsys)
    assert str(path) in told and reason in told


def test_a_rating_that_is_no_number(tmp_path, capsys):
    tiny.save(tmp_path / "m", label_names=("LABEL_0",), problem_type="regression")
    (tmp_path / "dev.tsv").write_text("text\tlabel\ngood\t1.5\nbad\tnan\n")
    told = evaluated(tmp_path / "m", tmp_path / "dev.tsv", tmp_path, capsys)
    assert "line 3" in told and "'nan' is not a finite number" in told


def changed_config(folder, **values):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def cut(path, size):
    path.write_bytes(path.read_bytes()[:size])


@pytest.mark.parametrize(
    "damage, reason",
    [
        (lambda x: shutil.rmtree(x), "no such directory"),
        (lambda x: (x / "config.json").write_text("{"), "config.json: not JSON"),
        (lambda x: changed_config(x, hidden_act="gelo"), "nearest: gelu"),
        (lambda x: changed_config(x, model_type="bart"), "bart"),
        (lambda x: changed_config(x, intermediate_size=48), "model.safetensors"),
        (lambda x: changed_config(x, num_hidden_layers=3), "model.safetensors"),
        (lambda x: changed_config(x, num_hidden_layers=1), "model.safetensors"),
        (lambda x: cut(x / "model.safetensors", 5000), "model.safetensors"),
        (lambda x: cut(x / "model.safetensors", 3), "model.safetensors"),
        (lambda x: (x / "vocab.txt").open("a").write("more\n"), "vocab.txt"),
        (
            lambda x: (x / "vocab.txt").write_text(
                (x / "vocab.txt").read_text().replace("[CLS]", "[CLX]")
            ),
            "[CLS]",
        ),
    ],
)
def test_a_model_that_cannot_be_used(saved, tmp_path, capsys, damage, reason):
    model = tmp_path / "m"
    shutil.copytree(saved, model)
    damage(model)
    (tmp_path / "dev.tsv").write_text(GOOD)
    assert reason in evaluated(model, tmp_path / "dev.tsv", tmp_path, capsys)
