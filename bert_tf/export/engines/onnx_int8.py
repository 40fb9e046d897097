"""An ONNX file in int8, by ONNX Runtime's own quantization."""

import os

import numpy as np


def quantize_onnx(path, batches=None):
    """Turns the matrices and tables of an ONNX file into int8.

    The products of a matrix with activations are those of integers: weights in int8, with a scale
    for each column; activations in uint8. Products of two activations, as in attention, stay.

    Args:
      path: pathlib.Path; the file is replaced.
      batches: list of dict of int64 [B, L], from which the ranges of activations are known then; of
        none each product finds those of its own input (dynamic quantization).
    """
    import logging

    from onnxruntime import quantization

    options = {
        "op_types_to_quantize": ["MatMul", "Gather"],
        "per_channel": True,
        "weight_type": quantization.QuantType.QInt8,
        "extra_options": {"MatMulConstBOnly": True},
    }
    target = path.with_suffix(".int8")
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # it advises, on the root logger, steps that change nothing here
    try:
        if batches is None:
            quantization.quantize_dynamic(str(path), str(target), **options)
        else:
            reader = _reader(quantization, batches)
            quantization.quantize_static(str(path), str(target), reader, **options)
    finally:
        root.setLevel(level)
    os.replace(target, path)


def _reader(quantization, batches):
    """Batches as the quantization asks for them: one after the other, then None."""

    class Reader(quantization.CalibrationDataReader):
        def __init__(self):
            self.left = iter(batches)

        def get_next(self):
            batch = next(self.left, None)
            return batch and {name: np.asarray(x, np.int64) for name, x in batch.items()}

    return Reader()
