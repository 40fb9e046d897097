"""What it means to be an encoder of bert_tf: every function of CHECKS, for every family.

A family's tests run one test a check, so that a failure hides no other:

    @each_check
    def test_it_keeps_the_contract_of_encoders(check):
        check(encoder_of(BertConfig(...small...)))

The config wants at least 2 layers, if it has any, 12 positions and 12 words.
"""

import functools
import json
import tempfile

import keras
import numpy as np
import oracles
import pytest
import tensorflow as tf

import bert_tf
from bert_tf.errors import InputError
from bert_tf.layers import new_key

LENGTHS = (5, 3, 4)  # real tokens in the rows of a batch


@functools.cache
def encoder_of(config):
    """An encoder of a config, its weights moved away from their initial values."""
    return oracles.randomize(bert_tf.build_encoder(config))


def batch_of(config, padding=2, seed=0):
    """A batch of three rows, padded by `padding` more tokens than the longest needs."""
    numbers = np.random.default_rng(seed)
    shape = (len(LENGTHS), max(LENGTHS) + padding)
    mask = (np.arange(shape[1]) < np.array(LENGTHS)[:, None]).astype("int32")
    pad = getattr(config, "pad_token_id", 0) or 0
    words = numbers.integers(pad + 1, config.vocab_size, shape)
    batch = {"input_ids": np.where(mask, words, pad), "attention_mask": mask}
    if getattr(config, "type_vocab_size", 0):
        batch["token_type_ids"] = numbers.integers(0, config.type_vocab_size, shape) * mask
    return {name: values.astype("int32") for name, values in batch.items()}


def real(encoder, batch, **options):
    """The sequence output of the real tokens, [tokens, width]."""
    output = np.asarray(encoder(batch, **options)["sequence_output"])
    return output[np.asarray(batch["attention_mask"]) > 0]


def fresh(encoder, **options):
    """An encoder of the same family and sizes with this one's weights."""
    other = bert_tf.build_encoder(encoder.config, **options)
    other.set_weights(encoder.get_weights())
    return other


def near(one, other, tolerance=2e-5):
    np.testing.assert_allclose(np.asarray(one), np.asarray(other), atol=tolerance, rtol=0)


def equal(one, other):
    np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


def weights_exist_without_data(encoder):
    new = bert_tf.build_encoder(encoder.config)
    assert new.built and new.weights and all(w.dtype == "float32" for w in new.weights)
    assert [tuple(w.shape) for w in new.weights] == [tuple(w.shape) for w in encoder.weights]
    before = len(new.weights)
    new(batch_of(new.config), training=True)
    assert len(new.weights) == before, "a call made weights"


def outputs_have_their_names_shapes_and_dtypes(encoder):
    config, batch = encoder.config, batch_of(encoder.config)
    rows, length = batch["input_ids"].shape
    outputs = encoder(batch)
    pooled = {"pooled_output"} if encoder.pooler is not None else set()
    assert set(outputs) == {"sequence_output"} | pooled
    assert outputs["sequence_output"].shape == (rows, length, config.hidden_size)
    assert all(x.dtype == "float32" for x in outputs.values())
    if encoder.pooler is not None:
        assert outputs["pooled_output"].shape == (rows, config.hidden_size)


def intermediates_come_on_request(encoder):
    config, batch = encoder.config, batch_of(encoder.config)
    rows, length = batch["input_ids"].shape
    outputs = encoder(batch, return_intermediates=True)
    states, attentions = outputs["hidden_states"], outputs.get("attentions", [])
    assert len(states) == config.num_hidden_layers + 1
    assert len(attentions) == (config.num_hidden_layers if config.num_attention_heads else 0)
    assert {x.shape for x in states} == {outputs["sequence_output"].shape}
    if encoder.mix is None:
        equal(states[-1], outputs["sequence_output"])
    equal(outputs["sequence_output"], encoder(batch)["sequence_output"])
    for probs in attentions:
        assert probs.shape == (rows, config.num_attention_heads, length, length)
        assert probs.dtype == "float32"
        near(np.sum(probs, axis=-1), 1.0)
        to_padding = batch["attention_mask"][:, None, None, :] == 0
        from_real = batch["attention_mask"][:, None, :, None] > 0
        assert not (np.asarray(probs) * (from_real & to_padding)).any()


def the_first_token_alone_is_the_first_of_all(encoder):
    batch = batch_of(encoder.config)
    whole, first = encoder(batch), encoder(batch, only_first=True)
    near(first["sequence_output"], whole["sequence_output"][:, :1])
    if encoder.pooler is not None:
        near(first["pooled_output"], whole["pooled_output"])
    key = new_key(0, 0)
    trained = encoder(batch, only_first=True, training=True, key=key)["sequence_output"]
    assert trained.shape == first["sequence_output"].shape
    assert np.abs(trained - first["sequence_output"]).max() > 1e-3


def no_pooler_means_no_pooled_output(encoder):
    batch, bare = batch_of(encoder.config), encoder.without_pooler()
    assert bare.pooler is None and bare.without_pooler() is bare
    assert set(bare(batch)) == {"sequence_output"}
    equal(bare(batch)["sequence_output"], encoder(batch)["sequence_output"])
    ours = {id(weight) for weight in encoder.weights}
    assert all(id(weight) in ours for weight in bare.weights), "it copied weights"


def every_weight_has_a_gradient(encoder):
    batch, numbers = batch_of(encoder.config), np.random.default_rng(1)
    with tf.GradientTape() as tape:
        outputs = encoder(batch)
        loss = tf.add_n(
            [
                tf.reduce_sum(x * numbers.standard_normal(x.shape).astype("float32"))
                for x in outputs.values()
            ]
        )
    weights = encoder.trainable_weights
    assert len(weights) == len(encoder.weights)
    gradients = tape.gradient(loss, [weight.value for weight in weights])
    for weight, gradient in zip(weights, gradients, strict=True):
        assert gradient is not None, f"{weight.path} has no gradient"
        values = tf.convert_to_tensor(gradient).numpy()
        assert np.isfinite(values).all() and values.any(), f"{weight.path}: gradient {values}"


def more_padding_changes_nothing(encoder):
    close, wide = (batch_of(encoder.config, padding=0), batch_of(encoder.config, padding=0))
    alone = [
        encoder({name: values[row : row + 1, :length] for name, values in close.items()})
        for row, length in enumerate(LENGTHS)
    ]
    near(np.concatenate([one["sequence_output"][0] for one in alone]), real(encoder, close))
    wide = {name: np.pad(values, ((0, 0), (0, 5))) for name, values in wide.items()}
    near(real(encoder, close), real(encoder, wide))
    wide["input_ids"][wide["attention_mask"] == 0] = 7
    near(real(encoder, close), real(encoder, wide))
    if encoder.pooler is not None:
        near(encoder(close)["pooled_output"], encoder(wide)["pooled_output"])


def packed_equals_unpacked(encoder):
    batch = batch_of(encoder.config)
    rows = [
        {name: values[row, :length] for name, values in batch.items()}
        for row, length in enumerate(LENGTHS)
    ]
    packed = {name: np.concatenate([row[name] for row in rows])[None] for name in rows[0]}
    packed["attention_mask"] = np.repeat([1, 2, 3], LENGTHS)[None].astype("int32")
    packed["position_ids"] = np.concatenate([np.arange(n) for n in LENGTHS])[None].astype("int32")
    near(real(encoder, packed), real(encoder, batch))
    firsts = np.array([[0, LENGTHS[0], LENGTHS[0] + LENGTHS[1], 0]], "int32")
    outputs = encoder(packed | {"sentence_positions": firsts}, only_first=True)
    near(outputs["sequence_output"], encoder(packed)["sequence_output"])
    if encoder.pooler is not None:
        assert outputs["pooled_output"].shape == (1, 4, encoder.config.hidden_size)
        near(outputs["pooled_output"][0, :3], encoder(batch)["pooled_output"])
        near(outputs["pooled_output"][0, 3], encoder(batch)["pooled_output"][0])


def a_batch_split_equals_the_whole(encoder):
    batch = batch_of(encoder.config)
    whole = encoder(batch)
    for row in range(len(LENGTHS)):
        part = encoder({name: values[row : row + 1] for name, values in batch.items()})
        for name in whole:
            near(part[name][0], whole[name][row])
    none = encoder({name: values[:0] for name, values in batch.items()})
    assert all(none[name].shape == (0, *whole[name].shape[1:]) for name in whole)


def absent_inputs_are_their_defaults(encoder):
    batch = batch_of(encoder.config)  # without padding: its ids may have no position
    ids = np.where(batch["attention_mask"], batch["input_ids"], 5).astype("int32")
    plain = encoder({"input_ids": ids})["sequence_output"]
    defaults = {
        "attention_mask": np.ones_like(ids),
        "token_type_ids": np.zeros_like(ids),
        "position_ids": np.tile(np.arange(ids.shape[1], dtype="int32"), (len(ids), 1)),
    }
    equal(encoder({"input_ids": ids, **defaults})["sequence_output"], plain)
    for name, values in defaults.items():
        equal(encoder({"input_ids": ids, name: values})["sequence_output"], plain)
    nothing = {**dict.fromkeys(defaults), "labels": np.ones(len(ids)), "sentence_positions": None}
    equal(encoder({"input_ids": ids, **nothing})["sequence_output"], plain)


def rows_too_long_and_unknown_ids_are_one_line(encoder):
    def refused(inputs, *parts):
        with pytest.raises(InputError) as caught:
            encoder(inputs)
        message = str(caught.value)
        assert "\n" not in message and all(str(part) in message for part in parts), message

    positions, words = encoder.config.longest_row, encoder.config.vocab_size
    encoder({"input_ids": np.full((1, positions), 3)})
    encoder({"input_ids": np.array([[0, words - 1]])})
    for ids, parts in (
        (np.ones((1, positions + 1), "int32"), (positions + 1, positions)),
        (np.array([[1, words]]), (f"id {words}", words - 1)),
        (np.array([[-1, 1]]), ("id -1", words - 1)),
    ):
        refused({"input_ids": ids}, "input_ids", *parts)
    types = getattr(encoder.config, "type_vocab_size", 0)
    if types:
        ids = np.ones((1, 2), "int32")
        wrong = {"input_ids": ids, "token_type_ids": ids * types}
        refused(wrong, f"token_type_ids: id {types}", types - 1)


def dropout_is_a_function_of_the_key(encoder):
    batch, key = batch_of(encoder.config), new_key(5, 0)
    first = real(encoder, batch, training=True, key=key)
    equal(first, real(encoder, batch, training=True, key=key))
    assert np.abs(first - real(encoder, batch, training=True, key=new_key(5, 1))).max() > 1e-3
    assert np.abs(first - real(encoder, batch, training=True)).max() > 1e-3
    assert np.abs(first - real(encoder, batch)).max() > 1e-3
    equal(real(encoder, batch), real(encoder, batch, training=False, key=key))


def graph_and_eager_agree(encoder):
    shape = tf.TensorSpec([None, None], tf.int32)
    batch = batch_of(encoder.config)

    @tf.function(input_signature=[dict.fromkeys(batch, shape)])
    def answer(batch):
        return encoder(batch)

    @tf.function(input_signature=[dict.fromkeys(batch, shape), tf.TensorSpec([2], tf.int64)])
    def train(batch, key):
        return encoder(batch, training=True, key=key)

    key = new_key(1, 2)
    for batch in (batch_of(encoder.config), batch_of(encoder.config, padding=0)):
        for name, values in encoder(batch).items():
            near(answer(batch)[name], values)
        for name, values in encoder(batch, training=True, key=key).items():
            near(train(batch, key)[name], values)


def low_precision_stays_near(encoder):
    batch = batch_of(encoder.config)
    want = real(encoder, batch)
    scale = max(1.0, np.abs(want).max() / 4)  # not every family ends with a norm
    for policy, tolerance in (("mixed_float16", 0.05), ("mixed_bfloat16", 0.4), ("bfloat16", 0.8)):
        low = fresh(encoder, dtype=policy)
        if policy.startswith("mixed_"):
            assert all(weight.dtype == "float32" for weight in low.weights)
        outputs = low(batch, return_intermediates=True)
        assert (
            outputs["sequence_output"].dtype == low.compute_dtype == policy.removeprefix("mixed_")
        )
        assert {probs.dtype for probs in outputs.get("attentions", [])} <= {tf.float32}
        low_outputs = keras.ops.cast(outputs["sequence_output"], "float32").numpy()
        near(low_outputs[batch["attention_mask"] > 0], want, tolerance * scale)
        trained = low(batch, training=True, key=new_key(0, 0))["sequence_output"]
        assert np.isfinite(keras.ops.cast(trained, "float32")).all()


def saved_and_loaded_is_the_same_bit_for_bit(encoder):
    batch = batch_of(encoder.config)
    for one in (encoder, encoder.without_pooler()):
        with tempfile.TemporaryDirectory() as directory:
            one.save_pretrained(directory)
            back = bert_tf.load_encoder(directory)
        assert back.family is encoder.family and back.config == encoder.config
        equal(back(batch)["sequence_output"], one(batch)["sequence_output"])
    with tempfile.TemporaryDirectory() as directory:
        encoder.save_pretrained(directory)
        back = bert_tf.load_encoder(directory)
    for ours, theirs in zip(encoder.weights, back.weights, strict=True):
        equal(ours, theirs)


def config_survives_a_dict(encoder):
    config = encoder.config
    values = json.loads(json.dumps(config.to_dict()))
    assert values["model_type"] == type(config).model_type
    assert type(config).from_dict(values) == config
    assert type(config).from_dict(values | {"transformers_version": "x"}) == config
    with pytest.raises(AttributeError):
        config.hidden_size = 3


CHECKS = (
    weights_exist_without_data,
    outputs_have_their_names_shapes_and_dtypes,
    intermediates_come_on_request,
    the_first_token_alone_is_the_first_of_all,
    no_pooler_means_no_pooled_output,
    every_weight_has_a_gradient,
    more_padding_changes_nothing,
    packed_equals_unpacked,
    a_batch_split_equals_the_whole,
    absent_inputs_are_their_defaults,
    rows_too_long_and_unknown_ids_are_one_line,
    dropout_is_a_function_of_the_key,
    graph_and_eager_agree,
    low_precision_stays_near,
    saved_and_loaded_is_the_same_bit_for_bit,
    config_survives_a_dict,
)
each_check = pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
