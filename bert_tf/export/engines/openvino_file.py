"""openvino_model.xml and .bin, through an ONNX file."""

import pathlib
import tempfile

from bert_tf.errors import InputError
from bert_tf.export.engines.onnx_file import write_onnx
from bert_tf.export.engines.onnx_quantized import store_in_int8


def write_openvino(model, path, outputs, int8=False):
    """Writes a model as OpenVINO's two files, weights in float32 or int8.

    Calibrated int8 is not offered: OpenVINO 2026.4 answered a fifth of SST-2 otherwise than the
    model of the same file, by ONNX Runtime's quantization and by NNCF's (benchmarks/RESULTS.md).

    Args:
      model, outputs: as `write_onnx`.
      path: pathlib.Path of the .xml; the .bin stands beside it.
      int8: bool, matrices and tables in int8, see `store_in_int8`.
    Raises:
      InputError: as `write_onnx`; or an operation of ONNX is none of OpenVINO.
    """
    import openvino

    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "model.onnx"
        write_onnx(model, source, outputs)
        if int8:
            store_in_int8(source)
        try:
            converted = openvino.convert_model(str(source))
        except RuntimeError as error:  # its own errors are such, and many lines long
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            told = next(
                (x for x in lines if "not supported" in x or "No conversion" in x), lines[-1]
            )
            raise InputError(f"{path.name}: OpenVINO cannot convert it: {told}") from None
        openvino.save_model(converted, str(path), compress_to_fp16=False)
