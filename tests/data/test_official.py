"""The official files of GLUE and CLUE: each layout to rows of one form, what is left out, told."""

import json

import pytest

from bert_tf.data.official import NO_LABEL, OFFICIAL
from bert_tf.data.official_rows import part_of, paths_of, read_official
from bert_tf.errors import InputError


def write(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [x if isinstance(x, str) else json.dumps(x, ensure_ascii=False) for x in lines]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def rows_of(name, part, folder):
    return read_official(name, part, part_of(name, folder, part))


CMRC = {
    "paragraphs": [
        {"context": "他在北京。", "qas": [{"question": "在哪？", "id": "TRAIN_1_QUERY_0"}]}
    ]
}
CMRC["paragraphs"][0]["qas"][0]["answers"] = [{"text": "北京", "answer_start": 2}]
CHID = {
    "content": ["这个问题#idiom000001#，人们#idiom000002#。"],
    "candidates": ["一清二楚", "七上八下"],
}
FURTHER = {**CHID, "content": ["这个问题#idiom000003#。"]}


# task, part, file, its lines -> the row
LAYOUTS = {
    "CoLA": (
        "train",
        "CoLA/train.tsv",
        ["gj04\t1\t\tThey left."],
        dict(text="They left.", label="1"),
    ),
    "CoLA to predict": (
        "CoLA.tsv",
        "CoLA/test.tsv",
        ["index\tsentence", "7\tIt."],
        dict(text="It."),
    ),
    "SST-2": (
        *("train", "SST-2/train.tsv", ["sentence\tlabel", 'a "good one \t1']),
        dict(text='a "good one ', label="1"),
    ),
    "MRPC": (
        *("validation", "MRPC/msr_paraphrase_test.txt"),
        ["\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String", "0\t1\t2\tA b.\tC d."],
        dict(text="A b.", text_pair="C d.", label="0"),
    ),
    "STS-B": (
        *("train", "STS-B/train.tsv"),
        [
            "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore",
            "0\tmain\tMSRvid\t2012\t1\tnone\tnone\tA.\tB.\t4.750",
        ],
        dict(text="A.", text_pair="B.", label="4.750"),
    ),
    "QQP to predict": (
        *("QQP.tsv", "QQP/test.tsv", ["id\tquestion1\tquestion2", "7\tWhy?\tWhen?"]),
        dict(text="Why?", text_pair="When?"),
    ),
    "MNLI": (
        *("test", "MNLI/dev_mismatched.tsv"),
        ["index\tsentence1\tsentence2\tlabel1\tgold_label", "0\tA.\tB.\tneutral\tentailment"],
        dict(text="A.", text_pair="B.", label="entailment"),
    ),
    "MNLI's AX": (
        *("AX", "AX/diagnostic-full.tsv"),
        ["Logic\tDomain\tPremise\tHypothesis\tLabel", "\tNews\tA.\tB.\tneutral"],
        dict(text="A.", text_pair="B.", label="neutral"),
    ),
    "QNLI": (
        *("train", "QNLI/train.tsv"),
        ["index\tquestion\tsentence\tlabel", "3\tWho?\tShe.\tnot_entailment"],
        dict(text="Who?", text_pair="She.", label="not_entailment"),
    ),
    "tnews": (
        *("train", "tnews_public/train.json"),
        [{"label": "108", "label_desc": "news_edu", "sentence": "上课时", "keywords": ""}],
        dict(text="上课时", label="108"),
    ),
    "tnews to predict": (
        *("tnews11_predict.json", "tnews_public/test1.1.json", [{"id": 7, "sentence": "上课"}]),
        dict(text="上课"),
    ),
    "ocnli": (
        *("train", "ocnli/train.50k.json"),
        [{"sentence1": "身上裹一件", "sentence2": "好看", "label": "neutral", "genre": "lit"}],
        dict(text="身上裹一件", text_pair="好看", label="neutral"),
    ),
    "cluewsc2020": (
        *("validation", "cluewsc2020_public/dev.json"),
        [
            {
                "target": {
                    "span2_index": 4,
                    "span1_index": 0,
                    "span1_text": "小王",
                    "span2_text": "他",
                },
                "label": "false",
                "text": "小王说了他走",
            }
        ],
        dict(text="_小王_说了[他]走", label="false"),
    ),
    "csl": (
        *("train", "csl_public/train.json"),
        [{"id": 1, "abst": "摘要", "keyword": ["水", "能量"], "label": "0"}],
        dict(text="水 能量", text_pair="摘要", label="0"),
    ),
    "cmrc2018": (
        *("train", "cmrc2018_public/train.json", [{"version": "v1.0", "data": [CMRC]}]),
        dict(
            question="在哪？",
            context="他在北京。",
            answers=[{"text": "北京", "answer_start": 2}],
        ),
    ),
    "c3 to predict": (
        *("c311_predict.json", "c3_public/test1.1.json"),
        [[[["男：好。"], [{"question": "谁？", "choice": ["甲", "乙"], "id": 7}]]]],
        dict(text="男：好。", question="谁？", choices=["甲", "乙"]),
    ),
    "chid to predict": (
        *("chid11_predict.json", "chid_public/test1.1.json", [CHID, FURTHER]),
        dict(text="这个问题___，人们……。", choices=["一清二楚", "七上八下"]),
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_is_read(name, tmp_path):
    part, file, lines, row = LAYOUTS[name]
    task = name.split(" ")[0].removesuffix("'s")
    (tmp_path / OFFICIAL[task].folders[0]).mkdir(parents=True)
    write(tmp_path / file, *lines)
    found = rows_of(task, part, tmp_path)
    first = found.rows[0]
    known = (0, 1, 3, 7, "0", "3", "7", "TRAIN_1_QUERY_0", "#idiom000001#")
    assert first.pop("id") in known and first == row and not found.left_out


def test_c3_is_two_files_in_one_part_and_chid_s_answers_lie_beside_it(tmp_path):
    asked = [{"question": "谁？", "choice": ["甲", "乙"], "answer": "乙"}]
    for kind in "dm":
        write(tmp_path / f"c3/{kind}-train.json", [[[kind], asked]])
    found = rows_of("c3", "train", tmp_path).rows
    assert [row["text"] for row in found] == ["d", "m"] and [x["label"] for x in found] == [1, 1]
    assert [row["id"] for row in found] == [0, 1]
    write(tmp_path / "chid/dev.json", CHID)
    with pytest.raises(InputError, match="dev.json, blank 1: there is no answer to learn from"):
        rows_of("chid", "validation", tmp_path)
    write(tmp_path / "chid/dev_answer.json", {"#idiom000001#": 0, "#idiom000002#": 1})
    found = rows_of("chid", "validation", tmp_path).rows
    assert [row["label"] for row in found] == [0, 1]
    assert found[1]["text"] == "这个问题……，人们___。"
    with pytest.raises(InputError, match="d-dev.json: no such file, which c3 is to be learned"):
        paths_of("c3", tmp_path)


def test_what_the_sites_broke_and_what_nobody_agreed_on_is_counted(tmp_path):
    header = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate"
    write(
        tmp_path / "QQP/train.tsv",
        header,
        "0\t1\t2\tA?\tB?\t1",
        "1\t3\t4\tA?",
        "2\t5\t6\tC?\tD?\t0",
    )
    found = rows_of("QQP", "train", tmp_path)
    assert [row["label"] for row in found.rows] == ["1", "0"]
    assert found.left_out == {"lacks its 'question2'": 1}
    pair = {"sentence1": "a", "sentence2": "b"}
    write(tmp_path / "ocnli/dev.json", {**pair, "label": "-"}, {**pair, "label": "neutral"})
    found = rows_of("ocnli", "validation", tmp_path)
    assert [row["label"] for row in found.rows] == [NO_LABEL, "neutral"]  # the runs leave it out


@pytest.mark.parametrize(
    "task, part, file, lines, told",
    [
        (
            "SST-2",
            "train",
            "SST-2/train.tsv",
            ["text\tlabel", "a\t1"],
            "line 1: no column 'sentence'",
        ),
        ("SST-2", "train", "SST-2/train.tsv", ["sentence\tlabel"], "has no rows"),
        (
            "QQP",
            "QQP.tsv",
            "QQP/test.tsv",
            ["id\tquestion1\tquestion2", "0\tA?"],
            "line 2: lacks its",
        ),
        (
            "afqmc",
            "train",
            "afqmc/train.json",
            ['{"sentence1": 3, "sentence2": ""}'],
            "is 3, wanted",
        ),
        (
            "csl",
            "train",
            "csl/train.json",
            ['{"keyword": "a", "abst": ""}'],
            "keyword is 'a', wanted",
        ),
        (
            *("cluewsc2020", "train", "cluewsc2020/train.json"),
            ['{"text": "ab", "target": {"span1_index": 1, "span1_text": "a"}}'],
            "line 1: target: span1 is 'a', not in the text",
        ),
        (
            *("tnews", "train", "tnews/train.json"),
            ['{"sentence": "a", "label": null}'],
            "line 1: 'label' is None, wanted a string or a number",
        ),
        (
            *("tnews", "tnews11_predict.json", "tnews/test.json"),
            ['{"sentence": "a", "id": 3}', '{"sentence": "b", "id": 3}'],
            "id 3 stands there twice, wanted each once",
        ),
        (
            *("tnews", "tnews11_predict.json", "tnews/test.json"),
            ['{"sentence": "a", "id": null}'],
            "an id is None, wanted a string or a number",
        ),
    ],
)
def test_other_files_are_refused_with_their_line(task, part, file, lines, told, tmp_path):
    write(tmp_path / file, *lines)
    with pytest.raises(InputError) as caught:
        rows_of(task, part, tmp_path)
    assert told in str(caught.value) and file in str(caught.value)


def test_of_several_files_of_a_part_the_missing_one_is_named(tmp_path):
    write(tmp_path / "c3_public/d-train.json", "[]")
    with pytest.raises(InputError, match="c3_public/m-train.json: no such file"):
        paths_of("c3", str(tmp_path))
