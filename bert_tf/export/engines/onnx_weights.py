"""Weights of an ONNX file: put in once the graph is made, and what is made of them alone."""

import numpy as np


def put_weights(onnx, model, values):
    """Turns inputs of a graph into the weights that they stand for, and folds.

    Args:
      onnx: the package.
      model: onnx.ModelProto, changed in place.
      values: dict of input name -> variable, those that no node reads among them.
    """
    graph = model.graph
    read = {name for node in graph.node for name in names_read(node)}
    left = [x for x in graph.input if x.name not in values]
    del graph.input[:]
    graph.input.extend(left)
    for name, value in values.items():
        if name in read:
            graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(value), name))
    _fold(onnx, model)


def _fold(onnx, model):
    """Puts constants in the place of what is computed of constants alone, such as a matrix that is
    turned: engines may do it each time they load the file, and only constants are quantized."""
    from onnx.reference import ReferenceEvaluator

    graph = model.graph
    constants = {x.name: x for x in graph.initializer}
    kept = []
    for node in graph.node:
        names = {name for name in names_read(node) if name}
        if not names or not names <= set(constants):
            kept.append(node)
            continue
        inputs = [
            onnx.helper.make_tensor_value_info(x, constants[x].data_type, constants[x].dims)
            for x in sorted(names)
        ]
        outputs = [onnx.ValueInfoProto(name=name) for name in node.output]
        alone = onnx.helper.make_graph([node], "alone", inputs, outputs)
        alone = onnx.helper.make_model(alone, opset_imports=model.opset_import)
        run = ReferenceEvaluator(alone)
        feeds = {name: onnx.numpy_helper.to_array(constants[name]) for name in names}
        for name, value in zip(node.output, run.run(None, feeds), strict=True):
            graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(value), name))
            constants[name] = graph.initializer[-1]
    del graph.node[:]
    graph.node.extend(kept)


def drop_unused(graph):
    """Takes out the nodes, and the constants, of which nothing depends."""
    needed = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed & set(node.output):
            kept.append(node)
            needed |= names_read(node)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    for place in reversed(range(len(graph.initializer))):
        if graph.initializer[place].name not in needed:
            del graph.initializer[place]


def names_read(node):
    """The names that a node reads, those of the graphs within it too; set of str."""
    found = set(node.input)
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                found |= names_read(inner)
    return found
