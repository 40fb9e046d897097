"""Random numbers by place: even, independent of each other, and the same in any batch."""

import numpy as np
import tensorflow as tf

from bert_tf.pretraining_data import random_numbers


def keys(count=400, seed=(3, 5)):
    return random_numbers.row_keys(seed, tf.range(count))


def test_numbers_are_fixed_for_ever():
    # SplitMix64 of 1234567, as its authors' C code gives it.
    state = tf.constant(1234567, tf.uint64)
    assert int(random_numbers._mixed(state)) == 6457827717110365317
    # Records made with one version of bert_tf are made again by the next.
    drawn = random_numbers.random_bits(random_numbers.row_keys((1, 2), [3]), [4, 5], 6)
    assert drawn.numpy().tolist() == [[14128978146822302005, 10156894248267091369]]


def test_numbers_are_uniform():
    drawn = random_numbers.uniform(keys(), tf.range(500), 0).numpy()
    assert drawn.min() >= 0 and drawn.max() < 1
    counts = np.histogram(drawn, 50, (0, 1))[0]
    mean = drawn.size / 50
    # Chi-square with 49 degrees of freedom: 49 +- 5 * sqrt(98).
    assert 10 < ((counts - mean) ** 2 / mean).sum() < 98.5


def test_rows_places_streams_and_seeds_are_unrelated():
    places = tf.range(500)
    some = random_numbers.uniform(keys(), places, 0).numpy()
    others = (
        some[1:],  # the next row
        some[:, 1:],
        random_numbers.uniform(keys(), places, 1).numpy(),
        random_numbers.uniform(keys(seed=(3, 6)), places, 0).numpy(),
        random_numbers.uniform(keys(seed=(4, 5)), places, 0).numpy(),
    )
    for other in others:
        part = some[: len(other), : other.shape[1]]
        assert abs(np.corrcoef(part.ravel(), other.ravel())[0, 1]) < 5 / np.sqrt(part.size)


def test_below_reaches_each_number_equally_often():
    counts = np.bincount(random_numbers.below(7, keys(), tf.range(500), 2).numpy().ravel())
    assert len(counts) == 7 and np.abs(counts - 200000 / 7).max() < 5 * np.sqrt(200000 / 7)


def test_place_draws_the_same_wherever_it_stands():
    drawn = random_numbers.priorities(keys(), tf.range(9), 1).numpy()
    places = tf.constant([[8, 2, 2], [0, 1, 7]])
    few = random_numbers.priorities(tf.gather(keys(), [5, 0]), places, 1).numpy()
    assert few.tolist() == [drawn[5, [8, 2, 2]].tolist(), drawn[0, [0, 1, 7]].tolist()]
    assert drawn.min() >= 0
