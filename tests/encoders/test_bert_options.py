"""BERT with what the literature adds: sinusoids, pre-norm, LayerDrop, recomputed blocks."""

import dataclasses
import functools
import json
from collections import Counter

import keras
import numpy as np
import oracles
import pytest
import tensorflow as tf
from contract import batch_of, check_encoder

from bert_tf import InputError, SequenceClassifier, convert, load_encoder, load_task
from bert_tf.encoders import BertConfig, BertEncoder
from bert_tf.layers import new_key
from tests.tiny import mirrored

slow = functools.partial(pytest.param, marks=pytest.mark.slow)

SMALL = BertConfig(
    vocab_size=23,
    hidden_size=12,
    num_hidden_layers=3,
    num_attention_heads=3,
    intermediate_size=20,
    max_position_embeddings=16,
    layer_norm_eps=1e-6,
)
OWN = {"sinusoidal": {"position_embedding": "sinusoidal"}, "pre-norm": {"norm": "pre"}}
OPTIONS = {**OWN, "LayerDrop": {"layer_drop_rate": 0.4}}
OPTIONS["all"] = {key: value for option in OPTIONS.values() for key, value in option.items()}


def encoder_of(**changes):
    keras.utils.set_random_seed(1)
    return oracles.randomize(BertEncoder(dataclasses.replace(SMALL, **changes)))


@pytest.mark.parametrize(
    "changes",
    [*map(slow, list(OPTIONS.values())[:-1]), OPTIONS["all"]],
    ids=OPTIONS,
)
def test_every_option_keeps_the_contract_of_encoders(changes):
    check_encoder(BertEncoder, dataclasses.replace(SMALL, **changes))


def test_pre_norm_and_sinusoids_are_the_papers_in_numpy():
    encoder = encoder_of(norm="pre", position_embedding="sinusoidal")
    config, batch = encoder.config, batch_of(encoder.config)
    got = encoder(batch, return_intermediates=True)
    angles = np.arange(7)[:, None] / 10000 ** (np.arange(0, 12, 2) / 12)
    places = np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(7, 12)
    for row in range(3):
        mask = batch["attention_mask"][row]
        words = oracles.get(encoder, "embeddings.word_embeddings")[batch["input_ids"][row]]
        types = oracles.get(encoder, "embeddings.token_type_embeddings")
        x = words + places + types[batch["token_type_ids"][row]]
        x = oracles.norm(encoder, "embeddings.norm", x, 1e-6)
        for depth, block in enumerate(encoder.blocks):
            np.testing.assert_allclose(got["hidden_states"][depth][row], x, atol=2e-5)
            read = oracles.norm(block, "attention_norm", x, 1e-6)
            x = x + oracles.multi_head(block.attention, read, mask[:, None] == mask, 3)[0]
            read = oracles.norm(block, "feed_forward_norm", x, 1e-6)
            x = x + oracles.feed_forward(block.feed_forward, read, config.hidden_act)
        x = oracles.norm(encoder, "final_norm", x, 1e-6)
        np.testing.assert_allclose(got["sequence_output"][row], x, atol=2e-5)
        pooled = np.tanh(oracles.linear(encoder, "pooler.dense", x[0]))
        np.testing.assert_allclose(got["pooled_output"][row], pooled, atol=2e-5)


def test_layer_drop_skips_whole_blocks_in_training_and_none_outside():
    still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    encoder, plain = encoder_of(layer_drop_rate=0.5, **still), encoder_of(**still)
    batch, skipped = batch_of(encoder.config), 0
    np.testing.assert_array_equal(
        encoder(batch)["sequence_output"], plain(batch)["sequence_output"]
    )
    for step in range(20):
        got = encoder(batch, training=True, key=new_key(4, step), return_intermediates=True)
        states = [np.asarray(state) for state in got["hidden_states"]]
        for depth, probs in enumerate(got["attentions"]):
            same = np.array_equal(states[depth], states[depth + 1])
            assert same == (not np.asarray(probs).any())
            skipped += same
    assert 15 < skipped < 45  # of 60, half; 4 deviations are 15.5
    first = encoder(batch, training=True, key=new_key(4, 0), only_first=True)["sequence_output"]
    whole = encoder(batch, training=True, key=new_key(4, 0))["sequence_output"]
    np.testing.assert_allclose(first[:, 0], whole[:, 0], atol=2e-5)


def step_of(encoder, compiled=False):
    """A function of (batch, key) giving the gradients of every weight."""

    @tf.function(jit_compile=compiled)
    def step(batch, key):
        with tf.GradientTape() as tape:
            outputs = encoder(batch, training=True, key=key)
            loss = tf.reduce_mean(outputs["sequence_output"] ** 2) + outputs["pooled_output"][0, 0]
        weights = [weight.value for weight in encoder.trainable_weights]
        return [tf.convert_to_tensor(x) for x in tape.gradient(loss, weights)]

    return step


def different_ops(graph):
    """Every op of a graph once, by what it computes: what no optimizer could merge."""
    found = {}
    for op in graph.get_operations():
        settings = str(sorted(op.node_def.attr.items())) if op.inputs else op.name
        came_from = tuple((found[x.op.name], x.value_index) for x in op.inputs)
        found[op.name] = hash((op.type, settings, came_from))
    return Counter(dict((found[op.name], op.type) for op in graph.get_operations()).values())


@pytest.mark.parametrize(
    ("changes", "compiled"),
    [
        slow({}, False),
        (OPTIONS["all"], False),
        slow(OPTIONS["all"], True),
    ],
    ids=["bert", "all options", "xla"],
)
def test_recomputed_blocks_have_the_same_gradients_with_dropout_on(changes, compiled):
    encoder = encoder_of(**changes)
    batch, key = batch_of(encoder.config), new_key(3, 1)
    plain = step_of(encoder, compiled)(batch, key)
    encoder.recompute = True
    again = step_of(encoder, compiled)(batch, key)
    for one, other in zip(plain, again, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_recomputing_really_computes_every_block_again_masks_included():
    encoder, ops = encoder_of(), {}
    for recompute in (False, True):
        encoder.recompute = recompute
        step = step_of(encoder).get_concrete_function(batch_of(SMALL), new_key(3, 1))
        ops[recompute] = different_ops(step.graph)
    for op, in_a_block in {"StatelessRandomUniformIntV2": 3, "Softmax": 1, "Erfc": 1}.items():
        assert ops[True][op] - ops[False][op] == 3 * in_a_block, op


def test_a_bare_encoder_of_a_recomputing_one_recomputes():
    encoder = encoder_of()
    encoder.recompute = True
    assert encoder.without_pooler().recompute and not encoder_of().recompute


@pytest.mark.parametrize("changes", OWN.values(), ids=OWN)
def test_what_transformers_lacks_is_saved_as_our_own(changes, tmp_path):
    model = SequenceClassifier(encoder_of(**changes), 3)
    model.save_pretrained(str(tmp_path / "task"))
    model.encoder.save_pretrained(str(tmp_path / "encoder"))
    for place in ("task", "encoder"):
        config = json.loads((tmp_path / place / "config.json").read_text())
        assert config["model_type"] == "bert_tf" and config["bert_tf"]["family"] == "bert"
        assert not any(
            "Bert" in x and not x.startswith("bert_tf.") for x in config["architectures"]
        )
        assert load_encoder(str(tmp_path / place)).config == model.encoder.config
    batch = batch_of(model.encoder.config)
    np.testing.assert_array_equal(load_task(str(tmp_path / "task"))(batch), model(batch))
    for place, what in (("task", "SequenceClassifier"), ("encoder", "BertEncoder")):
        with pytest.raises(InputError, match=f"Google's format has no {what} with its own"):
            convert(str(tmp_path / place), str(tmp_path / "google"), "google")
    assert not (tmp_path / "google").exists()


def test_layer_drop_is_saved_as_a_bert_and_kept(tmp_path):
    encoder = encoder_of(layer_drop_rate=0.2)
    encoder.save_pretrained(str(tmp_path))
    config = json.loads((tmp_path / "config.json").read_text())
    assert (config["model_type"], config["layer_drop_rate"]) == ("bert", 0.2)
    assert load_encoder(str(tmp_path)).config.layer_drop_rate == 0.2
    assert load_encoder(str(tmp_path), layer_drop_rate=0.0).config.layer_drop_rate == 0.0


def test_a_plain_bert_s_config_has_no_word_of_the_options():
    assert not {"position_embedding", "norm", "layer_drop_rate"} & set(SMALL.to_dict())


def test_files_of_a_bert_that_name_such_an_option_are_refused(tmp_path):
    encoder_of().save_pretrained(str(tmp_path))
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"norm": "pre"}))
    with pytest.raises(InputError, match="norm: 'pre', here only 'post'"):
        load_encoder(str(tmp_path))


def test_our_own_files_with_a_tensor_too_many_are_refused(tmp_path):
    encoder_of(norm="pre").save_pretrained(str(tmp_path))
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"position_embedding": "sinusoidal"}))
    with pytest.raises(InputError, match="1 left over: embeddings.position_embeddings"):
        load_encoder(str(tmp_path))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"position_embedding": "sinusoid"}, "'sinusoid', wanted one of learned, sinusoidal"),
        ({"norm": "prenorm"}, "norm: 'prenorm', wanted one of post, pre"),
        ({"layer_drop_rate": 1.0}, "layer_drop_rate: 1.0, wanted a share from 0 to below 1"),
    ],
)
def test_a_wrong_value_is_one_line(changes, message):
    with pytest.raises(InputError, match=message) as caught:
        dataclasses.replace(SMALL, **changes)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_the_options_train_under_mirrored_replicas_with_micro_batches():
    still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    options = OPTIONS["all"] | still | {"layer_drop_rate": 0.0, "num_hidden_layers": 1}
    batch = {name: np.concatenate([x, x[:1]]) for name, x in batch_of(SMALL).items()}
    labels, weights = np.array([0, 1, 1, 0], "int32"), []
    for strategy, accumulate, recompute in (
        (tf.distribute.get_strategy(), 1, False),
        (mirrored(["CPU:0", "CPU:1"]), 2, True),
    ):
        with strategy.scope():
            model = SequenceClassifier(encoder_of(**options), 2)
            model.encoder.recompute = recompute
            model.compile("sgd", accumulate=accumulate)
        model.fit(tf.data.Dataset.from_tensors((batch, labels)), verbose=0)
        weights.append(model.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
