"""Files that are one document: their records, and one line for what is none."""

import json

import numpy as np
import pytest

from bert_tf.data import formats, read_table
from bert_tf.errors import InputError

QUESTIONS = [
    {"id": "a", "question": "who?", "answers": [{"text": "Bob", "answer_start": 0}]},
    {"id": "b", "question": "when?", "is_impossible": True, "answers": []},
]
SQUAD = {"version": "2.0", "data": [{"paragraphs": [{"context": "Bob.", "qas": QUESTIONS}]}]}
PLACES = {"question": "question", "context": "context"}
KINDS = dict.fromkeys(PLACES, "text")


def written(path, document):
    path.write_text(document if isinstance(document, str) else json.dumps(document, indent=1))
    return str(path)


def test_squad_s_questions_are_rows_in_their_order(tmp_path):
    path = written(tmp_path / "a.json", SQUAD)
    table = read_table(path, PLACES, KINDS)
    assert len(table) == 2 and table.name == path
    assert table.cells([1, 0]) == {"question": ["when?", "who?"], "context": ["Bob.", "Bob."]}
    first, rest = table.split(0.5, 1)
    assert len(first) == len(rest) == 1
    records = list(formats.scan(None, path, "squad"))
    assert [record.cells["answers"] for record in records] == [QUESTIONS[0]["answers"], []]


def test_json_lines_are_told_from_a_document(tmp_path):
    lines = written(tmp_path / "a.json", '{"question": "who?", "context": "Bob."}\n')
    assert len(read_table(lines, PLACES, KINDS)) == 1


@pytest.mark.parametrize(
    "document, message",
    (
        ("{", "a.json, line 1, column 2: not JSON"),
        ({"data": 3}, "no list `data` of articles"),
        ({"data": [{"paragraphs": 3}]}, "article 1: paragraphs is 3"),
        (
            {"data": [{"paragraphs": [{"context": 7, "qas": []}]}]},
            "article 1, paragraph 1: context is 7, wanted a string",
        ),
        (
            {"data": [{"paragraphs": [{"context": "", "qas": [{"question": None}]}]}]},
            "paragraph 1, question 1: question is None",
        ),
        (
            {
                "data": [
                    {
                        "paragraphs": [
                            {"context": "", "qas": [{"question": "", "answers": [{"text": "a"}]}]}
                        ]
                    }
                ]
            },
            "answer_start is None, wanted a whole number",
        ),
    ),
)
def test_a_damaged_document_is_one_line_that_says_where(tmp_path, document, message):
    path = written(tmp_path / "a.json", document)
    with pytest.raises(InputError, match="a.json") as caught:
        read_table(path, PLACES, KINDS, "squad")
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_rows_with_a_fault_are_counted_and_left_out_of_the_sound_ones(tmp_path):
    path = written(tmp_path / "a.jsonl", "".join(f'{{"text": "t{i}"}}\n' for i in range(6)))
    table = read_table(
        path,
        {"text": "text"},
        {"text": "text"},
        fault=lambda cells: "odd" if int(cells["text"][1:]) % 2 else None,
    )
    assert len(table) == 6 and {k: v.tolist() for k, v in table.faults.items()} == {
        "odd": [1, 3, 5]
    }
    assert table.sound().cells(np.arange(3))["text"] == ["t0", "t2", "t4"]
    assert table.subset(np.array([5, 0])).faults["odd"].tolist() == [0]

    def refuse(cells):
        raise InputError(f"{cells['text']} will not do")

    with pytest.raises(InputError, match="a.jsonl, line 1: t0 will not do"):
        read_table(path, {"text": "text"}, {"text": "text"}, fault=refuse)
