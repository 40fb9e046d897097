"""The graph that an export runs: few and large operations, none for padding or for training."""

import collections

import numpy as np
import pytest
import tensorflow as tf

from bert_tf import SequenceClassifier, build_encoder
from bert_tf.export import TextModel, Weights, text_settings
from bert_tf.layers import done_by
from bert_tf.layers.linear import linear
from tests import oracles, tiny
from tests.layers.test_graph_structure import as_run

# What costs nothing when the graph runs, or is noted when a model is built.
NO_WORK = ("Const", "ReadVariableOp", "_Arg", "_Retval", "Identity", "NoOp", "VarHandleOp")
NO_WORK += ("Enter", "Switch")  # one a variable, where a loop or a branch reads it


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return tiny.tokenizer(tmp_path_factory.mktemp("vocabulary"))


@pytest.fixture(scope="module")
def operations(tokenizer):
    """Operations of the graph as it runs, Counters of kinds, with two and three blocks."""
    return operations_of(tokenizer)


def operations_of(tokenizer, precision="float32"):
    found = []
    for blocks in (2, 3):
        model = SequenceClassifier(build_encoder(tiny.config(num_hidden_layers=blocks)))
        model.data_settings = {"text": "text", "label": "label", "max_length": 24}
        oracles.randomize(model)  # a bias of zeros would be folded away
        weights = Weights(precision, frozen=True)
        program = TextModel(model, tokenizer, text_settings(model, tokenizer), weights)
        found.append(as_run(program.answer, tf.constant(["a good film", "bad"])))
    return found


# A plain layer norm, as the trained one is.
NORM = {"Mean": 2, "Square": 1, "Sub": 1, "AddV2": 2, "Rsqrt": 1, "Mul": 2}


def block_of(small, large):
    """Operations of a block, Counter. It stands in the graph twice: for few tokens, with plain
    norms, and in a loop over the rows of a request, 32 at once."""
    found = {kind: n for kind, n in (large - small).items() if kind not in NO_WORK}
    for kind, count in NORM.items():
        found[kind] = found.get(kind, 0) - 2 * count
    found["_MklLayerNorm"] += 2
    assert all(n % 2 == 0 for n in found.values()), found
    return collections.Counter({kind: n // 2 for kind, n in found.items() if n})


def test_a_block_is_four_products_with_all_that_follows_them_and_attention(operations):
    block = block_of(*operations)
    products = sum(count for kind, count in block.items() if "FusedMatMul" in kind)
    assert products == 4, "query, key and value; projection; expand, bias and GELU; contract"
    assert sum(count for kind, count in block.items() if "BatchMatMul" in kind) == 2
    assert sum(count for kind, count in block.items() if "LayerNorm" in kind) == 2
    assert not block.keys() & {"Erf", "Erfc", "BiasAdd", "Transpose", "Mean", "Rsqrt"}, block
    assert sum(block.values()) <= 16, block


def test_where_tokens_stand_and_what_they_see_is_made_once_for_all_blocks(operations):
    block = block_of(*operations)
    assert not block.keys() & {"SelectV2", "Less", "Any", "Cast", "Shape", "StridedSlice", "Mul"}
    assert block["GatherV2"] == 2, "heads split, heads joined"


def test_nothing_of_training_is_left(operations):
    for kinds in operations:
        assert not [kind for kind in kinds if "Random" in kind or "Dropout" in kind]


def test_of_the_weights_of_a_block_kernels_alone_are_read(operations):
    small, large = operations
    assert (large - small)["ReadVariableOp"] == 2 * 4, "biases, scales and shifts are constants"


def test_in_bfloat16_bias_and_gelu_are_in_the_product_and_what_is_rounded_stays_so(tokenizer):
    small, large = operations_of(tokenizer, "bfloat16")
    block = block_of(small, large)
    assert sum(count for kind, count in block.items() if "FusedMatMul" in kind) == 4
    assert not block.keys() & {"Erf", "Erfc", "BiasAdd", "Dequantize"}, block
    assert (large - small)["ReadVariableOp"] == 2 * 4, "kernels are read as they are multiplied"
    assert sum(count for kind, count in block.items() if "LayerNorm" in kind) == 2
    assert block["Cast"] == 6, "before and behind three of the products; GELU's goes on as it is"
    assert sum(block.values()) <= 24, block


@pytest.mark.parametrize("precision, few", [("float32", True), ("bfloat16", False)])
@pytest.mark.parametrize("rank", [None, 2])
def test_a_product_without_a_bias_is_of_the_kind_whose_kernel_is_packed_once(precision, few, rank):
    layer = linear(6, "glorot_uniform", use_bias=False, rank=rank)
    layer.build((None, 4))
    weights, x = Weights(precision, frozen=True), tf.random.stateless_normal((3, 4), (1, 2))

    def products(x):
        with done_by(weights.steps(few)):
            return layer(x)

    kinds = as_run(products, x)
    assert kinds["_MklNativeFusedMatMul"] == (1 if rank is None else 2)
    assert not kinds["_MklMatMul"] and not kinds["MatMul"]
    np.testing.assert_allclose(products(x), layer(x), rtol=2e-2, atol=1e-2)
