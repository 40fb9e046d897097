"""Batches of several tables: how often each comes, and that a run may begin at any step."""

import numpy as np
import pytest
import tensorflow as tf

from bert_tf.data.mixed import MixedOrder, mixed_batches


def test_in_proportion_an_epoch_has_every_batch_of_every_table_once():
    plan = MixedOrder([7, 2, 40], "proportional", 3, seed=4)
    assert plan.epoch_steps == 49
    for epoch in range(3):
        assert list(np.bincount(plan.tables(epoch * 49, epoch * 49 + 49))) == [7, 2, 40]
    first, second = plan.tables(0, 49), plan.tables(49, 98)
    assert list(first) != list(second) and list(first) != sorted(first)


def test_by_the_square_root_small_tables_come_more_often():
    plan = MixedOrder([100, 25, 4], "square_root", 1, seed=0)
    # 129 steps as 10 : 5 : 2
    assert list(plan.shares(0)) == [76, 38, 15]


def test_annealed_goes_from_proportion_towards_equal_shares():
    plan = MixedOrder([800, 100, 100], "annealed", 5, seed=0)
    shares = np.array([plan.shares(epoch) for epoch in range(5)])
    assert list(shares[0]) == [800, 100, 100] and (np.diff(shares[:, 0]) < 0).all()
    powers = np.array([8.0, 1, 1]) ** 0.2  # Stickland & Murray 2019: alpha is 0.2 at the end
    np.testing.assert_allclose(shares[-1], 1000 * powers / powers.sum(), atol=1)
    assert list(plan.shares(9)) == list(shares[-1])
    assert list(MixedOrder([9, 3], "annealed", 1, 0).shares(0)) == [9, 3]


@pytest.mark.parametrize("sampling", ["proportional", "square_root", "annealed"])
def test_the_tables_of_steps_are_the_same_wherever_a_run_begins(sampling):
    plan = MixedOrder([5, 3, 1], sampling, 4, seed=2)
    whole = plan.tables(0, 36)
    for start in (0, 1, 8, 9, 10, 20):
        assert list(plan.tables(start, 36)) == list(whole[start:])
        assert list(plan.counts(start)) == list(np.bincount(whole[:start], minlength=3))
    table, own = plan.locate(20)
    assert table == whole[20] and own == (whole[:20] == table).sum()
    assert list(MixedOrder([5, 3, 1], sampling, 4, seed=3).tables(0, 36)) != list(whole)


def numbered(rows, width):
    """A source whose batches tell their own step, of `width` inputs and labels of one number."""

    def batches(start, stop):
        steps = tf.data.Dataset.range(start, stop)
        shape = [rows, width]
        return steps.map(lambda x: ({"ids": tf.fill(shape, x)}, tf.fill([rows], x)))

    return batches


def test_packed_rows_keep_their_weights_and_others_have_none():
    def plain(start, stop):
        return tf.data.Dataset.range(start, stop).map(lambda x: ({"a": x[None]}, x[None]))

    def packed(start, stop):
        rows = tf.data.Dataset.range(start, stop)
        return rows.map(lambda x: ({"a": x[None]}, x[None], tf.ones([1, 4])))

    batches = mixed_batches(
        {"plain": plain, "packed": packed}, MixedOrder([2, 2], "proportional", 1, 0), 0, 4
    )
    for inputs, labels, weights in batches:
        assert list(weights) == ["packed"] and set(inputs) == set(labels) == {"plain", "packed"}
        assert len(weights["packed"]) == len(labels["packed"]) == 1 - len(labels["plain"])


def test_a_batch_is_of_one_table_and_continues_that_table_alone():
    plan = MixedOrder([4, 2], "proportional", 2, seed=1)
    sources = {"long": numbered(3, 5), "short": numbered(2, 1)}
    batches = list(mixed_batches(sources, plan, 0, 12))
    assert len(batches) == 12
    seen = {"long": [], "short": []}
    for place, (inputs, labels) in zip(plan.tables(0, 12), batches, strict=True):
        name, other = list(sources)[place], list(sources)[1 - place]
        assert inputs[other]["ids"].shape[0] == labels[other].shape[0] == 0
        seen[name].append(int(labels[name][0]))
    assert seen == {"long": list(range(8)), "short": list(range(4))}
    again = list(mixed_batches(sources, plan, 7, 12))
    for one, same in zip(batches[7:], again, strict=True):
        for x, y in zip(tf.nest.flatten(one), tf.nest.flatten(same), strict=True):
            np.testing.assert_array_equal(x, y)
    assert len(list(mixed_batches(sources, plan, 12, 12))) == 0
