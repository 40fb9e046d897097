"""Tokens without their padding: they go where the padded rows would have put them, and back."""

import numpy as np

from bert_tf.layers import RealTokens, real_places

MASK = np.array([[1, 1, 1, 0], [0, 0, 0, 0], [1, 2, 0, 0]], "int32")
PLACES = [0, 1, 2, 4, 8, 9]
NUMBERS = np.random.default_rng(1)


def real():
    return RealTokens.of(real_places(MASK), MASK)


def test_places_are_those_of_tokens_and_the_first_of_a_row_without_any():
    assert np.array(real_places(MASK)).tolist() == PLACES


def test_tokens_come_out_and_go_back_in_order():
    x = NUMBERS.standard_normal((12, 2)).astype("float32")
    out = np.array(real().taken_out(x))
    np.testing.assert_array_equal(out, x[PLACES])
    np.testing.assert_array_equal(np.array(real().put_back(out))[PLACES], x[PLACES])
    np.testing.assert_array_equal(np.array(real().firsts(out)), x[[0, 4, 8]])


def test_heads_are_split_into_rows_and_joined_again():
    x = NUMBERS.standard_normal((12, 3 * 2 * 5)).astype("float32")  # query, key, value; 2 heads
    parts = [np.array(part) for part in real().split(x[PLACES], 3, 2)]
    want = x.reshape(3, 4, 3, 2, 5).transpose(2, 0, 3, 1, 4)  # [3, B, N, L, H]
    there = MASK.astype(bool)
    for part, expected in zip(parts, want, strict=True):
        assert part.shape == (3, 2, 4, 5)
        np.testing.assert_array_equal(part.swapaxes(1, 2)[there], expected.swapaxes(1, 2)[there])
    joined = np.array(real().joined(want[0]))
    np.testing.assert_array_equal(joined, x.reshape(12, 3, 10)[PLACES, 0])
