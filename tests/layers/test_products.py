"""No product of matrices has a batch on one side alone: TensorFlow 2.21 on a CPU crashes in some of
those whose right side it has to repeat, such as [4, 1, 70, 64] with [1, 64, 139]."""

import keras
import numpy as np
import oracles
import pytest
from keras import ops

from bert_tf.encoders import FAMILIES, build_encoder
from tests import task_contract, tiny

MORE = dict.fromkeys(("albert", "electra"), {"embedding_size": 4})
MORE["mobilebert"] = {"embedding_size": 4, "intra_bottleneck_size": 4}
MORE["lstm"] = MORE["elmo"] = {"num_attention_heads": 0}
MORE["word2vec"] = {"num_hidden_layers": 0, "num_attention_heads": 0}
MORE["deberta-v2"] = dict(
    relative_attention=True, position_buckets=4, pos_att_type=("c2p", "p2c"), conv_kernel_size=3
)
# Layers that a row of this length has in blocks, where the others have the whole.
MORE["modernbert"] = {"local_attention": 4, "pad_token_id": 0}


@pytest.fixture
def products(monkeypatch):
    """The shapes of all products that are computed from here on; every other way is refused."""
    seen, matmul = [], ops.matmul

    def watched(x1, x2):
        seen.append((tuple(map(int, ops.shape(x1))), tuple(map(int, ops.shape(x2)))))
        return matmul(x1, x2)

    def other(*arguments, **options):
        raise AssertionError("a product that this test does not see")

    monkeypatch.setattr(ops, "matmul", watched)
    for name in ("einsum", "dot", "tensordot"):
        monkeypatch.setattr(ops, name, other)
    return seen


def check(products, least):
    assert len(products) >= least
    for left, right in products:
        # A matrix of weights is no batch, and Keras makes one matrix of the left side there.
        assert left[:-2] == right[:-2] or len(right) == 2, (left, right)
    products.clear()


@pytest.mark.parametrize("name", FAMILIES)
def test_no_family_repeats_a_side(name, products):
    sizes = tiny.sizes(max_position_embeddings=16)
    config = FAMILIES[name].config(**{**sizes, **MORE.get(name, {})})
    encoder = oracles.randomize(build_encoder(config))
    for rows in (1, 3):
        ids = np.random.default_rng(rows).integers(5, 20, (rows, 9)).astype("int32")
        for options in ({}, {"only_first": True}, {"return_intermediates": True}):
            encoder({"input_ids": ids, "attention_mask": (ids > 5).astype("int32")}, **options)
        check(products, 0 if name == "word2vec" else 6)


@pytest.mark.parametrize(
    "name", ["trees", "sentences", "spans by a CRF", "masked words", "choices"]
)
def test_no_head_repeats_a_side(name, products):
    case = task_contract.case_of(name)
    for rows in (1, 2):
        cut = keras.tree.map_structure(lambda x, rows=rows: x[:rows], (case.inputs, case.labels))
        outputs = case.model(cut[0])
        case.model.terms(outputs, cut[1])
        check(products, 3)
