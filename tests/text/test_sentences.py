"""Sentences end where a reader would end them, and no character is lost."""

import pytest

from bert_tf import ConfigError, split_sentences

ENGLISH = [
    ["Mr. Smith met Dr. J. K. Jones at 5 p.m. on Jan. 3, 2004.", "He paid $3.5 million."],
    ["The U.S. Army left.", "It was over in the U.S.", "The war had ended."],
    ['"Stop!" said he.', '"Why?" asked Anna.', "Nobody knew..."],
    ["He said, “Go.”", "They went (all of them).", "[Nobody stayed.]", "Then rain fell."],
    ["What?", "no!", "Who knows?!", "3 men know."],
    ["See No. 5 and p. 12, e.g. Fig. 3, etc. and so on.", "Apple Inc. sold it.", "Inc. is short."],
    ["1. Introduction follows.", "B. Results come next."],
    ["Visit www.example.org for version 2.1.0 of it.", "End"],
    ["all is small here.", "mr. brown knows it at 5 p.m. today.", "the end"],
]
CHINESE = [
    ["他说：「你好。」", "然后走了！", "真的？！", "是的。"],
    ["「我不去。」，他說。", "《偶像大師！》是動畫（好看！）的名字。"],
    ["面积3.5平方公里。", "“走吧！”", "他走了……没有回来。"],
    ["Google Fit于2014年6月25日发布。", "J. K. 罗琳写了《哈利·波特》。"],
]


@pytest.mark.parametrize("sentences", ENGLISH, ids=lambda sentences: sentences[0][:20])
def test_english(sentences):
    assert split_sentences(" ".join(sentences)) == sentences
    assert split_sentences("  " + "\n".join(sentences) + " ") == sentences


@pytest.mark.parametrize("sentences", CHINESE, ids=lambda sentences: sentences[0][:8])
def test_chinese_without_spaces_between_sentences(sentences):
    assert split_sentences("".join(sentences), "zh") == sentences
    assert split_sentences("".join(sentences)) == sentences


def test_western_marks_between_ideographs_end_a_sentence_in_chinese_text_alone():
    assert split_sentences("真的嗎?我不知道!好.走", "zh") == ["真的嗎?", "我不知道!", "好.", "走"]
    assert len(split_sentences("真的嗎?我不知道!好.走", "en")) == 1


@pytest.mark.parametrize("text", ["", "   ", "\n\t"])
def test_nothing_has_no_sentences(text):
    assert split_sentences(text) == []


@pytest.mark.parametrize(
    "text", ["...", "?!", "no mark at all", "a.b.c", "。。。！", ") . (", "Hm... 'tis. \u3000 So"]
)
def test_no_character_is_lost(text):
    for language in ("en", "zh"):
        assert "".join("".join(split_sentences(text, language)).split()) == "".join(text.split())


def test_a_long_text_takes_time_in_proportion():
    text = "Mr. X. said so! " * 20_000 + "a" * 100_000 + "." * 100_000 + "《" * 20_000
    assert len(split_sentences(text, "zh")) == 20_001


def test_an_unknown_language_is_named():
    with pytest.raises(ConfigError, match="language: 'de', wanted one of en, zh"):
        split_sentences("Ja.", "de")
