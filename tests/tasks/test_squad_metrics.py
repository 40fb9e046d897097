"""squad_score counts as the official scorers do: SQuAD 1.1, SQuAD 2.0 and CMRC 2018."""

import logging

import pytest

from bert_tf import InputError, squad_score


def dataset(*questions, context="Denver won the 50th game.", **more):
    """A SQuAD file whose questions have these right answers, their ids 0, 1, ..."""
    qas = [
        {"id": str(number), "answers": [{"text": x, "answer_start": 0} for x in answers], **more}
        for number, answers in enumerate(questions)
    ]
    return {"data": [{"paragraphs": [{"context": context, "qas": qas}]}]}


def test_articles_marks_and_case_do_not_count_and_the_best_answer_does():
    asked = dataset(["The Denver Broncos", "Denver"], ["game"], ["a b c d"])
    given = {"0": "denver broncos!", "1": "an opera", "2": "b c x"}
    # Of "b c d" and "b c x" ("a" is an article) two words of three are common.
    want = {"exact_match": 100 / 3, "f1": 100 * (1 + 0 + 2 / 3) / 3}
    assert squad_score(asked, given) == pytest.approx(want)
    assert squad_score(asked["data"], given) == pytest.approx(want)


def test_a_question_without_a_prediction_counts_0_and_is_told(caplog):
    with caplog.at_level(logging.WARNING):
        assert squad_score(dataset(["a b"], ["c"]), {"1": "c"})["exact_match"] == 50
    assert "1 of 2 questions have no prediction and count 0, such as '0'" in caplog.text


def test_questions_without_an_answer_are_counted_as_squad_2_does():
    asked = dataset(["red fox"], [], [], ["blue"])
    given = {"0": "fox", "1": "", "2": "cow", "3": ""}
    found = squad_score(asked, given, {"0": 0.1, "1": 0.9, "2": 0.5, "3": 0.7})
    assert found == pytest.approx(
        {
            "exact_match": 25,
            "f1": 100 * (2 / 3 + 1 + 0 + 0) / 4,
            "HasAns_exact": 0,
            "HasAns_f1": 100 / 3,
            "HasAns_total": 2,
            "NoAns_exact": 50,
            "NoAns_f1": 50,
            "NoAns_total": 2,
            # No answer at all is right twice; up to 0.1 the fox is worth two thirds more.
            "best_exact": 50,
            "best_exact_thresh": 0,
            "best_f1": 100 * (2 + 2 / 3) / 4,
            "best_f1_thresh": 0.1,
        }
    )
    # Above 1 there is no answer, whatever the prediction says.
    assert squad_score(asked, given, dict.fromkeys("0123", 1.5))["exact_match"] == 50
    assert "best_f1" not in squad_score(asked, given)


def test_chinese_answers_are_compared_by_character_and_by_their_longest_common_run():
    asked = dataset(["北京大学", "北大"], ["1949年10月"], context="他在北京大学读书。" * 3)
    found = squad_score(asked, {"0": "《北京大学》。", "1": "1949年"})
    # Segments 1949 年 10 月 against 1949 年: precision 1, recall a half.
    assert found == pytest.approx({"exact_match": 50, "f1": 100 * (1 + 2 / 3) / 2})
    assert squad_score(asked, {"0": "京大", "1": ""})["f1"] == pytest.approx(100 * (2 / 3) / 2)
    assert squad_score(asked, {"0": "京大", "1": ""}, chinese=False)["f1"] == 0


@pytest.mark.parametrize(
    "asked, given, message",
    (
        (dataset(["a"]), {}, "predictions: there are none"),
        (dataset(["a"]), ["a"], "predictions are a list"),
        (dataset(["a"]), {"0": 3}, "predictions: '0': 3, wanted a string"),
        ({"rows": []}, {"0": "a"}, "dataset: not of SQuAD's shape"),
        ({"data": [{"paragraphs": 3}]}, {"0": "a"}, "dataset: not of SQuAD's shape"),
        ({"data": []}, {"0": "a"}, "no question to score"),
        (
            [{"paragraphs": [{"context": "", "qas": [{"id": "x"}, {"id": "x"}]}]}],
            {"x": "a"},
            "dataset: id 'x' stands twice",
        ),
    ),
)
def test_what_cannot_be_scored_is_one_line(asked, given, message):
    with pytest.raises(InputError) as caught:
        squad_score(asked, given)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_probability_has_to_be_there_for_each_question():
    with pytest.raises(InputError, match="na_probs: none for question '1'"):
        squad_score(dataset(["a"], []), {"0": "a", "1": ""}, {"0": 0.5})
