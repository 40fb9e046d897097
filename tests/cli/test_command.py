"""What every verb does with flags, errors, messages and exit codes."""

import errno
import logging
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest
from absl import logging as absl_logging

import bert_tf
from bert_tf import cli
from bert_tf.cli.command import Command, Flag, column_of, whole_number
from bert_tf.errors import ConfigError, InputError

COMMAND = Command(
    "brew",
    "makes coffee",
    "bert-tf brew --beans=FILE",
    (
        Flag("beans", "FILE", "what to grind", needed=True),
        Flag("cups", "NUMBER", "how many;\none if not given", "1"),
        Flag("set", "KEY=VALUE", "a setting", repeated=True),
    ),
)


def failing_with(error):
    def work(_):
        raise error

    return work


def test_flags_reach_the_work():
    given = {}

    def work(flags):
        given.update(beans=flags.beans, cups=flags.cups, set=flags.set)

    argv = ["--beans=a b", "--set", "x=1", "--set=y.z=2"]
    assert COMMAND.run(work, argv) == 0
    assert given == {"beans": "a b", "cups": "1", "set": ["x=1", "y.z=2"]}


def test_what_prepare_gives_reaches_the_work_and_its_code_is_returned():
    codes = []
    assert (
        COMMAND.run(lambda beans: codes.append(beans) or 3, ["--beans=a"], lambda f: f.beans) == 3
    )
    assert codes == ["a"]


@pytest.mark.parametrize("flag", ["--help", "-h", "--helpfull"])
def test_help_explains_each_flag_with_an_example(capsys, flag):
    assert COMMAND.run(failing_with(AssertionError()), [flag, "--nonsense"]) == 0
    told = capsys.readouterr().out
    assert "bert-tf brew --beans=FILE" in told
    assert "--beans=FILE     what to grind (needed)\n" in told
    assert "--cups=NUMBER    how many;\n                   one if not given" in told


@pytest.mark.parametrize(
    "argv, reason",
    [
        (["--bean=x"], "no flag --bean; did you mean --beans?"),
        (["--beans=x", "--water=1"], "no flag --water; there are --beans, --cups, --set"),
        ([], "--beans=FILE is missing"),
        (["--beans="], "--beans=FILE is missing"),
        (["--beans"], "Missing value for flag --beans"),
        (["--beans=x", "--cups="], "--cups is empty, wanted NUMBER"),
        (["--beans=a\0b"], "--beans: 'a\\x00b': is no name of a file"),
        (["--beans=\ud800"], "--beans: '\\ud800': is no name of a file"),
        (["x", "--beans=y"], "'x' is no flag"),
        (["--beans=x", "y"], "'y' is no flag"),
    ],
)
def test_wrong_flags_are_one_line_and_code_2(capsys, argv, reason):
    assert COMMAND.run(failing_with(AssertionError()), argv) == 2
    told = capsys.readouterr()
    assert told.out == "" and told.err.count("\n") == 1
    assert told.err.startswith(f"bert-tf brew: {reason}")


@pytest.mark.parametrize("text", ["0", "11", "-3", "1_0", "3.0", "x", "٣", "9" * 5000])
def test_a_number_that_a_flag_cannot_have_is_one_short_line(text):
    with pytest.raises(
        ConfigError, match="^--cups is '.*, wanted a whole number from 1 to 10$"
    ) as e:
        whole_number(text, "cups", 1, 10)
    assert len(str(e.value)) < 150


def test_a_number_or_a_column_of_a_flag_is_read():
    assert whole_number("10", "cups", 1, 10) == 10 and whole_number(None, "cups") is None
    assert [column_of(text, "text") for text in ("3", "a3", None)] == [3, "a3", None]
    with pytest.raises(ConfigError, match="^--text is '9999.*, wanted a whole number from 0"):
        column_of("9" * 5000, "text")


@pytest.mark.parametrize(
    "error, code, line",
    [
        (InputError("a.tsv, line 3: bad"), 1, "a.tsv, line 3: bad"),
        (ConfigError("train.epoch: unknown"), 2, "train.epoch: unknown"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "a/b"),
            1,
            "a/b: No space left on device",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "x"), 1, "x: Permission denied"),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "x/y"), 1, "x/y: Not a directory"),
        (OSError("odd"), 1, "odd"),
    ],
)
def test_what_went_wrong_is_one_line_and_a_code(capsys, error, code, line):
    assert COMMAND.run(failing_with(error), ["--beans=x"]) == code
    assert capsys.readouterr().err == f"bert-tf brew: {line}\n"


def test_a_bug_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        COMMAND.run(failing_with(ZeroDivisionError()), ["--beans=x"])


def test_our_messages_are_plain_lines_and_others_stay_out(capsys):
    logger = absl_logging.get_absl_logger()
    before = (logger.level, logger.propagate, list(logger.handlers))

    def work(_):
        for path in (
            os.path.join(os.path.dirname(bert_tf.__file__), "data", "ours.py"),
            os.path.join("site-packages", "keras", "theirs.py"),
            # A clone is called bert_tf too, and .venv lies in it.
            os.path.join(os.sep, "clones", "bert_tf", ".venv", "tensorflow", "theirs.py"),
        ):
            told = os.path.basename(path)
            logger.handle(logging.LogRecord("absl", logging.INFO, path, 1, told, (), None))

    COMMAND.run(work, ["--beans=x"])
    assert capsys.readouterr().err == "ours.py\n"
    assert before == (logger.level, logger.propagate, list(logger.handlers))


@pytest.mark.parametrize("argv", [[], ["--help"], ["help"]])
def test_bert_tf_alone_lists_the_verbs(capsys, argv):
    assert cli.main(argv) == 0
    told = capsys.readouterr().out
    for verb, what in cli.VERBS.items():
        assert f"  {verb}" in told and what in told


@pytest.mark.parametrize(
    "argv", [["--version"], ["finetune", "--version"], ["config", "--version"]]
)
def test_the_version_is_told(capsys, argv):
    assert cli.main(argv) == 0
    assert capsys.readouterr().out == f"bert-tf {bert_tf.__version__}\n"


def test_configurations_are_listed_and_printed(capsys):
    assert cli.main(["config"]) == 0
    listed = capsys.readouterr().out
    assert "finetune/sst2 " in listed and "SST-2 (Socher et al. 2013" in listed
    assert cli.main(["config", "sst2.yaml"]) == 0
    configs = pathlib.Path(__file__).parents[2] / "configs"
    assert capsys.readouterr().out == (configs / "finetune" / "sst2.yaml").read_text()
    assert cli.main(["config", "sst3"]) == 2
    assert "no configuration 'sst3'; did you mean sst2?" in capsys.readouterr().err


@pytest.mark.slow
def test_a_wheel_holds_the_configurations(tmp_path):
    root = pathlib.Path(__file__).parents[2]
    clone = tmp_path / "clone"
    shutil.copytree(root, clone, ignore=shutil.ignore_patterns(".git", ".venv", "tests", "build"))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", f"--wheel-dir={tmp_path}", str(clone)], check=True)
    wheel = next(tmp_path.glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    done = subprocess.run(
        [sys.executable, "-m", "bert_tf.cli", "config"],
        capture_output=True,
        text=True,
        cwd=tmp_path / "installed",
        env={**os.environ, "PYTHONPATH": str(tmp_path / "installed")},
    )
    assert "finetune/sst2" in done.stdout, done.stderr
    assert (tmp_path / "installed" / "bert_tf" / "configs" / "finetune" / "sst2.yaml").exists()


def test_an_unknown_verb_gets_the_nearest(capsys):
    assert cli.main(["finetun", "--config=x"]) == 2
    assert capsys.readouterr().err == "bert-tf: no verb 'finetun'; did you mean finetune?\n"
    assert cli.main(["xyz"]) == 2
    assert "there are quickstart, finetune" in capsys.readouterr().err


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_has_help_with_its_own_example(capsys, verb):
    assert cli.main([verb, "--help"]) == 0
    told = capsys.readouterr().out
    assert told.startswith(f"bert-tf {verb}: ")
    assert f"bert-tf {verb}" in told.split("\n", 1)[1]


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_refuses_what_it_does_not_know(capsys, verb):
    assert cli.main([verb, "--nonsense=1"]) == 2
    assert f"bert-tf {verb}: no flag --nonsense" in capsys.readouterr().err


LIGHT = """
import os, sys
from bert_tf.cli import finetune, main
assert main(["finetune", "--help"]) == 0
assert main(["finetune", "--config=absent.yaml", "--workdir=x"]) == 2
assert main(["export", "--model=x", "--output=y", "--format=z"]) == 2
assert main(["config", "finetune/sst2"]) == 0 and main(["--version"]) == 0
heavy = {"tensorflow", "keras", "numpy", "sklearn"} & set(sys.modules)
assert not heavy, heavy
os.makedirs("m")
for name in ("m/config.json", "m/model.safetensors", "t.txt"):
    open(name, "w").write("{}")
open("a.tsv", "w").write("txt\\tlabel\\n")
open("r.csv", "w").write("query,txt,score\\n")
open("s.jsonl", "w").write('{"words": ["a"], "label": "x"}\\n')
config = dict(model="{path: m}", data="{train: a.tsv}", task="sequence_classification")


def finetune(**changes):
    text = "".join(f"{key}: {value}\\n" for key, value in {**config, **changes}.items())
    open("c.yaml", "w").write(text)
    return main(["finetune", "--config=c.yaml", "--workdir=x"])


assert finetune() == 1
assert finetune(data="{train: b.tsv}") == 1
assert finetune(model="{path: d}") == 1 and finetune(model="{path: .}") == 1
assert finetune(task="reranking", data="{train: r.csv}") == 1
assert finetune(task="token_classification", data="{train: s.jsonl}") == 1
assert finetune(task="sentence_embedding", data="{train: a.tsv, columns: {negativ: x}}") == 2
assert finetune(task="rerankin") == 2 and finetune(train="{best_metric: acuracy}") == 2
assert finetune(model="{path: m, options: {window_poling: max}}") == 2
several = "{a: {data: {train: a.tsv}, task: seq}}"
open("c.yaml", "w").write(f"model: {{path: m}}\\ntasks: {several}\\n")
assert main(["finetune", "--config=c.yaml", "--workdir=x"]) == 2
assert main(["evaluate", "--model=m", "--data=c.tsv"]) == 1
assert main(["evaluate", "--model=m", "--data=a.tsv", "--label=lable"]) == 1
assert main(["predict", "--model=m", "--input=e.txt"]) == 1
assert main(["predict", "--model=m", "--input=r.csv", "--text=text"]) == 1
assert main(["predict", "--model=m", "--input=-", "--labels=a,a"]) == 2
assert main(["predict", "--model=m", "--input=-", "--labels=a,b", "--template=x"]) == 2
assert main(["export", "--model=f", "--output=y"]) == 1
assert main(["convert", "--source=g", "--target=y", "--format=google"]) == 1
assert main(["convert", "--source=m", "--target=y", "--format=gogle"]) == 2
open("g.yaml", "w").write("model: {path: m}\\ndata: {folder: h}\\n")
assert main(["glue", "--config=g.yaml", "--workdir=x", "--tasks=RTE"]) == 1
assert main(["glue", "--config=g.yaml", "--workdir=x", "--tasks=RTA"]) == 2
assert main(["vocab", "--input=i*", "--output=y"]) == 1
assert main(["records", "--input=t.txt", "--tokenizer=j", "--output=y"]) == 1
assert main(["quickstart", "--model=k"]) == 1
assert "tensorflow" not in sys.modules
"""


def test_help_and_wrong_flags_do_not_wait_for_tensorflow(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", LIGHT], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    for told in (
        "absent.yaml: cannot be read",
        "a.tsv, line 1: no column 'text' in the header; did you mean 'txt'?",
        "b.tsv: cannot be read: No such file",
        "d: no such directory, .zip or checkpoint prefix; a published model",
        ".: no model: wanted config.json",
        "r.csv, line 1: no column 'text' in the header; did you mean 'txt'?",
        "s.jsonl, line 1: no key 'text'; there are 'words', 'label'",
        "data.columns.negativ: no further column of the task (nearest: negative)",
        "task is 'rerankin', wanted one of",
        "train.best_metric is acuracy, wanted one of",
        "model.options.window_poling: task sequence_classification has no such argument (nearest:",
        "tasks.a.task is 'seq', wanted one of",
        "c.tsv: cannot be read: No such file",
        "a.tsv, line 1: no column 'lable' in the header; did you mean 'label'?",
        "e.txt: cannot be read: No such file",
        "predict: --labels: ['a', 'a'], wanted two different ones at least",
        "predict: --template: 'x', wanted a text with {} once in it",
        "f: no such directory",
        "g: no such directory",
        "format: 'gogle', wanted one of",
        "h/RTE/train.tsv: no such file, which RTE is to be learned from",
        "--tasks: 'RTA', wanted any of",
        "'i*': matches no file",
        "j: no such directory",
        "k: no such directory",
    ):
        assert told in done.stderr


@pytest.mark.parametrize(
    ("verb", "flag", "lines"),
    [("predict", "--input=-", 2), pytest.param("export", "--output=x", 1, marks=pytest.mark.slow)],
)
def test_a_command_s_streams_hold_nothing_but_its_own_words(tmp_path, verb, flag, lines):
    import tiny

    tiny.save(tmp_path / "m")
    done = subprocess.run(
        [sys.executable, "-m", f"bert_tf.cli.{verb}", f"--model={tmp_path / 'm'}", flag],
        input="good\nbad\n",
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={name: os.environ[name] for name in os.environ if not name.startswith("TF_")},
    )
    assert (done.stderr, done.stdout.count("\n")) == ("", lines)
    assert verb == "predict" or done.stdout == "x/1\n"


ADVICE = """
import sys
from bert_tf.cli.command import Command

def work(_):
    from absl import logging
    from bert_tf.training import distribution
    code = compile("logging.info('ours')", distribution.__file__, "exec")
    exec(code, {"logging": logging})
    logging.info("of a stranger")

sys.exit(Command("brew", "", "", ()).run(work, []))
"""


@pytest.mark.slow  # a process of its own
def test_our_messages_reach_the_user_of_a_fresh_process(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", ADVICE], capture_output=True, text=True, cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "ours\n")
