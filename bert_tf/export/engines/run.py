"""Runs an exported file, in a process that holds nothing but its engine.

usage: python -P run.py FORMAT FILE INPUTS OUTPUTS

INPUTS and OUTPUTS are .npz files; "2.input_ids" is an input of the third batch.
"""

import sys

import numpy as np


def onnx_runtime(file):
    """A function of a batch, dict of arrays, to a dict of arrays."""
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda batch: dict(zip(names, session.run(names, batch), strict=True))


def openvino_runtime(file):
    """As `onnx_runtime`, in float32: its default rounds to bfloat16 where the CPU has that."""
    import openvino

    compiled = openvino.Core().compile_model(file, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda batch: {x.get_any_name(): value for x, value in compiled(batch).items()}


def litert_runtime(file, threads=None):
    """As `onnx_runtime`: row by row, each padded to the next length that the file has; threads is
    an int, or None for LiteRT's own choice."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=file, num_threads=threads)
    names = interpreter.get_signature_list()
    runners = {int(x.split("_")[1]): interpreter.get_signature_runner(x) for x in names}

    def run(batch):
        rows, columns = batch["input_ids"].shape
        length = min(x for x in runners if x >= columns)
        behind = ((0, 0), (0, length - columns))
        padded = {name: np.pad(x, behind).astype(np.int32) for name, x in batch.items()}
        found = [
            runners[length](**{name: x[row : row + 1] for name, x in padded.items()})
            for row in range(rows)
        ]
        return {
            name: np.concatenate([_cut(name, each[name], columns) for each in found])
            for name in found[0]
        }

    return run


def _cut(name, value, columns):
    """An output without what is behind its tokens, if it has a number for each."""
    by_token = value.ndim == 3 or name in ("start_logits", "end_logits")
    return value[:, :columns] if by_token else value


ENGINES = {"onnx": onnx_runtime, "openvino": openvino_runtime, "litert": litert_runtime}


def main(format, file, inputs, outputs):
    """Runs every batch."""
    run, batches = ENGINES[format](file), {}
    with np.load(inputs) as arrays:
        for name in arrays.files:
            number, name_of_input = name.split(".", 1)
            batches.setdefault(number, {})[name_of_input] = arrays[name]
    found = {}
    for number, batch in batches.items():
        found |= {f"{number}.{name}": value for name, value in run(batch).items()}
    np.savez(outputs, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
