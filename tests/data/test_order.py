"""The order of the examples: a pure function, each row once an epoch, and the same for ever."""

import numpy as np
import pytest

from bert_tf.data import order


def epoch(plan, number):
    windows = range(number * plan.epoch_windows, (number + 1) * plan.epoch_windows)
    return np.concatenate([plan.window(window)[0] for window in windows])


def test_shuffle_is_the_same_on_every_machine_and_version():
    assert order.shuffled(8, seed=42, stream=0).tolist() == [7, 1, 6, 4, 3, 5, 0, 2]
    assert order.shuffled(8, seed=42, stream=1).tolist() == [4, 5, 3, 0, 2, 7, 1, 6]
    assert order.shuffled(8, seed=42, stream=1, place=1).tolist() == [2, 3, 4, 7, 5, 6, 1, 0]


def test_seed_epoch_and_place_each_change_the_order_even_as_numpy_integers():
    kinds = {
        tuple(order.shuffled(50, np.int64(seed), np.int64(stream), np.int64(place)))
        for seed in (0, 1)
        for stream in (0, 1)
        for place in (0, 1)
    }
    assert len(kinds) == 8


@pytest.mark.parametrize("rows", [1, 3, 4, 5, 255, 256, 257, 1000])
def test_each_row_once_an_epoch_and_the_last_batch_filled_from_its_beginning(rows):
    plan = order.TrainingOrder(rows, batch_size=4, seed=9)
    for number in (0, 1):
        seen = epoch(plan, number)
        assert len(seen) == plan.epoch_steps * 4 and len(seen) - rows < 4
        assert sorted(seen[:rows]) == list(range(rows))
        np.testing.assert_array_equal(seen[rows:], np.resize(seen[:rows], len(seen))[rows:])
    assert rows < 5 or (epoch(plan, 0) != epoch(plan, 1)).any()


def test_window_asked_for_alone_is_the_one_of_a_whole_run():
    whole = order.TrainingOrder(1000, batch_size=4, seed=9)
    windows = [whole.window(number) for number in range(12)]
    for number in (11, 3, 4, 0):
        alone = order.TrainingOrder(1000, batch_size=4, seed=9).window(number)
        for part, expected in zip(alone, windows[number], strict=True):
            np.testing.assert_array_equal(part, expected)


def test_locate_counts_the_batches_of_all_epochs():
    plan = order.TrainingOrder(1000, batch_size=4, seed=9)  # 250 steps: windows of 64, 64, 64, 58
    counted = [
        (window, batch) for window in range(8) for batch in range(len(plan.window(window)[1]))
    ]
    assert [plan.locate(step) for step in range(500)] == counted


def test_file_order_is_the_order_of_the_file():
    plan = order.FileOrder(1001, batch_size=4)
    assert epoch(plan, 0).tolist() == list(range(1001))
    assert sum(len(plan.window(number)[1]) for number in range(4)) == plan.epoch_steps == 251
