"""bert-tf predict: what is refused in one line that names the flag."""

import pytest

from bert_tf import cli
from tests import tiny


@pytest.fixture(scope="module")
def flags(tmp_path_factory):
    folder = tmp_path_factory.mktemp("predict")
    tiny.save(folder / "m")
    (folder / "in.txt").write_text("a film\n")
    return [f"--model={folder / 'm'}", f"--input={folder / 'in.txt'}"]


@pytest.mark.parametrize(
    ("flag", "told"),
    [
        ("--top=" + "9" * 5000, "999..., wanted a whole number from 1 to 100000"),
        ("--top=0", "--top is '0', wanted a whole number from 1 to 100000"),
        ("--text=" + "9" * 5000, "999..., wanted a whole number from 0 to 2147483647"),
        ("--output=", "--output is empty, wanted FILE"),
        ("--input=a\0b", "--input: 'a\\x00b': is no name of a file"),
        ("--output=\ud800", "--output: '\\ud800': is no name of a file"),
        ("--format=" + "x" * 999, "xxx..., wanted jsonl or squad"),
        ("--labels=a", "--labels: ['a'], wanted two different ones at least"),
        ("--labels=a,b", "--labels: a classifier answers with those it was trained with"),
        ("--generation=x", "--generation is 'x', wanted KEY=VALUE"),
        ("--generation=num_beams=1", "holds a SequenceClassifier, which writes no texts"),
    ],
)
def test_a_flag_that_cannot_be_is_named_in_one_short_line(flags, flag, told, capsys):
    assert cli.main(["predict", *flags, flag]) == 2
    said = capsys.readouterr()
    assert told in said.err and said.out == ""
    assert said.err.startswith("bert-tf predict: --") and said.err.count("\n") == 1
    assert len(said.err) < 300
