"""A shard is a pure function; what stands in its records is what the settings ask for."""

import re

import numpy as np
import pytest
import tensorflow as tf

from bert_tf.config import Masking
from bert_tf.errors import ConfigError
from bert_tf.pretraining_data.corpus import corpus_plan
from bert_tf.pretraining_data.corpus.corpus_plan import Reading
from bert_tf.pretraining_data.records import schema, shards
from bert_tf.pretraining_data.records.shards import RecordSettings, ShardMaker
from tests import tiny

LINES = Reading(layout="lines")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "text.txt"
    random, words = np.random.default_rng(0), [*tiny.WORDS, "zebra", "tea", "yes"]
    texts = [
        "\n".join(" ".join(random.choice(words, random.integers(3, 12))) for _ in range(size))
        for size in random.integers(1, 12, 120)
    ]
    path.write_text("\n\n".join(texts))
    return [str(path)]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return tiny.tokenizer(tmp_path_factory.mktemp("tokenizer") / "t")


def made(tmp_path, corpus, tokenizer, shards=1, number=0, **settings):
    """The records of a shard as arrays, their order, and what `write` tells."""
    settings = RecordSettings(reading=LINES, **{"max_length": 32, **settings})
    plans, _ = corpus_plan.plan(corpus, LINES, shards, settings.paired)
    path = str(tmp_path / "shard.tfrecord")
    told = ShardMaker(corpus, tokenizer, settings).write(path, number, plans[number])
    messages = list(tf.data.TFRecordDataset(path).as_numpy_iterator())
    parsed = schema.parse(tf.constant(messages), settings.features)
    return {name: values.numpy() for name, values in parsed.items()}, told, messages


def test_the_same_shard_has_the_same_bytes_and_another_seed_others(tmp_path, corpus, tokenizer):
    masking = Masking(max_predictions=5)
    a, b = (made(tmp_path, corpus, tokenizer, 3, 1, masking=masking)[1] for _ in range(2))
    c = made(tmp_path, corpus, tokenizer, 3, 1, masking=masking, seed=1)[1]
    assert a == b and a["summary"]["sha256"] != c["summary"]["sha256"]


def test_rows_are_pairs_with_masks_that_can_be_undone(tmp_path, corpus, tokenizer):
    arrays, told, _ = made(tmp_path, corpus, tokenizer, masking=Masking(max_predictions=5))
    ids, mask, segment = arrays["input_ids"], arrays["input_mask"], arrays["segment_ids"]
    assert (ids[:, 0] == tokenizer.cls_id).all() and ((ids == tokenizer.sep_id).sum(1) == 2).all()
    assert ((ids != tokenizer.pad_id) == mask).all() and (segment <= mask).all()
    weights, places = arrays["masked_lm_weights"] > 0, arrays["masked_lm_positions"]
    hidden = np.take_along_axis(ids, places, 1)[weights]
    assert 0.6 < (hidden == tokenizer.mask_id).mean() < 0.95
    assert not np.isin(
        arrays["masked_lm_ids"][weights], [tokenizer.mask_id, tokenizer.sep_id]
    ).any()
    assert not arrays["masked_lm_ids"][~weights].any()
    assert (np.take_along_axis(mask, places, 1)[weights] == 1).all()
    counts = told["counts"]
    assert counts["masked"] == weights.sum() and counts["real_tokens"] == mask.sum()
    assert counts["label_0"] + counts["label_1"] == len(ids) == told["summary"]["records"]
    assert counts["label_1"] == arrays["next_sentence_labels"].sum()


def test_dynamic_records_hold_the_text_as_it_is(tmp_path, corpus, tokenizer):
    arrays, told, _ = made(tmp_path, corpus, tokenizer)
    assert set(arrays) == {"input_ids", "input_mask", "segment_ids", "next_sentence_labels"}
    assert tokenizer.mask_id not in arrays["input_ids"] and told["counts"]["masked"] == 0


def test_copies_are_cut_and_masked_anew(tmp_path, corpus, tokenizer):
    one = made(tmp_path, corpus, tokenizer, masking=Masking(max_predictions=5))
    three = made(tmp_path, corpus, tokenizer, masking=Masking(max_predictions=5), dupe_factor=3)
    assert 2.5 < len(three[2]) / len(one[2]) < 3.5
    assert len(set(three[2])) > 0.98 * len(three[2])


def test_examples_are_shuffled(tmp_path, tokenizer):
    path = tmp_path / "digits.txt"
    documents = [f"{place // 9} 0\n" * 3 for place in range(90)]
    path.write_text("\n".join(documents))
    keep = Reading(layout="lines", duplicates="keep")
    settings = RecordSettings(max_length=32, sentence_objective="sentence_order", reading=keep)
    plans, _ = corpus_plan.plan([str(path)], keep, 1, False)
    shard = str(tmp_path / "shard")
    ShardMaker([str(path)], tokenizer, settings).write(shard, 0, plans[0])
    messages = list(tf.data.TFRecordDataset(shard).as_numpy_iterator())
    first = schema.parse(tf.constant(messages), settings.features)["input_ids"][:, 1].numpy()
    assert len(set(first[:20])) > 5 and (np.diff(first) < 0).sum() > 20


def test_full_rows_have_no_label_and_boundaries_begin_words(tmp_path, corpus, tokenizer):
    arrays, _, _ = made(
        tmp_path, corpus, tokenizer, sentence_objective="none", boundaries=True, dupe_factor=2
    )
    assert set(arrays) == {"input_ids", "input_mask", "segment_ids", "token_boundary"}
    assert not arrays["segment_ids"].any() and arrays["input_mask"].mean() > 0.75
    pieces = np.char.startswith(tokenizer.vocabulary, "##")[arrays["input_ids"]]
    np.testing.assert_array_equal(arrays["token_boundary"], ~pieces & (arrays["input_mask"] == 1))


def test_whole_words_are_hidden_whole(tmp_path, corpus, tokenizer):
    masking = Masking(max_predictions=8, unit="word", mask_share=1.0, random_share=0.0)
    arrays, _, _ = made(tmp_path, corpus, tokenizer, masking=masking)
    pieces = np.char.startswith(tokenizer.vocabulary, "##")
    hidden = arrays["input_ids"] == tokenizer.mask_id
    original = arrays["input_ids"].copy()
    rows, columns = np.nonzero(arrays["masked_lm_weights"])
    original[rows, arrays["masked_lm_positions"][rows, columns]] = arrays["masked_lm_ids"][
        rows, columns
    ]
    special = np.isin(original, [tokenizer.cls_id, tokenizer.sep_id])
    continued = pieces[original][:, 1:] & ~special[:, :-1]
    assert hidden[:, 1:][continued].any()
    assert (hidden[:, 1:] == hidden[:, :-1])[continued].all()


def test_words_of_a_segmenter_are_hidden_whole(tmp_path, tokenizer, monkeypatch):
    monkeypatch.setitem(shards.SEGMENTERS, "jieba", lambda: lambda text: re.findall(".{1,4}", text))
    path = tmp_path / "letters.txt"
    path.write_text("\n\n".join(f"{'a b c d e f g h '[place % 3 :]}\n" * 4 for place in range(9)))
    reading = Reading(layout="lines", duplicates="keep")
    masking = Masking(max_predictions=8, unit="word", mask_share=1.0, random_share=0.0)
    settings = RecordSettings(
        max_length=32, masking=masking, boundaries=True, segmenter="jieba", reading=reading
    )
    plans, _ = corpus_plan.plan([str(path)], reading, 1, True)
    shard = str(tmp_path / "shard")
    ShardMaker([str(path)], tokenizer, settings).write(shard, 0, plans[0])
    messages = list(tf.data.TFRecordDataset(shard).as_numpy_iterator())
    arrays = {
        name: values.numpy()
        for name, values in schema.parse(tf.constant(messages), settings.features).items()
    }
    hidden = arrays["input_ids"] == tokenizer.mask_id
    within = (arrays["token_boundary"] == 0) & (arrays["input_mask"] == 1)
    # What was cut from the front of a segment may have been the beginning of a word.
    special = np.isin(arrays["input_ids"], [tokenizer.cls_id, tokenizer.sep_id])
    within = within[:, 1:] & ~special[:, :-1]
    assert hidden.any() and within.any()
    assert (hidden[:, 1:] == hidden[:, :-1])[within].all()


@pytest.mark.parametrize(
    "change",
    [
        {"max_length": 7},
        {"max_length": 10**9},
        {"sentence_objective": "cloze"},
        {"segmenter": "knife"},
        {"dupe_factor": 0},
        {"short_probability": 1.5},
        {"seed": -1},
        {"masking": Masking()},
        {"masking": Masking(max_predictions=500)},
    ],
)
def test_settings_that_cannot_be_meant_are_named(change):
    name = {"masking": "max_predictions"}.get([*change][0], [*change][0])
    with pytest.raises(ConfigError, match=f"{name} is .*wanted"):
        RecordSettings(**change)
