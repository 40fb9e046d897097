"""An ONNX file in int8, or with its weights in int4, by ONNX Runtime's own quantization."""

import contextlib
import logging
import os

import numpy as np

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
