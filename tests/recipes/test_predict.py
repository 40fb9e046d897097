"""Texts in, answers out: in order, whatever the windows, and nothing half-written."""

import io
import json
import os
import sys
import types

import numpy as np
import pytest

from bert_tf import ConfigError, InputError, export_saved_model
from bert_tf.export import answer
from bert_tf.loading import load_with_tokenizer as load_model
from bert_tf.recipes import predict as recipe
from bert_tf.recipes.predict import predict
from tests import tiny


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    directory = tmp_path_factory.mktemp("model")
    tiny.save(directory)
    return directory


@pytest.fixture(scope="module")
def pairs_folder(tmp_path_factory):
    directory = tmp_path_factory.mktemp("pairs")
    tiny.save(directory, text="question", text_pair="sentence")
    return directory


@pytest.fixture(scope="module", autouse=True)
def kept_answerers():
    """What is asked again in the same way is neither loaded nor traced again."""
    patch, made, make = pytest.MonkeyPatch(), {}, recipe._answerer

    def kept(*asked):
        key = repr(asked)
        return made[key] if key in made else made.setdefault(key, make(*asked))

    patch.setattr(recipe, "_answerer", kept)
    yield
    patch.undo()


def answers(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def asked(folder, content, tmp_path, name="in.txt"):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    predict(folder, str(tmp_path / name), str(tmp_path / "out.jsonl"))
    return answers(tmp_path / "out.jsonl")


def test_answers_come_in_order_over_windows_of_mixed_lengths(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(recipe, "WINDOW_ROWS", 10)
    monkeypatch.setattr(answer, "BATCH_ROWS", 3)
    texts = [" ".join(["good", "bad", "film"][: 1 + i % 3] * (1 + i * 7 % 5)) for i in range(37)]
    found = asked(folder, "\n".join(texts), tmp_path)
    assert [answer["text"] for answer in found] == texts
    model, tokenizer = load_model(folder)
    logits = model(tokenizer(texts, max_length=24)).numpy()
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose([answer["probabilities"] for answer in found], shares, atol=1e-5)
    names = [["bad", "good"][row.argmax()] for row in logits]
    assert [answer["label"] for answer in found] == names


@pytest.mark.slow  # test_end_to_end.py asks one
def test_an_export_answers_as_its_model(folder, tmp_path):
    export_saved_model(*load_model(folder), tmp_path / "export")
    texts = "good\na bad, bad film\n电影\tand a tab\n"
    (tmp_path / "a").mkdir()
    expected = asked(folder, texts, tmp_path / "a")
    found = asked(tmp_path / "export", texts, tmp_path)
    assert [(x["text"], x["label"]) for x in found] == [(x["text"], x["label"]) for x in expected]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one["probabilities"], other["probabilities"], atol=1e-6)


def test_json_lines_are_known_by_their_name_or_their_first_character(folder, tmp_path):
    lines = '{"text": "good", "id": 3}\n\n{"text": "a \\"bad\\" film"}\n'
    for name in ("in.jsonl", "in.txt"):
        assert [x["text"] for x in asked(folder, lines, tmp_path, name)] == ["good", 'a "bad" film']


def test_plain_lines_keep_their_text_whatever_it_holds(folder, tmp_path):
    content = b'\xef\xbb\xbf"quoted"\r\n\r\n  spaced \nlast'
    assert [x["text"] for x in asked(folder, content, tmp_path)] == [
        '"quoted"',
        "  spaced ",
        "last",
    ]


def test_pairs_come_with_a_tab_or_under_their_keys(pairs_folder, tmp_path):
    plain = asked(pairs_folder, "good\tbad\nfilm\tgood\n", tmp_path)
    keyed = [{"sentence": "bad", "question": "good"}, {"question": "film", "sentence": "good"}]
    keyed = asked(pairs_folder, "\n".join(map(json.dumps, keyed)), tmp_path)
    assert plain == keyed
    assert plain[0]["text"] == "good" and plain[0]["text_pair"] == "bad"


def test_columns_by_number_have_the_usual_keys(tmp_path):
    tiny.save(tmp_path / "m", text=1, text_pair=2, label=0)
    found = asked(tmp_path / "m", '{"text": "good", "text_pair": "bad"}', tmp_path)
    assert found[0]["text_pair"] == "bad"


def test_regression_gives_scores(tmp_path):
    tiny.save(tmp_path / "m", label_names=("LABEL_0",), problem_type="regression")
    found = asked(tmp_path / "m", "good\nbad", tmp_path)
    assert [set(answer) for answer in found] == [{"score", "text"}] * 2
    assert isinstance(found[0]["score"], float)


def test_standard_input_to_standard_output(folder, monkeypatch, capsys):
    stdin = types.SimpleNamespace(buffer=io.BytesIO("gut 电影\nbad".encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    predict(folder, "-")
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["text"] for line in lines] == ["gut 电影", "bad"]
    assert "电影" in lines[0]


def test_each_window_is_told_before_the_next_is_read(folder, monkeypatch, capsys):
    monkeypatch.setattr(recipe, "WINDOW_ROWS", 2)
    told = []

    def lines():
        for number in range(6):
            told.append(capsys.readouterr().out.count("\n"))
            yield f"film {number}\n".encode()

    class Slow:
        def __init__(self):
            self.lines = lines()

        def readline(self):
            return next(self.lines, b"")

        def __iter__(self):
            return self.lines

    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=Slow()))
    predict(folder, "-")
    assert told == [0, 0, 2, 0, 2, 0]


@pytest.mark.parametrize(
    "content, name, reason",
    [
        (b"", "in.txt", "in.txt: has no rows"),
        (b"\n\n", "in.txt", "in.txt: has no rows"),
        (b"text\tlabel\n", "in.tsv", "in.tsv: has no rows"),
        (b"text\tlabel\n", "in.txt", "in.txt: has no rows"),
        (b"good\rbad\r", "in.txt", "line 1: has CR within, wanted lines that end in LF or CR LF"),
        (b"{}\n", "in.jsonl", "line 1: no key 'text'; there are none"),
        (b"good\nb\xff\n", "in.txt", "line 2, byte 2 .* is not UTF-8"),
        (b'{"text": "good"}\n{"text"\n', "in.jsonl", "line 2, column .*: not JSON"),
        (b'{"txt": "good"}\n', "in.jsonl", "line 1: no key 'text'; did you mean|line 1: no key"),
        (b'{"text": 3}\n', "in.jsonl", "key 'text' is 3, wanted a string"),
        (b"[1]\n", "in.jsonl", "wanted an object"),
    ],
)
def test_bad_input_is_named_and_leaves_an_earlier_output(folder, tmp_path, content, name, reason):
    (tmp_path / "out.jsonl").write_text("earlier")
    with pytest.raises(InputError, match=reason):
        asked(folder, content, tmp_path, name)
    assert (tmp_path / "out.jsonl").read_text() == "earlier"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "out.jsonl"])


def test_a_pair_that_is_none_is_named(pairs_folder, tmp_path):
    with pytest.raises(InputError, match="line 2: has 1 texts, wanted 2"):
        asked(pairs_folder, "good\tbad\nalone\n", tmp_path)


def test_a_missing_input_or_model_is_named(folder, tmp_path):
    with pytest.raises(InputError, match="absent.txt: cannot be read"):
        predict(folder, str(tmp_path / "absent.txt"))
    (tmp_path / "in.txt").write_text("good")
    with pytest.raises(InputError, match="absent"):
        predict(str(tmp_path / "absent"), str(tmp_path / "in.txt"))


def test_an_output_that_cannot_be_written_is_named(folder, tmp_path):
    (tmp_path / "in.txt").write_text("good")
    with pytest.raises(InputError, match="out.jsonl: cannot be written: No such file"):
        predict(folder, str(tmp_path / "in.txt"), str(tmp_path / "absent" / "out.jsonl"))


def test_the_input_is_never_replaced_by_its_answers(folder, tmp_path):
    (tmp_path / "in.txt").write_text("good")
    (tmp_path / "same.txt").symlink_to(tmp_path / "in.txt")
    for name in ("in.txt", "same.txt"):
        with pytest.raises(ConfigError, match=f"--output: .*{name} is the file that is read"):
            predict(folder, str(tmp_path / "in.txt"), str(tmp_path / name))
    assert (tmp_path / "in.txt").read_text() == "good"


def test_a_full_disk_leaves_nothing_half_written(folder, tmp_path, monkeypatch):
    (tmp_path / "in.txt").write_text("good")

    def full(*_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="out.jsonl: cannot be written: No space left on device"):
        predict(folder, str(tmp_path / "in.txt"), str(tmp_path / "out.jsonl"))
    assert [path.name for path in tmp_path.iterdir()] == ["in.txt"]


def test_answers_that_are_no_numbers_are_refused(tmp_path):
    model = tiny.classifier()
    model.head.projection.bias.assign([np.nan, 0.0])
    model.save_pretrained(str(tmp_path / "m"), tiny.tokenizer(tmp_path / "v"))
    with pytest.raises(InputError, match="not finite"):
        asked(tmp_path / "m", "good", tmp_path)


def test_the_table_a_model_was_trained_on_is_read_by_its_column(tmp_path):
    tiny.save(tmp_path / "m", text="review")
    rows = [("good", "a bad film"), ("bad", "good , good")]
    for name, separator in (("in.tsv", "\t"), ("in.csv", ",")):
        lines = ["label" + separator + "review", *(f'{a}{separator}"{b}"' for a, b in rows)]
        texts = [x["text"] for x in asked(tmp_path / "m", "\n".join(lines) + "\n", tmp_path, name)]
        quotes = '"' if separator == "\t" else ""
        assert texts == [f"{quotes}{text}{quotes}" for _, text in rows]
    # A file of another name is a table, too, when its first line has the model's columns.
    plain = asked(tmp_path / "m", "label\treview\ngood\ta bad film\n", tmp_path)
    assert [x["text"] for x in plain] == ["a bad film"]
    with pytest.raises(InputError, match="in.csv, line 1: no column 'review' in the header"):
        asked(tmp_path / "m", "label,text\ngood,a bad film\n", tmp_path, "in.csv")


def test_a_table_without_a_header_is_read_by_the_model_s_numbers(tmp_path):
    tiny.save(tmp_path / "m", text=1, label=0)
    found = asked(tmp_path / "m", "x\tgood\ny\tbad film\n", tmp_path, "in.tsv")
    assert [x["text"] for x in found] == ["good", "bad film"]


def test_columns_may_be_told_and_make_a_model_from_elsewhere_take_pairs(tmp_path):
    model = tiny.classifier()
    model.data_settings = {}
    model.save_pretrained(str(tmp_path / "m"), tiny.tokenizer(tmp_path / "v"))
    rows = [{"a": "good", "b": "a bad film"}, {"a": "bad", "b": "film"}]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, rows)))
    out = tmp_path / "out.jsonl"
    predict(tmp_path / "m", str(tmp_path / "in.jsonl"), str(out), text="a", text_pair="b")
    found, tokenizer = answers(out), tiny.tokenizer(tmp_path / "v")
    assert [(x["text"], x["text_pair"]) for x in found] == [tuple(row.values()) for row in rows]
    logits = model(tokenizer(*zip(*(row.values() for row in rows), strict=True))).numpy()
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose([x["probabilities"] for x in found], shares, atol=1e-5)


def test_a_partner_that_the_model_does_not_read_is_named_once(folder, tmp_path, caplog):
    row = json.dumps({"text": "good", "text_pair": "bad"})
    asked(folder, f"{row}\n{row}\n", tmp_path)
    warnings = [x.getMessage() for x in caplog.records if "text_pair" in x.getMessage()]
    assert len(warnings) == 1
    assert "in.txt, line 1: 'text_pair' is not read, " in warnings[0]
    assert "(text_pair=text_pair would)" in warnings[0]


def test_a_column_that_an_export_does_not_take_is_refused(folder, tmp_path):
    export_saved_model(*load_model(folder), tmp_path / "export")
    (tmp_path / "in.txt").write_text("good")
    with pytest.raises(ConfigError, match="--text_pair: .*export that takes text alone"):
        predict(tmp_path / "export", str(tmp_path / "in.txt"), text_pair="b")
