"""Word starts: ## pieces continue a word, and Chinese words come from whatever cuts them."""

import builtins

import numpy as np
import pytest

from bert_tf import Tokenizer
from bert_tf.errors import InputError
from bert_tf.text.segmentation import continuations, jieba_segmenter, word_starts
from tests import tiny


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chinese")
    entries = [*tiny.SPECIAL, *"我们在北京大学读书。", "play", "##ing", "##s", "a"]
    (folder / "vocab.txt").write_text("\n".join(entries) + "\n", encoding="utf-8")
    return Tokenizer.from_pretrained(folder)


def starts_of(tokenizer, texts, segment):
    """For each text its pieces, those that begin a word after a space."""
    ids, offsets = tokenizer.pieces(texts, return_offsets=True)
    splits = ids.row_splits.numpy()
    starts = word_starts(texts, offsets.flat_values.numpy(), splits, segment)
    assert starts.dtype == bool and len(starts) == splits[-1]
    found = []
    for begin, end in zip(splits[:-1], splits[1:], strict=True):
        pieces = [tokenizer.vocabulary[i] for i in ids.flat_values.numpy()[begin:end]]
        marks = starts[begin:end]
        found.append("".join(" " * bool(s) + p for s, p in zip(marks, pieces, strict=True)).strip())
    return found


def test_pieces_with_a_prefix_continue_a_word():
    assert continuations(["a", "##b", "##", "#", "###"]).tolist() == [False, True, False] + [
        False,
        True,
    ]


def test_words_begin_where_the_segmenter_says(tokenizer):
    words = {"我们在北京大学读书。": ["我们", "在", "北京大学", "读书", "。"], "": [], "我": ["我"]}
    found = starts_of(tokenizer, list(words), words.get)
    assert found == ["我们 在 北京大学 读书 。", "", "我"]


def test_latin_pieces_spaces_and_unknown_characters_keep_their_places(tokenizer):
    def segment(text):
        return [" " if word == "_" else word for word in words[text].split("|")]

    words = {"我们 plays 在京": "我们|_|plays|_|在|京", "鑫plays在北京": "鑫|plays|在|北京"}
    found = starts_of(tokenizer, list(words), segment)
    assert found == ["我们 play##s 在 京", "[UNK] play##s 在 北京"]


def test_piece_over_several_words_begins_the_first_of_them(tokenizer):
    texts = ["playing"]
    offsets = np.array([[0, 4], [4, 7]])
    assert word_starts(texts, offsets, [0, 2], lambda _: ["pl", "aying"]).tolist() == [True, False]
    assert word_starts(texts, offsets, [0, 2], lambda _: ["play", "ing"]).tolist() == [True, True]


def test_segmenter_that_loses_characters_is_refused(tokenizer):
    with pytest.raises(
        InputError, match="words of 3 characters for the 4 characters of '我们在北'"
    ):
        starts_of(tokenizer, ["我们在北"], lambda text: [text[:3]])


def test_jieba_finds_chinese_words(tokenizer):
    found = starts_of(tokenizer, ["我们在北京大学读书。"], jieba_segmenter())
    assert found == ["我们 在 北京大学 读书 。"]
    text = "我们  在\n北京 C++ 3.5%，鑫"
    assert "".join(jieba_segmenter()(text)) == text


def test_missing_jieba_is_one_line_that_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def absent(name, *arguments, **options):
        if name == "jieba":
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(InputError, match=r"pip install 'bert_tf\[chinese\]'") as caught:
        jieba_segmenter()
    assert "\n" not in str(caught.value)
