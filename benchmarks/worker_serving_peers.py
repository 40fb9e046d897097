"""Worker: the same model in ONNX Runtime, OpenVINO, or transformers' pipeline.

usage: worker_serving_peers.py make MODEL DIRECTORY    writes the ONNX files
       worker_serving_peers.py ENGINE MODEL DIRECTORY  serves turns; ENGINE as in serving.py
"""

import os
import sys

import numpy as np
from serving_calls import serve_calls

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
FILE, OPTIMIZED, INT8 = "model.onnx", "optimized.onnx", "int8.onnx"


def make(model, directory):
    """Writes model.onnx, what ONNX Runtime's optimizer for BERT makes of it, and its int8."""
    import onnx
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.transformers import optimizer
    from transformers import AutoModelForSequenceClassification

    class Logits(torch.nn.Module):
        def __init__(self):
            super().__init__()
            load = AutoModelForSequenceClassification.from_pretrained
            self.model = load(model, attn_implementation="eager").eval()

        def forward(self, *inputs):
            return self.model(**dict(zip(INPUTS, inputs, strict=True))).logits

    net, ids = Logits(), torch.ones((2, 9), dtype=torch.long)
    plain, optimized = (os.path.join(directory, name) for name in (FILE, OPTIMIZED))
    torch.onnx.export(
        net,
        (ids, ids, ids * 0),
        plain,
        input_names=list(INPUTS),
        output_names=["logits"],
        dynamic_axes={name: {0: "batch", 1: "length"} for name in INPUTS},
        opset_version=17,
        dynamo=False,
    )
    sizes = net.model.config
    heads, width = sizes.num_attention_heads, sizes.hidden_size
    found = optimizer.optimize_model(plain, "bert", num_heads=heads, hidden_size=width, opt_level=0)
    print("ONNX Runtime's optimizer:", dict(found.get_fused_operator_statistics()))
    found.save_model_to_file(optimized)
    quantize_dynamic(
        optimized,
        os.path.join(directory, INT8),
        weight_type=QuantType.QInt8,
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
    )


def onnx_runtime(path):
    """Function of a dict of int64 arrays to logits. As many threads as this process has cores."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(None, inputs)[0]


def openvino_runtime(path, **settings):
    """Function of a dict of int64 arrays to logits."""
    import openvino

    core = openvino.Core()
    compiled = core.compile_model(core.read_model(path), "CPU", settings)
    return lambda inputs: compiled(inputs)[0]


def with_tokenizer(logits, model):
    """Strings to labels: `tokenizers`, rows as long as the longest of the call, the model."""
    from transformers import AutoConfig, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model).backend_tokenizer  # also of a vocab.txt alone
    tokenizer.enable_padding()
    tokenizer.enable_truncation(512)
    names = AutoConfig.from_pretrained(model).id2label

    def answer(texts):
        rows = tokenizer.encode_batch(texts)
        values = [
            [getattr(row, name) for row in rows] for name in ("ids", "attention_mask", "type_ids")
        ]
        arrays = [np.array(value, np.int64) for value in values]
        found = logits(dict(zip(INPUTS, arrays, strict=True)))
        return [names[number] for number in found.argmax(-1)]

    return answer


def pipeline(model):
    """Strings to labels, the ready way."""
    import transformers

    run = transformers.pipeline("text-classification", model, device="cpu", batch_size=32)
    return lambda texts: [row["label"] for row in run(texts)]


def main(engine, model, directory):
    if engine == "make":
        make(model, directory)
        return
    plain, optimized, int8 = (os.path.join(directory, x) for x in (FILE, OPTIMIZED, INT8))
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    makers = {
        "onnx": lambda: with_tokenizer(onnx_runtime(optimized), model),
        "onnx_int8": lambda: with_tokenizer(onnx_runtime(int8), model),
        "openvino": lambda: with_tokenizer(openvino_runtime(plain, **settings), model),
        "openvino_default": lambda: with_tokenizer(openvino_runtime(plain), model),
        "transformers": lambda: pipeline(model),
    }
    names = {
        "onnx": "ONNX Runtime, float32",
        "onnx_int8": "ONNX Runtime, dynamic int8",
        "openvino": "OpenVINO, float32",
        "openvino_default": "OpenVINO, its default",
        "transformers": "transformers' pipeline",
    }
    exact = engine in ("onnx", "openvino", "transformers")
    calls = os.path.join(directory, "calls.json")
    serve_calls(calls, makers[engine](), names[engine], exact)


if __name__ == "__main__":
    main(*sys.argv[1:])
