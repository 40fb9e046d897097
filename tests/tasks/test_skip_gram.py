"""Skip-gram with negative sampling: the paper's sum in numpy, and families it is not for."""

import numpy as np
import oracles
import pytest

from bert_tf import BertConfig, InputError, SkipGram, Word2VecConfig, build_encoder
from tests import tiny
from tests.task_contract import neighbours


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_the_loss_is_that_of_the_paper():
    case = neighbours()
    model = oracles.randomize(case.model)
    words = oracles.get(model, "encoder.embeddings.word_embeddings")
    others = oracles.get(model, "context_head.word_embeddings")
    total, pairs = 0.0, 0
    for ids, noise, sizes in zip(
        case.inputs["input_ids"], case.inputs["noise_ids"], case.labels["window_sizes"], strict=True
    ):
        for i, size in enumerate(sizes):
            for j in range(max(0, i - size), min(len(ids), i + size + 1)):
                if i == j or not sizes[j]:
                    continue
                pairs += 1
                total -= np.log(sigmoid(words[ids[i]] @ others[ids[j]]))
                # Five noise words a pair, drawn from three.
                total -= 5 / 3 * np.log(sigmoid(-others[noise] @ words[ids[i]])).sum()
    (got, weight) = model.loss_terms(model(case.inputs), case.labels)["skip_gram"]
    assert float(weight) == pairs
    np.testing.assert_allclose(float(got), total, rtol=1e-5)


def test_fresh_neighbours_are_zeros_so_that_the_first_loss_is_known():
    model = SkipGram(build_encoder(Word2VecConfig(vocab_size=40, hidden_size=8)))
    case = neighbours()
    total, weight = model.loss_terms(model(case.inputs), case.labels)["skip_gram"]
    assert float(total / weight) == pytest.approx(6 * np.log(2), rel=1e-6)


def test_a_family_whose_vectors_are_of_words_in_their_places_is_refused():
    with pytest.raises(InputError, match="a bert, whose vectors are of words in their places"):
        SkipGram(build_encoder(BertConfig(**tiny.sizes())))
