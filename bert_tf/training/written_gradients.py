"""Gradients that are written out live as long as the graph that they are of, and no longer."""

import contextlib
import weakref

import keras


@contextlib.contextmanager
def kept_by_graph():
    """What is traced inside leaves nothing behind when its graph goes.

    TensorFlow registers each `custom_gradient` of a graph under a name of its own, for ever, and
    with it the graph, the weights and the optimizer's: a process that trains one model after the
    other would keep them all. Here the outermost graph holds the gradient, the registry does not.
    """
    if keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    if tf.executing_eagerly():  # where nothing is registered
        yield
        return
    from tensorflow.python.framework.ops import gradient_registry

    before = set(gradient_registry.list())
    yield
    graph = tf.compat.v1.get_default_graph()
    while getattr(graph, "outer_graph", None) is not None and graph.outer_graph.building_function:
        graph = graph.outer_graph
    for name in set(gradient_registry.list()) - before:
        gradient = gradient_registry.lookup(name)
        if hasattr(gradient, "held"):  # of a part that was traced before
            continue
        graph.get_collection_ref("written_gradients").append(gradient)
        _forget(gradient_registry, name)
        gradient_registry.register(_weak(gradient), name)
        weakref.finalize(gradient, _forget, gradient_registry, name)


def _weak(gradient):
    """A gradient, function of an operation and what comes from above, that keeps nothing alive."""

    def weak(*given):
        return weak.held()(*given)

    weak.held = weakref.ref(gradient)
    return weak


def _forget(registry, name):
    registry._registry.pop(name, None)  # which has no public way out
