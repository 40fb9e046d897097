"""The one encoder: how it is called, what stands on the stack, LayerDrop, recomputed blocks."""

import dataclasses
import functools
import json
import pathlib
import traceback
from collections import Counter

import keras
import numpy as np
import oracles
import pytest
import tensorflow as tf
from contract import batch_of

import bert_tf
from bert_tf import ConfigError, InputError, SequenceClassifier, build_encoder, load_encoder
from bert_tf.encoders import BertConfig
from bert_tf.layers import attention, new_key
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
STILL = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
ALL = {"position_embedding": "sinusoidal", "norm": "pre", "layer_drop_rate": 0.4}


def encoder_of(**changes):
    keras.utils.set_random_seed(1)
    return oracles.randomize(build_encoder(SMALL, **changes))


def test_three_functions_of_ours_stand_on_the_stack_above_attend(monkeypatch):
    encoder, stacks = encoder_of(), []
    home = str(pathlib.Path(bert_tf.__file__).parent)

    def attend(*arguments):
        frames = traceback.extract_stack()
        stacks.append([frame.name for frame in frames if frame.filename.startswith(home)])
        return plain(*arguments)

    plain = attention.attend
    monkeypatch.setattr(attention, "attend", attend)
    batch = batch_of(SMALL)
    encoder(batch)
    tf.function(lambda: encoder(batch, training=True, key=new_key(0, 0)))()
    assert len(stacks) == 6 and {tuple(names) for names in stacks} == {("call",) * 3}


def test_a_part_that_is_absent_is_none():
    encoder = build_encoder(SMALL, pooler=False)
    for part in ("embeddings_projection", "final_norm", "pooler", "groups"):
        assert getattr(encoder, part) is None
    assert build_encoder(SMALL).pooler is not None


def test_what_replaces_no_tokens_has_no_generator_and_says_so_in_one_line():
    encoder = build_encoder(SMALL)
    assert not encoder.published.replaces_tokens
    for ask in (encoder.replaced_token_head, lambda: encoder.generator(SMALL)):
        with pytest.raises(InputError, match="a bert, whose family has no generator") as caught:
            ask()
        assert "\n" not in str(caught.value)


def test_a_field_that_is_not_there_gets_the_nearest_name():
    for wrong in (
        lambda: BertConfig(hidden_sizes=3),
        lambda: dataclasses.replace(SMALL, hidden_sizes=3),
        lambda: build_encoder(SMALL, hidden_sizes=3),
    ):
        with pytest.raises(InputError, match="hidden_sizes: no field of BertConfig .*hidden_size"):
            wrong()
    with pytest.raises(ConfigError):
        build_encoder("bert-tiny", hidden_sizes=3)


def test_layer_drop_skips_whole_blocks_in_training_and_none_outside():
    encoder, plain = encoder_of(layer_drop_rate=0.5, **STILL), encoder_of(**STILL)
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


def test_layer_drop_is_saved_as_a_bert_and_kept(tmp_path):
    encoder = encoder_of(layer_drop_rate=0.2)
    encoder.save_pretrained(str(tmp_path))
    config = json.loads((tmp_path / "config.json").read_text())
    assert (config["model_type"], config["layer_drop_rate"]) == ("bert", 0.2)
    assert load_encoder(str(tmp_path)).config.layer_drop_rate == 0.2
    assert load_encoder(str(tmp_path), layer_drop_rate=0.0).config.layer_drop_rate == 0.0
    assert "layer_drop_rate" not in SMALL.to_dict()


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
    [slow({}, False), (ALL | {"num_hidden_layers": 2}, False), slow(ALL, True)],
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
    encoder, ops = encoder_of(num_hidden_layers=2), {}
    for recompute in (False, True):
        encoder.recompute = recompute
        step = step_of(encoder).get_concrete_function(batch_of(SMALL), new_key(3, 1))
        ops[recompute] = different_ops(step.graph)
    for op, in_a_block in {"StatelessRandomUniformIntV2": 3, "Softmax": 1, "Erfc": 1}.items():
        assert ops[True][op] - ops[False][op] == 2 * in_a_block, op


def test_a_bare_encoder_of_a_recomputing_one_recomputes():
    encoder = encoder_of()
    encoder.recompute = True
    assert encoder.without_pooler().recompute and not encoder_of().recompute


@pytest.mark.slow
def test_the_options_train_under_mirrored_replicas_with_micro_batches():
    options = ALL | STILL | {"layer_drop_rate": 0.0, "num_hidden_layers": 1}
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
