"""Tables: each format read right, each bad file refused in one line, no file held in memory."""

import csv
import itertools
import json
import tracemalloc

import numpy as np
import pytest

from bert_tf import data
from bert_tf.errors import ConfigError, InputError
from tests.tables import read_table

HEAD = "text\tlabel\n"


@pytest.fixture
def write(tmp_path):
    """Writes a file (str or bytes) and returns its path."""

    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


def everything(table):
    rows = np.arange(len(table))
    cells = table.cells(rows)
    return cells["text"], cells.get("text_pair"), table.labels(rows)


def test_tsv_takes_quotes_as_they_are_and_any_line_end(write):
    path = write("a.tsv", b'\xef\xbb\xbftext\tlabel\r\n"half\tno\r\n\r\n"" b "\tyes\r\n\tno')
    texts, pairs, labels = everything(table := read_table(path))
    assert texts == ['"half', '"" b "', ""] and pairs is None
    assert table.label_names == ("no", "yes") and labels.tolist() == [0, 1, 0]


def test_csv_keeps_commas_quotes_and_line_ends_inside_quotes(write):
    path = write("a.csv", 'label,text\n1,"one, ""two""\r\nthree"\n\n0,plain\n1,"\n\n"\n')
    texts, _, labels = everything(read_table(path))
    assert texts == ['one, "two"\r\nthree', "plain", "\n\n"] and labels.tolist() == [1, 0, 1]
    assert read_table(path).cells(np.array([2, 0]))["text"] == ["\n\n", 'one, "two"\r\nthree']


def test_json_lines_with_pairs_and_labels_of_any_scalar_kind(write):
    lines = ['{"a": "x\\ty", "b": "é", "label": 10}', "", '{"label": 9, "b": "中", "a": ""}']
    table = read_table(write("a.jsonl", "\n".join(lines)), text="a", text_pair="b")
    texts, pairs, labels = everything(table)
    assert (texts, pairs) == (["x\ty", ""], ["é", "中"])
    assert table.label_names == ("9", "10") and labels.tolist() == [1, 0]
    flags = write("b.json", '{"text": "a", "label": true}\n{"text": "b", "label": false}')
    assert read_table(flags).label_names == ("false", "true")


@pytest.mark.parametrize("name", ["a.jsonl", "a.tsv"])
def test_a_column_that_no_setting_names_is_said_not_to_be_read(write, caplog, name):
    row = {"text": "a", "text_pair": "b", "label": "0", "other": "c"}
    other = {**row, "label": "1"}
    lines = [json.dumps(row), json.dumps(other)]
    if name == "a.tsv":
        lines = ["\t".join(cells) for cells in (row, row.values(), other.values())]
    path = write(name, "\n".join(lines) + "\n")
    read_table(path)
    [warning] = [record.getMessage() for record in caplog.records]
    assert warning.startswith(path) and ", line 1: 'text_pair' is not read" in warning
    caplog.clear()
    read_table([path, write(f"2{name}", "\n".join(lines) + "\n")])
    assert len(caplog.records) == 1, "once for a table, however many its files are"
    caplog.clear()
    read_table(path, text_pair="text_pair")
    read_table(path, text="text_pair")
    assert not caplog.records


def test_numbered_columns_mean_no_header(write):
    path = write("a.txt", "id\t1\t\tfirst\nid\t0\t*\tsecond\n")
    texts, pairs, labels = everything(read_table(path, text=3, text_pair=2, label=1))
    assert (texts, pairs, labels.tolist()) == (["first", "second"], ["", "*"], [1, 0])


def test_format_can_be_named_where_the_file_name_does_not_tell(write):
    assert len(read_table(write("data.part", "text,label\na,x\nb,y\n"), format="csv")) == 2
    with pytest.raises(ConfigError, match="data.part: the name tells no format; wanted .tsv .txt"):
        read_table(write("data.part", "text\tlabel"))


@pytest.mark.parametrize("size", [140_000, 2_000_000])
def test_a_long_cell_of_a_csv_file_is_read(write, size):
    """Python's own limit is 131,072 characters."""
    long = 'word, "\n' * (size // 8)
    quoted = long.replace('"', '""')
    table = read_table(write("a.csv", f'text,label\n"{quoted}",x\nb,y\n'))
    assert everything(table)[0] == [long, "b"]


def test_a_cell_beyond_the_limit_is_named(write):
    file = write("a.csv", 'text,label\na,x\n"' + "a\n" * 600 + '",y\n')
    limit = csv.field_size_limit(1000)
    try:
        with pytest.raises(InputError, match=r"line 3: not CSV: field larger than .* \(1000\)"):
            read_table(file)
    finally:
        csv.field_size_limit(limit)
    assert limit == 1 << 24


def test_unlabelled_table_has_no_labels(write):
    table = read_table(write("a.tsv", "text\na\nb\n"), label=None)
    assert everything(table) == (["a", "b"], None, None)
    assert table.problem_type is None and table.label_names is None


def test_labels_follow_the_training_table(write):
    train = read_table(write("train.tsv", "text\tlabel\na\tx\nb\ty\nc\tz\n"))
    other = read_table(write("dev.tsv", "text\tlabel\na\tz\nb\tz\n"), like=train)
    assert other.label_names == ("x", "y", "z") and everything(other)[2].tolist() == [2, 2]


def test_rows_of_ignored_labels_are_left_out_and_counted(write, caplog):
    caplog.set_level("INFO", "absl")
    rows = (
        '"text": "a", "label": "-"}\n{"text": "b", "label": "x"}\n{"text": "c", "label": " - "}\n'
    )
    path = write(
        "a.jsonl", "{" + rows + '{"text": "d", "label": -1}\n{"text": "e", "label": "y"}\n'
    )
    table = read_table(path, ignore=("-", "-1"), fault=lambda x: "e" if x["text"] == "e" else None)
    assert table.label_names == ("x", "y") and everything(table)[0] == ["b", "e"]
    assert table.faults["e"].tolist() == [1] and everything(table)[2].tolist() == [0, 1]
    assert "a.jsonl: 3 of 5 rows left out by their labels: - 2, -1 1" in caplog.text
    with pytest.raises(InputError, match=r"has no rows but those of ignored labels \(- 1\)"):
        read_table(write("b.tsv", "text\tlabel\na\t-\n"), ignore=("-",))


def test_split_is_settled_by_the_seed_and_loses_no_row(write):
    lines = [f"{number}\t{number % 2}\n" for number in range(50)]
    table = read_table(write("a.tsv", HEAD + "".join(lines)))
    larger, share = table.split(0.1, seed=3)
    again, other = table.split(0.1, seed=3)[1], table.split(0.1, seed=4)[1]
    assert (len(larger), len(share)) == (45, 5)
    assert everything(share)[0] == everything(again)[0] != everything(other)[0]
    both = everything(larger)[0] + everything(share)[0]
    assert sorted(map(int, both)) == list(range(50))
    assert everything(share)[2].tolist() == [int(text) % 2 for text in everything(share)[0]]
    with pytest.raises(InputError, match="has one row, wanted two"):
        table.subset(np.array([0])).split(0.1, seed=3)


@pytest.mark.parametrize(
    "name, content, options, message",
    [
        ("a.tsv", "", {}, "a.tsv: is empty"),
        ("a.tsv", HEAD, {}, "a.tsv: has no rows"),
        ("a.jsonl", "\n", {}, "a.jsonl: has no rows"),
        ("a.tsv", HEAD + "a\tx\nb\n", {}, "a.tsv, line 3: has 1 columns, wanted the header's 2"),
        ("a.tsv", HEAD + "a\tb\tx\n", {}, "a.tsv, line 2: has 3 columns, wanted the header's 2"),
        (
            "a.tsv",
            "a\tx\nb\n",
            {"text": 0, "label": 1},
            "a.tsv, line 2: has 1 columns, wanted at least 2, for column 1 counted from 0",
        ),
        (
            "a.tsv",
            "text\tlabels\na\tx\n",
            {},
            "a.tsv, line 1: no column 'label' in the header; did you mean 'labels'?",
        ),
        ("a.csv", "a,b\n", {}, "a.csv, line 1: no column 'text' in the header; there are 'a', 'b'"),
        ("a.csv", "text,text,label\n", {}, "a.csv, line 1: the header has column 'text' twice"),
        (
            "a.tsv",
            HEAD.encode() + b"ok\tx\ncaf\xe9\ty\n",
            {},
            "a.tsv, line 3, byte 4 (byte 20 of the file): 0xe9 is not UTF-8",
        ),
        ("a.csv", 'text,label\n"a"b,x\n', {}, "a.csv, line 2: not CSV: ',' expected after '\"'"),
        (
            "a.csv",
            'text,label\na,x\n"b,x\nc,y\n',
            {},
            "a.csv, line 3: not CSV: unexpected end of data",
        ),
        (
            "a.jsonl",
            '{"text": "a", "label": 1}\n{"text": }\n',
            {},
            "a.jsonl, line 2, column 10: not JSON: Expecting value",
        ),
        ("a.json", '[{"text": "a"}]\n', {}, "a.json, line 1: wanted an object {...}, got '[{"),
        ("a.jsonl", "[" * 100000, {}, "a.jsonl, line 1: JSON that cannot be read"),
        (
            "a.jsonl",
            '{"text": "a", "lable": 1}\n',
            {},
            "a.jsonl, line 1: no key 'label'; did you mean 'lable'?",
        ),
        (
            "a.jsonl",
            '{"text": 5, "label": 1}',
            {},
            "a.jsonl, line 1: key 'text' is 5, wanted a string",
        ),
        (
            "a.jsonl",
            '{"text": "a\\ud800", "label": 1}',
            {},
            "a.jsonl, line 1: key 'text': character 2 is half a surrogate pair",
        ),
        (
            "a.jsonl",
            '{"text": "a", "label": "x"}\n{"text": "b", "label": "\\ud800"}\n',
            {},
            "a.jsonl, line 2: key 'label': character 1 is half a surrogate pair",
        ),
        (
            "a.jsonl",
            '{"text": "a", "label": null}',
            {},
            "a.jsonl, line 1: key 'label' is None, wanted a string or a number",
        ),
        ("a.tsv", HEAD + "a\tx\nb\tx\n", {}, "a.tsv: column 'label' is 'x' in every row"),
        ("a.tsv", HEAD + "a\tx\nb\t\n", {}, "a.tsv, line 3: column 'label': '' has an empty label"),
        (
            "a.tsv",
            HEAD + "a\t0.5\nb\tnan\n",
            {},
            "a.tsv, line 3: column 'label': 'nan' is not a finite number, which regression wants",
        ),
        (
            "a.tsv",
            HEAD + "a\t1\nb\tinf\n",
            {"problem_type": "regression"},
            "a.tsv, line 3: column 'label': 'inf' is not a finite number",
        ),
        (
            "a.tsv",
            HEAD + "a\t1\nb\tgood\n",
            {"problem_type": "regression"},
            "a.tsv, line 3: column 'label': 'good' is not a finite number",
        ),
        (
            "a.csv",
            'text,label\n"a\nb",0.5\nc,nan\n',
            {},
            "a.csv, line 4: column 'label': 'nan' is not",
        ),
    ],
)
def test_bad_file_is_one_line_with_file_line_and_value(write, name, content, options, message):
    with pytest.raises(InputError) as error:
        read_table(write(name, content), **options)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_unknown_label_in_validation_is_named_with_the_known_ones(write):
    train = read_table(write("train.tsv", HEAD + "a\tx\nb\ty\n"))
    with pytest.raises(InputError) as error:
        read_table(write("dev.tsv", HEAD + "a\tx\nb\tz\n"), like=train)
    assert str(error.value).endswith(
        "dev.tsv, line 3: column 'label': 'z' is no label of the training data, which are x, y"
    )


@pytest.mark.parametrize("options", [{"text": 0}, {"text": "text", "text_pair": 1}])
def test_names_and_numbers_of_columns_do_not_mix(write, options):
    with pytest.raises(ConfigError, match="wanted all names .a header. or all numbers .none."):
        read_table(write("a.tsv", HEAD), **options)
    with pytest.raises(ConfigError, match="columns are 0, 1; wanted names"):
        read_table(write("a.jsonl", "{}"), text=0, label=1)


def test_file_that_cannot_be_opened_is_named(tmp_path):
    with pytest.raises(InputError, match="none.tsv: cannot be read: No such file"):
        read_table(tmp_path / "none.tsv")
    (tmp_path / "folder.tsv").mkdir()
    with pytest.raises(InputError, match="folder.tsv: cannot be read: Is a directory"):
        read_table(tmp_path / "folder.tsv")
    for name, format in itertools.product(("a\0b", "\ud800"), ("tsv", "squad", "conllu", "swag")):
        with pytest.raises(InputError, match="^'.*': is no name of a file$"):
            read_table(name, format=format)


def test_a_table_of_one_line_that_has_cr_for_line_ends_is_refused(write):
    with pytest.raises(InputError, match="a.tsv, line 1: has CR within, wanted lines that end in"):
        read_table(write("a.tsv", "text\tlabel\rgood\t1\rbad\t0\r"))
    assert len(read_table(write("b.tsv", "text\tlabel\r\na\rb\t1\r\nc\t0"))) == 2


def test_texts_of_a_big_file_are_never_held_in_memory(tmp_path):
    path = tmp_path / "big.tsv"
    with open(path, "w", encoding="utf-8") as file:
        file.write(HEAD)
        file.writelines(f"{row} {'word ' * 40}\t{row % 7}\n" for row in range(20_000))
    tracemalloc.start()
    try:
        table = read_table(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(table) == 20_000 and path.stat().st_size > 4e6
    assert peak < 1.4e6
    rows = np.array([19_999, 0, 12_345])
    assert [text.split()[0] for text in table.cells(rows)["text"]] == ["19999", "0", "12345"]
    assert table.labels(rows).tolist() == [19_999 % 7, 0, 12_345 % 7]


def test_class_names_in_lists_are_numbered_and_unknown_ones_are_minus_one(write, caplog):
    places, kinds = {"text": "text", "tags": "tags"}, {"text": "text", "tags": "names"}
    train = write("a.jsonl", '{"text": "x y", "tags": ["B", "A"]}\n{"text": "z", "tags": ["A"]}\n')
    table = data.read_table(train, places, kinds)
    assert table.label_names == ("A", "B")
    assert table.cells(np.array([1, 0]))["tags"] == [[0], [1, 0]]
    other = write("b.jsonl", '{"text": "z", "tags": ["A", "C", "D"]}\n')
    with caplog.at_level("WARNING", "absl"):
        table = data.read_table(other, places, kinds, like=table)
    assert table.cells(np.array([0]))["tags"] == [[0, -1, -1]]
    # A subtype that is unknown is of the kind of one that is not.
    train = write(
        "d.jsonl", '{"text": "x y", "tags": ["B:x", "A"]}\n{"text": "z", "tags": ["A"]}\n'
    )
    other = write("e.jsonl", '{"text": "z", "tags": ["B", "B:y", "C:x", "A:x"]}\n')
    like = data.read_table(train, places, kinds)
    table = data.read_table(other, places, kinds, like=like)
    assert table.cells(np.array([0]))["tags"] == [[-3, -3, -1, -2]]
    assert "b.jsonl, line 1: C and 1 others are unknown in training" in caplog.text
    bad = write("c.jsonl", '{"text": "z", "tags": []}\n')
    with pytest.raises(InputError, match=r"line 1: key 'tags' is \[\], wanted a list of strings"):
        data.read_table(bad, places, kinds)


def test_a_header_among_the_rows_is_named_before_it_is_taken_for_a_class(write):
    path = write("a.tsv", "text\tlabel\ngood\t1\nbad\t0\ntext\tlabel\nfine\t1\n")
    with pytest.raises(InputError, match="line 4: is the header again, as where files were put"):
        read_table(path)
