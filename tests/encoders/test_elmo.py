"""ELMo: the contract, the papers in numpy, one direction beside Keras' own LSTM."""

import json

import keras
import numpy as np
import oracles
import pytest
from contract import batch_of, each_check, encoder_of

from bert_tf import (
    BertConfig,
    BidirectionalLM,
    ElmoConfig,
    InputError,
    SequenceClassifier,
    build_encoder,
    load_encoder,
)
from bert_tf.layers import Context, StateResets, TwoWayLSTM
from bert_tf.training.freezing import freeze
from tests import tiny

TINY = ElmoConfig(
    vocab_size=23,
    hidden_size=12,
    num_hidden_layers=2,
    intermediate_size=7,
    max_position_embeddings=16,
)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_in_numpy(block, direction, x):
    """One row through one direction (Sak et al. 2014, eq. 1 to 7), its rows in reading order."""
    kernel, recurrent, projection, bias = (
        oracles.get(block, name)[direction]
        for name in ("input_kernel", "recurrent_kernel", "projection", "bias")
    )
    h, c, found = np.zeros(x.shape[1]), np.zeros(len(projection)), []
    for row in x:
        into, forget, new, out = np.split(row @ kernel + h @ recurrent + bias, 4)
        c = sigmoid(forget) * c + sigmoid(into) * np.tanh(new)
        h = (sigmoid(out) * np.tanh(c)) @ projection
        found.append(h)
    return np.array(found)


def in_numpy(encoder, ids):
    """The layers of one row of tokens, and their mixture (Peters et al. 2018, section 3)."""
    words = oracles.get(encoder, "embeddings.word_embeddings")[ids]
    layers = [np.concatenate([words, words], axis=1)]
    for number, block in enumerate(encoder.blocks):
        forward, backward = np.split(layers[-1], 2, axis=1)
        forward = lstm_in_numpy(block, 0, forward)
        backward = lstm_in_numpy(block, 1, backward[::-1])[::-1]
        both = np.concatenate([forward, backward], axis=1)
        layers.append(both + (layers[-1] if number else 0))
    shares = oracles.softmax(oracles.get(encoder, "mix.scores"))
    mixed = sum(share * layer for share, layer in zip(shares, layers, strict=True))
    return layers, oracles.get(encoder, "mix.gamma") * mixed


@each_check
def test_elmo_keeps_the_contract_of_encoders(check):
    check(encoder_of(TINY))


def test_it_computes_the_published_formulas():
    encoder, batch = encoder_of(TINY), batch_of(TINY)
    got = encoder(batch, return_intermediates=True)
    assert "attentions" not in got
    for row, length in enumerate((5, 3, 4)):
        layers, mixed = in_numpy(encoder, batch["input_ids"][row, :length])
        for ours, want in zip(got["hidden_states"], layers, strict=True):
            np.testing.assert_allclose(np.asarray(ours)[row, :length], want, atol=2e-5)
        output = np.asarray(got["sequence_output"])[row, :length]
        np.testing.assert_allclose(output, mixed, atol=2e-5)


def test_one_direction_is_keras_lstm_where_nothing_is_projected():
    block, theirs = TwoWayLSTM(4, residual=False), keras.layers.LSTM(4, return_sequences=True)
    block.build((None, 8))
    oracles.randomize(block)
    block.projection.assign(np.stack([np.eye(4)] * 2))
    x = np.random.default_rng(0).standard_normal((3, 6, 8)).astype("float32")
    theirs.build((None, 6, 4))
    names = ("input_kernel", "recurrent_kernel", "bias")
    theirs.set_weights([getattr(block, name).numpy()[0] for name in names])
    context = StateResets().tell(Context(3, 6), None, np.ones((3, 6), "int32"))
    ours = np.asarray(block(x.reshape(18, 8), context=context)[0]).reshape(3, 6, 8)
    np.testing.assert_allclose(ours[..., :4], theirs(x[..., :4]), atol=1e-5)


def test_no_direction_knows_what_the_other_reads():
    encoder, batch = encoder_of(TINY), batch_of(TINY, padding=0)
    other = {name: x.copy() for name, x in batch.items()}
    other["input_ids"][0, 2] = 1 + batch["input_ids"][0, 2] % 20
    before, after = (
        np.asarray(encoder(each, return_intermediates=True)["hidden_states"][-1])[0]
        for each in (batch, other)
    )
    np.testing.assert_array_equal(before[:2, :6], after[:2, :6])
    np.testing.assert_array_equal(before[3:, 6:], after[3:, 6:])
    changed = np.abs(before - after)
    assert (changed[2:, :6].max(axis=1) > 1e-4).all() and (changed[:3, 6:].max(axis=1) > 1e-4).all()


def test_its_language_model_asks_each_word_from_both_sides():
    model = oracles.randomize(BidirectionalLM(build_encoder(TINY)))
    batch = batch_of(TINY, padding=0)
    logits = np.asarray(model(batch))
    assert logits.shape == (3, 8, 23) and not model.encoder.mix.trainable_weights
    top = in_numpy(model.encoder, batch["input_ids"][0])[0][-1]
    table = oracles.get(model, "encoder.embeddings.word_embeddings")
    for pair in range(4):
        np.testing.assert_allclose(logits[0, 2 * pair], top[pair, :6] @ table.T, atol=1e-4)
        want = top[pair + 1, 6:] @ table.T
        np.testing.assert_allclose(logits[0, 2 * pair + 1], want, atol=1e-4)


def test_a_frozen_encoder_learns_its_mixture_of_layers_all_the_same():
    model = SequenceClassifier(build_encoder(TINY), 2)
    freeze(model, "encoder")
    names = {variable.path.rsplit("/", 2)[-1] for variable in model.trainable_variables}
    assert names == {"kernel", "bias", "scores", "gamma"}


def test_an_output_matrix_of_its_own_is_as_wide_as_a_direction():
    free = BidirectionalLM(build_encoder(TINY, tie_word_embeddings=False))
    assert tuple(free.next_word_head.output_embeddings.shape) == (23, 6)


def test_sizes_that_are_not_those_of_the_tensors_are_one_line(tmp_path):
    encoder_of(TINY).save_pretrained(str(tmp_path))
    config = json.loads((tmp_path / "config.json").read_text())
    for key, told in (
        ("vocab_size", "vocab_size"),
        ("hidden_size", "embedding_size: 1000000000"),
        ("intermediate_size", "intermediate_size"),
    ):
        (tmp_path / "config.json").write_text(json.dumps(config | {key: 2_000_000_000}))
        with pytest.raises(InputError, match=f"does not fit .*{told}"):
            load_encoder(str(tmp_path))


def test_what_no_elmo_can_have_is_one_line():
    for changes, told in (
        ({"hidden_size": 7}, "hidden_size: 7, wanted an even number"),
        ({"num_attention_heads": 2}, "num_attention_heads: 2, wanted 0: a elmo has none"),
        ({"num_hidden_layers": 0}, "num_hidden_layers: 0, wanted 1 or more"),
    ):
        with pytest.raises(InputError, match=told):
            ElmoConfig(**changes)
    with pytest.raises(InputError, match="a bert, whose layers do not read in two directions"):
        BidirectionalLM(build_encoder(BertConfig(**tiny.sizes())))
