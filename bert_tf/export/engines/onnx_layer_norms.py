"""Layer normalizations of an ONNX graph, each as the one operation that engines have for it."""

from bert_tf.export.engines.onnx_weights import drop_unused


def fuse_layer_norms(onnx, graph):
    """Puts LayerNormalization in the place of the ten operations that say it.

    Those are what `layers.normalization` traces to: the mean taken away, times one over the root of
    the mean square and a small number, times gamma, plus beta. What looks otherwise stays.

    Args:
      onnx: the package.
      graph: onnx.GraphProto, changed in place.
    Returns:
      int, how many were found.
    """
    makers = {name: node for node in graph.node for name in node.output}
    takers = {}
    for node in graph.node:
        for name in node.input:
            takers.setdefault(name, []).append(node)
    constants = {x.name: x for x in graph.initializer}
    places = {node.output[0]: place for place, node in enumerate(graph.node)}
    found = 0
    for node in [x for x in graph.node if x.op_type == "Reciprocal"]:
        parts = _parts(onnx, node, makers, takers, constants)
        if parts is None:
            continue
        x, gamma, beta, epsilon, last = parts
        fused = onnx.helper.make_node(
            "LayerNormalization", [x, gamma, beta], last.output, axis=-1, epsilon=epsilon
        )
        graph.node[places[last.output[0]]].CopyFrom(fused)
        found += 1
    drop_unused(graph)
    return found


def _parts(onnx, reciprocal, makers, takers, constants):
    """(x, gamma, beta, epsilon, the last node) of a layer normalization, or None."""

    def made_by(name, operation):
        node = makers.get(name)
        return node if node is not None and node.op_type == operation else None

    def taken_by(node, operation):
        """The only node that takes what a node gives, if it is of this operation."""
        nodes = takers.get(node.output[0], [])
        return nodes[0] if len(nodes) == 1 and nodes[0].op_type == operation else None

    def constant(node, other):
        """The name of a node's input that is a constant, where the other input is `other`."""
        left = [name for name in node.input if name != other]
        return left[0] if len(left) == 1 and left[0] in constants else None

    root = made_by(reciprocal.input[0], "Sqrt")
    shifted = root and made_by(root.input[0], "Add")
    mean_square = shifted and next(
        (y for name in shifted.input if (y := made_by(name, "ReduceMean"))), None
    )
    square = mean_square and made_by(mean_square.input[0], "Mul")
    centred = square and square.input[0] == square.input[1] and made_by(square.input[0], "Sub")
    mean = centred and made_by(centred.input[1], "ReduceMean")
    # The graph optimizer may multiply gamma with the inverse root first.
    first = mean and mean.input[0] == centred.input[0] and taken_by(reciprocal, "Mul")
    second = first and taken_by(first, "Mul")
    if not second or centred.output[0] not in (*first.input, *second.input):
        return None
    scale = second if centred.output[0] in first.input else first
    scaled_by = first.output[0] if scale is second else reciprocal.output[0]
    last = taken_by(second, "Add")
    if not last or not all(_over_last_axis(onnx, x) for x in (mean, mean_square)):
        return None
    names = (
        constant(shifted, mean_square.output[0]),
        constant(scale, scaled_by),
        constant(last, second.output[0]),
    )
    if None in names:
        return None
    values = [onnx.numpy_helper.to_array(constants[name]) for name in names]
    if values[0].size != 1 or not all(value.ndim == 1 for value in values[1:]):
        return None
    return centred.input[0], names[1], names[2], float(values[0].reshape(())), last


def _over_last_axis(onnx, node):
    given = {x.name: onnx.helper.get_attribute_value(x) for x in node.attribute}
    return given.get("axes") in ([-1], [1]) and given.get("keepdims", 1) == 1
