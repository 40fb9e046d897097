"""tf_model.h5: names by rule, heads included, shards, copies; and files of transformers itself."""

import json
import pathlib
import re

import h5py
import numpy as np
import pytest
from safetensors.numpy import load_file

from bert_tf import (
    AlbertConfig,
    BertConfig,
    MaskedLM,
    MobileBertConfig,
    build_encoder,
    load_task,
)
from bert_tf.conversion.transformers_h5 import read_tf_h5, torch_name
from bert_tf.errors import InputError
from tests import tiny

# An ALBERT with both heads, as transformers 4.57.6 saved it: see make_tf_model_h5.py.
SAVED = pathlib.Path(__file__).parent / "tf_model_h5"


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (
            "tf_bert_model/bert/encoder/layer_._11/output/dense/kernel:0",
            "bert.encoder.layer.11.output.dense.weight",
        ),
        (
            "x/bert/embeddings/position_embeddings/embeddings:0",
            "bert.embeddings.position_embeddings.weight",
        ),
        ("x/bert/embeddings/LayerNorm/beta:0", "bert.embeddings.LayerNorm.bias"),
        ("x_2/nsp___cls/seq_relationship/bias:0", "cls.seq_relationship.bias"),
        ("x/deberta/encoder/rel_embeddings.weight:0", "deberta.encoder.rel_embeddings.weight"),
        (
            "x/albert/encoder/albert_layer_groups_._0/albert_layers_._1/ffn/kernel:0",
            "albert.encoder.albert_layer_groups.0.albert_layers.1.ffn.weight",
        ),
    ],
)
def test_names_follow_by_rule(theirs, ours):
    assert torch_name(theirs) == ours


def as_h5(folder, levels="layer/tf_model/", file="tf_model.h5", names=None):
    """Write a folder's tensors as transformers 4 would; returns their TensorFlow names."""
    tensors, places = load_file(folder / "model.safetensors"), {}
    with h5py.File(folder / file, "w") as out:
        if levels:
            out.attrs["layer_names"] = ["layer"]
        for name, array in tensors.items():
            if names is None or name in names:
                place = re.sub(r"/(\d+)/", r"_._\1/", name.replace(".", "/")) + ":0"
                if "norm" in name.lower():
                    place = place.replace("weight:", "gamma:").replace("bias:", "beta:")
                elif array.ndim == 2 and "embeddings" not in name:
                    place, array = place.replace("weight:", "kernel:"), array.T
                out[levels + place], places[name] = array, f"tf_model/{place}"
    return places


@pytest.fixture
def masked_lm(tmp_path):
    """A folder with tf_model.h5 alone, and the model that is in it."""
    model = MaskedLM(build_encoder(BertConfig(**tiny.sizes(initializer_range=0.5)), pooler=False))
    model.save_pretrained(str(tmp_path))
    return tmp_path, model


def same(first, second):
    for one, other in zip(first.weights, second.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_model_and_its_head_come_from_tf_model_h5(masked_lm):
    folder, model = masked_lm
    as_h5(folder)
    (folder / "model.safetensors").unlink()
    same(load_task(folder), model)


def test_shards_of_tf_model_h5_come_together_by_their_index(masked_lm):
    folder, model = masked_lm
    names = list(load_file(folder / "model.safetensors"))
    parts = {"tf_model-00001-of-00002.h5": names[::2], "tf_model-00002-of-00002.h5": names[1::2]}
    places = {}
    for file, part in parts.items():
        places |= {place: file for place in as_h5(folder, "", file, part).values()}
    (folder / "tf_model.h5.index.json").write_text(json.dumps({"weight_map": places}))
    (folder / "model.safetensors").unlink()
    same(load_task(folder), model)


def test_copies_of_a_shared_variable_have_to_be_equal(masked_lm):
    folder, _ = masked_lm
    as_h5(folder)
    (folder / "model.safetensors").unlink()
    with h5py.File(folder / "tf_model.h5", "a") as file:
        words = file["layer/tf_model/bert/embeddings/word_embeddings/weight:0"][()]
        file["head/tf_model/bert/embeddings/word_embeddings/weight:0"] = words
        file["head/tf_model/bert/embeddings/LayerNorm/gamma:0"] = np.zeros(8, "float32")
    with pytest.raises(InputError, match=r"LayerNorm.weight is there twice, with other numbers"):
        load_task(folder)


def test_the_bias_that_alberts_head_never_read_is_left_out(tmp_path):
    config = AlbertConfig(**tiny.sizes(embedding_size=4))
    MaskedLM(build_encoder(config, pooler=False)).save_pretrained(str(tmp_path))
    as_h5(tmp_path)
    with h5py.File(tmp_path / "tf_model.h5", "a") as file:
        file["layer/tf_model/predictions/decoder/bias:0"] = np.arange(20, dtype="float32")
    (tmp_path / "model.safetensors").unlink()
    np.testing.assert_array_equal(load_task(tmp_path).masked_lm_head.output_bias, np.arange(20))


def test_gpt2s_layers_keep_their_axes(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.attrs["layer_names"] = ["transformer"]
        file["transformer/tf/transformer/h_._0/attn/c_attn/bias:0"] = np.zeros((1, 6), "float32")
        file["transformer/tf/transformer/h_._0/attn/c_attn/weight:0"] = np.zeros((2, 6), "float32")
    found = {name: tensor.shape for name, tensor in read_tf_h5(tmp_path / "x.h5").items()}
    assert found == {
        "transformer.h.0.attn.c_attn.bias": (6,),
        "transformer.h.0.attn.c_attn.weight": (2, 6),
    }


def test_a_file_of_transformers_gives_the_numbers_it_gave_there():
    expected = dict(np.load(SAVED / "expected.npz"))
    inputs = {name[3:]: array for name, array in expected.items() if name.startswith("in_")}
    got = load_task(SAVED)(inputs, training=False)
    real = expected["in_attention_mask"] > 0
    words, sentences = got["masked_lm_logits"].numpy(), got["sentence_logits"]
    np.testing.assert_allclose(words[real], expected["prediction_logits"][real], atol=2e-5)
    np.testing.assert_allclose(sentences, expected["sop_logits"], atol=2e-5)


def test_a_matrix_of_mobilebert_that_is_not_the_words_is_kept(tmp_path):
    config = MobileBertConfig(**tiny.sizes(embedding_size=4, intra_bottleneck_size=4))
    model = MaskedLM(build_encoder(config, pooler=False))
    model.save_pretrained(str(tmp_path))
    as_h5(tmp_path)
    matrix = np.arange(80, dtype="float32").reshape(20, 4)
    with h5py.File(tmp_path / "tf_model.h5", "a") as file:
        file["layer/tf_model/predictions___cls/predictions/decoder/weight:0"] = matrix
    (tmp_path / "model.safetensors").unlink()
    loaded = load_task(tmp_path)
    assert loaded.encoder.config.tie_word_embeddings is False
    np.testing.assert_array_equal(loaded.masked_lm_head.output_embeddings, matrix)
