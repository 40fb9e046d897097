"""What the graphs hold: the savings of benchmarks/RESULTS.md, guarded without a clock."""

import collections

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.eager import context

from bert_tf.encoders import BertConfig, build_encoder
from bert_tf.layers import Context, FeedForward, MultiHeadAttention, make_attention_mask, new_key
from bert_tf.tasks import SequenceClassifier
from bert_tf.training import optimizers

BLOCKS, ROWS, LENGTH, WIDTH, INNER = 2, 3, 7, 16, 64
CONFIG = BertConfig(
    vocab_size=40,
    hidden_size=WIDTH,
    num_hidden_layers=BLOCKS,
    num_attention_heads=2,
    intermediate_size=INNER,
    max_position_embeddings=LENGTH,
)
IDS = tf.constant(np.arange(ROWS * LENGTH).reshape(ROWS, LENGTH), tf.int32)


def traced(function, *arguments):
    """Counter of op types as traced, functions that it calls included."""
    function = tf.function(function, autograph=False).get_concrete_function(*arguments)
    graph = function.graph.as_graph_def()
    nodes = [*graph.node, *(node for inner in graph.library.function for node in inner.node_def)]
    return collections.Counter(node.op for node in nodes)


def as_run(function, *arguments):
    """Counter of op types as TensorFlow runs them, after its own rewriting."""
    compiled = tf.function(function, autograph=False)
    context.enable_run_metadata()
    context.export_run_metadata()  # forgets what was noted since an earlier use
    try:
        compiled(*arguments)
        graphs = context.export_run_metadata().partition_graphs
    finally:
        context.disable_run_metadata()
    nodes = [
        node
        for graph in graphs
        for nodes in (graph.node, *(inner.node_def for inner in graph.library.function))
        for node in nodes
    ]
    return collections.Counter(node.op for node in nodes)


def trained(layer, *arguments):
    """A function of a layer's gradients for its arguments and its weights."""

    def gradients(*arguments):
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            output = tf.nest.flatten(layer(*arguments, training=True))[0]
        return tape.gradient(output, (arguments[0], layer.trainable_variables))

    return traced(gradients, *arguments)


def test_expansion_bias_and_gelu_run_as_one_op():
    layer = FeedForward(INNER, "gelu")
    layer.build((None, WIDTH))
    ops = as_run(lambda x: layer(x), tf.ones((ROWS * LENGTH, WIDTH)))
    assert sum(count for op, count in ops.items() if op.endswith("FusedMatMul")) == 2
    assert not ops["Erfc"] + ops["Erf"] + ops["Tanh"] + ops["BiasAdd"] + ops["AddV2"]


def test_the_gradient_of_gelu_takes_the_error_function_once_and_no_more_than_it_needs():
    layer = FeedForward(INNER, "gelu")
    layer.build((None, WIDTH))
    ops = trained(layer, tf.ones((ROWS * LENGTH, WIDTH)))
    assert ops["Erfc"] == ops["Exp"] == 1
    assert ops["Mul"] <= 8


def test_attention_splits_query_key_and_value_without_slices_to_pad_again():
    layer = MultiHeadAttention(2)
    layer.build((None, WIDTH))
    context = Context(ROWS, LENGTH, make_attention_mask(tf.ones((ROWS, LENGTH), tf.int32)))
    x = tf.ones((ROWS * LENGTH, WIDTH))

    def gradients(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            output, _ = layer(x, context=context)
        return tape.gradient(output, (x, layer.trainable_variables))

    assert not traced(gradients, x)["StridedSliceGrad"]


def test_one_draw_of_random_words_for_each_dropout():
    model = SequenceClassifier(build_encoder(CONFIG))
    ops = traced(
        lambda key: model({"input_ids": IDS}, training=True, key=key), new_key(seed=0, step=0)
    )
    drawn = sum(count for op, count in ops.items() if op.startswith("StatelessRandomUniform"))
    assert drawn == 3 * BLOCKS + 2


@pytest.mark.parametrize("pooling, rows", [(None, ROWS), ("cls", ROWS), ("mean", ROWS * LENGTH)])
def test_the_last_block_computes_only_rows_that_are_read(pooling, rows):
    model = SequenceClassifier(build_encoder(CONFIG), pooling=pooling)
    graph = tf.function(lambda: model({"input_ids": IDS})).get_concrete_function().graph
    products = [op.outputs[0].shape for op in graph.get_operations() if op.type == "MatMul"]
    expanded = [shape[0] for shape in products if shape[1] == INNER]
    assert expanded == [ROWS * LENGTH] * (BLOCKS - 1) + [rows]


def step_of(accumulate):
    """A model, and a Counter of the op types of its train step."""
    model = SequenceClassifier(build_encoder(CONFIG))
    model.compile(optimizers.AdamW(1e-3), accumulate=accumulate)
    model.optimizer.build(model.trainable_variables)  # or the step is traced a second time
    step = (lambda labels: model.train_step(({"input_ids": IDS}, labels)), tf.zeros(ROWS))
    return model, traced(*step)


def test_large_variables_are_updated_by_compiled_code_and_the_word_table_by_rows(monkeypatch):
    monkeypatch.setattr(optimizers, "LARGE", WIDTH * INNER)
    model, ops = step_of(accumulate=1)
    large = sum(int(np.prod(weight.shape)) >= WIDTH * INNER for weight in model.trainable_variables)
    assert large == 2 * BLOCKS
    table = 1  # of words, by rows
    assert ops["ResourceApplyAdam"] == len(model.trainable_variables) - large - table
    # The weight, its two moments, and which rows there have been.
    assert ops["ResourceScatterUpdate"] == 4


@pytest.mark.slow
def test_the_word_table_is_updated_whole_where_gradients_are_summed():
    assert not step_of(accumulate=2)[1]["ResourceScatterUpdate"]
