"""CoNLL files and spans in JSON: texts, places and labels; one line for what is none."""

import json
import logging

import pytest

from bert_tf.data import formats, read_table
from bert_tf.data.conll import joined
from bert_tf.errors import ConfigError, InputError
from bert_tf.tags import Tagging

KINDS = {"text": "text", "label": "spans"}
PLACES = {"text": "text", "label": "label"}
IOB = "\ufeff-DOCSTART- -X- O O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n"
IOB += "\t\n\ufeff\nPeter NNP B-NP B-PER\nBlackburn NNP I-NP I-PER\n"


def table_of(path, text, places=PLACES, **options):
    path.write_bytes(text.encode())
    return read_table(str(path), places, KINDS, **options)


def rows(table):
    """(text, spans as (cut out of the text, tag of the first word)) of each row."""
    cells = table.cells(range(len(table)))
    for text, marked in zip(cells["text"], cells["label"], strict=True):
        yield text, [(text[x[0] : x[1]], table.label_names[x[2]]) for x in marked.spans]


def test_sentences_are_texts_and_tags_are_spans(tmp_path):
    table = table_of(tmp_path / "a.txt", IOB)
    assert formats.guess_format(tmp_path / "a.txt", spans=True) == "conll"
    assert table.label_names == ("O", "B-ORG", "I-ORG", "B-PER", "I-PER")
    assert [*rows(table)] == [
        ("EU rejects", [("EU", "B-ORG")]),
        ("Peter Blackburn", [("Peter Blackburn", "B-PER")]),
    ]
    assert table.cells([1])["label"][0].words == [(0, 5), (6, 15)]
    chunks = table_of(tmp_path / "a.txt", IOB, {"text": 0, "label": 2})
    assert [*rows(chunks)][0][1] == [("EU", "B-NP"), ("rejects", "B-VP")]


def test_a_file_in_any_scheme_is_learned_in_the_one_that_is_told(tmp_path, caplog):
    want = [[("a b", "B-x"), ("c", "B-y")]]
    for tags in ("I-x I-x I-y O", "B-x I-x B-y O", "B-x E-x S-y O", "B-x L-x U-y O"):
        text = "".join(f"{word}\t{tag}\r\n" for word, tag in zip("abcd", tags.split(), strict=True))
        assert [x for _, x in rows(table_of(tmp_path / "a.bio", text))] == want
        table = table_of(tmp_path / "a.bio", text, tagging=Tagging("BIOES"))
        assert [x for _, x in rows(table)] == [[("a b", "B-x"), ("c", "B-y")]]
        first, _, last, single = table.cells([0])["label"][0].spans[0][2:]
        names = [table.label_names[x] for x in (first, last, single)]
        assert names == ["B-x", "E-x", "S-x"]
    assert not caplog.records


def test_a_tag_that_nothing_began_is_repaired_or_refused(tmp_path, caplog):
    broken = "a\tB-x\nb\tO\nc\tI-x\n\nd\tI-y\n"
    with caplog.at_level(logging.WARNING):
        found = [x for _, x in rows(table_of(tmp_path / "a.conll", broken))]
    assert found == [[("a", "B-x"), ("c", "B-x")], [("d", "B-y")]]
    assert "line 3: I-x goes on with a span that nothing began; so do 1 others" in caplog.text
    with pytest.raises(InputError, match="line 3: I-x goes on with a span that nothing began"):
        table_of(tmp_path / "a.conll", broken, tagging=Tagging(strict=True))


def test_labels_of_words_are_taken_as_they_are(tmp_path):
    lines = "# text = I don't .\n1\tI\ti\tPRON\t_\n2-3\tdon't\t_\t_\t_\n2\tdo\tdo\tAUX\t_\n"
    lines += "3\tn't\tnot\tPART\t_\n3.1\tx\tx\tX\t_\n4\t#\t.\tPUNCT\t_\n"
    table = table_of(tmp_path / "a.conllu", lines)
    assert [*rows(table)] == [
        ("I do n't #", [("I", "PRON"), ("do", "AUX"), ("n't", "PART"), ("#", "PUNCT")])
    ]
    assert table.label_names == ("AUX", "PART", "PRON", "PUNCT")


def test_comments_are_no_words_and_hashes_are(tmp_path):
    text = "# id 4f domain=train\n# one comment\n# _ _ B-x\nb _ _ O\n"
    assert [*rows(table_of(tmp_path / "a.conll", text))] == [("# b", [("#", "B-x")])]


def test_words_are_joined_as_their_language_is_written():
    assert joined(["New", "York", "!"])[0] == "New York !"
    assert joined(["中", "国", "2", "0", "A"]) == ("中国20A", [(n, n + 1) for n in range(5)])
    assert joined(["我", "爱", "New", "York", "，", "OK"])[0] == "我爱New York，OK"
    assert joined(["日本", "の"])[0] == "日本の"
    assert joined(["😂", "é"]) == ("😂 é", [(0, 1), (2, 3)])


def test_wikiann_words_stand_behind_their_language(tmp_path):
    text = "en:R.H.\tB-ORG\nen::\tO\n\nen:Karl\tB-PER\n"
    assert [*rows(table_of(tmp_path / "train", text))] == [
        ("R.H. :", [("R.H.", "B-ORG")]),
        ("Karl", [("Karl", "B-PER")]),
    ]


def test_json_spans_and_cluener_are_the_same_and_either_key_will_do(tmp_path):
    text = "浙商银行的叶老桂😂"
    forms = (
        {"text": text, "label": {"name": {"叶老桂": [[5, 7]]}, "company": {"浙商银行": [[0, 3]]}}},
        {
            "text": text,
            "spans": [
                {"start": 5, "end": 8, "label": "name", "score": 0.5},
                {"start": 0, "end": 4, "label": "company"},
            ],
        },
        {"text": text, "label": [[0, 4, "company"], [5, 8, "name"]]},
    )
    lines = "".join(json.dumps(form) + "\n" for form in forms)
    table = table_of(tmp_path / "a.json", lines)
    assert [*rows(table)] == [(text, [("浙商银行", "B-company"), ("叶老桂", "B-name")])] * 3


@pytest.mark.parametrize(
    ("row", "told"),
    (
        ({"label": [[0, 4, "x"]]}, "line 2: span x 0 to 4 is not in the text of 3 characters"),
        ({"label": [[-1, 2, "x"]]}, "span x -1 to 2 is not in the text"),
        ({"label": [[1, 1, "x"]]}, "span x 1 to 1 is not in the text"),
        ({"label": {"x": {"ab": [[1, 2]]}}}, "line 2: span x 1 to 3 is 'ab' there, and 'bc' in"),
        ({"label": "x"}, "line 2: key 'label' is 'x', wanted a list of spans"),
        ({"label": [{"start": 0, "label": "x"}]}, "wanted a list of spans"),
        ({"label": [[0, 1, ""]]}, "wanted a list of spans"),
        ({"spans": [["0", 1, "x"]]}, "line 2: key 'spans' is [['0', 1, 'x']], wanted a list"),
        ({}, "line 2: no key 'label'; there are 'text'"),
    ),
)
def test_a_bad_span_is_one_line_that_says_where(tmp_path, row, told):
    lines = [{"text": "abc", "label": [[0, 1, "x"]]}, {"text": "abc", **row}]
    with pytest.raises(InputError) as caught:
        table_of(tmp_path / "a.jsonl", "".join(json.dumps(x) + "\n" for x in lines))
    assert told in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    (
        ("a\tB-x\n\nb\tO\nc\n", "line 4: 'c' has 1 columns, wanted 2 at least: a word and its tag"),
        ("a _ B-x\nb O\n", "line 2: has 2 columns, wanted 3 as the sentence's first word"),
        ("a\tB-x\n\nb\tB_x\n", "line 3: 'B_x' is no tag, wanted O, or B-"),
        ("# id 1\na\tB-x\n-DOCSTART-\t-\nb\tB_y\n", "line 4: 'B_y' is no tag, wanted O, or"),
        ("a\tO\nb\tO\n", "no span in it, wanted one at least to learn from"),
        ("\n\n-DOCSTART-\tO\n", "has no rows"),
        ("a\tO\rb\tB-x\r", "line 1: has CR within, wanted lines that end in LF or CR LF"),
        ("a\tO\nb\tB-x\rc\tO\n", "line 2: has CR within, wanted lines that end in LF or CR LF"),
    ),
)
def test_a_bad_sentence_is_one_line_that_says_where(tmp_path, text, told):
    with pytest.raises(InputError) as caught:
        table_of(tmp_path / "a.conll", text)
    assert told in str(caught.value) and "\n" not in str(caught.value)


def test_labels_unseen_in_training_are_told_once_and_count_as_wrong(tmp_path, caplog):
    train = table_of(tmp_path / "a.conll", "a\tB-x\nb\tO\n")
    text = "a\tB-x\nb\tB-y\n\nc\tI-y\n\nd\tB-z\n"
    with caplog.at_level(logging.WARNING):
        table = table_of(tmp_path / "b.conll", text, like=train)
    assert "b.conll, line 2: y and 1 others are unknown in training" in caplog.text
    cells = table.cells(range(3))["label"]
    assert [x.labels for x in cells] == [["x", "y"], ["y"], ["z"]]
    assert [[span[2] for span in x.spans] for x in cells] == [[1, -1], [-1], [-1]]


@pytest.mark.parametrize("format", ["conll", "wikiann", "conllu_tags"])
@pytest.mark.parametrize(
    "kinds",
    [
        {"text": "text", "label": "label"},
        {"text": "text", "text_pair": "text"},
        {"text": "text", "choices": "texts"},
        {"text": "text", "label": "spans", "language": "name"},
    ],
)
def test_a_task_that_reads_more_than_words_and_tags_is_named_its_columns(tmp_path, format, kinds):
    (tmp_path / "a.conll").write_text("a\tB-x\tX\tX\n")
    told = f"a.conll: the format {format} has words and their tags, wanted one that has"
    with pytest.raises(ConfigError, match=f"{told} {', '.join(kinds)}, which the task reads"):
        read_table(str(tmp_path / "a.conll"), {name: name for name in kinds}, kinds, format)
