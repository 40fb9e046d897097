"""Next words and blanks: what a model reads of a row, and which words it is asked."""

import numpy as np
import oracles
import pytest
import tensorflow as tf

from bert_tf import BertConfig, CausalLM, Gpt2Config, MaskedLM, build_encoder
from bert_tf.config import Masking
from bert_tf.data.packing import Packing
from bert_tf.pretraining_data.batches import evaluation_batches, pretraining_batches
from bert_tf.pretraining_data.blanks import SPAN_PLACES
from bert_tf.pretraining_data.hidden import hide
from bert_tf.pretraining_data.masking import MaskingVocabulary
from bert_tf.pretraining_data.records.table import RecordTable
from tests import tiny
from tests.pretraining_data import toy_records

CLS, SEP, MASK = 2, 3, 4


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Records, and what masking has to know of their vocabulary."""
    folder = tmp_path_factory.mktemp("records")
    tokenizer = tiny.tokenizer(folder / "vocabulary")
    table = RecordTable(toy_records.write(folder / "records", tokenizer, (24,)), tokenizer)
    return table, MaskingVocabulary.of(tokenizer)


def arrays(count=16):
    rows = toy_records.rows(count)
    return rows["input_ids"].astype("int32"), rows["input_mask"].astype("int32")


def test_every_next_word_is_asked_and_nothing_hidden(made):
    ids, mask = arrays()
    found = hide("causal_lm", tf.constant(ids), tf.constant(mask), Masking(), made[1], (1, 2))
    np.testing.assert_array_equal(found["input_ids"], ids)
    for row, length in enumerate(mask.sum(axis=1)):
        weights = found["masked_weights"][row].numpy()
        assert weights.tolist() == [1.0] * (length - 1) + [0.0] * (ids.shape[1] - length + 1)
        told = found["masked_positions"][row].numpy()[: length - 1]
        assert told.tolist() == list(range(length - 1))
        assert (
            found["masked_ids"][row].numpy()[: length - 1].tolist() == ids[row, 1:length].tolist()
        )


def test_of_two_neighbours_each_is_asked_of_the_other(made):
    ids, mask = arrays()
    given = tf.constant(ids), tf.constant(mask), Masking(), made[1], (1, 2)
    found = {name: x.numpy() for name, x in hide("bidirectional_lm", *given).items()}
    np.testing.assert_array_equal(found["input_ids"], ids)
    for row, length in enumerate(mask.sum(axis=1)):
        asked = 2 * (length - 1)
        assert found["masked_weights"][row].tolist() == [1.0] * asked + [0.0] * (46 - asked)
        places, words = (found[name][row, :asked] for name in ("masked_positions", "masked_ids"))
        assert places[::2].tolist() == list(range(length - 1))
        assert words[::2].tolist() == ids[row, 1:length].tolist()
        assert places[1::2].tolist() == list(range(1, length))
        assert words[1::2].tolist() == ids[row, : length - 1].tolist()


def test_packed_neighbours_stay_in_pairs_and_within_their_examples(made):
    table, vocabulary = made
    given = dict(batch_size=4, seed=1, packing=Packing(), words="bidirectional_lm")
    inputs, labels = next(iter(pretraining_batches(table, Masking(), vocabulary, **given)))
    ids, groups = inputs["input_ids"].numpy(), inputs["attention_mask"].numpy()
    for row in range(4):
        real = labels["masked_weights"][row].numpy() > 0
        places, words = (
            x[row].numpy()[real] for x in (inputs["masked_positions"], labels["masked_ids"])
        )
        assert (places[1::2] == places[::2] + 1).all() and len(places) % 2 == 0
        assert (groups[row, places[1::2]] == groups[row, places[::2]]).all()
        assert (words[::2] == ids[row, places[1::2]]).all()
        assert (words[1::2] == ids[row, places[::2]]).all()


def test_packed_rows_ask_no_word_of_the_next_example(made):
    table, vocabulary = made
    batches = pretraining_batches(
        table, Masking(), vocabulary, batch_size=4, seed=1, packing=Packing(), words="causal_lm"
    )
    inputs, labels = next(iter(batches))
    groups, ids = inputs["attention_mask"].numpy(), inputs["input_ids"].numpy()
    for row in range(4):
        real = labels["masked_weights"][row].numpy() > 0
        places = inputs["masked_positions"][row].numpy()[real]
        want = [
            place
            for place in range(ids.shape[1] - 1)
            if groups[row, place] == groups[row, place + 1] > 0
        ]
        assert places.tolist() == want
        assert labels["masked_ids"][row].numpy()[real].tolist() == ids[row, places + 1].tolist()
    config = Gpt2Config(**tiny.sizes(vocab_size=80, max_position_embeddings=24))
    model = CausalLM(build_encoder(config))
    total, weight = model.loss_terms(model(inputs), labels)["causal_lm"]
    assert float(weight) == np.sum(labels["masked_weights"]) and 3 < total / weight < 6


def parts_of(found, row):
    """The text of a row and its spans, each a list of tokens; and the spans' places in the text."""
    take = {name: values[row].numpy() for name, values in found.items()}
    behind = take["reading_order"] > 0
    text = take["input_ids"][(take["attention_mask"] > 0) & ~behind].tolist()
    assert take["position_ids"][(take["attention_mask"] > 0) & ~behind].tolist() == list(
        range(len(text))
    )
    asked = take["masked_weights"] > 0
    places = take["masked_positions"][asked]
    assert places.tolist() == np.flatnonzero(behind).tolist()
    assert take["reading_order"][places].tolist() == list(range(1, len(places) + 1))
    spans, blanks = [], []
    for place, word in zip(places, take["masked_ids"][asked], strict=True):
        if take["input_ids"][place] == CLS and take["token_type_ids"][place] == 1:
            spans.append([])
            blanks.append(int(take["position_ids"][place]))
        else:
            assert take["input_ids"][place] == spans[-1][-1]  # what the one before was asked for
        assert take["position_ids"][place] == blanks[-1]
        assert take["token_type_ids"][place] == min(len(spans[-1]) + 1, SPAN_PLACES - 1)
        spans[-1].append(int(word))
    return text, spans, blanks


@pytest.mark.parametrize("unit", ["span", "token"])
def test_spans_put_into_their_blanks_are_the_text(made, unit):
    ids, mask = arrays()
    masking = Masking(unit=unit, probability=0.4)
    given = tf.constant(ids), tf.constant(mask), masking, made[1]
    found = hide("blank_infilling", *given, (1, 2))
    orders = set()
    for row, length in enumerate(mask.sum(axis=1)):
        text, spans, blanks = parts_of(found, row)
        assert len(spans) == text.count(MASK) and all(span[-1] == SEP for span in spans)
        whole = list(text)
        for place, span in zip(blanks, spans, strict=True):
            assert text[place] == MASK
            whole[place] = span[:-1]
        flat = [x for part in whole for x in (part if isinstance(part, list) else [part])]
        assert flat == ids[row, :length].tolist()
        orders.add(blanks == sorted(blanks))
    assert orders == {True, False}  # the spans are shuffled
    again = hide("blank_infilling", *given, (1, 2))
    other = hide("blank_infilling", *given, (1, 3))
    assert np.array_equal(found["input_ids"], again["input_ids"])
    assert not np.array_equal(found["input_ids"], other["input_ids"])
    # A row is what it is alone.
    alone = hide("blank_infilling", given[0][3:4], given[1][3:4], *given[2:], (1, 2), rows=[3])
    assert parts_of(alone, 0) == parts_of(found, 3)


def test_a_word_of_a_span_sees_the_text_and_what_was_told_before_it(made):
    table, vocabulary = made
    batches = evaluation_batches(
        table, Masking(unit="span", probability=0.3), vocabulary, batch_size=4,
        words="blank_infilling",
    )  # fmt: skip
    inputs, labels = next(iter(batches))
    config = BertConfig(
        **tiny.sizes(vocab_size=80, max_position_embeddings=24, type_vocab_size=SPAN_PLACES)
    )
    model = oracles.randomize(MaskedLM(build_encoder(config)))
    assert inputs["input_ids"].shape[1] > inputs["position_ids"].numpy().max() + 1
    want = model(inputs).numpy()
    real = labels["masked_weights"].numpy() > 0
    changed = {name: values.numpy().copy() for name, values in inputs.items()}
    place = int(changed["masked_positions"][0, 1])  # the second word behind the first text
    changed["input_ids"][0, place] = 30
    got = model(changed).numpy()
    moved = np.abs(got - want).max(axis=-1) > 1e-6
    told = moved[0][real[0]].tolist()
    assert not moved[1:].any() and told == [False] + [True] * (len(told) - 1) and len(told) > 2
    text = (changed["reading_order"][0] == 0) & (changed["attention_mask"][0] > 0)
    seen = model.encoder(inputs)["sequence_output"][0].numpy()[text]
    np.testing.assert_array_equal(model.encoder(changed)["sequence_output"][0].numpy()[text], seen)
