"""The tree is the best of all trees, whatever cycles the greedy heads make."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from bert_tf.tasks.spanning_tree import best_tree


def is_tree(heads):
    if heads.count(0) != 1:
        return False
    for word in range(1, len(heads) + 1):
        seen, node = set(), word
        while node:
            if node in seen:
                return False
            seen.add(node)
            node = heads[node - 1]
    return True


def best_by_trial(scores):
    words = len(scores)
    trees = filter(is_tree, map(list, itertools.product(range(words + 1), repeat=words)))
    return max(trees, key=lambda heads: sum(scores[w, head] for w, head in enumerate(heads)))


@pytest.mark.parametrize("words", (1, 2, 3, 4, 5))
def test_it_is_the_best_of_all_trees_with_one_word_under_the_root(words):
    rng = np.random.default_rng(words)
    scores = rng.normal(size=(60, words, words + 1)).astype("float32") * 3
    found = best_tree(scores, np.full(60, words, "int32"))
    for row, heads in zip(scores, np.asarray(found), strict=True):
        assert heads.tolist() == best_by_trial(row)


def test_rows_of_all_lengths_share_a_batch_and_a_graph():
    rng = np.random.default_rng(7)
    scores = rng.normal(size=(8, 5, 6)).astype("float32")
    words = np.array([5, 3, 1, 0, 2, 4, 5, 2], "int32")
    graph = tf.function(
        best_tree,
        input_signature=[
            tf.TensorSpec([None, None, None], tf.float32),
            tf.TensorSpec([None], tf.int32),
        ],
        autograph=False,
    )
    for row, count, heads in zip(scores, words, graph(scores, words).numpy(), strict=True):
        wanted = best_by_trial(row[:count, : count + 1]) if count else []
        assert heads.tolist() == wanted + [0] * (5 - count)


def test_cycles_within_cycles_are_opened():
    rng = np.random.default_rng(3)
    scores = rng.normal(size=(20, 20, 21)).astype("float32")
    for heads in best_tree(scores, np.full(20, 20, "int32")).numpy():
        assert is_tree(heads.tolist())
