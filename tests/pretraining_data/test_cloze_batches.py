"""Cloze questions in batches: the blank is found wherever its token went, the rest stays whole."""

import numpy as np
import pytest
import tensorflow as tf

from bert_tf import BertConfig, build_encoder
from bert_tf.config import Masking, Noise
from bert_tf.data.packing import Packing
from bert_tf.pretraining_data.batches import evaluation_batches, pretraining_batches, rows_of_step
from bert_tf.pretraining_data.masking import MaskingVocabulary
from bert_tf.pretraining_data.records import schema
from bert_tf.pretraining_data.records.manifest import Manifest
from bert_tf.pretraining_data.records.table import RecordTable
from bert_tf.tasks.pretraining import Pretraining
from tests import tiny
from tests.pretraining_data import toy_records

COUNT, BATCH, MASK = 120, 4, 4
# As many ids as a row has tokens, and as many candidates: neither is a row of tokens.
SIZES = {"ids": (toy_records.LENGTH // 2, 2), "candidates": (toy_records.LENGTH, 1)}


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return tiny.tokenizer(tmp_path_factory.mktemp("tokenizer") / "t")


@pytest.fixture(scope="module")
def vocabulary(tokenizer):
    return MaskingVocabulary.of(tokenizer)


def questions(count, candidates, pieces):
    """The records' arrays; the last word of a row is asked for, of every third row nothing."""
    arrays, numbers = toy_records.fixed_masks(toy_records.rows(count)), np.arange(count)
    places, asked = arrays["input_mask"].sum(axis=1) - 2, numbers % 3 > 0
    arrays["input_ids"][numbers[asked], places[asked]] = MASK
    blank = np.full_like(arrays["input_ids"], -1)
    blank[numbers[asked], places[asked]] = 1
    # Candidate c of row r is made of the ids c + 5 and r + 5, in rows of odd numbers of one alone.
    ids = np.full((count, candidates, pieces), -1)
    ids[asked, :, 0] = 5 + np.arange(candidates)
    if pieces > 1:
        even = asked & (numbers % 2 == 0)
        ids[even, :, 1] = 5 + numbers[even, None] % 20
    short = asked & (numbers % 5 == 0)
    ids[short, -2:] = -1
    answers = np.where(asked & (numbers % 7 > 0), numbers % (candidates - 2), -1)
    columns = {"animal": answers[:, None], "animal_blank": blank}
    return arrays | columns | {"animal_candidates": ids.reshape(count, -1)}


@pytest.fixture(scope="module", params=SIZES)
def sizes(request):
    return SIZES[request.param]


@pytest.fixture(scope="module")
def tables(tmp_path_factory, tokenizer, sizes):
    """Records with masks of their own, and without; and their arrays."""
    arrays, found = questions(COUNT, *sizes), {}
    lengths = {name: arrays[name].shape[1] for name in arrays if name.startswith("animal")}
    for kind, predictions in (("fixed", toy_records.PREDICTIONS), ("dynamic", None)):
        folder = tmp_path_factory.mktemp("records")
        features = schema.features_of(toy_records.LENGTH, predictions, labels=lengths)
        with schema.new_records(str(folder / "rows.tfrecord"), features) as writer:
            writer.write({name: arrays[name] for name in features})
        Manifest(
            max_length=toy_records.LENGTH,
            max_predictions=predictions,
            sentence_objective="next_sentence",
            vocabulary=schema.vocabulary_fingerprint(tokenizer),
            features=features,
            shards=[writer.summary],
            counts={},
            labels={"animal": {"of": "cloze", "candidates": sizes[0], "pieces": sizes[1]}},
        ).write(str(folder))
        found[kind] = RecordTable(str(folder), tokenizer)
    return found | {"arrays": arrays, "candidates": arrays["animal_candidates"].reshape(-1, *sizes)}


def batches_of(table, vocabulary, masking=None, **options):
    batches = pretraining_batches(
        table, masking, vocabulary, batch_size=BATCH, seed=5, stop_step=COUNT // BATCH, **options
    )
    return list(batches.as_numpy_iterator())


def test_a_batch_holds_the_questions_of_its_rows(tables, vocabulary):
    seen = set()
    for inputs, labels in batches_of(tables["fixed"], vocabulary):
        numbers = toy_records.row_numbers(inputs["input_ids"])
        np.testing.assert_array_equal(labels["animal"], tables["arrays"]["animal"][numbers, 0])
        np.testing.assert_array_equal(inputs["animal_candidates"], tables["candidates"][numbers])
        asked = numbers % 3 > 0
        wanted = np.where(asked, inputs["attention_mask"].sum(axis=1) - 2, 0)
        np.testing.assert_array_equal(inputs["animal_positions"], wanted)
        assert set(labels) == {"animal", "masked_ids", "masked_weights", "next_sentence_labels"}
        seen.update(numbers)
    assert seen == set(range(COUNT))


@pytest.mark.parametrize("packing", [None, Packing(3)])
def test_neither_masks_nor_noise_touch_the_blank_and_its_place_follows(tables, vocabulary, packing):
    noise, masking = Noise(0.2, 0.2, 0.2), Masking(probability=0.5)
    options = dict(masking=masking, noise=noise, packing=packing)
    several = 0
    for inputs, labels in batches_of(tables["dynamic"], vocabulary, **options):
        asked = inputs["animal_candidates"][..., 0, 0] >= 0
        rows, places = np.nonzero(asked)[0], inputs["animal_positions"][asked]
        assert (inputs["input_ids"][rows, places] == MASK).all()
        # No other [MASK] has the separator behind it for sure.
        assert (inputs["input_ids"][rows, places + 1] == 3).all()
        hidden = labels["masked_weights"] > 0
        masked = zip(np.nonzero(hidden)[0], inputs["masked_positions"][hidden], strict=True)
        assert set(masked).isdisjoint(zip(rows, places, strict=True))
        several += (np.bincount(rows) > 1).sum()
    assert (several > 0) == (packing is not None)


def test_packed_rows_ask_each_example_its_own_question_at_its_own_blank(tables, vocabulary):
    seen = 0
    for inputs, labels in batches_of(tables["fixed"], vocabulary, packing=Packing(3)):
        assert inputs["animal_candidates"].shape == (BATCH, 3, *tables["candidates"].shape[1:])
        present = inputs["sentence_weights"] > 0
        assert (labels["animal"][~present] == -1).all()
        assert (inputs["animal_candidates"][~present] == -1).all()
        for row, column in np.argwhere(present):
            begin = inputs["sentence_positions"][row, column]
            cut = inputs["input_ids"][row, begin:][None]
            number = int(toy_records.row_numbers(cut)[0])
            length = tables["arrays"]["input_mask"][number].sum()
            place = begin + (length - 2 if number % 3 else 0)
            assert inputs["animal_positions"][row, column] == place
            assert labels["animal"][row, column] == tables["arrays"]["animal"][number, 0]
            given = inputs["animal_candidates"][row, column]
            np.testing.assert_array_equal(given, tables["candidates"][number])
            seen += column > 0
    assert seen > 20


def test_a_packed_row_has_the_cloze_loss_of_its_examples(tables, vocabulary, sizes):
    config = BertConfig(len(tiny.vocabulary()), 16, 1, 2, 32, initializer_range=0.5)
    label = {"animal": {"of": "cloze", "num_labels": sizes[0]}}
    model = Pretraining(build_encoder(config), extra_labels=label)
    alone = {}
    for inputs, labels in evaluation_batches(tables["fixed"], None, vocabulary, batch_size=40):
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
            tf.maximum(labels["animal"], 0), model(inputs)["animal_logits"]
        )
        numbers = toy_records.row_numbers(inputs["input_ids"])
        weights = tf.cast(labels["animal"] >= 0, tf.float32)
        alone |= dict(zip(numbers, np.stack([losses * weights, weights], 1), strict=True))
    assert len(alone) == COUNT and np.std([loss for loss, _ in alone.values()]) > 0.1
    arguments = dict(batch_size=BATCH, seed=5, packing=Packing(3))
    packed = batches_of(tables["fixed"], vocabulary, packing=Packing(3))
    some, others = [], []
    for step, (inputs, labels) in enumerate(packed[:3]):
        rows = rows_of_step(tables["fixed"], None, vocabulary, step, **arguments)
        some.append(np.sum([alone[number] for number in rows], axis=0))
        others.append(model.loss_terms(model(inputs), labels)["animal"])
    assert np.max(some, axis=0)[1] > 3
    np.testing.assert_allclose(others, some, rtol=1e-5)
