"""The quickstart on a tiny model and texts of one's own: all of it, again, and with other texts."""

import json

import pytest

import bert_tf
from bert_tf import cli
from bert_tf.recipes.quickstart import split_rows
from tests import tiny

ROWS = [(f"{word} film {n}", word) for n in range(40) for word in ("good", "bad")]


@pytest.fixture
def folder(tmp_path):
    """A model of 64 positions, and a file with headers of its own."""
    config = tiny.config(num_hidden_layers=1, max_position_embeddings=64)
    encoder = bert_tf.build_encoder(config)
    encoder.save_pretrained(str(tmp_path / "model"), tiny.tokenizer(tmp_path / "tokenizer"))
    write(tmp_path / "own.tsv", ROWS)
    write(tmp_path / "other.tsv", ROWS[::-1])
    return tmp_path


def write(path, rows):
    path.write_text("said\tmeant\n" + "".join(f"{text}\t{label}\n" for text, label in rows))


def quickstart(folder, data="own.tsv"):
    flags = {"workdir": folder / "w", "model": folder / "model", "data": folder / data}
    flags |= {"text": "said", "label": "meant"}
    return cli.main(["quickstart", *(f"--{name}={value}" for name, value in flags.items())])


@pytest.mark.slow  # test_end_to_end.py trains, exports and asks
def test_it_trains_exports_and_answers_and_answers_again(folder, capsys):
    assert quickstart(folder) == 0
    told = capsys.readouterr().out
    assert told.count("    -> ") == 3 and "accuracy" in told
    for place in ("run/model/model.safetensors", "run/curves.png", "export/1/saved_model.pb"):
        assert (folder / "w" / place).exists()
    assert quickstart(folder) == 0
    again = capsys.readouterr()
    assert again.out == told and "finished" in again.err
    assert not (folder / "w" / "export" / "2").exists()


def test_a_workdir_keeps_to_its_texts(folder, capsys):
    (folder / "w" / "data").mkdir(parents=True)
    told = {"data": str(folder / "own.tsv"), "text": "said", "label": "meant"}
    (folder / "w" / "data" / "source.json").write_text(json.dumps(told))
    assert quickstart(folder, "other.tsv") == 2
    told = capsys.readouterr().err
    assert "own.tsv" in told and "--workdir" in told and told.count("\n") == 1


def test_equal_texts_stay_in_one_part(tmp_path):
    split_rows(ROWS * 2, str(tmp_path))
    parts = {
        part: [json.loads(line)["text"] for line in (tmp_path / f"{part}.jsonl").open()]
        for part in ("train", "validation", "test")
    }
    assert sum(map(len, parts.values())) == 2 * len(ROWS)
    assert not set(parts["train"]) & {*parts["validation"], *parts["test"]}
    assert not set(parts["validation"]) & set(parts["test"])


def test_too_few_rows_are_one_line(folder, capsys):
    write(folder / "own.tsv", ROWS[:4])
    assert quickstart(folder) == 1
    told = capsys.readouterr().err
    assert "none of 4 rows falls into" in told and told.count("\n") == 1
