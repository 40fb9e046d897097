"""ELECTRA's tables: the published names and shapes, Google's two models in one file, both ways."""

import dataclasses
import json
import logging

import numpy as np
import oracles
import pytest
import tensorflow as tf
from safetensors.numpy import load_file, save_file

from bert_tf import (
    ElectraConfig,
    ElectraPretraining,
    InputError,
    MaskedLM,
    SequenceClassifier,
    build_encoder,
    convert,
    load_encoder,
    load_task,
)
from tests import tiny

CONFIG = ElectraConfig(**tiny.sizes(vocab_size=16, embedding_size=6))
SMALL = dataclasses.replace(
    CONFIG, hidden_size=4, num_attention_heads=2, num_hidden_layers=1, intermediate_size=5
)
BATCH = {
    "input_ids": np.array([[2, 7, 9, 3], [2, 5, 3, 0]], "int32"),
    "attention_mask": np.array([[1, 1, 1, 1], [1, 1, 1, 0]], "int32"),
}
HEADS = {
    "ElectraForSequenceClassification": {
        "classifier.dense.weight": (8, 8),
        "classifier.dense.bias": (8,),
        "classifier.out_proj.weight": (3, 8),
        "classifier.out_proj.bias": (3,),
    },
    "ElectraForMaskedLM": {
        "generator_predictions.dense.weight": (6, 8),
        "generator_predictions.dense.bias": (6,),
        "generator_predictions.LayerNorm.weight": (6,),
        "generator_predictions.LayerNorm.bias": (6,),
        "generator_lm_head.bias": (16,),
    },
    "ElectraForPreTraining": {
        "discriminator_predictions.dense.weight": (8, 8),
        "discriminator_predictions.dense.bias": (8,),
        "discriminator_predictions.dense_prediction.weight": (1, 8),
        "discriminator_predictions.dense_prediction.bias": (1,),
    },
}
TASKS = {
    "ElectraForSequenceClassification": lambda encoder: SequenceClassifier(encoder, 3),
    "ElectraForMaskedLM": MaskedLM,
    "ElectraForPreTraining": ElectraPretraining,
}


def made(kind=MaskedLM, config=CONFIG):
    return oracles.randomize(kind(build_encoder(config)))


def joint(config=CONFIG, small=SMALL):
    encoder = build_encoder(config)
    return oracles.randomize(ElectraPretraining(encoder, MaskedLM(encoder.generator(small))))


def same_weights(first, second):
    pairs = list(zip(first.weights, second.weights, strict=True))
    return all(np.array_equal(a.numpy(), b.numpy()) for a, b in pairs)


def google_shapes(folder):
    reader = tf.train.load_checkpoint(str(folder / "electra_model.ckpt"))
    return {name: tuple(shape) for name, shape in reader.get_variable_to_shape_map().items()}


def block(root, width, inner, number=0):
    """Google's names of one block and their shapes."""
    layer = f"{root}/encoder/layer_{number}"
    names = {f"{layer}/attention/self/{name}": (width, width) for name in ("query", "key", "value")}
    names[f"{layer}/attention/output/dense"] = (width, width)
    names[f"{layer}/intermediate/dense"] = (width, inner)
    names[f"{layer}/output/dense"] = (inner, width)
    shapes = {f"{name}/kernel": shape for name, shape in names.items()}
    shapes |= {f"{name}/bias": shape[-1:] for name, shape in names.items()}
    for part in ("attention/output", "output"):
        shapes |= {f"{layer}/{part}/LayerNorm/{x}": (width,) for x in ("gamma", "beta")}
    return shapes


def predictions(root, rows, columns):
    return {f"{root}/kernel": (rows, columns), f"{root}/bias": (columns,)}


GOOGLE = {
    "electra/embeddings/word_embeddings": (16, 6),
    "electra/embeddings/position_embeddings": (10, 6),
    "electra/embeddings/token_type_embeddings": (2, 6),
    "electra/embeddings/LayerNorm/gamma": (6,),
    "electra/embeddings/LayerNorm/beta": (6,),
    **predictions("electra/embeddings_project", 6, 8),
    **block("electra", 8, 12, 0),
    **block("electra", 8, 12, 1),
    **predictions("discriminator_predictions/dense", 8, 8),
    **predictions("discriminator_predictions/dense_1", 8, 1),
    **predictions("generator/embeddings_project", 6, 4),
    **block("generator", 4, 5),
    **predictions("generator_predictions/dense", 4, 6),
    "generator_predictions/LayerNorm/gamma": (6,),
    "generator_predictions/LayerNorm/beta": (6,),
    "generator_predictions/output_bias": (16,),
}


@pytest.mark.parametrize("architecture", TASKS)
def test_hugging_face_s_names_and_shapes_are_the_published_ones(tmp_path, architecture):
    model = made(TASKS[architecture])
    model.save_pretrained(str(tmp_path))
    saved = json.loads((tmp_path / "config.json").read_text())
    assert saved["architectures"] == [architecture] and saved["model_type"] == "electra"
    shapes = {n: x.shape for n, x in load_file(tmp_path / "model.safetensors").items()}
    trunk = {name for name in shapes if name.startswith("electra.")}
    assert {name: shapes[name] for name in shapes if name not in trunk} == HEADS[architecture]
    assert len(trunk) == 5 + 2 + 2 * 16
    assert shapes["electra.embeddings_project.weight"] == (8, 6)
    assert shapes["electra.encoder.layer.1.intermediate.dense.weight"] == (12, 8)
    back = load_task(tmp_path)
    assert type(back) is type(model) and same_weights(model, back)
    encoder = load_encoder(tmp_path)
    assert same_weights(encoder, model.encoder) and encoder.pooler is None


def test_google_keeps_both_models_with_one_set_of_tables(tmp_path):
    model = joint()
    model.save_pretrained(str(tmp_path / "hf"))
    convert(tmp_path / "hf", tmp_path / "google", "google")
    assert google_shapes(tmp_path / "google") == GOOGLE
    convert(tmp_path / "google", tmp_path / "back", "huggingface")
    for place in ("google", "back"):
        back = load_task(tmp_path / place)
        assert same_weights(model, back)
        assert back.generator.encoder.config == SMALL
        assert back.generator.encoder.embeddings is back.encoder.embeddings
    assert same_weights(load_encoder(tmp_path / "google"), model.encoder)


def test_google_s_own_checkpoints_come_without_a_config_and_are_read_by_their_shapes(
    tmp_path, caplog
):
    from bert_tf.conversion.google import write_google

    large = dataclasses.replace(CONFIG, hidden_size=128, intermediate_size=20)
    small = dataclasses.replace(
        large, hidden_size=64, num_attention_heads=1, num_hidden_layers=1, intermediate_size=7
    )
    model = joint(large, small)
    model.save_pretrained(str(tmp_path / "hf"))
    convert(tmp_path / "hf", tmp_path / "ours", "google")
    reader = tf.train.load_checkpoint(str(tmp_path / "ours" / "electra_model.ckpt"))
    tensors = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    tensors |= {f"{name}/adam_m": tensors[name] for name in list(tensors)[:3]}
    tensors["global_step"] = np.array(7, "int64")
    (tmp_path / "google").mkdir()
    write_google(tmp_path / "google", {}, tensors, "electra")
    (tmp_path / "google" / "electra_config.json").unlink()
    with caplog.at_level(logging.WARNING, logger="absl"):
        back = load_task(tmp_path / "google")
    assert same_weights(model, back)
    assert back.encoder.config == large and back.generator.encoder.config == small
    # The number of heads stands in no shape: one warning says that it is a guess.
    guesses = [r.getMessage() for r in caplog.records if "num_attention_heads" in r.getMessage()]
    assert len(guesses) == 1 and "taken to be 2, for heads of 64" in guesses[0]
    caplog.clear()
    write_google(tmp_path / "google", large.to_dict(), tensors, "electra")
    load_task(tmp_path / "google")
    guesses = [r.getMessage() for r in caplog.records if "num_attention_heads" in r.getMessage()]
    assert len(guesses) == 1 and "no config of the generator" in guesses[0]
    (tmp_path / "google" / "electra_config.json").unlink()
    assert same_weights(load_encoder(tmp_path / "google" / "electra_model.ckpt"), model.encoder)


@pytest.mark.parametrize("kind", [MaskedLM, ElectraPretraining])
def test_one_model_alone_goes_through_google_and_back(tmp_path, kind):
    model = made(kind)
    model.save_pretrained(str(tmp_path / "hf"))
    convert(tmp_path / "hf", tmp_path / "google", "google")
    names = set(google_shapes(tmp_path / "google"))
    assert not any(name.startswith("generator/") for name in names)
    back = load_task(tmp_path / "google")
    assert type(back) is kind and same_weights(model, back)


def test_a_checkpoint_that_lacks_tensors_names_them(tmp_path):
    from bert_tf.conversion.google import write_google

    made().save_pretrained(str(tmp_path / "hf"))
    convert(tmp_path / "hf", tmp_path / "ours", "google")
    reader = tf.train.load_checkpoint(str(tmp_path / "ours" / "electra_model.ckpt"))
    tensors = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    del tensors["electra/encoder/layer_0/attention/self/key/kernel"]
    (tmp_path / "google").mkdir()
    write_google(tmp_path / "google", CONFIG.to_dict(), tensors, "electra")
    with pytest.raises(InputError, match="1 missing: electra/encoder/layer_0/attention/self/key/k"):
        load_encoder(tmp_path / "google")


def test_the_published_classifier_is_no_matter_of_google_s(tmp_path):
    made(TASKS["ElectraForSequenceClassification"]).save_pretrained(str(tmp_path / "hf"))
    with pytest.raises(InputError, match="ElectraForSequenceClassification: Google's format"):
        convert(tmp_path / "hf", tmp_path / "google", "google")


def test_a_fine_tuned_checkpoint_of_google_s_gives_its_encoder(tmp_path):
    from bert_tf.conversion.google import write_google

    model = made(lambda encoder: encoder)
    model.save_pretrained(str(tmp_path / "hf"))
    convert(tmp_path / "hf", tmp_path / "ours", "google")
    reader = tf.train.load_checkpoint(str(tmp_path / "ours" / "electra_model.ckpt"))
    tensors = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    tensors["task_specific/sst/dense/kernel"] = np.zeros((8, 2), "f")
    (tmp_path / "google").mkdir()
    write_google(tmp_path / "google", CONFIG.to_dict(), tensors, "electra")
    assert same_weights(load_encoder(tmp_path / "google"), model)
    with pytest.raises(InputError, match="no head of"):
        load_task(tmp_path / "google")


def test_old_files_repeat_the_tied_table_and_hold_buffers(tmp_path):
    model = made()
    model.save_pretrained(str(tmp_path))
    tensors = load_file(tmp_path / "model.safetensors")
    tensors["generator_lm_head.weight"] = tensors["electra.embeddings.word_embeddings.weight"]
    tensors["electra.embeddings.position_ids"] = np.arange(10)[None]
    save_file(tensors, tmp_path / "model.safetensors")
    np.testing.assert_array_equal(load_task(tmp_path)(BATCH), model(BATCH))


def test_a_classifier_told_its_published_head_is_still_hugging_face_s(tmp_path):
    model = SequenceClassifier(build_encoder(CONFIG), 3, pooling="cls", head_layers=[(8, "gelu")])
    model.save_pretrained(str(tmp_path / "a"))
    saved = json.loads((tmp_path / "a" / "config.json").read_text())
    assert saved["architectures"] == ["ElectraForSequenceClassification"]
    other = SequenceClassifier(build_encoder(CONFIG), 3, head_layers=[(5, "gelu"), (4, "tanh")])
    other.save_pretrained(str(tmp_path / "b"))
    saved = json.loads((tmp_path / "b" / "config.json").read_text())
    assert saved["model_type"] == "bert_tf"
    np.testing.assert_array_equal(load_task(tmp_path / "b")(BATCH), other(BATCH))
