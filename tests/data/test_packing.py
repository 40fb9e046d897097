"""Packing: every example once, rows nearly full, and each example's loss what it would be alone."""

import numpy as np
import pytest
import tensorflow as tf

from bert_tf import BertConfig, build_encoder
from bert_tf.data.packing import PackedOrder, Packing, pack_rows, plan, strategy
from bert_tf.errors import ConfigError, InputError
from bert_tf.tasks.pretraining import Pretraining


def skewed(count=4000, width=128, seed=0):
    lengths = 4 + np.random.default_rng(seed).exponential(25, count).astype(int)
    return np.minimum(lengths, width)


def rows_of(packs):
    return [packs.rows[a:b] for a, b in zip(packs.splits[:-1], packs.splits[1:], strict=True)]


@pytest.mark.parametrize("most", [1, 2, 3, 16])
def test_plan_holds_every_example_once_and_no_row_too_many(most):
    lengths = skewed()
    rows = rows_of(plan(lengths, 128, Packing(most)))
    assert sorted(np.concatenate(rows)) == list(range(4000))
    assert max(lengths[row].sum() for row in rows) <= 128
    assert max(map(len, rows)) == most and min(map(len, rows)) > 0


def test_plan_is_best_fit_decreasing():
    lengths = skewed(500, 64)
    rooms = []  # one by one, as the textbook has it
    for length in sorted(lengths, reverse=True):
        fitting = [i for i, (room, held) in enumerate(rooms) if room >= length and held < 5]
        if not fitting:
            rooms.append([64, 0])
            fitting = [len(rooms) - 1]
        best = min(fitting, key=lambda i: rooms[i][0])
        rooms[best][0] -= length
        rooms[best][1] += 1
    found = rows_of(plan(lengths, 64, Packing(5)))
    assert sorted(64 - lengths[row].sum() for row in found) == sorted(room for room, _ in rooms)


def test_rows_are_nearly_full_where_lengths_allow():
    order = PackedOrder(skewed(), 128, 8, 1, Packing())
    share, alone = skewed().sum() / (order.rows * 128), skewed().mean() / 128
    assert share > 0.98 > 0.5 > alone
    assert order.report() == (
        f"4,000 examples in {order.rows} rows of 128 tokens, {share:.2%} of them real; "
        f"an example a row: {alone:.2%}"
    )


def test_strategy_costs_no_more_for_a_million_times_the_examples():
    histogram = np.bincount(skewed(), minlength=129)
    few, many = (strategy(histogram * times, 128, Packing(3)) for times in (1, 10**6))
    assert len(many) < 3 * len(few)
    for kinds, times in ((few, 1), (many, 10**6)):
        held = np.zeros(129, int)
        for count, lengths in kinds:
            np.add.at(held, list(lengths), count)
        np.testing.assert_array_equal(held, histogram * times)


def test_example_longer_than_a_row_is_refused():
    with pytest.raises(InputError, match="example 1: 9 tokens, a row has 8"):
        plan([8, 9], 8, Packing())
    with pytest.raises(ConfigError, match="packing.max_examples is 0"):
        Packing(0)


def test_each_epoch_holds_every_example_and_another_company():
    lengths = skewed(1000)
    order = PackedOrder(lengths, 128, 8, 3, Packing())
    companies = []
    for epoch in range(2):
        steps = [order.batch(epoch * order.epoch_steps + i) for i in range(order.epoch_steps)]
        assert all(set(rows) == set(range(8)) for _, rows in steps)
        examples = np.concatenate([examples for examples, _ in steps])
        # The last batch is filled up from the beginning of the same epoch.
        assert set(examples) == set(range(1000)) and len(examples) - 1000 < 8 * 16
        companies.append({frozenset(e[r == row]) for e, r in steps for row in range(8)})
    assert len(companies[0] & companies[1]) < 0.1 * len(companies[0])
    again = PackedOrder(lengths, 128, 8, 3, Packing()).batch(order.epoch_steps + 5)
    np.testing.assert_array_equal(again[0], order.batch(order.epoch_steps + 5)[0])


def examples(count, width, seed=0):
    """Masked examples of all lengths with sentence labels, token labels and candidates."""
    random = np.random.default_rng(seed)
    lengths = random.integers(5, width // 2, count)
    lengths[0] = width
    places = np.arange(width)
    mask = places < lengths[:, None]
    made = random.integers(1, 4, count)
    positions = np.sort([random.permutation(np.arange(1, 5))[:3] for _ in range(count)], axis=1)
    weights = np.arange(3) < made[:, None]
    inputs = {
        "input_ids": random.integers(5, 60, (count, width)) * mask,
        "attention_mask": mask,
        "token_type_ids": (places >= lengths[:, None] // 2) & mask,
        "masked_positions": positions * weights,
    }
    labels = {
        "masked_ids": random.integers(5, 60, (count, 3)) * weights,
        "next_sentence_labels": random.integers(0, 2, count),
        "tags": np.where(mask, random.integers(0, 9, (count, width)), -1),
        "candidates": random.integers(0, 60, (count, 4)),
    }
    inputs, labels = (
        {name: tf.constant(values.astype(np.int32)) for name, values in values.items()}
        for values in (inputs, labels)
    )
    labels["masked_weights"] = tf.constant(weights.astype(np.float32))
    return inputs, labels


def packed_whole(inputs, labels, width, packing):
    """Their Packs, and all examples packed."""
    packs = plan(inputs["attention_mask"].numpy().sum(1), width, packing)
    height = len(packs.splits) - 1
    rows = np.repeat(np.arange(height), np.diff(packs.splits))
    part = tf.nest.map_structure(lambda values: tf.gather(values, packs.rows), (inputs, labels))
    return packs, *pack_rows(*part, rows, height, width, packing)


def test_row_holds_its_examples_one_after_the_other():
    inputs, labels = examples(12, 40)
    lengths = inputs["attention_mask"].numpy().sum(1)
    packs, packed, packed_labels = packed_whole(inputs, labels, 40, Packing(6))
    packed, packed_labels = tf.nest.map_structure(lambda t: t.numpy(), (packed, packed_labels))
    assert packed["input_ids"].shape == packed_labels["tags"].shape == packed["position_ids"].shape
    assert packed["masked_positions"].shape[1] % 8 == 0
    for row, members in enumerate(rows_of(packs)):
        begin, masks = 0, 0
        for number, example in enumerate(members):
            cut = slice(begin, begin + lengths[example])
            own = slice(0, lengths[example])
            for name in ("input_ids", "token_type_ids"):
                np.testing.assert_array_equal(packed[name][row, cut], inputs[name][example, own])
            np.testing.assert_array_equal(
                packed_labels["tags"][row, cut], labels["tags"][example, own]
            )
            assert (packed["attention_mask"][row, cut] == number + 1).all()
            assert packed["position_ids"][row, cut].tolist() == list(range(lengths[example]))
            assert packed["sentence_positions"][row, number] == begin
            label = labels["next_sentence_labels"][example]
            assert packed_labels["next_sentence_labels"][row, number] == label
            np.testing.assert_array_equal(
                packed_labels["candidates"][row, number], labels["candidates"][example]
            )
            count = int(labels["masked_weights"].numpy()[example].sum())
            taken = slice(masks, masks + count)
            wanted = inputs["masked_positions"].numpy()[example, :count] + begin
            np.testing.assert_array_equal(packed["masked_positions"][row, taken], wanted)
            np.testing.assert_array_equal(
                packed_labels["masked_ids"][row, taken], labels["masked_ids"][example, :count]
            )
            begin, masks = begin + lengths[example], masks + count
        assert not packed["attention_mask"][row, begin:].any()
        assert (packed_labels["tags"][row, begin:] == -1).all()
        assert packed["sentence_weights"][row].tolist() == [1] * len(members) + [0] * (
            6 - len(members)
        )
        assert (packed_labels["next_sentence_labels"][row, len(members) :] == -1).all()
        assert packed_labels["masked_weights"][row].sum() == masks


def test_losses_are_those_of_the_examples_alone():
    inputs, labels = examples(14, 40, seed=2)
    config = BertConfig(
        vocab_size=60,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=40,
        initializer_range=0.3,
    )
    encoder = build_encoder(config)
    model = Pretraining(encoder)
    alone = model(inputs)
    _, packed, packed_labels = packed_whole(inputs, labels, 40, Packing(5))
    assert packed["input_ids"].shape[0] < 10
    sequence = encoder(packed)["sequence_output"].numpy()
    first = tf.gather(sequence, packed["sentence_positions"], batch_dims=1)
    sentence_logits = model.sentence_head(
        tf.reshape(encoder.pooler(tf.reshape(first, [-1, 32])), [-1, 32])
    ).numpy()
    logits = model(packed)["masked_lm_logits"]

    def losses(logits, labels, weights):
        # A packed row's filling has the label -1, and a weight of 0.
        values = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(labels, 0), logits)
        return sorted(values.numpy()[np.asarray(weights) > 0])

    for some, others in (
        (
            losses(alone["masked_lm_logits"], labels["masked_ids"], labels["masked_weights"]),
            losses(logits, packed_labels["masked_ids"], packed_labels["masked_weights"]),
        ),
        (
            losses(alone["sentence_logits"], labels["next_sentence_labels"], np.ones(14)),
            losses(
                sentence_logits,
                tf.reshape(packed_labels["next_sentence_labels"], [-1]),
                tf.reshape(packed["sentence_weights"], [-1]),
            ),
        ),
    ):
        assert len(some) == len(others) and np.std(some) > 0.1
        np.testing.assert_allclose(some, others, atol=1e-5)


def test_packed_task_has_the_loss_of_its_examples():
    inputs, labels = examples(14, 40, seed=3)
    for name in ("tags", "candidates"):
        del labels[name]
    config = BertConfig(60, 32, 2, 2, 64, max_position_embeddings=40, initializer_range=0.3)
    model = Pretraining(build_encoder(config))
    _, packed, packed_labels = packed_whole(inputs, labels, 40, Packing(5))
    packed_labels["sentence_weights"] = packed["sentence_weights"]
    some = model.loss_terms(model(inputs), labels)
    others = model.loss_terms(model(packed), packed_labels)
    for name, (loss, weight) in some.items():
        assert float(weight) == float(others[name][1]) > 0
        assert float(loss) == pytest.approx(float(others[name][0]), rel=1e-5)
