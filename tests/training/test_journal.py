"""The log of a run: continued without damaged lines, one line for what cannot be written."""

import errno
import json
import os

import pytest

from bert_tf.errors import InputError
from bert_tf.training import journal
from bert_tf.training.journal import Journal, draw_curves, read_journal


def line(step, part="train", **values):
    return json.dumps({"step": step, "epoch": step / 4, "part": part, **values})


WHOLE = [line(1, loss=0.5), line(2, loss=0.25), line(2, "validation", accuracy=0.75)]
DAMAGED = [
    b"",
    b"\x00\x00\x00",
    b"\xff\xfe\x81",
    b'{"step": 1, "epoch": 0.1, "part": "tr',
    b"[1, 2]",
    b"7",
    b"null",
    b'{"epoch": 0.1, "part": "train"}',
    b'{"step": "1", "epoch": 0.1, "part": "train"}',
    b'{"step": 1, "epoch": 0.1, "part": 3}',
    b"[" * 100_000,
]


def parsed(texts):
    return [json.loads(text) for text in texts]


@pytest.mark.parametrize("text", DAMAGED, ids=lambda text: repr(text[:20]))
def test_a_damaged_line_is_left_aside_once_and_the_run_goes_on(tmp_path, text, caplog):
    path = tmp_path / "metrics.jsonl"
    lines = [WHOLE[0].encode(), text, *(each.encode() for each in WHOLE[1:])]
    path.write_bytes(b"\n".join(lines) + b"\n")
    assert read_journal(str(tmp_path)) == parsed(WHOLE)
    assert caplog.text.count(f"{path}: damaged lines left aside: 1, the first is line 2") == 1
    caplog.clear()
    log = Journal(str(tmp_path), 2, 4)
    log.evaluation(3, 0.75, {"accuracy": 0.5}, "accuracy")
    log.close()
    assert path.read_text().splitlines() == [*WHOLE, line(3, "validation", accuracy=0.5)]
    assert caplog.text.count("left aside") == 1
    draw_curves(str(tmp_path))
    assert caplog.text.count("left aside") == 1


def test_a_last_line_that_was_cut_off_is_left_aside(tmp_path, caplog):
    (tmp_path / "metrics.jsonl").write_text("\n".join(WHOLE) + '\n{"step": 3, "ep')
    assert read_journal(str(tmp_path)) == parsed(WHOLE)
    assert "damaged lines left aside: 1, the first is line 4" in caplog.text


def test_lines_of_steps_that_come_again_are_dropped(tmp_path):
    (tmp_path / "metrics.jsonl").write_text("\n".join(WHOLE) + "\n")
    Journal(str(tmp_path), 1, 4).close()
    assert read_journal(str(tmp_path)) == parsed(WHOLE[:1])


@pytest.mark.parametrize("value", ["high", [1], {"a": 1}, None])
def test_curves_are_drawn_whatever_a_value_is(tmp_path, value):
    lines = [*WHOLE, line(3, loss=value), line(3, "validation", accuracy=value)]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    path = draw_curves(str(tmp_path))
    with open(path, "rb") as file:
        assert file.read(4) == b"\x89PNG"
    assert {each.name for each in tmp_path.iterdir()} == {"metrics.jsonl", "curves.png"}


def test_curves_are_of_the_scores_that_are_named_and_never_of_a_loss(tmp_path, monkeypatch):
    from matplotlib.axes import Axes

    drawn = []
    monkeypatch.setattr(Axes, "legend", lambda axes, **_: drawn.append(axes))
    figures = dict(a_loss=0.5, a_accuracy=0.75, a_matthews=0.25, b_spearman=0.875)
    (tmp_path / "metrics.jsonl").write_text(line(3, "validation", loss=0.5, **figures) + "\n")

    def labels():
        draw_curves(str(tmp_path), *given)
        return [x.get_label() for x in drawn.pop().lines]

    given = ()
    assert labels() == [f"validation {x}" for x in ("a_accuracy", "a_matthews", "b_spearman")]
    given = (("b_spearman",),)
    assert labels() == ["validation"]


def test_the_one_point_of_a_short_run_is_seen_and_steps_are_whole_numbers(tmp_path, monkeypatch):
    from matplotlib.axes import Axes

    drawn = []
    monkeypatch.setattr(Axes, "legend", lambda axes, **_: drawn.append(axes))
    (tmp_path / "metrics.jsonl").write_text(line(3, "train", loss=0.5) + "\n")
    draw_curves(str(tmp_path))
    (axes,) = drawn
    assert [x.get_marker() for x in axes.lines] == ["o"]
    assert all(float(step).is_integer() for step in axes.get_xticks())


@pytest.mark.parametrize("name", ["metrics.jsonl", "events"])
def test_something_else_in_a_file_s_place_is_one_line(tmp_path, name):
    if name == "events":
        (tmp_path / name).write_text("mine")
    else:
        (tmp_path / name).mkdir()
    with pytest.raises(InputError, match=rf"{tmp_path / name}: cannot be \w+: [^\n]+$"):
        Journal(str(tmp_path), 0, 4)


def test_a_picture_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "curves.png").mkdir()
    with pytest.raises(InputError, match="curves.png: cannot be written: "):
        draw_curves(str(tmp_path))


def test_a_disk_that_fills_up_is_one_line_and_the_log_stays_readable(tmp_path, monkeypatch):
    log = Journal(str(tmp_path), 0, 4)
    log.evaluation(1, 0.25, {"accuracy": 0.5}, "accuracy")

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(journal.json, "dumps", full)  # as writing would fail
    with pytest.raises(InputError, match="metrics.jsonl: cannot be written: .*No space left"):
        log.evaluation(2, 0.5, {"accuracy": 0.5}, "accuracy")
    monkeypatch.undo()
    log.close()
    assert [each["step"] for each in read_journal(str(tmp_path))] == [1]


def test_f1_is_among_the_curves():
    names = "loss rows accuracy matthews precision recall f1 precision_macro f1_macro".split()
    values = dict.fromkeys(names, 0.5) | {"rows": 7}
    assert journal._scores([{"part": "validation", **values}]) == [
        "accuracy",
        "f1",
        "f1_macro",
        "matthews",
    ]


STEP = {"tokens": 90, "positions": 100}
MEANS = {"loss": 0.123456, "accuracy": 0.5, "gradient_norm": 1.25, "learning_rate": 1e-5}


def logged(tmp_path, steps=12345):
    tmp_path.mkdir(exist_ok=True)
    log = Journal(str(tmp_path), 0, steps)
    with log.clock("training"):
        log.count(STEP)
    log.training(6789, 0.5, MEANS)
    return log


def test_without_a_terminal_a_line_comes_now_and_then(tmp_path, capsys, monkeypatch):
    logged(tmp_path / "a").close()
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(journal, "QUIET", 0.0)
    logged(tmp_path / "b").close()
    told = capsys.readouterr().err
    assert told.startswith("step 6789 of 12345: tokens/s ") and told.endswith(" left\n")
    assert "loss 0.1235, accuracy 0.5" in told


def test_the_bar_shows_tokens_a_second_at_80_columns(tmp_path, monkeypatch):
    monkeypatch.setattr(journal.sys.stderr, "isatty", lambda: True, raising=False)
    log = logged(tmp_path)
    log.bar.ncols = 80
    shown = str(log.bar)
    assert len(shown) <= 80 and ", tokens/s=" in shown and "loss=0.1235" in shown
    log.close()


def test_a_worker_that_is_not_the_chief_writes_nothing(tmp_path):
    log = Journal(str(tmp_path), 0, 4, chief=False)
    log.evaluation(1, 0.25, {"accuracy": 0.5}, "accuracy")
    log.close()
    assert not os.listdir(tmp_path)
