"""One table over several files: which files, their rows in order, and messages that name the very
file and line; and columns of several texts."""

import json

import numpy as np
import pytest

from bert_tf.config import FinetuneConfig, from_dict, to_dict
from bert_tf.data import formats, read_table
from bert_tf.data.files import files_of, name_of
from bert_tf.errors import ConfigError, InputError
from bert_tf.recipes.finetune_rows import data_digests

KINDS = {"text": "text", "label": "label"}
PLACES = {"text": "text", "label": "label"}
RACE = {"article": "Bob.", "questions": ["Who?"], "options": [["x", "y"]], "answers": ["B"]}


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.fixture
def two(tmp_path):
    first = write(tmp_path / "a-1.tsv", "text\tlabel\nx\tgood\ny\tbad\n")
    return [first, write(tmp_path / "a-2.tsv", "text\tlabel\nz\tfine\nw\tgood\nv\tbad\n")]


def test_files_are_taken_in_the_order_given_and_those_of_a_glob_by_name(tmp_path, two):
    assert files_of(two[0]) == two[:1] and files_of(two[::-1]) == two[::-1]
    assert files_of(str(tmp_path / "a-*.tsv")) == two
    assert files_of([str(tmp_path / "a-2*"), two[0]]) == two[::-1]
    named = write(tmp_path / "b[1].tsv", "text\tlabel\n")
    assert files_of(named) == [named] and name_of(two) == f"{two[0]} and 1 more file"
    with pytest.raises(InputError, match="c-.*matches no file"):
        files_of(str(tmp_path / "c-*.tsv"))
    with pytest.raises(InputError, match="a-1.tsv: twice among the files"):
        files_of([two[0], str(tmp_path / "a-*")])


def test_the_rows_of_all_files_are_one_table(two):
    table = read_table(two, PLACES, KINDS)
    assert len(table) == 5 and table.label_names == ("bad", "fine", "good")
    rows = np.array([4, 0, 2])
    assert table.cells(rows)["text"] == ["v", "x", "z"]
    assert table.labels(rows).tolist() == [0, 2, 1]
    part = table.subset(np.array([3, 1]))
    assert part.cells(np.arange(2))["text"] == ["w", "y"] and part.labels([0]).tolist() == [2]
    train, share = table.split(0.4, 1)
    assert sorted(x for t in (train, share) for x in t.cells(range(len(t)))["text"]) == list(
        "vwxyz"
    )


@pytest.mark.parametrize(
    ("second", "told"),
    [
        ("text\tlabel\nz\tgood\nw\n", "a-2.tsv, line 3: has 1 columns"),
        ("text\tlabel\nz\tnew\n", "a-2.tsv, line 2: column 'label': 'new' is no label"),
        ("text\tlabels\nz\tgood\n", "a-2.tsv, line 1: no column 'label'"),
        ("label\ttext\ngood\tz\n", "a-2.tsv: its columns stand elsewhere than those of"),
        ("text\tlabel\n", "a-2.tsv: has no rows"),
    ],
)
def test_what_is_wrong_is_told_of_the_very_file_and_line(two, second, told):
    like = read_table(two[0], PLACES, KINDS)
    with open(two[1], "w", encoding="utf-8") as file:
        file.write(second)
    with pytest.raises(InputError) as caught:
        read_table(two, PLACES, KINDS, like=like)
    assert told in str(caught.value)


def test_a_folder_of_race_is_a_table_and_one_of_other_files_is_not(tmp_path):
    for name in ("middle/2", "high/1", "middle/1"):
        write(tmp_path / f"race/{name}.txt", json.dumps({**RACE, "article": name}))
    kinds = {"text": "text", "choices": "texts", "label": "number"}
    table = read_table(str(tmp_path / "race"), dict(zip(kinds, kinds, strict=True)), kinds)
    assert table.cells(range(3))["text"] == ["high/1", "middle/1", "middle/2"]
    write(tmp_path / "race/middle/1.txt", json.dumps({**RACE, "answers": ["C"]}))
    with pytest.raises(InputError, match="middle/1.txt, text 1, question 1: answers: 'C'"):
        read_table(str(tmp_path / "race/*/*.txt"), dict(zip(kinds, kinds, strict=True)), kinds)
    write(tmp_path / "tables.tsv/a.tsv", "text\tlabel\nx\tgood\n")
    with pytest.raises(InputError, match="tables.tsv: cannot be read: Is a directory"):
        read_table(str(tmp_path / "tables.tsv"), PLACES, KINDS)
    assert formats.table_files(str(tmp_path / "race"), "race")[0].endswith("high/1.txt")


def test_a_configuration_names_several_files_and_the_run_remembers_all_of_them(tmp_path, two):
    data = {"train": two, "validation": str(tmp_path / "a-2*"), "test": two[:1]}
    config = from_dict(FinetuneConfig, {"model": {"path": "m"}, "data": data})
    assert config.data.train == tuple(two) and not config.data.splits
    assert to_dict(config)["data"]["train"] == two
    assert list(data_digests(config)) == two
    with pytest.raises(ConfigError, match="data.train"):
        from_dict(FinetuneConfig, {"model": {"path": "m"}, "data": {"train": []}})


def test_a_column_of_several_texts_is_read_from_several_columns(tmp_path):
    kinds = {"text": "text", "negatives": "texts"}
    places = {"text": "q", "negatives": ["n1", "n2"]}
    path = write(tmp_path / "a.tsv", "n2\tq\tn1\nb\tx\ta\n\ty\tc\n")
    table = read_table(path, places, kinds)
    assert table.cells(range(2)) == {"text": ["x", "y"], "negatives": [["a", "b"], ["c", ""]]}
    lines = write(tmp_path / "a.jsonl", '{"q": "x", "n1": "a", "n2": "b"}\n')
    assert read_table(lines, places, kinds).cells([0])["negatives"] == [["a", "b"]]
    numbers = write(tmp_path / "b.csv", "x,a,b\n")
    found = read_table(numbers, {"text": 0, "negatives": [1, 2]}, kinds)
    assert found.cells([0])["negatives"] == [["a", "b"]]
    with pytest.raises(InputError, match="no column 'n3' in the header"):
        read_table(path, {**places, "negatives": ["n1", "n3"]}, kinds)
    with pytest.raises(
        ConfigError, match="the column text is .*, wanted a column's name or number$"
    ):
        read_table(path, {**places, "text": ["q"]}, kinds)
