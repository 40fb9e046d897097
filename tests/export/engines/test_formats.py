"""The files of every family and every task that engines can run, in these engines."""

import json
import subprocess
import sys

import numpy as np
import pytest

from bert_tf import (
    AlbertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    ExtractiveQA,
    Gpt2Config,
    MaskedLM,
    MobileBertConfig,
    ModernBertConfig,
    Reranker,
    RobertaConfig,
    SentenceEncoder,
    SequenceClassifier,
    TokenClassifier,
    build_encoder,
)
from bert_tf.errors import InputError
from bert_tf.export import export_for_engine
from bert_tf.export.engines import answers
from bert_tf.export.engines.ids import sample_batches
from tests import oracles, tiny

pytestmark = pytest.mark.slow

TEXTS = ["A good film!", "not very good .", "[MASK] née 电影", "", "a very long story " * 9]
FAMILIES = {
    "albert": AlbertConfig,
    "electra": ElectraConfig,
    "roberta": RobertaConfig,
    "distilbert": DistilBertConfig,
    "mobilebert": MobileBertConfig,
    "gpt2": Gpt2Config,
    "modernbert": ModernBertConfig,
    "deberta": DebertaV2Config,
}
_NARROW = {"embedding_size": 8, "intra_bottleneck_size": 8}
TASKS = {
    "logits": lambda encoder: SequenceClassifier(encoder, 3),
    "tags": lambda encoder: TokenClassifier(encoder, 3, ["O", "B-A", "I-A"]),
    "spans": ExtractiveQA,
    "words": MaskedLM,
    "ranks": Reranker,
    "vector": lambda encoder: SentenceEncoder(encoder, dense=(6, "gelu")),
}


def family_config(name):
    sizes = tiny.sizes(vocab_size=len(tiny.vocabulary()), hidden_size=16, intermediate_size=32)
    own = {"roberta": {"pad_token_id": 0}, "mobilebert": _NARROW}.get(name, {})
    return FAMILIES[name](**sizes | {"max_position_embeddings": 34} | own)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    pytest.importorskip("tf2onnx")
    pytest.importorskip("onnxruntime")
    return tiny.tokenizer(tmp_path_factory.mktemp("vocabulary"))


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_is_run_by_onnx_runtime(tokenizer, tmp_path, name):
    model = oracles.randomize(SequenceClassifier(build_encoder(family_config(name)), 3))
    model.data_settings = {"max_length": 24}
    found = export_for_engine(model, tokenizer, tmp_path / "x")
    assert found["largest_difference"] < 1e-4 and found["bytes"] > 1000


@pytest.mark.parametrize("name", TASKS)
def test_every_task_answers_texts_as_its_model(tokenizer, tmp_path, name):
    library, runtime = pytest.importorskip("tokenizers"), pytest.importorskip("onnxruntime")
    model = oracles.randomize(TASKS[name](build_encoder(tiny.config())))
    model.data_settings = {"max_length": 24}
    found = export_for_engine(model, tokenizer, tmp_path / "x")
    theirs = library.Tokenizer.from_file(str(tmp_path / "x/tokenizer.json"))
    theirs.encode_special_tokens = True
    rows = theirs.encode_batch(TEXTS)
    session = runtime.InferenceSession(found["file"])
    batch = {
        "input_ids": np.array([row.ids for row in rows]),
        "attention_mask": np.array([row.attention_mask for row in rows]),
        "token_type_ids": np.array([row.type_ids for row in rows]),
    }
    names = [x.name for x in session.get_outputs()]
    got = dict(zip(names, session.run(names, batch), strict=True))
    wanted = model.outputs_of_ids(tokenizer(TEXTS, max_length=24))
    assert names == list(wanted)
    for each, value in wanted.items():
        size = max(1, np.abs(value).max())
        np.testing.assert_allclose(got[each] / size, value / size, atol=1e-4)
    if name == "vector":
        assert found["file"] == str(tmp_path / "x" / "onnx" / "model.onnx")


def test_the_gelu_and_the_layer_norms_are_those_that_engines_know(tokenizer, tmp_path):
    onnx = pytest.importorskip("onnx")
    model = oracles.randomize(tiny.classifier(layers=2))  # fresh scales are ones, which fall away
    found = export_for_engine(model, tokenizer, tmp_path / "x")
    graph = onnx.load(found["file"]).graph
    makers = {name: node for node in graph.node for name in node.output}
    erfs = [node for node in graph.node if node.op_type == "Erf"]
    assert len(erfs) == 2 and all(makers[x.input[0]].op_type == "Div" for x in erfs)
    kinds = [node.op_type for node in graph.node]
    assert kinds.count("LayerNormalization") == 5 and "Reciprocal" not in kinds
    axes = [[d.dim_param for d in x.type.tensor_type.shape.dim] for x in graph.input]
    assert axes == [["batch", "length"]] * 3


def test_an_operation_that_onnx_lacks_is_named(tokenizer, tmp_path):
    import tensorflow as tf

    class Odd(SequenceClassifier):
        def outputs_of_ids(self, inputs):
            logits = super().outputs_of_ids(inputs)["logits"]
            return {"logits": tf.math.digamma(tf.abs(logits) + 1)}

    model = Odd(build_encoder(tiny.config()))
    with pytest.raises(InputError, match="model.onnx: ONNX has no operation Digamma"):
        export_for_engine(model, tokenizer, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_the_report_is_json(tokenizer, tmp_path):
    report = export_for_engine(tiny.classifier(), tokenizer, tmp_path / "x")
    assert json.loads(json.dumps(report)) == report


@pytest.mark.parametrize("name", ["logits", "vector"])
def test_openvino_runs_it_too(tokenizer, tmp_path, name):
    openvino = pytest.importorskip("openvino")
    model = oracles.randomize(TASKS[name](build_encoder(tiny.config())))
    model.data_settings = {"max_length": 24}
    found = export_for_engine(model, tokenizer, tmp_path / "x", "openvino")
    assert found["largest_difference"] < 1e-4
    assert (found["file"].endswith("openvino/openvino_model.xml")) == (name == "vector")
    read = openvino.Core().read_model(found["file"])
    assert [x.get_any_name() for x in read.outputs] == list(sample_batches(model, 9)[1][0])
    assert all(x.partial_shape.is_dynamic for x in read.inputs)


# With weights, of a classifier of one block: queries of the first tokens, keys and values of all,
# the heads joined, two feed-forward layers, the pooler, the head.
PRODUCTS = 7


@pytest.mark.parametrize("static", [False, True])
def test_int8_has_integer_products_and_answers_nearly_alike(tokenizer, tmp_path, static):
    onnx = pytest.importorskip("onnx")
    config = tiny.config(hidden_size=64, intermediate_size=256, initializer_range=0.1)
    model = SequenceClassifier(build_encoder(config))
    model.data_settings = {"max_length": 24}
    batches, _ = sample_batches(model, 24)
    export_for_engine(model, tokenizer, tmp_path / "float")
    options = {"quantize": "int8", "calibration": batches if static else None}
    found = export_for_engine(model, tokenizer, tmp_path / "x", **options)
    assert 1e-6 < found["largest_difference"] < 0.1
    kinds = [node.op_type for node in onnx.load(found["file"]).graph.node]
    assert kinds.count("QuantizeLinear" if static else "MatMulInteger") >= PRODUCTS
    assert sorted(p.name for p in (tmp_path / "x").iterdir()) == sorted(
        p.name for p in (tmp_path / "float").iterdir()
    )


def test_openvino_s_int8_keeps_weights_as_integers(tokenizer, tmp_path):
    openvino = pytest.importorskip("openvino")
    sizes = {"vocab_size": 2000, "hidden_size": 64, "intermediate_size": 256}
    model = SequenceClassifier(build_encoder(tiny.config(**sizes, initializer_range=0.1)))
    model.data_settings = {"max_length": 24}
    whole = export_for_engine(model, tokenizer, tmp_path / "float", "openvino")
    found = export_for_engine(model, tokenizer, tmp_path / "x", "openvino", quantize="int8")
    assert 1e-6 < found["largest_difference"] < 0.1
    assert found["bytes"] < 0.5 * whole["bytes"], "the graph itself is a part of so small a file"
    operations = openvino.Core().read_model(found["file"]).get_ordered_ops()
    kinds = [str(x.get_element_type()) for x in operations if x.get_type_name() == "Constant"]
    assert sum("int8" in kind for kind in kinds) >= PRODUCTS + 1  # and the words' vectors


MEASURED = """
import resource, sys
from bert_tf import BertConfig, SequenceClassifier, build_encoder
from bert_tf.export.engines.onnx_file import write_onnx
import pathlib, onnx, tf2onnx
model = SequenceClassifier(build_encoder(BertConfig()), 2)
used = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = used()
write_onnx(model, pathlib.Path(sys.argv[1]), ["logits"])
print(used() - before, pathlib.Path(sys.argv[1]).stat().st_size)
"""


def test_writing_a_base_model_takes_memory_of_its_own_order(tokenizer, tmp_path):
    command = [sys.executable, "-c", MEASURED, str(tmp_path / "model.onnx")]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    taken, size = map(int, ended.stdout.split())
    assert size > 4e8
    assert taken < 6 * size, "the file, its bytes and what is between are 4"


def test_what_is_made_of_weights_alone_is_a_constant(tokenizer, tmp_path):
    onnx = pytest.importorskip("onnx")
    model = oracles.randomize(MaskedLM(build_encoder(tiny.config())))
    found = export_for_engine(model, tokenizer, tmp_path / "x")
    graph = onnx.load(found["file"]).graph
    constants = {x.name for x in graph.initializer}
    products = [node for node in graph.node if node.op_type == "MatMul"]
    of_weights = [node for node in products if node.input[1] in constants]
    assert len(of_weights) == len(products) - 2 * model.encoder.config.num_hidden_layers
    assert [x.name for x in graph.input] == ["input_ids", "attention_mask", "token_type_ids"]


def test_int4_stores_weights_in_an_eighth_and_answers_nearly_alike(tokenizer, tmp_path):
    onnx = pytest.importorskip("onnx")
    sizes = {"vocab_size": 2000, "hidden_size": 64, "intermediate_size": 256}
    model = SequenceClassifier(build_encoder(tiny.config(**sizes, initializer_range=0.1)))
    model.data_settings = {"max_length": 24}
    whole = export_for_engine(model, tokenizer, tmp_path / "float")
    found = export_for_engine(model, tokenizer, tmp_path / "x", quantize="int4")
    assert 1e-6 < found["largest_difference"] < 0.3
    assert found["bytes"] < 0.3 * whole["bytes"], "the graph itself is a part of so small a file"
    kinds = [node.op_type for node in onnx.load(found["file"]).graph.node]
    assert kinds.count("MatMulNBits") >= PRODUCTS and kinds.count("GatherBlockQuantized") >= 1


@pytest.mark.parametrize("name", [*TASKS, *FAMILIES])
def test_litert_answers_rows_of_every_length_as_the_model(tokenizer, tmp_path, name):
    pytest.importorskip("ai_edge_litert")
    if name in TASKS:
        model = oracles.randomize(TASKS[name](build_encoder(tiny.config())))
    else:
        model = oracles.randomize(SequenceClassifier(build_encoder(family_config(name)), 3))
    model.data_settings = {"max_length": 24}
    found = export_for_engine(model, tokenizer, tmp_path / "x", "litert")
    assert found["largest_difference"] < 1e-4
    batches, wanted = sample_batches(model, 20)  # of lengths that the file has no signature for
    if name in TASKS:
        answered = answers("litert", found["file"], batches)
        for theirs, ours, batch in zip(answered, wanted, batches, strict=True):
            for each, value in ours.items():
                real = batch["attention_mask"] > 0 if value.ndim == 3 else ...
                np.testing.assert_allclose(theirs[each][real], value[real], atol=1e-4)


def test_litert_s_int8_is_smaller_and_answers_nearly_alike(tokenizer, tmp_path):
    pytest.importorskip("ai_edge_litert")
    config = tiny.config(hidden_size=64, intermediate_size=256, initializer_range=0.1)
    model = SequenceClassifier(build_encoder(config))
    model.data_settings = {"max_length": 24}
    whole = export_for_engine(model, tokenizer, tmp_path / "float", "litert")
    found = export_for_engine(model, tokenizer, tmp_path / "x", "litert", quantize="int8")
    assert 1e-6 < found["largest_difference"] < 0.1
    assert found["bytes"] < 0.5 * whole["bytes"]


def test_an_operation_that_litert_lacks_is_named(tokenizer, tmp_path):
    import tensorflow as tf

    pytest.importorskip("ai_edge_litert")

    class Odd(SequenceClassifier):
        def outputs_of_ids(self, inputs):
            logits = super().outputs_of_ids(inputs)["logits"]
            return {"logits": tf.math.digamma(tf.abs(logits) + 1)}

    model = Odd(build_encoder(tiny.config()))
    with pytest.raises(InputError, match="model.tflite: LiteRT has no operation .*Digamma"):
        export_for_engine(model, tokenizer, tmp_path / "x", "litert")
