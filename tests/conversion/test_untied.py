"""Heads that predict words with an output matrix of their own: `tie_word_embeddings: false`."""

import dataclasses
import json

import numpy as np
import oracles
import pytest
from safetensors.numpy import load_file, save_file

from bert_tf import InputError, MaskedLM, Pretraining, build_encoder, load_task
from bert_tf.conversion.contents import opened
from bert_tf.conversion.vocabulary_rows import write_with_rows
from bert_tf.encoders import FAMILIES
from tests import tiny

# model_type -> the names in files of the matrix, of the bias that is added, and of the idle one.
NAMES = {
    "bert": (
        "cls.predictions.decoder.weight",
        "cls.predictions.decoder.bias",
        "cls.predictions.bias",
    ),
    "albert": ("predictions.decoder.weight", "predictions.decoder.bias", "predictions.bias"),
    "electra": ("generator_lm_head.weight", "generator_lm_head.bias", None),
    "roberta": ("lm_head.decoder.weight", "lm_head.decoder.bias", "lm_head.bias"),
    "distilbert": ("vocab_projector.weight", "vocab_projector.bias", None),
    "mobilebert": (
        "cls.predictions.decoder.weight",
        "cls.predictions.decoder.bias",
        "cls.predictions.bias",
    ),
}
MORE = {
    "albert": {"embedding_size": 6},
    "electra": {"embedding_size": 6},
    "mobilebert": {"embedding_size": 6, "intra_bottleneck_size": 4, "num_feedforward_networks": 1},
}
BATCH = {"input_ids": np.array([[2, 7, 9, 3], [2, 5, 3, 6]], "int32")}


def made(name, tied=False, kind=MaskedLM):
    config = FAMILIES[name].config(**tiny.sizes(max_position_embeddings=12), **MORE.get(name, {}))
    config = dataclasses.replace(config, tie_word_embeddings=tied)
    return oracles.randomize(kind(build_encoder(config)))


@pytest.mark.parametrize("name", NAMES)
def test_an_output_matrix_of_its_own_comes_back_bit_for_bit(name, tmp_path):
    model, (matrix, bias, idle) = made(name), NAMES[name]
    model.save_pretrained(str(tmp_path))
    assert json.loads((tmp_path / "config.json").read_text())["tie_word_embeddings"] is False
    tensors = load_file(tmp_path / "model.safetensors")
    head, narrow = model.masked_lm_head, model.encoder.embeddings.width
    assert tensors[matrix].shape == (20, narrow) and tensors[bias].shape == (20,)
    assert idle is None or not np.array_equal(tensors[bias], tensors[idle])
    back = load_task(tmp_path)
    for ours, theirs in zip(model.weights, back.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    # The logits of a vector are its products with that matrix, plus that bias.
    x = np.random.default_rng(0).standard_normal((2, 8)).astype("float32")
    table = np.zeros((20, narrow), "float32")  # is not looked at
    inner = np.asarray(head.norm(head.activation(head.dense(x))))
    want = inner[:, :narrow] @ tensors[matrix].T + tensors[bias]
    if name == "mobilebert":
        want = want + inner[:, narrow:] @ tensors["cls.predictions.dense.weight"]
    np.testing.assert_allclose(back.masked_lm_head(x, table), want, atol=2e-5)
    unread = [weight.name for weight in model.weights if not weight.trainable]
    assert unread == ([] if idle is None else ["output_bias"])


@pytest.mark.parametrize("name", [x for x in NAMES if NAMES[x][2]])
@pytest.mark.parametrize("left_out", [1, 2])
def test_transformers_4_has_one_bias_under_either_name(name, left_out, tmp_path):
    model, names = made(name), NAMES[name]
    model.masked_lm_head.output_bias.assign(model.masked_lm_head.decoder_bias)
    model.save_pretrained(str(tmp_path))
    tensors = load_file(tmp_path / "model.safetensors")
    del tensors[names[left_out]]
    save_file(tensors, tmp_path / "model.safetensors")
    np.testing.assert_array_equal(load_task(tmp_path)(BATCH), model(BATCH))
    del tensors[names[3 - left_out]]
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(InputError, match="2 missing"):
        load_task(tmp_path)


def test_pretraining_has_it_too_and_a_tied_model_still_refuses_another_matrix(tmp_path):
    model = made("bert", kind=Pretraining)
    model.save_pretrained(str(tmp_path / "a"))
    logits = load_task(tmp_path / "a")(BATCH)["masked_lm_logits"]
    np.testing.assert_array_equal(logits, model(BATCH)["masked_lm_logits"])
    tied = made("bert", tied=True)
    tied.save_pretrained(str(tmp_path / "b"))
    file = tmp_path / "b" / "model.safetensors"
    assert "tie_word_embeddings" not in json.loads((tmp_path / "b" / "config.json").read_text())
    other = {NAMES["bert"][0]: np.ones((20, 8), "float32")}
    save_file(load_file(file) | other, file)
    with pytest.raises(InputError, match="decoder.weight must equal bert.embeddings.word"):
        load_task(tmp_path / "b")


@pytest.mark.parametrize("name", ["bert", "mobilebert"])
def test_another_vocabulary_takes_the_whole_head_along(name, tmp_path):
    model, order = made(name), [4, 0, 9]
    model.save_pretrained(str(tmp_path / "a"))
    (tmp_path / "b").mkdir()

    class Words:
        vocab_size, pad_id = 3, 1
        save_pretrained = staticmethod(lambda directory: None)

    with opened(tmp_path / "a") as contents:
        write_with_rows(contents, tmp_path / "b", Words, lambda array: array[order])
    fewer = load_task(tmp_path / "b")
    x = np.random.default_rng(0).standard_normal((2, 8)).astype("float32")
    table = np.asarray(model.encoder.embeddings.word_embeddings)
    want = np.asarray(model.masked_lm_head(x, table))[:, order]
    np.testing.assert_allclose(fewer.masked_lm_head(x, table[order]), want, atol=1e-5)
