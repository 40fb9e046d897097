"""ALBERT's tables: the published names and shapes, every group, bit for bit, both ways."""

import dataclasses
import json
import logging

import numpy as np
import oracles
import pytest
import tensorflow as tf
from safetensors.numpy import load_file, save_file

from bert_tf import (
    AlbertConfig,
    InputError,
    MaskedLM,
    Pretraining,
    SequenceClassifier,
    build_encoder,
    convert,
    load_encoder,
    load_task,
)
from tests import tiny

CONFIG = AlbertConfig(**tiny.sizes(vocab_size=16, embedding_size=6, num_hidden_layers=4))
GROUPED = dataclasses.replace(CONFIG, num_hidden_groups=2, inner_group_num=2)
TASKS = {
    "AlbertForSequenceClassification": lambda encoder: SequenceClassifier(encoder, 3),
    "AlbertForMaskedLM": MaskedLM,
    "AlbertForPreTraining": Pretraining,
}
BATCH = {
    "input_ids": np.array([[2, 7, 9, 3], [2, 5, 3, 0]], "int32"),
    "attention_mask": np.array([[1, 1, 1, 1], [1, 1, 1, 0]], "int32"),
}
LAYER = "albert.encoder.albert_layer_groups.0.albert_layers.0"
# checkpoints in the wild: transformers 2 to 5, google-research/albert.
HUGGINGFACE = {
    "albert.embeddings.word_embeddings.weight": (16, 6),
    "albert.embeddings.position_embeddings.weight": (10, 6),
    "albert.embeddings.token_type_embeddings.weight": (2, 6),
    "albert.embeddings.LayerNorm.weight": (6,),
    "albert.embeddings.LayerNorm.bias": (6,),
    "albert.encoder.embedding_hidden_mapping_in.weight": (8, 6),
    "albert.encoder.embedding_hidden_mapping_in.bias": (8,),
    **{f"{LAYER}.attention.{name}.weight": (8, 8) for name in "query key value dense".split()},
    **{f"{LAYER}.attention.{name}.bias": (8,) for name in "query key value dense".split()},
    f"{LAYER}.attention.LayerNorm.weight": (8,),
    f"{LAYER}.attention.LayerNorm.bias": (8,),
    f"{LAYER}.ffn.weight": (12, 8),
    f"{LAYER}.ffn.bias": (12,),
    f"{LAYER}.ffn_output.weight": (8, 12),
    f"{LAYER}.ffn_output.bias": (8,),
    f"{LAYER}.full_layer_layer_norm.weight": (8,),
    f"{LAYER}.full_layer_layer_norm.bias": (8,),
    "albert.pooler.weight": (8, 8),
    "albert.pooler.bias": (8,),
    "predictions.dense.weight": (6, 8),
    "predictions.dense.bias": (6,),
    "predictions.LayerNorm.weight": (6,),
    "predictions.LayerNorm.bias": (6,),
    "predictions.bias": (16,),
    "sop_classifier.classifier.weight": (2, 8),
    "sop_classifier.classifier.bias": (2,),
}
GROUP = "bert/encoder/transformer/group_0/inner_group_0"
GOOGLE = {
    "bert/embeddings/word_embeddings": (16, 6),
    "bert/embeddings/position_embeddings": (10, 6),
    "bert/embeddings/token_type_embeddings": (2, 6),
    "bert/embeddings/LayerNorm/gamma": (6,),
    "bert/embeddings/LayerNorm/beta": (6,),
    "bert/encoder/embedding_hidden_mapping_in/kernel": (6, 8),
    "bert/encoder/embedding_hidden_mapping_in/bias": (8,),
    **{f"{GROUP}/attention_1/self/{name}/kernel": (8, 8) for name in "query key value".split()},
    **{f"{GROUP}/attention_1/self/{name}/bias": (8,) for name in "query key value".split()},
    f"{GROUP}/attention_1/output/dense/kernel": (8, 8),
    f"{GROUP}/attention_1/output/dense/bias": (8,),
    f"{GROUP}/LayerNorm/gamma": (8,),
    f"{GROUP}/LayerNorm/beta": (8,),
    f"{GROUP}/ffn_1/intermediate/dense/kernel": (8, 12),
    f"{GROUP}/ffn_1/intermediate/dense/bias": (12,),
    f"{GROUP}/ffn_1/intermediate/output/dense/kernel": (12, 8),
    f"{GROUP}/ffn_1/intermediate/output/dense/bias": (8,),
    f"{GROUP}/LayerNorm_1/gamma": (8,),
    f"{GROUP}/LayerNorm_1/beta": (8,),
    "bert/pooler/dense/kernel": (8, 8),
    "bert/pooler/dense/bias": (8,),
    "cls/predictions/transform/dense/kernel": (8, 6),
    "cls/predictions/transform/dense/bias": (6,),
    "cls/predictions/transform/LayerNorm/gamma": (6,),
    "cls/predictions/transform/LayerNorm/beta": (6,),
    "cls/predictions/output_bias": (16,),
    "cls/seq_relationship/output_weights": (2, 8),
    "cls/seq_relationship/output_bias": (2,),
}


def made(kind=Pretraining, config=CONFIG):
    return oracles.randomize(kind(build_encoder(config)))


def same_weights(first, second):
    pairs = list(zip(first.weights, second.weights, strict=True))
    return all(np.array_equal(a.numpy(), b.numpy()) for a, b in pairs)


def test_names_and_shapes_are_the_published_ones_in_both_formats(tmp_path):
    made().save_pretrained(str(tmp_path / "hf"))
    tensors = load_file(tmp_path / "hf" / "model.safetensors")
    assert {name: array.shape for name, array in tensors.items()} == HUGGINGFACE
    convert(tmp_path / "hf", tmp_path / "google", "google")
    reader = tf.train.load_checkpoint(str(tmp_path / "google" / "albert_model.ckpt"))
    shapes = reader.get_variable_to_shape_map()
    assert {name: tuple(shape) for name, shape in shapes.items()} == GOOGLE


def test_which_tensor_is_which(tmp_path):
    model = made()
    model.save_pretrained(str(tmp_path))
    tensors = load_file(tmp_path / "model.safetensors")
    block = model.encoder.blocks[0]
    key = block.attention.qkv.kernel.numpy()[:, 8:16]
    np.testing.assert_array_equal(tensors[f"{LAYER}.attention.key.weight"], key.T)
    after = tensors[f"{LAYER}.full_layer_layer_norm.weight"]
    np.testing.assert_array_equal(after, block.feed_forward_norm.gamma)
    first = tensors[f"{LAYER}.attention.LayerNorm.weight"]
    np.testing.assert_array_equal(first, block.attention_norm.gamma)


@pytest.mark.parametrize("config", [CONFIG, GROUPED], ids=["shared", "grouped"])
@pytest.mark.parametrize("architecture", TASKS)
def test_a_task_goes_through_google_and_back_bit_for_bit(tmp_path, architecture, config):
    model = made(TASKS[architecture], config)
    model.save_pretrained(str(tmp_path / "hf"))
    saved = json.loads((tmp_path / "hf" / "config.json").read_text())
    assert saved["architectures"] == [architecture] and saved["model_type"] == "albert"
    convert(tmp_path / "hf", tmp_path / "google", "google")
    convert(tmp_path / "google", tmp_path / "back", "huggingface")
    for place in ("hf", "google", "back"):
        back = load_task(tmp_path / place)
        assert type(back) is type(model) and same_weights(model, back)
        assert back.encoder.config == config
    if model.encoder.pooler is None:
        return
    assert same_weights(load_encoder(tmp_path / "google"), model.encoder)


def test_the_sentence_objective_of_published_files_is_their_order(tmp_path):
    made().save_pretrained(str(tmp_path))
    saved = json.loads((tmp_path / "config.json").read_text())
    del saved["bert_tf"]
    (tmp_path / "config.json").write_text(json.dumps(saved))
    back = load_task(tmp_path)
    assert back.sentence_objective == "sentence_order"
    assert set(back(BATCH)) == {"masked_lm_logits", "sentence_logits"}


def test_a_masked_lm_with_a_pooler_and_both_biases_is_read_and_the_pooler_named(tmp_path, caplog):
    model = made()
    model.save_pretrained(str(tmp_path))
    tensors = load_file(tmp_path / "model.safetensors")
    tensors = {name: x for name, x in tensors.items() if not name.startswith("sop")}
    tensors["predictions.decoder.bias"] = tensors["predictions.bias"]
    tensors["predictions.decoder.weight"] = tensors["albert.embeddings.word_embeddings.weight"]
    tensors["albert.embeddings.position_ids"] = np.arange(10)[None]
    save_file(tensors, tmp_path / "model.safetensors")
    saved = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(
        json.dumps(saved | {"architectures": ["AlbertForMaskedLM"]})
    )
    with caplog.at_level(logging.WARNING, logger="absl"):
        back = load_task(tmp_path)
    assert "MaskedLM has no use for 2 tensors (albert.pooler" in caplog.text
    np.testing.assert_array_equal(back(BATCH), model(BATCH)["masked_lm_logits"])
    assert same_weights(load_encoder(tmp_path), model.encoder)


def test_a_module_of_tf_hub_is_read(tmp_path):
    from bert_tf.conversion.google import write_google

    made(MaskedLM).save_pretrained(str(tmp_path / "hf"))
    convert(tmp_path / "hf", tmp_path / "google", "google")
    reader = tf.train.load_checkpoint(str(tmp_path / "google" / "albert_model.ckpt"))
    tensors = {f"module/{n}": reader.get_tensor(n) for n in reader.get_variable_to_shape_map()}
    tensors["module/bert/embeddings/LayerNorm/beta/adam_m"] = np.zeros(6, "f")
    saved = json.loads((tmp_path / "google" / "albert_config.json").read_text())
    published = {name: x for name, x in saved.items() if name not in ("model_type", "bert_tf")}
    (tmp_path / "hub").mkdir()
    write_google(tmp_path / "hub", published | {"net_structure_type": 0}, tensors, "albert")
    assert same_weights(load_task(tmp_path / "hub"), load_task(tmp_path / "hf"))


def test_layers_may_be_lowered_only_where_all_share_one_group(tmp_path):
    model = made(lambda encoder: encoder)
    model.save_pretrained(str(tmp_path / "one"))
    lower = load_encoder(tmp_path / "one", num_hidden_layers=3)
    states = model(BATCH, return_intermediates=True)["hidden_states"]
    np.testing.assert_array_equal(lower(BATCH)["sequence_output"], states[3])
    made(lambda encoder: encoder, GROUPED).save_pretrained(str(tmp_path / "two"))
    with pytest.raises(InputError, match="num_hidden_layers: 3, wanted 4: 2 num_hidden_groups"):
        load_encoder(tmp_path / "two", num_hidden_layers=3)


def test_what_google_s_code_would_leave_out_is_refused(tmp_path):
    made(MaskedLM, dataclasses.replace(CONFIG, embedding_size=8)).save_pretrained(tmp_path / "hf")
    with pytest.raises(InputError, match="embedding_size: 8, as hidden_size"):
        convert(tmp_path / "hf", tmp_path / "google", "google")
