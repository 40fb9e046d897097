"""BERT's tables: the published names, both prefixes, old names, bit for bit."""

import re

import numpy as np
import pytest

from bert_tf.conversion.bert import BERT, GOOGLE, HUGGINGFACE
from bert_tf.conversion.leftovers import model_tensors
from bert_tf.conversion.table import StoredTensor, fill, read_out
from bert_tf.errors import InputError

from . import stand_in
from .stand_in import D, K, M, V, randomize

MAKERS = {
    "SequenceClassifier": stand_in.classifier,
    "Pretraining": stand_in.pretraining,
}


def stored(arrays):
    return {
        name: StoredTensor("file", array.shape, array.dtype.name, lambda array=array: array)
        for name, array in arrays.items()
    }


def equal(first, second):
    pairs = zip(first.weights, second.weights, strict=True)
    return all(np.array_equal(a.value, b.value) for a, b in pairs)


@pytest.mark.parametrize("format", ["huggingface", "google", "bert_tf"])
@pytest.mark.parametrize("task", MAKERS)
def test_a_task_comes_back_bit_for_bit(format, task):
    layout, model = BERT.layouts[format], randomize(MAKERS[task]())
    table = layout.own_task_table(model) if format == "bert_tf" else layout.task_table(task)
    back = MAKERS[task]()
    fill(back, table, stored(read_out(model, table)), "f")
    assert equal(model, back)


@pytest.mark.parametrize("format", ["huggingface", "google", "bert_tf"])
@pytest.mark.parametrize("pooler", [True, False])
def test_an_encoder_comes_back_bit_for_bit(format, pooler):
    table = BERT.layouts[format].encoder_table()
    model, back = randomize(stand_in.encoder(pooler)), stand_in.encoder(pooler)
    fill(back, table, stored(read_out(model, table)), "f")
    assert equal(model, back)


def test_hugging_face_names_and_shapes_are_the_published_ones():
    model = randomize(stand_in.pretraining())
    tensors = read_out(model, HUGGINGFACE.task_table("Pretraining"))
    layer = "bert.encoder.layer.1"
    assert tensors[f"{layer}.intermediate.dense.weight"].shape == (M, D)
    assert tensors[f"{layer}.output.dense.weight"].shape == (D, M)
    assert tensors[f"{layer}.attention.output.LayerNorm.bias"].shape == (D,)
    assert tensors["bert.embeddings.word_embeddings.weight"].shape == (V, D)
    assert tensors["cls.predictions.bias"].shape == (V,)
    assert tensors["cls.seq_relationship.weight"].shape == (2, D)
    assert len(tensors) == 5 + 2 * 16 + 2 + 5 + 2
    qkv = model.encoder.blocks[1].attention.qkv
    for place, name in enumerate(("query", "key", "value")):
        columns = slice(place * D, (place + 1) * D)
        weight = tensors[f"{layer}.attention.self.{name}.weight"]
        np.testing.assert_array_equal(weight, qkv.kernel.value[:, columns].T)
        bias = tensors[f"{layer}.attention.self.{name}.bias"]
        np.testing.assert_array_equal(bias, qkv.bias.value[columns])


def test_google_names_and_shapes_are_the_published_ones():
    model = randomize(stand_in.pretraining())
    tensors = read_out(model, GOOGLE.task_table("Pretraining"))
    layer = "bert/encoder/layer_1"
    assert tensors[f"{layer}/intermediate/dense/kernel"].shape == (D, M)
    assert tensors[f"{layer}/attention/output/LayerNorm/gamma"].shape == (D,)
    assert tensors["cls/seq_relationship/output_weights"].shape == (2, D)
    assert tensors["cls/predictions/output_bias"].shape == (V,)
    kernel = model.encoder.blocks[1].attention.qkv.kernel.value
    np.testing.assert_array_equal(
        tensors[f"{layer}/attention/self/key/kernel"], kernel[:, D : 2 * D]
    )
    classifier = read_out(stand_in.classifier(), GOOGLE.task_table("SequenceClassifier"))
    assert classifier["output_weights"].shape == (K, D)
    assert classifier["output_bias"].shape == (K,)


def test_our_own_names_are_the_attribute_paths():
    model = stand_in.classifier()
    tensors = read_out(model, BERT.layouts["bert_tf"].own_task_table(model))
    assert tensors["encoder.blocks.1.attention.qkv.kernel"].shape == (D, 3 * D)
    assert "head.projection.kernel" in tensors


def test_an_encoder_is_read_with_the_prefix_and_without():
    model = randomize(stand_in.encoder())
    table = HUGGINGFACE.encoder_table()
    bare = read_out(model, table)
    assert "embeddings.word_embeddings.weight" in bare
    for prefix in ("", "bert."):
        back = stand_in.encoder()
        fill(back, table, stored({prefix + name: array for name, array in bare.items()}), "f")
        assert equal(model, back)


def test_a_task_is_read_with_the_prefix_and_without():
    model, table = randomize(stand_in.classifier()), HUGGINGFACE.task_table("SequenceClassifier")
    tensors = read_out(model, table)
    assert "bert.pooler.dense.weight" in tensors and "classifier.weight" in tensors
    back = stand_in.classifier()
    bare = {name.removeprefix("bert."): array for name, array in tensors.items()}
    fill(back, table, stored(bare), "f")
    assert equal(model, back)


def test_old_norm_names_and_position_buffers_are_read():
    model, table = randomize(stand_in.encoder()), HUGGINGFACE.encoder_table()
    old = {
        re.sub("LayerNorm.weight$", "LayerNorm.gamma", re.sub("rm.bias$", "rm.beta", name)): array
        for name, array in read_out(model, table).items()
    }
    assert "embeddings.LayerNorm.gamma" in old and "embeddings.LayerNorm.beta" in old
    old |= {"embeddings.position_ids": np.arange(7)[None], "embeddings.token_type_ids": np.zeros(7)}
    back = stand_in.encoder()
    fill(back, table, stored(old), "f")
    assert equal(model, back)


def test_the_tied_output_matrix_may_be_stored_and_must_fit():
    model, table = randomize(stand_in.pretraining()), HUGGINGFACE.task_table("Pretraining")
    tensors = read_out(model, table)
    words = tensors["bert.embeddings.word_embeddings.weight"]
    tied = {"cls.predictions.decoder.weight": words}
    tied |= {"cls.predictions.decoder.bias": tensors["cls.predictions.bias"]}
    fill(stand_in.pretraining(), table, stored(tensors | tied), "f")
    tied["cls.predictions.decoder.weight"] = words * 2
    with pytest.raises(InputError, match="decoder.weight must equal bert.embeddings.word_emb"):
        fill(stand_in.pretraining(), table, stored(tensors | tied), "f")


def test_what_training_leaves_in_google_checkpoints_is_ignored():
    model, table = randomize(stand_in.encoder()), GOOGLE.encoder_table()
    tensors = read_out(model, table)
    slots = {f"{name}/{slot}": array for name, array in tensors.items() for slot in ("adam_m",)}
    slots |= {"bert/pooler/dense/bias/adam_v": np.zeros(D, "f"), "global_step": np.array(7)}
    slots |= {"AdamWeightDecayOptimizer/step": np.zeros(1), "LAMBOptimizer/x": np.zeros(1)}
    fill(stand_in.encoder(), table, model_tensors(stored(tensors | slots), "f"), "f")
    with pytest.raises(InputError, match="1 left over: bert/pooler/dense/scale"):
        fill(
            stand_in.encoder(),
            table,
            model_tensors(stored(tensors | {"bert/pooler/dense/scale": np.zeros(1, "f")}), "f"),
            "f",
        )
