"""Batches: full and padded little, the same wherever a run starts, and every row in its place."""

import contextlib
import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_tf import data, read_dataset
from tests.tables import read_table, text_features

slow = functools.partial(pytest.param, marks=pytest.mark.slow)

PAD, CLS, SEP = 0, 1, 2


def tokenizer(texts, text_pairs=None, max_length=512, padding="longest", **_):
    """A stand-in for Tokenizer: a token is a whole number, and is its own id."""
    sides = [texts] if text_pairs is None else [texts, text_pairs]
    pieces, types = [], []
    for number, side in enumerate(sides):
        ids = tf.ragged.map_flat_values(tf.strings.to_number, tf.strings.split(side), tf.int32)
        pieces.append(tf.concat([ids, tf.fill([tf.shape(side)[0], 1], SEP)], axis=1))
        types.append(tf.ones_like(pieces[-1]) * number)
    ids = tf.concat([tf.fill([tf.shape(texts)[0], 1], CLS), *pieces], axis=1)[:, :max_length]
    types = tf.concat([tf.fill([tf.shape(texts)[0], 1], 0), *types], axis=1)[:, :max_length]
    shape = [None, max_length] if padding == "max_length" else None
    mask = tf.ones_like(ids)
    return {
        "input_ids": ids.to_tensor(PAD, shape=shape),
        "attention_mask": mask.to_tensor(0, shape=shape),
        "token_type_ids": types.to_tensor(0, shape=shape),
    }


def row_text(row):
    """Row r: the token 10 + r, then as many 3s as a skewed length wants."""
    return " ".join([str(10 + row)] + ["3"] * (row * 7919 % 97 if row % 4 == 0 else row % 9))


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "train.tsv"
    path.write_text("text\tlabel\n" + "".join(f"{row_text(r)}\t{r % 3}\n" for r in range(702)))
    return path


@pytest.fixture(scope="module")
def table(path):
    return read_table(path)


@pytest.fixture(scope="module")
def run(table):
    """Two epochs of 176 batches and a little."""
    return steps(table, 0, 360)


FEATURES = text_features(tokenizer, 64)


def rows_of(batch):
    return batch["input_ids"][:, 1] - 10


def steps(table, start, stop, **options):
    options = dict(batch_size=4, seed=5) | options
    batches = data.training_batches(table, FEATURES, start_step=start, stop_step=stop, **options)
    return list(batches.as_numpy_iterator())


def assert_equal_batches(some, others):
    assert len(some) == len(others)
    tf.nest.map_structure(np.testing.assert_array_equal, some, others)


def test_each_row_once_an_epoch_with_its_label(run):
    for epoch in (run[:176], run[176:352]):
        rows = np.concatenate([rows_of(inputs) for inputs, _ in epoch])
        assert len(rows) == 704 and set(rows) == set(range(702))
        assert all((rows_of(inputs) % 3 == labels).all() for inputs, labels in epoch)
    assert any(
        (rows_of(a[0]) != rows_of(b[0])).any() for a, b in zip(run, run[176:352], strict=False)
    )


# Within a window, at the edge of one, in the next epoch; the others are beside these.
@pytest.mark.parametrize("start", [1, slow(63), 64, slow(175), slow(176), 300])
def test_run_that_starts_anywhere_has_the_batches_of_a_whole_run(table, run, start):
    assert_equal_batches(steps(table, start, 360), run[start:])


def test_another_seed_is_another_order(table, run):
    some, others = run[:20], steps(table, 0, 20, seed=6)
    assert any(
        a[0]["input_ids"].shape != b[0]["input_ids"].shape
        or (a[0]["input_ids"] != b[0]["input_ids"]).any()
        for a, b in zip(some, others, strict=True)
    )


def test_batches_are_as_long_as_their_longest_row_and_rounded_up_on_request(table):
    for multiple in (1, 10, 1000):
        for inputs, _ in steps(table, 0, 176, length_multiple=multiple):
            longest = inputs["attention_mask"].sum(axis=1).max()
            wanted = min(-(-longest // multiple) * multiple, 64)
            assert {ids.shape for ids in inputs.values()} == {(4, wanted)}
            assert ((inputs["input_ids"] == PAD) == (inputs["attention_mask"] == 0)).all()


def test_lengths_are_alike_within_a_batch_and_mixed_between_batches(run):
    masks = [inputs["attention_mask"] for inputs, _ in run[:176]]
    padding = np.average([data.padding_share(m) for m in masks], weights=[m.size for m in masks])
    lengths = np.concatenate([mask.sum(axis=1) for mask in masks])
    np.random.default_rng(0).shuffle(lengths)
    unsorted = 1 - lengths.sum() / (lengths.reshape(-1, 4).max(axis=1).sum() * 4)
    assert padding < 0.1 < 0.4 < unsorted
    widths = [mask.shape[1] for mask in masks[:64]]
    assert abs(np.corrcoef(np.arange(64), widths)[0, 1]) < 0.3


def test_file_smaller_than_a_batch_fills_it(table):
    ((inputs, labels),) = steps(table.subset(np.arange(3)), 0, 1, batch_size=8)
    assert sorted(rows_of(inputs)) in (
        [0, 0, 0, 1, 1, 1, 2, 2],
        [0, 0, 0, 1, 1, 2, 2, 2],
        [0, 0, 1, 1, 1, 2, 2, 2],
    )
    assert labels.shape == (8,)


def test_shapes_and_cardinality_are_known_before_reading(table):
    endless = data.training_batches(table, FEATURES, seed=1, batch_size=4)
    assert endless.cardinality() == tf.data.INFINITE_CARDINALITY
    inputs, labels = endless.element_spec
    assert list(inputs) == ["input_ids", "attention_mask", "token_type_ids"]
    assert {spec.shape.rank and tuple(spec.shape) for spec in inputs.values()} == {(4, None)}
    assert labels == tf.TensorSpec([4], tf.int32)
    once = data.evaluation_batches(table, FEATURES, batch_size=4)
    assert len(once) == data.epoch_steps(table, 4) == 176
    assert once.element_spec[1] == tf.TensorSpec([None], tf.int32)


def test_no_iterator_waits_for_a_tuning_thread_when_it_ends(table, path):
    datasets = [
        data.training_batches(table, FEATURES, seed=1, batch_size=4, stop_step=3),
        data.evaluation_batches(table, FEATURES, batch_size=4).map(lambda *batch: batch),
        data.prediction_batches(table, FEATURES, batch_size=4),
        read_dataset(path, tokenizer, shuffle_seed=5),
    ]
    assert [x.options().autotune.enabled for x in datasets] == [False] * 4


def test_evaluation_and_prediction_see_each_row_once(table):
    evaluated = data.evaluation_batches(table, FEATURES, batch_size=4)
    evaluated = list(evaluated.as_numpy_iterator())
    rows = np.concatenate([rows_of(inputs) for inputs, _ in evaluated])
    assert sorted(rows) == list(range(702)) and len(evaluated[-1][1]) == 2
    assert rows.tolist() != list(range(702))
    for inputs, numbers in data.prediction_batches(table, FEATURES, batch_size=4):
        np.testing.assert_array_equal(rows_of(inputs), numbers)


def test_pairs_multi_hot_labels_and_ratings_reach_the_batch(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("a,b,kinds,rating\n5 6,7,x|y,0.5\n8,9,z,2\n")
    options = dict(text="a", text_pair="b", max_length=16)
    ((inputs, labels),) = read_dataset(path, tokenizer, label="kinds", **options)
    assert inputs["input_ids"].numpy().tolist() == [[1, 8, 2, 9, 2, 0], [1, 5, 6, 2, 7, 2]]
    assert inputs["token_type_ids"].numpy().tolist() == [[0, 0, 0, 1, 1, 0], [0, 0, 0, 0, 1, 1]]
    assert labels.numpy().tolist() == [[0, 0, 1], [1, 1, 0]] and labels.dtype == tf.float32
    dataset = read_dataset(path, tokenizer, label="rating", **options)
    assert next(iter(dataset))[1].numpy().tolist() == [2.0, 0.5]
    assert dataset.problem_type == "regression" and dataset.label_names is None


def test_overlong_share_counts_what_max_length_cuts(table):
    lengths = np.array([len(row_text(row).split()) + 2 for row in range(702)])
    share = data.overlong_share(table, text_features(tokenizer, 21))
    assert share == pytest.approx((lengths > 20).mean())
    assert data.overlong_share(table, text_features(tokenizer, 201)) == 0


def test_dataset_without_labels_keeps_the_order_of_the_file(path):
    dataset = read_dataset(path, tokenizer, label=None, batch_size=5)
    assert isinstance(dataset.element_spec, dict)
    rows = np.concatenate([rows_of(inputs) for inputs in dataset])
    assert rows.tolist() == list(range(702))


def test_dataset_moves_on_an_epoch_with_each_full_pass_only(path, run):
    dataset = read_dataset(path, tokenizer, batch_size=4, max_length=64, shuffle_seed=5)
    assert len(dataset) == 176 and dataset.label_names == ("0", "1", "2")
    next(iter(dataset))  # a look does not count
    passes = [batch for _ in range(2) for batch in dataset.as_numpy_iterator()]
    assert_equal_batches(passes, run[:352])


@pytest.mark.parametrize("mirrored", [False, slow(True)])  # recipes/test_replicas.py
def test_fit_sees_the_epochs_of_a_training_run(path, run, mirrored):
    seen = []

    class Watcher(keras.Model):
        def build(self, shape):
            self.scale = self.add_weight(shape=(), initializer="zeros")

        def call(self, inputs):
            return tf.cast(inputs["input_ids"][:, :1], tf.float32) * self.scale

        def train_step(self, batch):
            tf.py_function(lambda ids: seen.append(ids.numpy()), [batch[0]["input_ids"]], [])
            return {"loss": tf.reduce_sum(self(batch[0]))}

    dataset = read_dataset(path, tokenizer, batch_size=4, max_length=64, shuffle_seed=5)
    scope = tf.distribute.MirroredStrategy(["CPU:0"]).scope if mirrored else contextlib.nullcontext
    with scope():
        model = Watcher()
        model.compile(optimizer="sgd")
        model.fit(dataset, epochs=2, verbose=0)
    assert_equal_batches(seen, [inputs["input_ids"] for inputs, _ in run[:352]])
