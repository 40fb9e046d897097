"""Worker: our own exports for engines, in these engines.

usage: worker_serving_exports.py make MODEL DIRECTORY ENGINE...   writes what these engines run
       worker_serving_exports.py ENGINE MODEL DIRECTORY           serves turns; ENGINE as below
"""

import functools
import glob
import importlib.util
import os
import sys

from serving_calls import serve_calls
from worker_serving_peers import onnx_runtime, openvino_runtime, with_tokenizer

# Name -> format, precision, and what the table calls it.
EXPORTS = {
    "litert": ("litert", None, "LiteRT, our file"),
    "litert_int8": ("litert", "int8", "LiteRT, our int8 file"),
    "onnx_ours": ("onnx", None, "ONNX Runtime, our file"),
    "onnx_ours_int8": ("onnx", "int8", "ONNX Runtime, our int8 file"),
    "openvino_ours_int8": ("openvino", "int8", "OpenVINO, our int8 file"),
}
LONGEST = 512
HERE = os.path.dirname(os.path.abspath(__file__))


def make(model, directory, *engines):
    """Exports a model directory for each engine, into folders of their names."""
    import bert_tf
    from bert_tf.export import export_for_engine

    task, tokenizer = bert_tf.load_task(model), bert_tf.Tokenizer.from_pretrained(model)
    for engine in engines:
        format, quantize, _ = EXPORTS[engine]
        place = os.path.join(directory, engine)
        export_for_engine(task, tokenizer, place, format, LONGEST, quantize)


def litert(path):
    """Function of a dict of int64 arrays to logits: row by row, as the export is checked."""
    script = os.path.join(HERE, os.pardir, "bert_tf", "export", "engines", "run.py")
    spec = importlib.util.spec_from_file_location("run", script)
    run = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(run)
    answer = run.litert_runtime(path, len(os.sched_getaffinity(0)))
    return lambda inputs: answer(inputs)["logits"]


def main(engine, model, directory, *others):
    if engine == "make":
        make(model, directory, *others)
        return
    format, quantize, name = EXPORTS[engine]
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    openvino = functools.partial(openvino_runtime, **settings)
    opens = {"onnx": onnx_runtime, "openvino": openvino, "litert": litert}
    folder = os.path.join(directory, engine)
    (path,) = (x for end in ("onnx", "xml", "tflite") for x in glob.glob(f"{folder}/*.{end}"))
    answer = with_tokenizer(opens[format](path), folder)
    serve_calls(os.path.join(directory, "calls.json"), answer, name, quantize is None)


if __name__ == "__main__":
    main(*sys.argv[1:])
