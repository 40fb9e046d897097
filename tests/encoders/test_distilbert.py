"""DistilBERT: the contract of an encoder, its names for sizes, fixed positions, published sizes."""

import dataclasses

import numpy as np
import oracles
import pytest
from contract import batch_of, each_check, encoder_of, near

from bert_tf import (
    DistilBertConfig,
    ExtractiveQA,
    InputError,
    MultipleChoice,
    SequenceClassifier,
    TokenClassifier,
    build_encoder,
    load_encoder,
)
from bert_tf.encoders.distilbert import SIZES

TINY = DistilBertConfig(
    vocab_size=23,
    hidden_size=12,
    num_hidden_layers=2,
    num_attention_heads=3,
    intermediate_size=20,
    max_position_embeddings=16,
    hidden_act="relu",
)
FIXED = dataclasses.replace(TINY, sinusoidal_pos_embds=True)

PUBLISHED = {
    "distilbert-base-uncased": 66_362_880,
    "distilbert-base-cased": 65_190_912,
    "distilbert-base-multilingual-cased": 134_734_080,
}


def counted(config):
    """How many parameters the shapes come to; nothing is built."""
    width, inner = config.hidden_size, config.intermediate_size
    rows = config.vocab_size + config.max_position_embeddings
    attention = 4 * (width * width + width)
    feed_forward = width * inner + inner + inner * width + width
    blocks = config.num_hidden_layers * (attention + feed_forward + 4 * width)
    return rows * width + 2 * width + blocks


@each_check
def test_distilbert_keeps_the_contract_of_encoders(check):
    check(encoder_of(TINY))


def test_counting_by_shape_is_counting():
    assert build_encoder(TINY).count_params() == counted(TINY)


@pytest.mark.parametrize("name", SIZES)
def test_published_sizes_have_their_published_number_of_parameters(name):
    assert counted(SIZES[name]) == PUBLISHED[name]
    assert (SIZES[name].hidden_act, SIZES[name].longest_row) == ("gelu", 512)


def test_all_published_sizes_are_there_and_the_default_is_the_first():
    assert set(SIZES) == set(PUBLISHED)
    assert DistilBertConfig() == SIZES["distilbert-base-uncased"]


def test_a_file_has_its_own_names_and_none_that_its_code_does_not_read():
    values = TINY.to_dict()
    assert (values["dim"], values["n_layers"], values["n_heads"]) == (12, 2, 3)
    assert (values["hidden_dim"], values["activation"]) == (20, "relu")
    assert (values["dropout"], values["attention_dropout"]) == (0.1, 0.1)
    assert not {"hidden_size", "type_vocab_size", "layer_norm_eps"} & set(values)
    # transformers takes these three under BERT's names too.
    usual = {"hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 4}
    read = DistilBertConfig.from_dict({**usual, "type_vocab_size": 2, "layer_norm_eps": 0.5})
    assert {name: getattr(read, name) for name in usual} == usual
    assert (read.type_vocab_size, read.layer_norm_eps) == (0, 1e-12)


def test_fixed_positions_are_sines_that_no_training_moves_and_files_keep(tmp_path):
    encoder = build_encoder(FIXED)
    table = encoder.embeddings.position_embeddings
    place, entry = np.arange(16)[:, None], np.arange(12)[None]
    angle = place / 10000.0 ** (2 * (entry // 2) / 12)
    near(table, np.where(entry % 2, np.cos(angle), np.sin(angle)))
    assert all(weight is not table for weight in encoder.trainable_weights)
    assert any(weight is table for weight in encoder.weights)
    table.assign(np.full((16, 12), 0.25))
    encoder.save_pretrained(str(tmp_path))
    back = load_encoder(tmp_path)
    assert back.config == FIXED and (back.embeddings.position_embeddings.numpy() == 0.25).all()


def test_each_head_has_the_dropout_that_was_published_for_it():
    encoder = build_encoder(dataclasses.replace(TINY, hidden_dropout_prob=0.3, qa_dropout=0.4))
    rates = {
        kind.__name__: kind(encoder).head.dropout_rate
        for kind in (SequenceClassifier, MultipleChoice, TokenClassifier, ExtractiveQA)
    }
    assert list(rates.values()) == [0.2, 0.2, 0.3, 0.4]


def test_the_classifier_is_dense_relu_and_projection_over_the_first_token():
    model = oracles.randomize(SequenceClassifier(build_encoder(TINY), 3))
    batch = batch_of(TINY)
    first = np.asarray(model.encoder(batch)["sequence_output"][:, 0], np.float64)
    inner = np.maximum(oracles.linear(model, "head.hidden.0", first), 0)
    near(model(batch), oracles.linear(model, "head.projection", inner))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"type_vocab_size": 2}, "type_vocab_size: 2, every DistilBERT has 0"),
        ({"layer_norm_eps": 1e-5}, "layer_norm_eps: 1e-05, every DistilBERT has 1e-12"),
        ({"classifier_dropout": 0.1}, "classifier_dropout: 0.1, every DistilBERT has None"),
        ({"sinusoidal_pos_embds": 1}, "sinusoidal_pos_embds: 1, wanted true or false"),
        ({"seq_classif_dropout": 1}, "seq_classif_dropout: 1, wanted a share"),
        ({"qa_dropout": None}, "qa_dropout: None, wanted a share"),
    ],
)
def test_a_value_no_distilbert_can_have_is_named(changes, message):
    with pytest.raises(InputError, match=message) as caught:
        dataclasses.replace(TINY, **changes)
    assert "\n" not in str(caught.value)
