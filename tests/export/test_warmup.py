"""Warm-up requests, parsed back with message classes that are made here from the public .proto."""

import pytest
import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from tensorflow.core.framework import tensor_pb2

from bert_tf import export_saved_model
from bert_tf.export.warmup import prediction_log
from tests import tiny


def prediction_log_class():
    """PredictionLog of tensorflow_serving/apis, as far as a predict request needs it."""
    file = descriptor_pb2.FileDescriptorProto(
        name="serving.proto", package="tensorflow.serving", syntax="proto3"
    )
    file.dependency.append(tensor_pb2.DESCRIPTOR.name)

    def add(message, *fields):
        for name, number, kind, repeated in fields:
            field = message.field.add(name=name, number=number, label=3 if repeated else 1)
            if kind == "string":
                field.type = descriptor_pb2.FieldDescriptorProto.TYPE_STRING
            else:
                field.type = descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE
                field.type_name = kind

    request = file.message_type.add(name="PredictRequest")
    entry = request.nested_type.add(name="InputsEntry")
    entry.options.map_entry = True
    add(entry, ("key", 1, "string", False), ("value", 2, ".tensorflow.TensorProto", False))
    add(request, ("inputs", 2, ".tensorflow.serving.PredictRequest.InputsEntry", True))
    log = file.message_type.add(name="PredictLog")
    add(log, ("request", 1, ".tensorflow.serving.PredictRequest", False))
    outer = file.message_type.add(name="PredictionLog")
    add(outer, ("predict_log", 6, ".tensorflow.serving.PredictLog", False))

    pool = descriptor_pool.DescriptorPool()
    _add_with_dependencies(pool, tensor_pb2.DESCRIPTOR)
    pool.Add(file)
    return message_factory.GetMessageClass(
        pool.FindMessageTypeByName("tensorflow.serving.PredictionLog")
    )


def _add_with_dependencies(pool, described):
    for needed in described.dependencies:
        _add_with_dependencies(pool, needed)
    copy = descriptor_pb2.FileDescriptorProto()
    described.CopyToProto(copy)
    pool.Add(copy)


def test_a_request_is_what_the_public_messages_say():
    log = prediction_log_class().FromString(
        prediction_log({"text": ["é" * 300, ""], "text_pair": ["x", "y" * 70_000]})
    )
    request = log.predict_log.request
    assert set(request.inputs) == {"text", "text_pair"}
    assert list(request.inputs["text"].string_val) == [("é" * 300).encode(), b""]
    assert request.inputs["text_pair"].string_val[1] == b"y" * 70_000
    assert request.inputs["text"].dtype == tf.string.as_datatype_enum


@pytest.mark.parametrize("pair", [pytest.param(None, marks=pytest.mark.slow), "other"])
def test_an_export_brings_requests_of_several_sizes_that_it_can_answer(tmp_path, pair):
    folder = export_saved_model(
        tiny.classifier(text_pair=pair),
        tiny.tokenizer(tmp_path / "vocabulary"),
        tmp_path / "export",
    )
    path = f"{folder}/assets.extra/tf_serving_warmup_requests"
    kind = prediction_log_class()
    signature = tf.saved_model.load(folder).signatures["serving_default"]
    sizes, words = set(), set()
    for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
        request = kind.FromString(record).predict_log.request
        inputs = {
            name: tf.constant(list(tensor.string_val)) for name, tensor in request.inputs.items()
        }
        count = signature(**inputs)["label"].shape[0]
        sizes.add(count)
        words.add(len(request.inputs["text"].string_val[0].split()))
    assert sizes == {1, 4, 16}
    assert words == {5, 25}  # rows of 24 tokens: longer texts would only be cut to the same
