"""Models for engines that others keep: ids in, logits or vectors out, the tokenizer beside.

ids.py         a task model as a program of token ids, and what it is compared with
folder.py      config.json, tokenizer.json and what else readers look for
onnx_file.py, openvino_file.py, litert_file.py   a format each; onnx_weights.py: put in
               afterwards; onnx_quantized.py: in int8 and int4; onnx_layer_norms.py: one
               operation each
agreement.py   how far an engine's answers are the model's
run.py         a script that runs an exported file in a process of its own
"""

import importlib.util
import math
import os
import subprocess
import sys
import tempfile
import typing

import numpy as np
from absl import logging

from bert_tf.atomic import new_directory
from bert_tf.errors import ConfigError, InputError, nearest
from bert_tf.export.engines import run
from bert_tf.export.engines.folder import write_folder
from bert_tf.export.engines.ids import SHAPES, require_equal, sample_batches
from bert_tf.export.engines.litert_file import lengths_of, write_litert
from bert_tf.export.engines.onnx_file import write_onnx
from bert_tf.export.engines.onnx_quantized import quantize_onnx, store_in_int4
from bert_tf.export.engines.openvino_file import write_openvino
from bert_tf.export.text_model import text_settings


class _Asked(typing.NamedTuple):
    """Names of outputs, the longest row, "int8", "int4" or None, and rows to calibrate int8."""

    outputs: list
    length: int
    quantize: str | None
    calibration: list | None


class _Format(typing.NamedTuple):
    """A file's name, the engine that checks it, the packages of both, what writes it (function of
    model, path and _Asked), how it may be quantized, and whether int8 may be calibrated."""

    file: str
    engine: str
    packages: tuple
    write: typing.Callable
    quantize: tuple = ()
    calibrates: bool = False


def _onnx(model, path, asked):
    write_onnx(model, path, asked.outputs)
    if asked.quantize == "int8":
        quantize_onnx(path, asked.calibration)
    elif asked.quantize == "int4":
        store_in_int4(path)


def _litert(model, path, asked):
    write_litert(model, path, lengths_of(asked.length), asked.quantize is not None)


FORMATS = {
    "onnx": _Format(
        "model.onnx",
        "ONNX Runtime",
        ("onnx", "tf2onnx", "onnxruntime"),
        _onnx,
        ("int8", "int4"),
        calibrates=True,
    ),
    "openvino": _Format(
        "openvino_model.xml",
        "OpenVINO",
        ("onnx", "tf2onnx", "openvino"),
        lambda model, path, asked: write_openvino(model, path, asked.outputs, bool(asked.quantize)),
        ("int8",),
    ),
    "litert": _Format("model.tflite", "LiteRT", ("ai_edge_litert",), _litert, ("int8",)),
}
# For outputs of size 1, and in proportion above.
TOLERANCE = 1e-4


def require_packages(format, quantize=None, calibration=None):
    """Raises ConfigError unless what writes and checks a format is installed.

    Args:
      format: str.
      quantize: None, "int8" or "int4".
      calibration: anything but None, if int8 is to be calibrated.
    """
    if format not in FORMATS:
        near = nearest(format, FORMATS)
        hint = f"; did you mean {near}?" if near else ""
        raise ConfigError(f"format: {format!r}, wanted one of {', '.join(FORMATS)}{hint}")
    kind = FORMATS[format]
    if quantize is not None and quantize not in kind.quantize:
        able = ", ".join(f"{x} of {name}" for name, each in FORMATS.items() for x in each.quantize)
        raise ConfigError(f"quantize: {quantize!r} of {format}, wanted {able}")
    if calibration is not None and quantize == "int4":
        raise ConfigError("calibration: int4 takes none, activations are not quantized")
    if calibration is not None and not kind.calibrates:
        raise ConfigError(f"calibration: int8 of {format} takes none, it measures row by row")
    for package in (*kind.packages, *(("onnx_ir",) if quantize == "int4" else ())):
        if importlib.util.find_spec(package) is None:
            raise ConfigError(f"format: {format} needs {package}: pip install bert_tf[{format}]")


def export_for_engine(
    model,
    tokenizer,
    directory,
    format="onnx",
    max_length=None,
    quantize=None,
    calibration=None,
    accept=None,
):
    """Writes a model for an engine that runs without TensorFlow.

    The engine reads int64 `input_ids`, `attention_mask` and, where the model tells them apart,
    `token_type_ids`, each [batch, length], and gives what `TaskModel.outputs_of_ids` names; LiteRT
    reads int32, one row of some lengths, see `write_litert`. It is asked batches of several shapes,
    in a process of its own, before the folder has its name.

    Args:
      model: TaskModel that reads texts or pairs as rows of tokens.
      tokenizer: Tokenizer, the one the model was trained with.
      directory: str, made if absent; an existing one must be empty.
      format: a key of FORMATS.
      max_length: int, tokens a row; None takes what the model was trained with.
      quantize: None, "int8", or "int4" of weights alone; its outputs need be like the model's in
        shape alone.
      calibration: list of dict of int64 [B, L], rows of real texts, from which int8 takes the
        ranges of activations; None: each row has its own (dynamic quantization).
      accept: function that is called before the folder has its name, of a function of a list of
        batches to a list of what the engine says of them; gives a dict for the report, or raises.
    Returns:
      dict, ready for JSON: `file`, its path; `bytes`, its size with the weights beside it;
      `largest_difference` between the engine's outputs and the model's, for outputs of size 1 and
      in proportion above; and what `accept` gives.
    Raises:
      ConfigError: a package that writes or runs the format is not installed, or the format cannot
        be quantized so.
      InputError: the model cannot be exported, the place cannot be written, or the engine does not
        run the file or answers otherwise than the model.
    """
    require_packages(format, quantize, calibration)
    kind = FORMATS[format]
    if model.parts is not None:
        tasks = ", ".join(model.parts)
        raise InputError(f"{type(model).__name__}: has several tasks ({tasks}), wanted one model")
    settings = text_settings(model, tokenizer, max_length)
    if model.compute_dtype != "float32":
        raise InputError(f"{type(model).__name__}: is of {model.compute_dtype}, wanted float32")
    if "windows" in settings or model.windowed:
        logging.info("%s: takes one row; whoever asks it cuts long texts into windows", kind.file)
    length = settings["max_length"]
    lengths = lengths_of(length) if format == "litert" else None
    shapes = SHAPES if lengths is None else [(2, each) for each in lengths]
    batches, wanted = sample_batches(model, length, shapes)
    with new_directory(directory) as folder:
        write_folder(model, tokenizer, folder, length)
        # Where sentence-transformers and text-embeddings-inference look for it.
        place = folder / format if (folder / "modules.json").exists() else folder
        place.mkdir(exist_ok=True)
        file = place / kind.file
        kind.write(model, file, _Asked(list(wanted[0]), length, quantize, calibration))
        tolerance = math.inf if quantize else TOLERANCE
        found = answers(format, file, batches)
        report = {
            "file": os.path.join(directory, file.relative_to(folder)),
            "bytes": sum(path.stat().st_size for path in place.glob(f"{file.stem}.*")),
            "largest_difference": require_equal(
                found, wanted, tolerance, f"{directory}: {kind.engine}"
            ),
        }
        if accept is not None:
            report |= accept(lambda batches: answers(format, file, batches))
    return report


def answers(format, file, batches):
    """What an engine says of batches, in a process of its own.

    Args:
      format: str.
      file: str or pathlib.Path.
      batches: list of dict of int64 [B, L].
    Returns:
      list of dict of arrays.
    Raises:
      InputError: the engine does not run it.
    """
    with tempfile.TemporaryDirectory() as folder:
        inputs, outputs = (os.path.join(folder, name) for name in ("inputs.npz", "outputs.npz"))
        flat = {f"{i}.{name}": x for i, batch in enumerate(batches) for name, x in batch.items()}
        np.savez(inputs, **flat)
        command = [sys.executable, "-P", run.__file__, format, str(file), inputs, outputs]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode:
            last = (ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"])[-1]
            raise InputError(f"{file}: {FORMATS[format].engine} does not run it: {last}")
        found = [{} for _ in batches]
        with np.load(outputs) as arrays:
            for name in arrays.files:
                number, output = name.split(".", 1)
                found[int(number)][output] = arrays[name]
    return found
