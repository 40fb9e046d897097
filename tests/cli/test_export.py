"""bert-tf export: flags that do not go together are one line."""

import pytest

from bert_tf import cli
from tests import tiny


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--quantize=int8"], "--quantize: of the formats onnx, openvino, litert, got saved_model"),
        (["--format=onnx", "--precision=bfloat16"], "--precision: of the format saved_model, got"),
        (["--precision=float16"], "--precision is float16, wanted bfloat16, or none for float32"),
        (
            ["--format=onnx", "--calibration=x.txt"],
            "--calibration: int8 reads it, wanted --quantize",
        ),
        (["--format=onnx", "--force"], "--force: nothing is measured, wanted --data=FILE"),
        (["--precision=bfloat16", "--force"], "--force: nothing is measured, wanted --data=FILE"),
        (["--format=onnx", "--text=a"], "--text: nothing is measured, wanted --data=FILE with it"),
        (["--format=onnx", "--data=a", "--column=b"], "--column is 'b', wanted NAME=COLUMN"),
        (["--format=onnx", "--max_drop=2"], "--max_drop: nothing is measured, wanted --data=FILE"),
        (
            ["--format=onnx", "--data=a", "--max_drop=few"],
            "--max_drop is 'few', wanted a number of",
        ),
        (
            ["--format=onnx", "--data=a", "--max_drop=nan"],
            "--max_drop is 'nan', wanted a number of",
        ),
        (["--format=onnx", "--portable"], "--portable: of the format saved_model alone, got onnx"),
        (["--adapter=x=a", "--adapter=x=b"], "--adapter: x is given twice, wanted a name of its"),
        (["--format=onxx"], "--format is onxx, wanted one of saved_model, onnx, openvino, litert"),
    ],
)
def test_flags_that_say_nothing_together_are_refused(flags, said, capsys):
    assert cli.main(["export", "--model=a", "--output=b", *flags]) == 2
    told = capsys.readouterr().err
    assert said in told and told.count("\n") == 1


@pytest.mark.parametrize("flag", ["calibration", "data"])
def test_a_file_that_is_not_there_is_said_at_once(tmp_path, flag, capsys):
    tiny.save(tmp_path / "m")
    flags = ["--format=onnx", "--quantize=int8", f"--{flag}={tmp_path / 'absent.txt'}"]
    places = [f"--model={tmp_path / 'm'}", f"--output={tmp_path / 'x'}"]
    assert cli.main(["export", *places, *flags]) == 1
    assert "absent.txt: cannot be read: No such file" in capsys.readouterr().err
