"""model.tflite, through TensorFlow's own converter: rows of a few fixed lengths."""

import re
import tempfile

import tensorflow as tf

from bert_tf.errors import InputError
from bert_tf.export.engines.ids import check_size, ids_program

# Tokens of a row; the longest row of the model is one more. LiteRT packs the kernels anew for each
# of them: finer steps take less time and more memory.
_LENGTHS = (16, 32, 64, 128, 256)


def lengths_of(longest):
    """The lengths that a file has signatures for, list of int, up to the longest row."""
    return [length for length in _LENGTHS if length < longest] + [longest]


def write_litert(model, path, lengths, int8=False):
    """Writes a model as a LiteRT file of built-in operations alone.

    It has a signature for each length, `length_64`, of int32 [1, 64] inputs; the weights are there
    once. A file that took any length would need TensorFlow's own kernels, which LiteRT's package
    lacks.

    Args:
      model: TaskModel.
      path: pathlib.Path.
      lengths: list of int.
      int8: bool, matrices and tables in int8, a scale for each of their columns; activations are
        measured row by row.
    Raises:
      InputError: an operation of the model is none of LiteRT, or the weights are too large.
    """
    check_size(model, path, "a LiteRT file")
    module = tf.Module(name="engine")
    module.parameters = [variable.value for variable in model.weights]
    programs = {f"length_{x}": ids_program(model, 1, x, tf.int32) for x in lengths}
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures=programs)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=list(programs))
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if int8:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        try:
            converted = converter.convert()
        except Exception as error:  # of several classes, none of them public
            foreign = re.findall(r"(?:TF Select|Custom) ops: (.+)", str(error))
            if not foreign:
                raise
            said = f"LiteRT has no operation {', '.join(foreign)}"
            raise InputError(f"{path.name}: {said}") from None
    path.write_bytes(converted)
