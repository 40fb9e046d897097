"""An ONNX file in int8, or with its weights in int4, by ONNX Runtime's own quantization."""

import contextlib
import logging
import os

import numpy as np

from bert_tf.export.engines.onnx_weights import drop_unused

# Weights that share a scale, and the level of `accuracy_level` at which activations are int8.
_BLOCK, _INT8_PRODUCTS = 32, 4


def quantize_onnx(path, batches=None):
    """Turns the matrices and tables of an ONNX file into int8.

    The products of a matrix with activations are those of integers: weights in int8, with a scale
    for each column; activations in uint8. Products of two activations, as in attention, stay.

    Args:
      path: pathlib.Path; the file is replaced.
      batches: list of dict of int64 [B, L], from which the ranges of activations are known then; of
        none each product finds those of its own input (dynamic quantization).
    """
    from onnxruntime import quantization

    options = {
        "op_types_to_quantize": ["MatMul", "Gather"],
        "per_channel": True,
        "weight_type": quantization.QuantType.QInt8,
        "extra_options": {"MatMulConstBOnly": True},
    }
    target = path.with_suffix(".int8")
    with _quiet():
        if batches is None:
            quantization.quantize_dynamic(str(path), str(target), **options)
        else:
            reader = _reader(quantization, batches)
            quantization.quantize_static(str(path), str(target), reader, **options)
    os.replace(target, path)


def store_in_int4(path):
    """Turns the matrices and tables of an ONNX file into int4, an eighth of the size.

    A scale and a zero point for 32 weights each; rows are taken from tables as they are needed, and
    products read the weights as they are stored. Activations stay float32.

    Args:
      path: pathlib.Path; the file is replaced.
    """
    import onnx
    from onnxruntime.quantization import matmul_nbits_quantizer as nbits

    how = nbits.DefaultWeightOnlyQuantConfig(
        block_size=_BLOCK,
        is_symmetric=False,
        accuracy_level=_INT8_PRODUCTS,
        op_types_to_quantize=("MatMul", "Gather"),
        quant_axes=(("MatMul", 0), ("Gather", 1)),
    )
    whole = onnx.load(path)
    versions = {x.domain: x.version for x in whole.opset_import}
    with _quiet():
        quantizer = nbits.MatMulNBitsQuantizer(whole, algo_config=how)
        quantizer.process()
    for each in quantizer.model.model.opset_import:  # it raises the version, not the operations
        each.version = versions.get(each.domain, each.version)
    target = path.with_suffix(".int4")
    quantizer.model.save_model_to_file(str(target), False)
    os.replace(target, path)


def store_in_int8(path):
    """Turns the matrices and tables of an ONNX file into int8, a quarter of the size.

    A scale for each column of a matrix and each row of a table; how products are done is the
    engine's choice: OpenVINO rounds activations to int8 as they come, 32 at a time.

    Args:
      path: pathlib.Path; the file is replaced.
    """
    import onnx

    whole = onnx.load(path)
    graph, made = whole.graph, {}
    constants = {x.name: x for x in graph.initializer}
    for node in graph.node:
        place = {"MatMul": 1, "Gather": 0}.get(node.op_type)
        if place is None or node.input[place] not in constants:
            continue
        tensor = constants[node.input[place]]
        if len(tensor.dims) == 2 and tensor.data_type == onnx.TensorProto.FLOAT:
            name = f"{tensor.name}_of_{node.op_type}"
            if name not in made:
                made[name] = _dequantized(onnx, graph, tensor, name, axis=place)
            node.input[place] = name
    nodes = [*made.values(), *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    drop_unused(graph)
    onnx.save(whole, str(path))


def _dequantized(onnx, graph, tensor, name, axis):
    """The node that gives a matrix of its int8, a scale for each place on an axis."""
    values = onnx.numpy_helper.to_array(tensor)
    largest = np.abs(values).max(axis=1 - axis, keepdims=True)
    scales = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    parts = {"int8": np.rint(values / scales).astype(np.int8), "scales": scales.reshape(-1)}
    for part, value in parts.items():
        graph.initializer.append(onnx.numpy_helper.from_array(value, f"{name}_{part}"))
    names = [f"{name}_{part}" for part in parts]
    return onnx.helper.make_node("DequantizeLinear", names, [name], axis=axis)


@contextlib.contextmanager
def _quiet():
    """Without the advice of the quantization on the root logger, of steps that change nothing."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)


def _reader(quantization, batches):
    """Batches as the quantization asks for them: one after the other, then None."""

    class Reader(quantization.CalibrationDataReader):
        def __init__(self):
            self.left = iter(batches)

        def get_next(self):
            batch = next(self.left, None)
            return batch and {name: np.asarray(x, np.int64) for name, x in batch.items()}

    return Reader()
