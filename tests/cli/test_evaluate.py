"""bert-tf evaluate: what is refused before anything is measured."""

import sys

import pytest

from bert_tf import cli
from bert_tf.cli import command
from tests import tiny


@pytest.fixture(scope="module")
def flags(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate")
    tiny.save(folder / "m")
    (folder / "dev.tsv").write_text("text\tlabel\na film\tgood\n")
    return [f"--model={folder / 'm'}", f"--data={folder / 'dev.tsv'}"]


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--output=no/x.json", "--output: no/x.json: there is no folder "),
        ("--depths=no/x.png", "--depths: no/x.png: there is no folder "),
        ("--attention=no/x.svg", "--attention: no/x.svg: there is no folder "),
        ("--depths=x.gif", "x.gif: wanted a name that ends in .png, .pdf or .svg"),
        ("--output=.", "--output: . is a folder, wanted a file"),
    ],
)
def test_a_file_that_cannot_be_written_is_told_before_tensorflow_is_loaded(
    flag, said, flags, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "_import_quietly", lambda: sys.exit("TensorFlow is loaded"))
    assert cli.main(["evaluate", *flags, flag]) == 2
    told = capsys.readouterr().err
    assert said in told and told.count("\n") == 1
