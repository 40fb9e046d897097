"""Windows hold every piece of a text once, overlap as told, and are rows an encoder reads."""

import contextlib

import numpy as np
import pytest
import tensorflow as tf

from bert_tf.text import windows
from tests import tiny

TEXTS = ["good", "", "the film is good and the story is bad " * 5, "a bad film " * 4]
QUESTIONS = ["the end", "good", "a story", "the film " * 40]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return tiny.tokenizer(tmp_path_factory.mktemp("vocabulary"))


@pytest.fixture(autouse=True)
def eager(request):
    """A graph only where the test is of graphs."""
    with contextlib.nullcontext() if "graph" in request.node.name else tiny.eagerly():
        yield


def pieces(tokenizer, text):
    return tokenizer.pieces([text])[0].flat_values.numpy().tolist()


def of_row(found, row):
    return [w for w, number in enumerate(found["rows"]) if number == row]


@pytest.mark.parametrize("overlap", (0, 3, 100))
@pytest.mark.parametrize("pairs", (False, True), ids=("single", "pair"))
def test_every_piece_is_owned_once_and_in_order(tokenizer, pairs, overlap):
    how = dict(max_length=16, overlap=overlap)
    sides = (QUESTIONS, TEXTS) if pairs else (TEXTS,)
    found = {name: x.numpy() for name, x in tokenizer.windows(*sides, **how).items()}
    counts = tokenizer.window_counts(*sides, **how).numpy()
    assert found["input_ids"].shape[1] <= 16
    for row, text in enumerate(TEXTS):
        here = of_row(found, row)
        assert len(here) == counts[row]
        owned = found["owned"][here].astype(bool)
        assert found["input_ids"][here][owned].tolist() == pieces(tokenizer, text)
        cut = [text[a:b] for a, b in found["offsets"][here][owned]]
        assert "".join(cut) == text.replace(" ", "")


@pytest.mark.parametrize("overlap", (0, 3))
def test_windows_share_what_was_told_and_all_have_the_question(tokenizer, overlap):
    found = tokenizer.windows(QUESTIONS[2:3], TEXTS[2:3], max_length=16, overlap=overlap)
    ids, types = found["input_ids"].numpy(), found["token_type_ids"].numpy()
    parts = [row[kind == 1].tolist()[:-1] for row, kind in zip(ids, types, strict=True)]
    for one, other in zip(parts, parts[1:], strict=False):
        assert one[len(one) - overlap :] == other[:overlap]
    for row, kind in zip(ids, types, strict=True):
        first = row[kind == 0].tolist()
        assert first[:4] == [tokenizer.cls_id, *pieces(tokenizer, "a story"), tokenizer.sep_id]


def test_a_short_text_is_the_row_that_a_call_gives(tokenizer):
    want = tokenizer(["good"], ["a bad film"], max_length=16, return_offsets=True)
    found = tokenizer.windows(["good"], ["a bad film"], max_length=16, overlap=4)
    for name in ("input_ids", "attention_mask", "token_type_ids"):
        np.testing.assert_array_equal(found[name], want[name])
    np.testing.assert_array_equal(found["offsets"][0, 3:], want["offsets"][0, 3:])


def test_one_window_by_its_number_is_that_of_all(tokenizer):
    how = dict(max_length=12, overlap=4, padding="max_length")
    everything = tokenizer.windows(TEXTS, **how)
    third = of_row(everything, 2)[1]
    one = tokenizer.windows(TEXTS, number=[0, 0, 1, 0], **how)
    for name in ("input_ids", "offsets", "owned"):
        np.testing.assert_array_equal(one[name][2], everything[name][third])


def test_a_question_takes_half_of_a_window_at_most(tokenizer):
    found = tokenizer.windows(QUESTIONS[3:], TEXTS[3:], max_length=16, overlap=4)
    assert (found["token_type_ids"].numpy() == 1).sum(axis=1).min() >= 2
    assert (found["attention_mask"].numpy().sum(axis=1) <= 16).all()


def test_datasets_of_any_lengths_share_one_graph_that_cuts_as_eager_calls_do(tokenizer):
    def rows_of(length):
        dataset = tf.data.Dataset.from_tensor_slices(TEXTS).batch(4)
        how = dict(max_length=length, overlap=3, padding="max_length")
        dataset = dataset.map(lambda texts: tokenizer.windows(texts, **how))
        assert dataset.element_spec["owned"].shape == (None, length)
        with tiny.eagerly():
            want = tokenizer.windows(TEXTS, **how)
        for name, values in next(iter(dataset)).items():
            np.testing.assert_array_equal(values, want[name], name)

    rows_of(16)
    graph = tokenizer._compiled(windows.rows, (True, False), (0, 0), 1)
    traced = graph.experimental_get_tracing_count()
    rows_of(24)
    assert graph.experimental_get_tracing_count() == traced
