"""C3, RACE and SWAG as published: their questions as rows, and one line for what is none."""

import json

import pytest

from bert_tf.data import formats, read_table
from bert_tf.errors import InputError

ASKED = [
    {"question": "谁？", "choice": ["甲", "乙", "丙"], "answer": "乙"},
    {"question": "何时？", "choice": ["今天", "明天"], "answer": "今天"},
]
C3 = [[["男：你好。", "女：你好！"], ASKED, "1-1"], [["他走了。"], ASKED[1:], "1-2"]]
RACE = {
    "answers": ["B", "A"],
    "options": [["x", "y", "z", "w"], ["p", "q", "r", "s"]],
    "questions": ["Who?", "When?"],
    "article": "Bob came.",
    "id": "high1.txt",
}
SWAG = ",video-id,sent1,sent2,ending0,ending1,ending2,ending3,label\n"
SWAG += '0,a,"He, Bob, sits.",He,runs.,stands.,eats.,"laughs\nloud.",3\n'
COLUMNS = ("text", "question", "choices", "label")
KINDS = {"text": "text", "question": "text", "choices": "texts", "label": "number"}


def written(path, content):
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    path.write_text(text, encoding="utf-8")
    return str(path)


def rows(path):
    table = read_table(path, dict(zip(COLUMNS, COLUMNS, strict=True)), KINDS)
    cells = table.cells(range(len(table)))
    return list(zip(*(cells[name] for name in COLUMNS), strict=True))


def test_the_blanks_of_chid_are_rows_with_what_is_around_them(tmp_path):
    text = "前" * 80 + "#idiom000003#中#idiom000004#"
    given = {"content": [text], "candidates": ["甲", "乙", "丙"], "realCount": 2}
    path = written(tmp_path / "train.json", given)
    written(tmp_path / "train_answer.json", {"#idiom000003#": 2, "#idiom000004#": 0})
    assert formats.guess_format(path) == "chid"
    places = {"text": "text", "choices": "choices", "label": "label"}
    table = read_table(path, places, {name: KINDS[name] for name in places})
    cells = table.cells(range(2))
    assert cells["label"] == [2, 0] and cells["choices"][0] == ["甲", "乙", "丙"]
    assert cells["text"] == ["前" * 58 + "___中……", "前" * 55 + "……中___"]
    written(tmp_path / "train_answer.json", {"#idiom000003#": 3, "#idiom000004#": 0})
    with pytest.raises(InputError, match="train_answer.json: #idiom000003# is 3, wanted a number"):
        read_table(path, places, {name: KINDS[name] for name in places})


def test_c3_s_answers_are_numbers_of_their_choices(tmp_path):
    path = written(tmp_path / "c3.json", C3)
    assert formats.guess_format(path) == "c3"
    assert rows(path) == [
        ("男：你好。\n女：你好！", "谁？", ["甲", "乙", "丙"], 1),
        ("男：你好。\n女：你好！", "何时？", ["今天", "明天"], 0),
        ("他走了。", "何时？", ["今天", "明天"], 0),
    ]


@pytest.mark.parametrize("form", ("one", "pretty", "lines"))
def test_race_s_letters_are_numbers_in_a_file_of_one_object_or_one_a_line(tmp_path, form):
    text = json.dumps(RACE, indent=1 if form == "pretty" else None)
    path = written(tmp_path / "1.txt", text + ("\n\n" + text + "\n" if form == "lines" else ""))
    assert formats.guess_format(path) == "race"
    want = [("Bob came.", "Who?", list("xyzw"), 1), ("Bob came.", "When?", list("pqrs"), 0)]
    assert rows(path) == want * (2 if form == "lines" else 1)


def test_swag_s_endings_are_choices(tmp_path):
    path = written(tmp_path / "train.csv", SWAG)
    assert formats.guess_format(path) == "swag"
    want = ["runs.", "stands.", "eats.", "laughs\nloud."]
    assert rows(path) == [("He, Bob, sits.", "He", want, "3")]


def test_other_files_keep_the_format_of_their_names(tmp_path):
    for name, text, format in (
        ("a.csv", "text,label\na,b\n", "csv"),
        ("a.json", '{"text": "a"}\n', "jsonl"),
        ("a.txt", "text\tlabel\n", "tsv"),
        ("b.csv", "main-news\t2012\tA plane.\nmain-news\t2013\tA, b.\n", "tsv"),  # STS-B's own
        ("c.csv", "a,b\tc\n", "csv"),
    ):
        assert formats.guess_format(written(tmp_path / name, text)) == format


@pytest.mark.parametrize(
    "format, content, message",
    (
        ("c3", {"a": 1}, "no list of [sentences, questions, id]"),
        ("c3", [3], "text 1: 3, wanted [sentences, questions, id]"),
        ("c3", [["a", [], ""]], "text 1: sentences is 'a', wanted a list of strings"),
        ("c3", [[["a"], [{"question": 3}], ""]], "text 1, question 1: question is 3"),
        (
            "c3",
            [[["a"], [{"question": "b", "choice": ["c"], "answer": "d"}], ""]],
            "text 1, question 1: answer is 'd', wanted one of choice",
        ),
        ("race", [1], "text 1: [1], wanted an object with `article`"),
        ("race", '{"article": 3}', "text 1: article is 3, wanted a string"),
        ("race", {**RACE, "options": []}, "text 1: options: wanted a list of 2, one each"),
        ("race", {**RACE, "answers": ["E", "A"]}, "question 1: answers: 'E', wanted one of A, B"),
        ("race", '{"article": "a"}\n{"arti\n', "line 2, column"),
        ("race", "{", "line 1, column 2: not JSON"),
        ("swag", "sent1,sent2\n", "line 1: no column 'ending0', which a SWAG file has"),
        ("swag", SWAG + "1,b,one\n", "row 2: has fewer cells than the header"),
        ("swag", SWAG + '1,"b', "not CSV"),
    ),
)
def test_a_damaged_file_is_one_line_that_says_where(tmp_path, format, content, message):
    path = written(tmp_path / "a.any", content)
    with pytest.raises(InputError) as caught:
        list(formats.scan(None, path, format))
    said = str(caught.value)
    assert said.startswith(path) and message in said and "\n" not in said
