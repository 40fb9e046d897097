"""model.onnx, through tf2onnx."""

import logging
import math

import keras
import tensorflow as tf

from bert_tf.errors import InputError
from bert_tf.export.engines.ids import check_size, ids_program
from bert_tf.export.engines.onnx_layer_norms import fuse_layer_norms
from bert_tf.export.engines.onnx_weights import put_weights

# LayerNormalization is an op since 17, and ONNX Runtime knows it since 1.12.
_OPSET = 17


def write_onnx(model, path, outputs):
    """Writes a model as an ONNX file that takes any number of rows of any length.

    Args:
      model: TaskModel.
      path: pathlib.Path.
      outputs: list of str, the names of what it gives, in their order.
    Raises:
      InputError: an operation of the model is none of ONNX, or the weights are too large.
    """
    import onnx
    import tf2onnx

    check_size(model, path, "an ONNX file")
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # what matters is raised below
    program, weights = _of_weights(model)
    converted, _ = tf2onnx.convert.from_function(
        program,
        input_signature=program.input_signature,
        opset=_OPSET,
        custom_op_handlers={"Erfc": (_without_erfc, [])},
    )
    foreign = sorted(_operations(converted.graph) - _known(onnx))
    if foreign:
        raise InputError(f"{path.name}: ONNX has no operation {', '.join(foreign)}")
    put_weights(onnx, converted, weights)
    fuse_layer_norms(onnx, converted.graph)
    _name_axes(converted.graph, outputs)
    onnx.save(converted, str(path))


def _of_weights(model):
    """The program of a model whose weights are inputs, and the variables by their names.

    Each pass of tf2onnx copies the graph, and copies stay until the garbage is collected: with the
    weights in it that is 70 times their size. So they are put in afterwards.
    """
    program, variables = ids_program(model), model.weights
    weights = {f"weight_{number}": x for number, x in enumerate(variables)}
    ids = program.input_signature
    specs = [tf.TensorSpec(x.shape, x.dtype, name) for name, x in weights.items()]

    def run(*given):
        values = zip(variables, given[len(ids) :], strict=True)
        with keras.StatelessScope(state_mapping=list(values)):
            return program.python_function(*given[: len(ids)])

    return tf.function(run, input_signature=[*ids, *specs], autograph=False), weights


def _without_erfc(graph, node, name, _):
    """Erfc(y), which ONNX lacks, as 1 - Erf(y); that of a GELU, y = -x / sqrt 2, as 1 + Erf(x /
    sqrt 2), the form that ONNX Runtime and OpenVINO know as one operation."""
    numpy_type, root = graph.get_dtype(node.output[0]), _root_of_gelu(node)
    shape = graph.get_shape(node.output[0])
    one = graph.make_const(f"{name}/one", _float32(1.0)).output[0]
    graph.remove_node(node.name)
    if root is None:
        erf = graph.make_node("Erf", list(node.input)).output[0]
        operation, inputs = "Sub", [one, erf]
    else:
        width = graph.make_const(f"{name}/width", _float32(math.sqrt(2.0))).output[0]
        erf = graph.make_node("Erf", graph.make_node("Div", [root, width]).output).output[0]
        operation, inputs = "Add", [erf, one]
    graph.make_node(operation, inputs, outputs=node.output, shapes=[shape], dtypes=[numpy_type])


def _root_of_gelu(node):
    """The name of x where the input of an Erfc is -x / sqrt 2; None where it is not."""
    product = node.inputs[0]
    if product.type != "Mul":
        return None
    for place, factor in enumerate(product.inputs):
        if factor.is_const() and factor.get_tensor_value(as_list=False).size == 1:
            value = float(factor.get_tensor_value(as_list=False).reshape(()))
            other, name = product.inputs[1 - place], product.input[1 - place]
            if other.type == "Neg":
                value, name = -value, other.input[0]
            return name if abs(value + math.sqrt(0.5)) < 1e-6 else None
    return None


def _float32(value):
    import numpy as np

    return np.array(value, np.float32)


def _operations(graph):
    """The names of a graph's operations, those of the graphs within it too."""
    found = set()
    for node in graph.node:
        found.add(f"{node.domain}.{node.op_type}" if node.domain else node.op_type)
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                found |= _operations(inner)
    return found


def _known(onnx):
    return {x.name for x in onnx.defs.get_all_schemas() if not x.domain}


def _name_axes(graph, outputs):
    """Names the axes that have no number, and puts the outputs into the model's order."""
    by_name = {value.name: value for value in graph.output}
    ordered = [by_name[name] for name in outputs]
    del graph.output[:]
    graph.output.extend(ordered)
    for value in (*graph.input, *graph.output):
        for place, axis in enumerate(value.type.tensor_type.shape.dim):
            if not axis.HasField("dim_value"):
                axis.dim_param = "length" if place else "batch"
