"""Losses of sentence vectors against plain loops in numpy, and what counts for nothing."""

import numpy as np
import pytest

from bert_tf.tasks import embedding_losses
from bert_tf.tasks.embedding_losses import lacking, loss_of_rows, row_weights

SETTINGS = {"scale": 7.0, "margin": 0.3, "highest_score": 5.0}


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@pytest.fixture(scope="module")
def vectors():
    return np.random.default_rng(5).normal(size=(5, 4, 6)).astype("float32")


def texts():
    found = np.arange(20).reshape(5, 4)
    found[1, 3] = found[4, 2] = found[4, 3] = -1  # fewer negatives
    found[2, 1] = found[0, 1]  # the same positive twice
    found[3, 2] = found[0, 0]  # another row's negative is the first anchor
    found[4, 0] = found[1, 0]  # one anchor with two positives
    return found


def softmax_loss(anchor, candidates, scale):
    logits = [scale * anchor @ x for x in candidates]
    return -np.log(np.exp(logits[0]) / np.sum(np.exp(logits)))


def test_multiple_negatives_are_all_other_texts_but_those_that_are_right_too(vectors):
    marks = texts()
    v = unit(vectors)
    want = []
    for row in range(5):
        others = [v[row, 1]]
        for other in range(5):
            for place in (1, 2, 3):
                mark = marks[other, place]
                own = (other, place) == (row, 1)
                right = mark in (marks[row, 0], marks[row, 1])
                right |= marks[other, 0] == marks[row, 0] and place == 1
                if mark >= 0 and not own and not right:
                    others.append(v[other, place])
        want.append(softmax_loss(v[row, 0], others, 7.0))
    got = loss_of_rows("multiple_negatives", vectors, {"texts": marks}, SETTINGS)
    np.testing.assert_allclose(got, want, rtol=1e-4)


def test_simcse_tells_a_text_from_the_others_under_another_mask(vectors):
    two, marks = vectors[:, :2], np.array([[1], [2], [3], [1], [5]])
    v = unit(two)
    want = []
    for row in range(5):
        others = [v[row, 1]] + [v[x, 1] for x in range(5) if marks[x] != marks[row]]
        want.append(softmax_loss(v[row, 0], others, 7.0))
    got = loss_of_rows("simcse", two, {"texts": marks}, SETTINGS)
    np.testing.assert_allclose(got, want, rtol=1e-4)


def test_rows_of_a_category_attract_each_other(vectors):
    one, classes = vectors[:, :1], np.array([0, 1, 0, 0, 2])
    v = unit(one[:, 0])
    labels = {"texts": np.arange(5)[:, None], "category": classes}
    got = np.asarray(loss_of_rows("supervised_contrastive", one, labels, SETTINGS))
    weights = np.asarray(row_weights("supervised_contrastive", labels))
    np.testing.assert_array_equal(weights, [1, 0, 1, 1, 0])  # 1 and 4 are alone in theirs
    for row in (0, 2, 3):
        others = [x for x in range(5) if x != row]
        total = sum(np.exp(7 * v[row] @ v[x]) for x in others)
        same = [x for x in others if classes[x] == classes[row]]
        want = np.mean([-np.log(np.exp(7 * v[row] @ v[x]) / total) for x in same])
        np.testing.assert_allclose(got[row], want, rtol=1e-4)


def test_one_category_in_a_batch_counts_for_nothing():
    labels = {"texts": np.arange(3)[:, None], "category": np.array([1, 1, 1])}
    assert not np.asarray(row_weights("supervised_contrastive", labels)).any()


def test_cosent_orders_the_cosines_as_the_scores(vectors):
    scores = np.array([1.0, 3.0, 3.0, 0.0, 5.0], "float32")
    v = unit(vectors)
    cosines = np.sum(v[:, 0] * v[:, 1], axis=-1)
    total = 1.0
    for high in range(5):
        for low in range(5):
            if scores[high] > scores[low]:
                total += np.exp(7 * (cosines[low] - cosines[high]))
    labels = {"texts": texts(), "score": scores}
    got = loss_of_rows("cosent", vectors, labels, SETTINGS)
    np.testing.assert_allclose(got, np.full(5, np.log(total)), rtol=1e-4)
    want = (cosines - scores / 5) ** 2
    np.testing.assert_allclose(loss_of_rows("cosine", vectors, labels, SETTINGS), want, rtol=1e-4)


def test_triplets_take_the_mean_over_the_negatives_there_are(vectors):
    v, labels = unit(vectors), {"texts": texts()}
    got = np.asarray(loss_of_rows("triplet", vectors, labels, SETTINGS))
    for row, negatives in enumerate(([2, 3], [2], [2, 3], [2, 3])):
        near = np.sum((v[row, 0] - v[row, 1]) ** 2)
        far = [np.sum((v[row, 0] - v[row, x]) ** 2) for x in negatives]
        np.testing.assert_allclose(
            got[row], np.mean([max(0, near - x + 0.3) for x in far]), rtol=1e-4
        )
    np.testing.assert_array_equal(row_weights("triplet", labels), [1, 1, 1, 1, 0])


@pytest.mark.parametrize("objective", embedding_losses.OBJECTIVES)
def test_a_table_without_what_the_objective_reads_has_no_loss_but_is_measured(objective, vectors):
    labels = {"texts": texts()[:, :1]}
    weights = np.asarray(row_weights(objective, labels))
    assert weights.all() if objective == "simcse" else not weights.any()
    assert np.isfinite(loss_of_rows(objective, vectors[:, :1], labels, SETTINGS)).all()


def test_what_rows_lack_to_teach_anything_is_told_of_each_loss():
    def told(objective, marks, **labels):
        found = lacking(objective, {"texts": np.array(marks), **labels})
        return {
            " ".join(what.split()[:3]): np.asarray(rows).tolist() for what, rows in found.items()
        }

    single = [[1], [2], [3]]
    found = told("supervised_contrastive", single, category=np.array([7, 7, 8]))
    assert found == {"no other row": [False, False, True], "no row of": [False] * 3}
    found = told("supervised_contrastive", single, category=np.array([7, 7, 7]))
    assert found == {"no other row": [False] * 3, "no row of": [True] * 3}
    pairs = [[1, 2], [1, 3], [2, 1]]  # the third knows both; the others' positives are another's
    assert told("multiple_negatives", pairs) == {"no text in": [True, True, False]}
    assert told("multiple_negatives", [[1, 2]]) == {"no text in": [True]}
    assert told("simcse", [[1], [1], [1]]) == {"no text in": [True] * 3}
    assert told("simcse", single) == {"no text in": [False] * 3}
    assert told("cosent", pairs, score=np.ones(3)) == {"no row of": [True] * 3}
    assert told("triplet", [[1, 2, -1], [1, 2, 3]]) == {"no negative": [True, False]}
    assert told("cosine", pairs, score=np.ones(3)) == {}
