"""A workdir: one run's, one process's, on the data it began with; damage is one line."""

import contextlib
import dataclasses
import json
import os
import subprocess
import sys

import pytest

from bert_tf.config import DataSection, FinetuneConfig, ModelSection, TrainSection
from bert_tf.errors import ConfigError, InputError
from bert_tf.recipes.workdir import (
    claimed_workdir,
    digests,
    finish,
    open_workdir,
    results_in,
)

CONFIG = FinetuneConfig(
    model=ModelSection(path="model"), data=DataSection(train="rows.tsv"), train=TrainSection()
)
RESULTS = {"best_step": 3, "steps": 4, "validation": {"loss": 0.5}, "test": {"loss": 0.25}}


def claim(workdir, data=None, config=CONFIG):
    with claimed_workdir(str(workdir), config, data):
        pass


def one_line(kind, *parts):
    @contextlib.contextmanager
    def check():
        with pytest.raises(kind) as caught:
            yield
        message = str(caught.value)
        assert type(caught.value) is kind and "\n" not in message
        assert all(str(part) in message for part in parts), message

    return check()


def test_a_workdir_is_made_and_knows_its_configuration(tmp_path):
    workdir = tmp_path / "new" / "run"
    assert open_workdir(str(workdir), CONFIG) is None
    claim(workdir)
    assert os.listdir(workdir) == ["config.yaml"]
    assert open_workdir(str(workdir), CONFIG) is None
    other = dataclasses.replace(CONFIG, train=TrainSection(learning_rate=1e-3))
    with one_line(ConfigError, workdir, "train.learning_rate (", "0.001 now)"):
        open_workdir(str(workdir), other)


DAMAGED = {
    "empty": b"",
    "cut off": b"model:\n  path: mod",
    "random": bytes(range(255, 0, -1)) * 9,
    "no YAML": b"model: [",
    "unknown key": b"model: {path: m}\ndata: {train: t}\nfamilies: 3\n",
    "wrong type": b"model: {path: m}\ndata: {train: t}\ntrain: {epochs: many}\n",
}


@pytest.mark.parametrize("how", [*DAMAGED, "a folder"])
def test_a_damaged_configuration_is_one_line_that_says_how_to_go_on(tmp_path, how):
    claim(tmp_path)
    path = tmp_path / "config.yaml"
    path.unlink()
    path.mkdir() if how == "a folder" else path.write_bytes(DAMAGED[how])
    with one_line(InputError, path, "remove it to go on with the configuration given"):
        open_workdir(str(tmp_path), CONFIG)


def test_a_configuration_that_is_gone_is_written_again_after_a_warning(tmp_path, caplog):
    claim(tmp_path)
    (tmp_path / "config.yaml").unlink()
    claim(tmp_path)
    assert not caplog.text  # nothing was trained yet
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "ckpt-3.digest").write_text("x")
    (tmp_path / "config.yaml").unlink()
    claim(tmp_path)
    assert caplog.text.count("config.yaml: is gone; the run goes on") == 1
    assert open_workdir(str(tmp_path), CONFIG) is None


@pytest.mark.parametrize("value", [RESULTS, {"phase_1": RESULTS, "phase_2": RESULTS}])
def test_a_finished_run_answers_with_its_results(tmp_path, value):
    assert results_in(str(tmp_path)) is None
    finish(str(tmp_path), value)
    assert results_in(str(tmp_path)) == open_workdir(str(tmp_path), CONFIG) == value


@pytest.mark.parametrize(
    "text",
    [
        b"",
        json.dumps(RESULTS).encode()[:-9],
        b"\xff\xfe\x00\x81",
        b"[1, 2]",
        b"7",
        b"null",
        b"{}",
        b'{"validation": {"loss": 1}}',
        json.dumps(RESULTS | {"validation": 3}).encode(),
        json.dumps(RESULTS | {"test": [3]}).encode(),
        json.dumps(RESULTS | {"best_step": "3"}).encode(),
        json.dumps({"phase_1": RESULTS, "phase_2": 7}).encode(),
        b"[" * 100_000,
    ],
    ids=lambda text: repr(text[:24]),
)
def test_damaged_results_are_left_aside_and_the_run_is_not_finished(tmp_path, text, caplog):
    (tmp_path / "metrics.json").write_bytes(text)
    assert open_workdir(str(tmp_path), CONFIG) is None
    assert caplog.text.count(f"{tmp_path / 'metrics.json'}: damaged, left aside") == 1
    finish(str(tmp_path), RESULTS)
    assert open_workdir(str(tmp_path), CONFIG) == RESULTS


def test_a_folder_in_the_place_of_the_results_is_one_line(tmp_path):
    (tmp_path / "metrics.json").mkdir()
    with one_line(InputError, tmp_path / "metrics.json", "cannot be read: Is a directory"):
        open_workdir(str(tmp_path), CONFIG)


@pytest.mark.parametrize("name", ["run[1]", "run*", "why?"])
def test_a_name_that_tensorflow_takes_for_a_pattern_is_one_line(tmp_path, name):
    with one_line(InputError, tmp_path / name, "wanted another workdir"):
        open_workdir(str(tmp_path / name), CONFIG)


@pytest.fixture
def rows(tmp_path):
    for name in ("train", "dev"):
        (tmp_path / f"{name}.tsv").write_text(f"text\tlabel\n{name}\tyes\n")
    return [str(tmp_path / "train.tsv"), str(tmp_path / "dev.tsv")]


def test_rows_that_changed_since_the_run_began_are_named(tmp_path, rows, caplog):
    workdir = tmp_path / "run"
    claim(workdir, digests(rows))
    claim(workdir, digests(rows))
    assert not caplog.text
    size = os.path.getsize(rows[0])
    with open(rows[0], "r+") as file:
        file.write("t3xt")
    assert os.path.getsize(rows[0]) == size
    for _ in range(2):  # every restart warns
        caplog.clear()
        claim(workdir, digests(rows))
        assert caplog.text.count("changed since the run") == 1 and f"{rows[0]}: " in caplog.text
        assert rows[1] not in caplog.text
    caplog.clear()
    finish(str(workdir), RESULTS)
    assert open_workdir(str(workdir), CONFIG, digests(rows)) == RESULTS
    assert caplog.text.count(f"{rows[0]}: changed since the run in {workdir} began") == 1


def test_of_many_files_that_came_or_went_three_are_named(tmp_path, caplog):
    claim(tmp_path, {f"shard-{number}": {"bytes": 3} for number in range(4)})
    claim(tmp_path, {f"shard-{number}": {"bytes": 3} for number in range(3, 6)})
    assert "shard-0, shard-1, shard-2 and 2 more: changed since" in caplog.text


@pytest.mark.parametrize("text", [b"", b"\xff\x00", b"[1]", b'{"a": '])
def test_damaged_digests_of_the_data_are_left_aside(tmp_path, rows, text, caplog):
    claim(tmp_path / "run", digests(rows))
    (tmp_path / "run" / "data.json").write_bytes(text)
    claim(tmp_path / "run", digests(rows))
    assert caplog.text.count("data.json: damaged, left aside") == 1
    caplog.clear()
    claim(tmp_path / "run", digests(rows))
    assert not caplog.text


def test_a_workdir_from_before_there_were_digests_goes_on(tmp_path, rows, caplog):
    claim(tmp_path / "run")
    claim(tmp_path / "run", digests(rows))
    assert not caplog.text and (tmp_path / "run" / "data.json").exists()


def test_digests_leave_out_what_is_no_file(tmp_path, rows):
    found = digests([*rows, str(tmp_path), str(tmp_path / "absent")])
    assert list(found) == rows and found[rows[0]]["bytes"] == os.path.getsize(rows[0])


def test_leftovers_of_a_killed_run_go_and_nothing_else_does(tmp_path):
    ours = [
        "model.tmp/config.json",
        ".model.0123456789ab.tmp/config.json",
        "config.yaml.123.tmp",
        "metrics.json.123.tmp",
        "metrics.jsonl.tmp",
        ".curves.png.0123456789ab.tmp",
        "phase_1/metrics.jsonl.tmp",
        "phase_1/.metrics.json.0123456789ab.tmp",
    ]
    others = ["notes.tmp", "model/config.json", "phase_1/metrics.jsonl", "my.metrics.jsonl.tmp"]
    for name in ours + others:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    claim(tmp_path)
    assert not any((tmp_path / name).exists() for name in ours)
    assert all((tmp_path / name).read_text() == "x" for name in others)


HOLD = """
import sys
from bert_tf.atomic import locked
with locked(sys.argv[1]):
    print("locked", flush=True)
    sys.stdin.readline()
"""


def test_a_workdir_that_another_process_uses_is_one_line_and_stays_as_it_is(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with subprocess.Popen(command, **pipes) as other:
        assert other.stdout.readline() == "locked\n"
        with one_line(InputError, tmp_path, f"in use by process {other.pid}"):
            claim(tmp_path)
        assert os.listdir(tmp_path) == [".lock"]
        with claimed_workdir(str(tmp_path), CONFIG, chief=False):
            pass  # a worker of the run that holds the lock
        other.communicate("\n")
    claim(tmp_path)
    assert os.listdir(tmp_path) == ["config.yaml"]


@pytest.mark.parametrize("name", ["file", "file/run"])
def test_a_file_in_the_place_of_a_workdir_is_one_line(tmp_path, name):
    (tmp_path / "file").write_text("mine")
    with one_line(InputError, tmp_path / name, "cannot be used as a workdir"):
        claim(tmp_path / name)
    assert (tmp_path / "file").read_text() == "mine"
