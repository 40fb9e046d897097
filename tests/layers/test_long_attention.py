"""Attention in parts is attention: whatever the parts, the padding and the packing."""

import numpy as np
import pytest
import tensorflow as tf

from bert_tf.layers import attend, long_attention, make_attention_mask

numbers = np.random.default_rng(6)


@pytest.mark.parametrize("pairs", [1, 20, 31, 10**6])
def test_parts_of_the_queries_give_what_all_give(pairs, monkeypatch):
    monkeypatch.setattr(long_attention, "PAIRS", pairs)
    shape = tf.TensorSpec((None, 2, None, 4))
    compiled = tf.function(
        long_attention.attend_by_parts,
        input_signature=[shape, shape, shape, tf.TensorSpec((None, None), tf.int32)],
    )
    for length in (1, 6, 9):
        heads = numbers.standard_normal((3, 3, 2, length, 4)).astype("float32")
        groups = np.ones((3, length), "int32")
        groups[1, length - length // 2 :] = 0
        groups[2, : length // 3] = 2
        want, _ = attend(*heads, make_attention_mask(groups))
        for function in (long_attention.attend_by_parts, compiled):
            np.testing.assert_allclose(function(*heads, groups), want, atol=1e-6)
