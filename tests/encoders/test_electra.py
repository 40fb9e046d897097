"""ELECTRA: the contract of an encoder, its heads, the sizes Google published, the generator."""

import dataclasses

import numpy as np
import oracles
import pytest
from contract import batch_of, each_check, encoder_of

from bert_tf import (
    ElectraConfig,
    InputError,
    MultipleChoice,
    SequenceClassifier,
    build_encoder,
    load_task,
)
from bert_tf.encoders import FAMILIES
from bert_tf.encoders.electra import SIZES

TINY = ElectraConfig(
    vocab_size=23,
    embedding_size=6,
    hidden_size=12,
    num_hidden_layers=2,
    num_attention_heads=3,
    intermediate_size=20,
    max_position_embeddings=16,
    layer_norm_eps=1e-6,
)
SMALL = dataclasses.replace(TINY, hidden_size=8, num_attention_heads=2, intermediate_size=10)

# Parameters as KerasHub counts them: with a pooler, width * width + width, which there is none of.
PUBLISHED = {
    "electra-small-discriminator": 13_548_800,
    "electra-base-discriminator": 109_482_240,
    "electra-large-discriminator": 335_141_888,
    "electra-small-generator": 13_548_800,
    "electra-base-generator": 33_576_960,
    "electra-large-generator": 51_065_344,
}


def counted(config):
    """How many parameters the shapes come to; nothing is built."""
    narrow, width, inner = config.embedding_size, config.hidden_size, config.intermediate_size
    rows = config.vocab_size + config.max_position_embeddings + config.type_vocab_size
    attention = 4 * (width * width + width)
    feed_forward = width * inner + inner + inner * width + width
    projection = narrow * width + width if narrow != width else 0
    blocks = config.num_hidden_layers * (attention + feed_forward + 4 * width)
    return rows * narrow + 2 * narrow + projection + blocks


@each_check
@pytest.mark.parametrize("embedding_size", [6, pytest.param(12, marks=pytest.mark.slow)])
def test_electra_keeps_the_contract_of_encoders(embedding_size, check):
    check(encoder_of(dataclasses.replace(TINY, embedding_size=embedding_size)))


@pytest.mark.parametrize("embedding_size", [6, 12])
def test_counting_by_shape_is_counting(embedding_size):
    config = dataclasses.replace(TINY, embedding_size=embedding_size)
    assert build_encoder(config).count_params() == counted(config)


@pytest.mark.parametrize("name", SIZES)
def test_published_sizes_have_their_published_number_of_parameters(name):
    config = SIZES[name]
    pooler = config.hidden_size * config.hidden_size + config.hidden_size
    assert counted(config) == PUBLISHED[name] - pooler
    assert config.num_attention_heads * 64 == config.hidden_size
    assert config.hidden_act == "gelu" and config.hidden_dropout_prob == 0.1


def test_all_published_sizes_are_there_and_the_default_is_the_smallest():
    assert set(SIZES) == set(PUBLISHED)
    assert ElectraConfig() == SIZES["electra-small-discriminator"]
    encoder = build_encoder("electra-base-generator", vocab_size=30, num_hidden_layers=1)
    assert encoder.family is FAMILIES["electra"] and encoder.config.embedding_size == 768


def test_there_is_no_pooler():
    with pytest.raises(InputError, match="pooler: True, the family electra has none"):
        build_encoder(TINY, pooler=True)


def test_the_classifier_is_dense_gelu_and_projection_over_the_first_token():
    model = oracles.randomize(SequenceClassifier(build_encoder(TINY), 3))
    batch = batch_of(TINY)
    first = np.asarray(model.encoder(batch)["sequence_output"][:, 0], np.float64)
    inner = oracles.ACTIVATIONS["gelu"](oracles.linear(model, "head.hidden.0", first))
    want = oracles.linear(model, "head.projection", inner)
    np.testing.assert_allclose(model(batch), want, atol=2e-5)


@pytest.mark.parametrize("activation", ["tanh", "linear"])
def test_a_choice_is_read_by_the_summary_that_the_config_tells(activation, tmp_path):
    config = dataclasses.replace(TINY, summary_activation=activation, summary_last_dropout=0.3)
    model = oracles.randomize(MultipleChoice(build_encoder(config)))
    assert model.head.dropout_rate == 0.3
    assert SequenceClassifier(model.encoder).head.dropout_rate == 0.1
    batch = batch_of(TINY)
    first = np.asarray(model.encoder(batch)["sequence_output"][:, 0], np.float64)
    inner = oracles.linear(model, "head.hidden.0", first)
    inner = oracles.ACTIVATIONS[activation](inner)
    want = oracles.linear(model, "head.projection", inner)[:, 0]
    rows = {name: values[None] for name, values in batch.items()}
    np.testing.assert_allclose(model(rows), [want], atol=2e-5)
    model.save_pretrained(str(tmp_path))
    back = load_task(tmp_path)
    assert back.encoder.config == config
    np.testing.assert_array_equal(back(rows), model(rows))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"summary_type": "mean"}, "summary_type: 'mean', wanted one of first"),
        ({"summary_use_proj": False}, "summary_use_proj: false, here only true"),
        ({"summary_activation": "tahn"}, "summary_activation: 'tahn', .*nearest: tanh"),
        ({"summary_last_dropout": 1.0}, "summary_last_dropout: 1.0, wanted a share"),
    ],
)
def test_a_summary_that_is_not_here_is_named(changes, message):
    with pytest.raises(InputError, match=message):
        dataclasses.replace(TINY, **changes)


@pytest.mark.parametrize("activation", ["relu", "gelu_new"])
def test_the_generator_s_head_has_the_exact_gelu_and_the_discriminator_s_that_of_the_blocks(
    activation,
):
    encoder = build_encoder(dataclasses.replace(TINY, hidden_act=activation))
    x = np.random.default_rng(0).standard_normal((4, 12)).astype("float32")
    head = oracles.randomize(encoder.masked_lm_head())
    inner = oracles.ACTIVATIONS["gelu"](oracles.linear(head, "dense", x))
    inner = oracles.norm(head, "norm", inner, 1e-6)
    table = np.random.default_rng(1).standard_normal((23, 6)).astype("float32")
    want = inner @ table.T + oracles.get(head, "output_bias")
    np.testing.assert_allclose(head(x, table), want, atol=2e-5)
    head = oracles.randomize(encoder.replaced_token_head())
    inner = oracles.ACTIVATIONS[activation](oracles.linear(head, "hidden.0", x))
    np.testing.assert_allclose(head(x), oracles.linear(head, "projection", inner), atol=2e-5)


def test_a_generator_reads_the_very_tables_of_its_discriminator():
    encoder = oracles.randomize(build_encoder(TINY))
    generator = encoder.generator(SMALL)
    batch, before = batch_of(TINY), None
    assert generator.embeddings is encoder.embeddings
    assert generator.embeddings_projection is not encoder.embeddings_projection
    before = generator(batch)["sequence_output"].numpy()
    encoder.embeddings.word_embeddings.assign_add(np.full((23, 6), 0.5) * np.arange(6))
    assert np.abs(generator(batch)["sequence_output"] - before).max() > 1e-3


def test_a_generator_with_tables_of_its_own_is_refused():
    encoder = build_encoder(TINY)
    with pytest.raises(InputError, match="generator: vocab_size: 24, wanted 23"):
        encoder.generator(dataclasses.replace(SMALL, vocab_size=24))
    with pytest.raises(InputError, match="generator: embedding_size: 8, wanted 6"):
        encoder.generator(dataclasses.replace(SMALL, embedding_size=8))
