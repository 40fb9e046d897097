"""Every document is in one shard, wherever the shard is made and however the corpus is stored."""

import gzip

import pytest

from bert_tf.errors import ConfigError, InputError
from bert_tf.pretraining_data.corpus import corpus_plan, documents
from bert_tf.pretraining_data.corpus.corpus_plan import Reading

LINES = Reading(layout="lines")


@pytest.fixture
def files(tmp_path):
    """Three files, the second packed, with empty documents and duplicates in between."""
    paths = []
    for number in range(3):
        texts = [
            "\n".join(f"sentence {row} of {number} {place} .\n" * 3 for row in range(place % 5 + 1))
            for place in range(40)
        ]
        texts = [text.replace("\n\n", "\n").strip() for text in texts]
        texts[7] = texts[3]  # a duplicate
        data = ("\n\n\n".join(texts) + "\n").encode()
        paths.append(tmp_path / f"part{number}.txt")
        paths[-1].write_bytes(gzip.compress(data) if number == 1 else data)
    return [str(path) for path in paths]


def blocks_of(files, how, shard):
    """The documents of a shard as sentences, block by block."""
    for block in corpus_plan.raw_blocks(files, how, shard):
        yield [documents.sentences_of(raw, how.language) for raw in block]


def wanted(files):
    return [each.sentences for each in documents.read_documents(files, "lines")]


@pytest.mark.parametrize("shards", [1, 2, 5, 17])
def test_shards_hold_every_document_once_and_in_order(files, shards):
    plans, counts = corpus_plan.plan(files, LINES, shards, True)
    assert len(plans) == shards and counts.documents == 117 and counts.duplicates == 3
    found = [block for plan in plans for block in blocks_of(files, LINES, plan)]
    assert [document for block in found for document in block] == wanted(files)
    assert all(len(block) >= 2 for block in found)


def test_shards_are_about_equally_large(files):
    plans, _ = corpus_plan.plan(files, LINES, 4, True)
    sizes = [
        sum(len(text) for block in blocks_of(files, LINES, plan) for text in block)
        for plan in plans
    ]
    assert max(sizes) < 1.5 * min(sizes)


def test_a_shard_can_be_read_without_those_before_it(files):
    plans, _ = corpus_plan.plan(files, LINES, 5, True)
    every = [list(blocks_of(files, LINES, plan)) for plan in plans]
    again = [list(blocks_of(files, LINES, plan)) for plan in reversed(plans)]
    assert every == again[::-1]


def test_a_small_corpus_makes_one_shard_of_its_own_accord(files):
    assert len(corpus_plan.plan(files, LINES, None, True)[0]) == 1


def test_large_shards_are_cut_into_blocks(files, monkeypatch):
    monkeypatch.setattr(corpus_plan, "BLOCK", 2000)
    plans, counts = corpus_plan.plan(files, LINES, 2, True)
    blocks = [size for plan in plans for size in plan.blocks]
    assert len(blocks) > 4 and min(blocks) >= 8 and sum(blocks) == counts.documents


def test_kept_duplicates_are_read_in_the_shards_too(files):
    keep = Reading(layout="lines", duplicates="keep")
    plans, _ = corpus_plan.plan(files, keep, 3, True)
    found = [block for plan in plans for block in blocks_of(files, keep, plan)]
    assert sum(map(len, found)) == 120


def test_too_many_shards_are_refused_with_how_many_there_may_be(files):
    with pytest.raises(ConfigError, match="--shards=500: 117 documents make [0-9]+ shards at most"):
        corpus_plan.plan(files, LINES, 500, True)


def test_one_document_has_no_random_next_sentence(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("One sentence.\nAnother one.\n")
    with pytest.raises(InputError, match="a.txt: one document, so no random next sentence"):
        corpus_plan.plan([str(path)], LINES, None, True)
    assert len(corpus_plan.plan([str(path)], LINES, None, False)[0]) == 1


def test_a_corpus_without_text_is_named(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("\n\n")
    with pytest.raises(InputError, match="a.txt: no text in it"):
        corpus_plan.plan([str(path)], LINES, None, False)


def test_a_corpus_that_became_shorter_is_noticed(files):
    plans, _ = corpus_plan.plan(files, LINES, 2, True)
    with open(files[2], "r+") as file:
        file.truncate(500)
    with pytest.raises(InputError, match="changed since the records were begun"):
        list(blocks_of(files, LINES, plans[1]))
