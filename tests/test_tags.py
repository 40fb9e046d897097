"""Tags and spans: every scheme reads alike, and what a tag set says of its own tags."""

import pytest

from bert_tf.tags import IGNORED, TagSet, names_of, spans_of, split

PER, LOC = (0, 2, "PER"), (2, 3, "LOC")


@pytest.mark.parametrize(
    "tags",
    (
        "I-PER I-PER I-LOC O",
        "B-PER I-PER B-LOC O",
        "B-PER E-PER S-LOC O",
        "B-PER L-PER U-LOC O",
        "B-PER E-PER W-LOC O",
        "B-PER E-PER S-LOC O",
    ),
)
def test_every_scheme_means_the_same_spans(tags):
    assert spans_of(tags.split()) == [PER, LOC]


@pytest.mark.parametrize(
    ("tags", "spans"),
    (
        ("I-PER B-PER", [(0, 1, "PER"), (1, 2, "PER")]),
        ("O E-PER E-PER", [(1, 2, "PER"), (2, 3, "PER")]),
        ("B-PER S-PER I-PER", [(0, 1, "PER"), (1, 2, "PER"), (2, 3, "PER")]),
        ("B-creative-work I-creative-work", [(0, 2, "creative-work")]),
        ("O O", []),
        ("", []),
    ),
)
def test_broken_tags_are_read_as_conlleval_does(tags, spans):
    assert spans_of(tags.split()) == spans


def test_what_is_no_tag_of_a_scheme_is_none():
    assert split("NN") is split("B") is split("B-") is split("X-PER") is None
    assert split("U-PER") == ("S", "PER") and split("O") == ("O", "")


def test_a_tag_set_numbers_the_words_of_a_span():
    iob, bioes = (TagSet(names_of(("LOC", "PER"), scheme)) for scheme in ("IOB2", "BIOES"))
    assert iob.names == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER") and iob.outside == 0
    assert iob.numbers("PER") == (3, 4, 4, 3) and iob.numbers("ORG") == (-1,) * 4
    assert bioes.numbers("LOC") == (1, 2, 3, 4)
    # A model of IOB1 without B-, its O last.
    assert TagSet(("I-PER", "O")).numbers("PER") == (0,) * 4 and TagSet(("I-PER", "O")).outside == 1


def test_labels_of_words_are_plain():
    plain = TagSet(("ADJ", "NOUN"))
    assert plain.plain and plain.outside == IGNORED and plain.numbers("NOUN") == (1,) * 4
    starts, follows, ends = plain.allowed()
    assert all(starts) and all(ends) and all(map(all, follows))


def test_only_whole_spans_are_allowed():
    starts, follows, ends = TagSet(names_of(("x", "y"), "IOB2")).allowed()
    assert starts == [True, True, False, True, False] and all(ends)
    assert [row[2] for row in follows] == [False, True, True, False, False]  # I-x behind B-x, I-x
    names = names_of(("x",), "BIOES")
    starts, follows, ends = TagSet(names).allowed()
    assert [name for name, may in zip(names, starts, strict=True) if may] == ["O", "B-x", "S-x"]
    assert [name for name, may in zip(names, ends, strict=True) if may] == ["O", "E-x", "S-x"]
    assert [name for name, may in zip(names, follows[1], strict=True) if may] == ["I-x", "E-x"]
    assert follows[3] == starts
