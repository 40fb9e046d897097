"""A model that is gone leaves nothing behind, and gradients are right while it is there."""

import gc

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework.ops import gradient_registry

from bert_tf import CausalLM, Gpt2Config, SequenceClassifier, build_encoder
from bert_tf.training.evaluation import evaluate
from bert_tf.training.loop import step_function
from tests import tiny

LABELS = np.array([0, 1, 1], np.int32)


def batches():
    return tf.data.Dataset.from_tensors((tiny.rows(), LABELS))


def classifier(**compiled):
    model = SequenceClassifier(build_encoder(tiny.config()), 2)
    model.compile(**compiled)
    return model


def step():
    model, dataset = classifier(), batches()
    run = step_function(model, model.distribute_strategy, dataset.element_spec)
    run(next(iter(dataset)), tf.constant(False))


def written():
    model = CausalLM(build_encoder(Gpt2Config(**tiny.sizes())))
    model.generate([[1, 2]], max_new_tokens=2)


WAYS = {
    "a step": step,
    "evaluation": lambda: evaluate(classifier(), batches()),
    "generation": written,
}
FURTHER = {
    "recomputed": lambda: classifier(recompute=True).fit(batches(), verbose=0),
    "fit": lambda: classifier().fit(batches(), verbose=0),
    "evaluate": lambda: classifier().evaluate(batches(), verbose=0),
    "a graph of one's own": lambda: tf.function(classifier())(tiny.rows()),
}


def left():
    """How many gradients of graphs TensorFlow knows, each with its graph and all that is in it."""
    gc.collect()
    return sum(name.startswith("CustomGradient") for name in gradient_registry.list())


@pytest.mark.parametrize(
    "way", [*WAYS, *(pytest.param(x, marks=pytest.mark.slow) for x in FURTHER)]
)
def test_a_model_that_is_gone_leaves_no_graph_behind(way):
    before = left()
    {**WAYS, **FURTHER}[way]()
    assert left() == before


@pytest.mark.slow
def test_no_operation_of_a_step_is_left():
    def operations():
        gc.collect()
        return sum(type(each).__name__ == "Operation" for each in gc.get_objects())

    step()  # what is traced once a process
    before = operations()
    step()
    assert operations() == before


def test_a_graph_has_its_gradients_as_long_as_it_is_there():
    model = classifier()
    inputs = {name: tf.constant(x) for name, x in tiny.rows().items()}
    graph = tf.function(lambda inputs: tf.reduce_sum(model(inputs)[:, 0] ** 2))
    graph(inputs)
    gc.collect()
    found = []
    for function in (graph, graph.python_function):
        with tf.GradientTape() as tape:
            value = function(inputs)
        found.append(tape.gradient(value, model.trainable_variables))
    assert len(found[0]) == len(model.trainable_variables) > 10
    for ours, wanted in zip(*found, strict=True):
        np.testing.assert_allclose(
            tf.convert_to_tensor(ours), tf.convert_to_tensor(wanted), atol=1e-6
        )
