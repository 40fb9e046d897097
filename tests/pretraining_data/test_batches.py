"""Pretraining batches: a function of (seed, step), masks that belong to rows, packed rows whole."""

import dataclasses
import functools

import numpy as np
import pytest
import tensorflow as tf

from bert_tf import BertConfig, build_encoder
from bert_tf.config import Masking, Noise
from bert_tf.data.packing import Packing
from bert_tf.errors import ConfigError
from bert_tf.pretraining_data.batches import (
    epoch_steps,
    evaluation_batches,
    pretraining_batches,
    rows_of_step,
)
from bert_tf.pretraining_data.masking import MaskingVocabulary
from bert_tf.pretraining_data.records.table import RecordTable
from bert_tf.tasks.pretraining import Pretraining
from tests import tiny
from tests.pretraining_data import toy_records

COUNT, BATCH = 330, 4  # 83 batches: a window of 64 and one of 19
MASKING = Masking(max_predictions=5)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return tiny.tokenizer(tmp_path_factory.mktemp("tokenizer") / "t")


@pytest.fixture(scope="module")
def vocabulary(tokenizer):
    return MaskingVocabulary.of(tokenizer)


def letters(numbers):
    return np.stack([numbers, numbers + 1], axis=1)


def tags(numbers):
    return np.tile(numbers[:, None] % 9, toy_records.LENGTH)


@pytest.fixture(scope="module")
def table(tmp_path_factory, tokenizer):
    folder = tmp_path_factory.mktemp("records") / "dynamic"
    labels = {"pair": letters, "tags": tags}
    return RecordTable(
        toy_records.write(folder, tokenizer, (200, COUNT - 200), labels=labels), tokenizer
    )


@pytest.fixture(scope="module")
def fixed(tmp_path_factory, tokenizer):
    folder = tmp_path_factory.mktemp("records") / "fixed"
    return RecordTable(toy_records.write(folder, tokenizer, (COUNT,), masks=True), tokenizer)


@pytest.fixture(scope="module")
def originals():
    parts = toy_records.rows(200), toy_records.rows(COUNT - 200, first=200)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def steps(table, vocabulary, start, stop, masking=MASKING, **options):
    options = dict(batch_size=BATCH, seed=5) | options
    batches = pretraining_batches(
        table, masking, vocabulary, start_step=start, stop_step=stop, **options
    )
    return list(batches.as_numpy_iterator())


def restored(inputs, labels):
    """input_ids as they were before masking."""
    ids = inputs["input_ids"].copy()
    row, column = np.nonzero(labels["masked_weights"])
    ids[row, inputs["masked_positions"][row, column]] = labels["masked_ids"][row, column]
    return ids


def assert_equal_batches(some, others):
    assert len(some) == len(others) > 0
    tf.nest.map_structure(np.testing.assert_array_equal, some, others)


OPTIONS = {
    "plain": {},
    "rounded": {"length_multiple": 8},
    "noise": {"noise": Noise(0.1, 0.1, 0.1)},
    "packed": {"packing": Packing(3)},
    "packed and noisy": {"packing": Packing(3), "noise": Noise(0.1, 0.1, 0.1)},
}


@pytest.fixture(scope="module")
def whole_run(table, vocabulary):
    """Function from a name of OPTIONS to the batches of two epochs, with noise of fewer."""

    def run(name):
        return steps(table, vocabulary, 0, 110 if "nois" in name else 166, **OPTIONS[name])

    return functools.cache(run)


# What the last one does, one thing at a time, is slow.
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in ("plain", "packed and noisy") else pytest.mark.slow)
        for name in OPTIONS
    ],
)
def test_run_that_starts_anywhere_has_the_batches_of_a_whole_run(
    table, vocabulary, whole_run, name
):
    whole = whole_run(name)
    for start in (1, 88) if name == "plain" else (70,):
        stop = min(start + 70, len(whole))
        begun = steps(table, vocabulary, start, stop, **OPTIONS[name])
        assert_equal_batches(begun, whole[start:stop])
    if name == "packed and noisy":
        again = steps(table, vocabulary, 0, 5, seed=6, **OPTIONS[name])
        assert any(
            a[0]["input_ids"].shape != b[0]["input_ids"].shape
            or (a[0]["input_ids"] != b[0]["input_ids"]).any()
            for a, b in zip(again, whole, strict=False)
        )


def test_batch_holds_its_rows_with_their_labels_and_masks(table, whole_run, originals):
    assert epoch_steps(table, BATCH) == 83
    seen, widths = [], set()
    for inputs, labels in whole_run("plain")[:83]:
        numbers = toy_records.row_numbers(restored(inputs, labels))
        seen.extend(numbers)
        width = inputs["input_ids"].shape[1]
        widths.add(width)
        assert width == originals["input_mask"][numbers].sum(1).max()
        np.testing.assert_array_equal(
            restored(inputs, labels), originals["input_ids"][numbers][:, :width]
        )
        for ours, theirs in (("attention_mask", "input_mask"), ("token_type_ids", "segment_ids")):
            np.testing.assert_array_equal(inputs[ours], originals[theirs][numbers][:, :width])
        assert labels["next_sentence_labels"].tolist() == (numbers % 2).tolist()
        np.testing.assert_array_equal(labels["pair"], letters(numbers))
        np.testing.assert_array_equal(labels["tags"], tags(numbers)[:, :width])
        made = labels["masked_weights"].sum(1)
        lengths = inputs["attention_mask"].sum(1)
        assert made.tolist() == [max(1, round(n * 0.15)) for n in lengths.tolist()]
        assert labels["masked_ids"].shape[1] == made.max()
    assert len(widths) > 5 and set(seen) == set(range(COUNT)) and len(seen) == 83 * BATCH


def test_row_is_masked_anew_in_every_epoch(whole_run):
    masked = [{}, {}]
    for step, (inputs, labels) in enumerate(whole_run("plain")):
        for numbers, row, positions in zip(
            toy_records.row_numbers(restored(inputs, labels)),
            inputs["input_ids"],
            inputs["masked_positions"],
            strict=True,
        ):
            masked[step // 83][int(numbers)] = (row.tobytes(), positions.tobytes())
    same = sum(masked[0][row] == masked[1][row] for row in masked[0])
    assert len(masked[0]) == COUNT and same < 0.2 * COUNT


def test_rows_of_a_step_are_those_of_its_batch(table, vocabulary, whole_run):
    for options in ({}, {"packing": Packing(3)}):
        arguments = dict(batch_size=BATCH, seed=5, **options)
        for step in (70,) if options else (90,):
            rows = rows_of_step(table, MASKING, vocabulary, step, **arguments)
            inputs, labels = whole_run("packed" if options else "plain")[step]
            ids, masks = restored(inputs, labels), inputs["attention_mask"]
            # Every example begins with [CLS] and its number.
            begins = np.argwhere(np.diff(masks, axis=1, prepend=0) * (masks > 0))
            cut = np.stack([ids[row, column : column + 3] for row, column in begins])
            np.testing.assert_array_equal(rows, toy_records.row_numbers(cut))
            assert len(rows) >= BATCH


def test_shapes_and_cardinality_are_known_before_reading(table, vocabulary):
    batches = pretraining_batches(table, MASKING, vocabulary, batch_size=4, seed=1)
    assert batches.cardinality() == tf.data.INFINITE_CARDINALITY
    inputs, labels = batches.element_spec
    assert set(inputs) == {"input_ids", "attention_mask", "token_type_ids", "masked_positions"}
    assert {spec.shape[0] for spec in (*inputs.values(), *labels.values())} == {4}
    packed = pretraining_batches(
        table, MASKING, vocabulary, batch_size=4, seed=1, packing=Packing(3)
    )
    inputs, labels = packed.element_spec
    assert inputs["input_ids"].shape.as_list() == [4, toy_records.LENGTH]
    assert inputs["sentence_positions"].shape.as_list() == [4, 3]
    assert labels["next_sentence_labels"].shape.as_list() == [4, 3]
    assert {spec.shape[0] for spec in (*inputs.values(), *labels.values())} == {4}


def test_no_iterator_waits_for_a_tuning_thread_when_it_ends(table, vocabulary):
    some = dict(batch_size=4, seed=1)
    for batches in (
        pretraining_batches(table, MASKING, vocabulary, **some),
        pretraining_batches(table, MASKING, vocabulary, **some, packing=Packing(3)),
        evaluation_batches(table, MASKING, vocabulary, **some),
    ):
        assert batches.options().autotune.enabled is False


def test_packed_rows_hold_the_masked_examples_of_the_step(table, whole_run, originals):
    packing = Packing(3)
    count = epoch_steps(table, BATCH, packing)
    assert count < 0.85 * epoch_steps(table, BATCH)
    seen = set()
    for inputs, labels in whole_run("packed")[:count]:
        ids = restored(inputs, labels)
        for row, column in np.argwhere(inputs["sentence_weights"] > 0):
            cut = inputs["attention_mask"][row] == column + 1
            number = int(toy_records.row_numbers(ids[row, cut][None])[0])
            seen.add(number)
            length = originals["input_mask"][number].sum()
            np.testing.assert_array_equal(ids[row, cut], originals["input_ids"][number, :length])
            assert labels["next_sentence_labels"][row, column] == number % 2
            assert labels["pair"][row, column].tolist() == [number, number + 1]
            assert (labels["tags"][row, cut] == number % 9).all()
            hidden = inputs["masked_positions"][row][labels["masked_weights"][row] > 0]
            assert cut[hidden].sum() == max(1, round(int(length) * 0.15))
        np.testing.assert_array_equal(labels["sentence_weights"], inputs["sentence_weights"])
    assert seen == set(range(COUNT))


def test_evaluation_masks_a_row_alike_whatever_the_batches(table, vocabulary, originals):
    def masks(**options):
        batches = evaluation_batches(table, MASKING, vocabulary, **options)
        assert len(batches) == -(-COUNT // options["batch_size"])
        found = {}
        for inputs, labels in batches.as_numpy_iterator():
            ids = restored(inputs, labels)
            for place, number in enumerate(toy_records.row_numbers(ids)):
                made = labels["masked_weights"][place] > 0
                length = originals["input_mask"][number].sum()
                found[int(number)] = (
                    inputs["masked_positions"][place, made].tolist(),
                    inputs["input_ids"][place, :length].tolist(),
                )
        assert len(found) == COUNT
        return found

    wanted = masks(batch_size=4)
    assert masks(batch_size=64, length_multiple=8) == wanted
    assert masks(batch_size=7, seed=1) != wanted


def test_fixed_masks_of_records_reach_the_batch(fixed, vocabulary):
    for packing in (None, Packing(3)):
        for inputs, labels in steps(fixed, vocabulary, 0, 20, masking=None, packing=packing):
            ids = restored(inputs, labels)
            assert "next_sentence_labels" in labels
            hidden = labels["masked_weights"] > 0
            assert set(np.unique(ids[inputs["attention_mask"] > 0])).isdisjoint({4})
            if packing is None:
                assert (inputs["masked_positions"] == [3, 5]).all() and hidden.all()
            else:
                examples = (inputs["sentence_weights"] > 0).sum(1)
                assert (hidden.sum(1) == 2 * examples).all()


def test_masking_and_fixed_masks_exclude_each_other(table, fixed, vocabulary):
    with pytest.raises(ConfigError, match="masking is None, and the records have no masks"):
        steps(table, vocabulary, 0, 1, masking=None)
    with pytest.raises(ConfigError, match="masking: the records have masks already"):
        steps(fixed, vocabulary, 0, 1)


def test_noise_leaves_what_is_predicted_alone(whole_run):
    changed = 0
    for name, calm in (("noise", "plain"), ("packed and noisy", "packed")):
        batches = whole_run(name)
        quiet = whole_run(calm)[: len(batches)]
        for (inputs, labels), (same, targets) in zip(batches, quiet, strict=True):
            np.testing.assert_array_equal(labels["masked_ids"], targets["masked_ids"])
            row, column = np.nonzero(labels["masked_weights"])
            some = inputs["input_ids"][row, inputs["masked_positions"][row, column]]
            others = same["input_ids"][row, same["masked_positions"][row, column]]
            np.testing.assert_array_equal(some, others)
            changed += (inputs["input_ids"] != same["input_ids"]).mean() / len(batches)
    assert changed > 0.2


def test_records_of_one_row_and_of_nothing_to_mask_give_batches(tmp_path, tokenizer, vocabulary):
    folder = toy_records.write(tmp_path / "one", tokenizer, (1,))
    table = RecordTable(folder, tokenizer)
    ((inputs, labels),) = steps(table, vocabulary, 0, 1)
    assert len(inputs["input_ids"]) == BATCH
    example = tf.train.Example()
    for name, values in (
        ("input_ids", [2, 3, 0]),
        ("input_mask", [1, 1, 0]),
        ("segment_ids", [0, 0, 0]),
    ):
        example.features.feature[name].int64_list.value.extend(values)
    with tf.io.TFRecordWriter(str(tmp_path / "empty.tfrecord")) as writer:
        writer.write(example.SerializeToString())
    table = RecordTable(str(tmp_path / "empty.tfrecord"), tokenizer)
    ((inputs, labels),) = steps(table, vocabulary, 0, 1, masking=Masking(), packing=Packing(3))
    assert labels["masked_weights"].sum() == 0 and labels["masked_ids"].shape[1] >= 1
    # No label of an example, so nothing to say where they begin.
    assert "sentence_positions" not in inputs


@pytest.mark.slow
def test_batch_of_nothing_to_mask_trains_on_what_else_there_is(table, vocabulary):
    every = np.ones_like(vocabulary.is_special)
    nothing = dataclasses.replace(vocabulary, is_special=every)
    batches = pretraining_batches(table, Masking(), nothing, batch_size=4, seed=5, stop_step=2)
    config = BertConfig(len(every), 16, 1, 2, 32, max_position_embeddings=toy_records.LENGTH)
    model = Pretraining(build_encoder(config))
    model.compile()
    found = {
        name: values[0]
        for name, values in model.fit(batches, shuffle=False, verbose=0).history.items()
    }
    assert (
        found["applied"] == 1
        and found["masked_lm"] == 0
        and np.isfinite(list(found.values())).all()
    )
    assert found["loss"] == pytest.approx(found["sentence"]) and found["loss"] > 0.1
