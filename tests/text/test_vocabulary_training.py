"""A vocabulary is learned from the words that the tokenizer itself sees, exactly and repeatably."""

import collections
import random

import numpy as np
import pytest

import bert_tf
from bert_tf import ConfigError, InputError, Tokenizer, train_vocabulary
from bert_tf.text import normalization, word_counts
from bert_tf.text.merges import pieces_of
from bert_tf.text.vocabulary_training import bare_settings, learn_entries
from bert_tf.text.word_counts import WordCounter

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TEXTS = [
    "The lower house sat lower than the lowest; newer lows followed.",
    "Slow, slower, slowest: the newest of them was the widest.",
    "Ängström's café, naïve façade... $3.50 (50%)!",
    "今天天气很好，我们去公园。今天 lower天气",
] * 3


def counted(texts, lowercase=True, **options):
    counter = WordCounter(bare_settings(lowercase), **options)
    for text in texts:
        counter.add(text)
    return counter.words()


def plain_merges(words, room):
    """What is learned, by counting all pairs afresh for every merge."""
    cut = {word: [word[0], *("##" + x for x in word[1:])] for word in words}
    learned = []
    known = {piece for pieces in cut.values() for piece in pieces}
    while len(learned) < room:
        pairs = collections.Counter()
        for word, pieces in cut.items():
            for pair in zip(pieces, pieces[1:], strict=False):
                pairs[pair] += words[word]
        count, text, pair = min((-n, a + b[2:], (a, b)) for (a, b), n in pairs.items())
        for pieces in cut.values():
            i = 0
            while i < len(pieces) - 1:
                if (pieces[i], pieces[i + 1]) == pair:
                    pieces[i : i + 2] = [text]
                i += 1
        if text not in known:
            known.add(text)
            learned.append(text)
    return learned


def test_words_are_those_that_the_tokenizer_cuts(tmp_path):
    words = counted(TEXTS)
    assert words["lower"] == 9 and words["今"] == 6 and words["angstrom"] == 3
    assert words["$"] == 3 and words["3"] == 3 and words["lowest"] == 3
    (tmp_path / "vocab.txt").write_text("\n".join([*SPECIAL, "unmatched"]) + "\n")
    blind = Tokenizer.from_pretrained(tmp_path)  # gives one [UNK] a word
    assert sum(words.values()) == sum(len(blind.tokenize(text)) for text in TEXTS)
    assert counted(TEXTS, lowercase=False)["Ängström"] == 3


def test_hard_characters_count_as_the_tokenizer_sees_them():
    hidden = "a\u061db"  # the matcher splits here, the tokenizer does not
    apart = "a\u166db"  # and the other way round
    texts = [hidden, apart, "x\u0000y\u200bz", "w" * 101, "ok\ud800ay", "A\u00a0B\u3000C", "İI"]
    words = counted(texts)
    assert words[hidden] == 1 and words["\u166d"] == 1 and words["xyz"] == 1
    assert words["okay"] == 1 and words["ii"] == 1 and not any("w" in word for word in words)
    assert chr(normalization.UNMATCHED) not in "".join(words)
    tokenizer = train_vocabulary(texts, size=60, min_frequency=1, lowercase=True)
    for text in (hidden, apart, "xyz", "okay"):
        assert "[UNK]" not in tokenizer.tokenize(text)


def test_training_equals_the_plain_algorithm():
    draw = random.Random(4)
    words = ["".join(draw.choices("abcd", k=draw.randint(1, 7))) for _ in range(150)]
    texts = [" ".join(draw.choices(words, k=30)) for _ in range(40)]
    counts = counted(texts)
    vocabulary = train_vocabulary(texts, size=113, min_frequency=1).vocabulary
    assert vocabulary[:13] == [*SPECIAL, *"abcd", *("##" + x for x in "abcd")]
    assert vocabulary[13:] == plain_merges(counts, 100)


def test_the_size_is_exact_and_the_order_of_the_texts_is_nothing(tmp_path):
    for size in (90, 117):
        tokenizer = train_vocabulary(TEXTS, size=size, min_frequency=1, lowercase=True, unused=3)
        assert tokenizer.vocab_size == size == len(set(tokenizer.vocabulary))
    assert tokenizer.vocabulary[:8] == [*SPECIAL, "[unused0]", "[unused1]", "[unused2]"]
    assert (tokenizer.pad_id, tokenizer.unk_id, tokenizer.mask_id) == (0, 1, 4)
    again = train_vocabulary(TEXTS[::-1], size=117, min_frequency=1, lowercase=True, unused=3)
    assert again.vocabulary == tokenizer.vocabulary
    tokenizer.save_pretrained(tmp_path)
    read = Tokenizer.from_pretrained(tmp_path)
    assert read.vocabulary == tokenizer.vocabulary and read.pieces.settings.lowercase
    assert "[UNK]" not in read.tokenize(" ".join(TEXTS))


@pytest.mark.parametrize("lowercase", [True, False])
def test_the_case_is_kept_with_the_vocabulary(tmp_path, lowercase):
    tokenizer = bert_tf.train_vocabulary(["some words, no Capital"] * 2, 60, lowercase=lowercase)
    tokenizer.save_pretrained(tmp_path)
    cut = Tokenizer.from_pretrained(tmp_path).tokenize("no Capital")
    assert "".join(cut).replace("##", "") == ("nocapital" if lowercase else "noCapital")


def test_a_small_text_gives_fewer_entries_and_none_rarer_than_asked(caplog):
    words = {"aa": 2, "ab": 4, "abc": 2, "x": 1}
    with caplog.at_level("WARNING", "absl"):
        vocabulary = learn_entries(bare_settings(False), words, 500, 2).tokenizer.vocabulary
    assert vocabulary == [*SPECIAL, *"abc", "##a", "##b", "##c", "ab", "aa", "abc"]
    assert "has 14 entries, not 500" in caplog.text
    vocabulary = learn_entries(bare_settings(False), words, 500, 3).tokenizer.vocabulary
    assert vocabulary == [*SPECIAL, *"ab", "##a", "##b", "ab"]


def test_rare_characters_lose_their_entries_to_frequent_merges():
    letters = [chr(0x4E00 + i) for i in range(400)]
    words = dict.fromkeys("something wonderful happened there".split(), 1000)
    words |= dict.fromkeys(letters, 2)
    learned = learn_entries(bare_settings(True), words, 110, 2)
    entries = learned.tokenizer.vocabulary
    assert len(entries) == 110 and {"something", "wonderful", "happened", "there"} <= set(entries)
    ideographs = sum(letter in entries for letter in letters)
    assert 0 < ideographs < 400
    assert learned.words == 4000 + 800 and learned.unknown == 2 * (400 - ideographs)


def test_counts_are_pruned_by_the_rule(monkeypatch):
    monkeypatch.setattr(word_counts, "BLOCK", 64)
    draw = np.random.default_rng(0)
    texts = [
        " ".join(["often", "always", *(f"w{i}" for i in draw.integers(5000, size=30))])
        for _ in range(150)
    ]
    whole, pruned = counted(texts), counted(texts, most_words=200)
    assert len(whole) > 2000 and len(pruned) <= 200 + 64
    assert pruned["often"] == whole["often"] == 150 and pruned["always"] == 150
    assert all(count <= whole[word] for word, count in pruned.items())
    assert pruned == counted(texts, most_words=200)


@pytest.mark.parametrize("texts", [[], [""], ["\u200b \n"]])
def test_texts_without_a_word_are_refused(texts):
    with pytest.raises(InputError, match="no word"):
        train_vocabulary(texts, size=50)


@pytest.mark.parametrize("options", [{"size": 5}, {"size": 7, "unused": 2}, {"min_frequency": 0}])
def test_numbers_out_of_range_are_named(options):
    with pytest.raises(ConfigError, match="size: [57], wanted more|min_frequency: 0, wanted 1"):
        train_vocabulary(TEXTS, **options)


def test_growing_a_vocabulary_keeps_it_in_front():
    first = train_vocabulary(TEXTS, size=100, min_frequency=1, lowercase=True)
    settings = first.pieces.settings
    words = {"lowestward": 5, "slowestward": 5, "ωmega": 5}
    learned = learn_entries(settings, words, 106, 2)
    grown = learned.tokenizer.vocabulary
    assert grown[:100] == first.vocabulary and len(grown) == 106 == learned.entries + 100
    assert "ω" in grown and learned.unknown == 0
    cut = pieces_of("slowestward", first.pieces.ids)
    assert [first.vocabulary[i] for i in cut] == first.tokenize("slowestward")
    assert pieces_of("##ω", first.pieces.ids) == []
