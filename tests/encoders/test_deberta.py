"""DeBERTa: the contract of an encoder, transformers' numbers, its config, distances of a row."""

import dataclasses
import json
import pathlib

import numpy as np
import oracles
import pytest
import tensorflow as tf
from contract import batch_of, each_check, encoder_of
from safetensors.numpy import load_file, save_file

from bert_tf import (
    DebertaV2Config,
    InputError,
    MaskedLM,
    build_encoder,
    convert,
    load_encoder,
    load_task,
)
from bert_tf.encoders.deberta import SIZES
from bert_tf.layers import new_key

GOLDEN = pathlib.Path(__file__).parent / "golden"
TINY = DebertaV2Config(
    vocab_size=23,
    hidden_size=12,
    num_hidden_layers=2,
    num_attention_heads=3,
    intermediate_size=10,
    max_position_embeddings=16,
    relative_attention=True,
    position_buckets=6,
    norm_rel_ebd="layer_norm",
    share_att_key=True,
    pos_att_type=("p2c", "c2p"),
    position_biased_input=False,
    conv_kernel_size=3,
    conv_act="gelu",
    layer_norm_eps=1e-6,
)
OTHER = dataclasses.replace(
    TINY,
    share_att_key=False,
    position_buckets=-1,
    max_relative_positions=5,
    norm_rel_ebd="none",
    position_biased_input=True,
    type_vocab_size=2,
    conv_kernel_size=0,
)
# As KerasHub counts them (keras_hub, deberta_v3_presets.py).
PUBLISHED = {
    "deberta-v3-xsmall": 70_682_112,
    "deberta-v3-small": 141_304_320,
    "deberta-v3-base": 183_831_552,
    "deberta-v3-large": 434_012_160,
    "mdeberta-v3-base": 278_218_752,
}


def counted(config):
    """How many parameters the shapes come to; nothing is built."""
    width, inner, taps = config.hidden_size, config.intermediate_size, config.conv_kernel_size
    block = 4 * (width * width + width) + 2 * width * inner + inner + width + 4 * width
    convolution = taps * width * width + 3 * width if taps else 0
    tables = (config.vocab_size + 2 * config.position_buckets) * width
    return tables + 4 * width + config.num_hidden_layers * block + convolution


@each_check
@pytest.mark.parametrize("config", [TINY, pytest.param(OTHER, marks=pytest.mark.slow)])
def test_deberta_keeps_the_contract_of_encoders(config, check):
    check(encoder_of(config))


def test_published_sizes_have_their_published_number_of_parameters():
    assert {name: counted(SIZES[name]) for name in PUBLISHED} == PUBLISHED
    # 900 and 1,500 million (microsoft/DeBERTa, README.md).
    large = [counted(SIZES[f"deberta-v2-{name}"]) / 1e6 for name in ("xlarge", "xxlarge")]
    assert [round(each, -2) for each in large] == [900, 1600]
    assert build_encoder(TINY).count_params() == counted(TINY)
    assert all(each.hidden_size == 64 * each.num_attention_heads for each in SIZES.values())


@pytest.mark.parametrize("name", ["deberta", "deberta-plain"])
def test_the_numbers_are_those_of_transformers(name):
    model = load_task(GOLDEN / name)
    wanted = dict(np.load(GOLDEN / name / "outputs.npz"))
    inputs = {key: x.astype("int32") for key, x in wanted.items() if key not in ("logits", "first")}
    real = inputs["attention_mask"] > 0
    first = model.encoder(inputs, return_intermediates=True)["hidden_states"][1]
    np.testing.assert_allclose(first.numpy()[real], wanted["first"][real], atol=2e-5)
    got, want = np.asarray(model(inputs)), wanted["logits"]
    real = real if got.ndim == 3 else slice(None)
    np.testing.assert_allclose(got[real], want[real], atol=5e-5)


def test_a_config_of_transformers_is_read_and_written_whole():
    config = load_encoder(GOLDEN / "deberta").config
    assert config.pos_att_type == ("p2c", "c2p") and config.span == 6 and config.furthest == 24
    assert config.share_att_key and config.conv_act == "gelu" and not config.position_biased_input
    other = load_encoder(GOLDEN / "deberta-plain").config
    assert other.pos_att_type == ("p2c",) and other.span == 9 and not other.legacy
    assert (other.hidden_act, other.layer_norm_eps, other.position_biased_input) == (
        "relu",
        1e-3,
        True,
    )
    assert DebertaV2Config.from_dict({"position_buckets": -7}).position_buckets == -7
    assert DebertaV2Config.from_dict({"cls_dropout": 0.3}).classifier_dropout == 0.3


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"pos_att_type": "p2c|p2p"}, "pos_att_type: ['p2c', 'p2p'], wanted some of c2p, p2c"),
        ({"pos_att_type": 3}, "pos_att_type: 3, wanted some of"),
        ({"conv_kernel_size": 4}, "conv_kernel_size: 4, wanted an odd number or 0"),
        ({"conv_act": "selu"}, "conv_act: 'selu', wanted one of"),
        ({"pooler_hidden_size": 5}, "pooler_hidden_size: 5, here only 1536"),
        ({"embedding_size": 128}, "embedding_size: 128, here only 1536"),
        ({"attention_head_size": 32}, "attention_head_size: 32, here only 64"),
        ({"norm_rel_ebd": True}, "norm_rel_ebd: True, wanted layer_norm or none"),
        ({"legacy": "yes"}, "legacy: 'yes', wanted true or false"),
        ({"pooler_dropout": 1}, "pooler_dropout: 1, wanted a share"),
        (
            {"relative_attention": True, "position_buckets": 64, "max_relative_positions": 30},
            "position_buckets: 64, wanted none, or 2 to 57 for distances below 30",
        ),
    ],
)
def test_what_no_deberta_has_is_one_line(values, told):
    with pytest.raises(InputError) as caught:
        DebertaV2Config.from_dict(values)
    assert told in str(caught.value) and "\n" not in str(caught.value)


def test_fewer_layers_keep_the_convolution():
    fewer = load_encoder(GOLDEN / "deberta", num_hidden_layers=1)
    whole, ids = load_encoder(GOLDEN / "deberta"), {"input_ids": np.arange(3, 22)[None]}
    before = whole(ids, return_intermediates=True)["hidden_states"][1]
    np.testing.assert_array_equal(fewer(ids)["sequence_output"], before)
    first = fewer(ids, only_first=True)["sequence_output"]
    np.testing.assert_allclose(first, before[:, :1], atol=1e-5)


@pytest.mark.parametrize(("legacy", "name"), [(True, "cls.predictions"), (False, "lm_predictions")])
def test_the_head_of_masked_words_has_the_name_its_config_says(legacy, name, tmp_path):
    model = oracles.randomize(MaskedLM(build_encoder(TINY, legacy=legacy)))
    model.save_pretrained(str(tmp_path))
    assert name.encode() in (tmp_path / "model.safetensors").read_bytes()[:20000]
    back = load_task(tmp_path)
    for ours, theirs in zip(model.weights, back.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    "config", [{}, {"legacy": True}, {"architectures": ["DebertaV2ForMaskedLM"]}]
)
def test_the_published_files_open_by_the_names_of_their_tensors(config, tmp_path, caplog):
    """Those of the hub name no class, and have the later head, that of another objective, and a
    table of places that is not read."""
    model = oracles.randomize(MaskedLM(build_encoder(TINY, legacy=False)))
    model.save_pretrained(str(tmp_path / "later"))
    told, tensors = json.loads((tmp_path / "later/config.json").read_text()), {}
    left_out = ("legacy", "architectures", "conv_kernel_size", "tie_word_embeddings", "bert_tf")
    told = {name: x for name, x in told.items() if name not in left_out}
    told |= {"pos_att_type": "p2c|c2p", "conv_kernel_size": TINY.conv_kernel_size, **config}
    tensors = load_file(tmp_path / "later/model.safetensors")
    places = np.ones((TINY.max_position_embeddings, TINY.hidden_size), "float32")
    tensors |= {
        "mask_predictions.dense.bias": places[0],
        "deberta.embeddings.position_embeddings.weight": places,
    }
    (tmp_path / "hub").mkdir()
    save_file(tensors, tmp_path / "hub/model.safetensors")
    (tmp_path / "hub/config.json").write_text(json.dumps(told))
    ids = {"input_ids": np.arange(3, 12)[None]}
    with caplog.at_level("WARNING", "absl"):
        np.testing.assert_array_equal(load_task(tmp_path / "hub")(ids), model(ids))
    said = caplog.text
    assert "legacy is taken as false, by the names of the head in model.safetensors" in said
    assert "position_embeddings.weight is [" in said and "left aside" in said
    encoder = load_encoder(tmp_path / "hub")
    want = model.encoder(ids)["sequence_output"]
    np.testing.assert_array_equal(encoder(ids)["sequence_output"], want)
    convert(str(tmp_path / "hub"), str(tmp_path / "again"), "huggingface")
    again = json.loads((tmp_path / "again/config.json").read_text())
    assert again["architectures"] == ["DebertaV2ForMaskedLM"] and again["legacy"] is False
    encoder_alone = {name: x for name, x in tensors.items() if name.startswith("deberta.")}
    save_file(encoder_alone, tmp_path / "hub/model.safetensors")
    np.testing.assert_array_equal(load_encoder(tmp_path / "hub")(ids)["sequence_output"], want)


def test_without_distances_it_is_attention_with_a_smaller_scale():
    plain = dataclasses.replace(TINY, relative_attention=False, conv_kernel_size=0)
    encoder = oracles.randomize(build_encoder(plain))
    batch = batch_of(plain)
    block, x = encoder.blocks[0], encoder.embeddings(batch["input_ids"])
    probs = np.asarray(encoder(batch, return_intermediates=True)["attentions"][0])[0]
    qkv = oracles.linear(block.attention, "qkv", np.asarray(x, np.float64)[:7])
    query, key, _ = qkv.reshape(7, 3, 3, 4).transpose(1, 2, 0, 3)
    scores = query @ key.swapaxes(1, 2) / np.sqrt(4 * 3)  # of three sums one is there
    seen = batch["attention_mask"][0][:, None] == batch["attention_mask"][0][None]
    np.testing.assert_allclose(probs, oracles.softmax(np.where(seen, scores, -np.inf)), atol=1e-5)


def test_the_places_of_distances_are_computed_once_for_all_layers():
    def count(layers):
        encoder = build_encoder(TINY, num_hidden_layers=layers)
        ids = tf.ones((1, 9), tf.int32)
        graph = tf.function(lambda: encoder({"input_ids": ids})["sequence_output"])
        kinds = [op.type for op in graph.get_concrete_function().graph.get_operations()]
        return kinds.count("LowerBound")

    assert count(1) == count(2) == 1


def test_recomputation_changes_no_gradient_of_distances_either():
    encoder, batch, key = build_encoder(TINY), batch_of(TINY), new_key(3, 4)
    oracles.randomize(encoder)
    gradients = []
    for recompute in (False, True):
        encoder.recompute = recompute
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(encoder(batch, training=True, key=key)["sequence_output"] ** 3)
        gradients.append(tape.gradient(loss, [w.value for w in encoder.trainable_weights]))
    for weight, one, other in zip(encoder.trainable_weights, *gradients, strict=True):
        one, other = (tf.convert_to_tensor(each).numpy() for each in (one, other))
        np.testing.assert_allclose(one, other, atol=1e-3, rtol=1e-3, err_msg=weight.path)
