"""BERT: the contract of an encoder, the paper in numpy, the sizes Google published."""

import dataclasses

import numpy as np
import oracles
import pytest
from contract import batch_of, each_check, encoder_of

from bert_tf import BertConfig, InputError, build_encoder
from bert_tf.encoders import FAMILIES, Encoder
from bert_tf.encoders.bert import SIZES

TINY = BertConfig(
    vocab_size=23,
    hidden_size=12,
    num_hidden_layers=2,
    num_attention_heads=3,
    intermediate_size=20,
    max_position_embeddings=16,
    type_vocab_size=3,
    layer_norm_eps=1e-6,
)

# Parameters of embeddings, blocks and pooler.
PUBLISHED = {
    "bert-tiny": 4_385_920,
    "bert-mini": 11_170_560,
    "bert-small": 28_763_648,
    "bert-medium": 41_373_184,
    "bert-base-uncased": 109_482_240,
    "bert-base-cased": 108_310_272,
    "bert-base-chinese": 102_267_648,
    "bert-base-multilingual-cased": 177_853_440,
    "bert-base-multilingual-uncased": 167_356_416,
    "bert-large-uncased": 335_141_888,
    "bert-large-cased": 333_579_264,
    "bert-large-uncased-whole-word-masking": 335_141_888,
    "bert-large-cased-whole-word-masking": 333_579_264,
}
# Of others' models: what their sizes come to; their model cards say it in millions.
OTHERS = {
    "TinyBERT_General_4L_312D": 14_350_248,
    "TinyBERT_General_6L_768D": 66_955_008,
    "MiniLM-L12-H384-uncased": 33_360_000,
    "MiniLM-L6-H384-uncased": 22_713_216,
    "Multilingual-MiniLM-L12-H384": 117_653_760,
    "chinese-bert-wwm": 102_267_648,
    "chinese-bert-wwm-ext": 102_267_648,
    "chinese-roberta-wwm-ext": 102_267_648,
    "chinese-roberta-wwm-ext-large": 325_522_432,
    "rbt3": 38_476_800,
    "rbt4": 45_564_672,
    "rbt6": 59_740_416,
    "rbtl3": 61_001_728,
    "chinese-macbert-base": 102_267_648,
    "chinese-macbert-large": 325_522_432,
}


def counted(config):
    """How many parameters the shapes come to; nothing is built."""
    width, inner = config.hidden_size, config.intermediate_size
    rows = config.vocab_size + config.max_position_embeddings + config.type_vocab_size
    norm = 2 * width
    attention = 4 * (width * width + width)
    feed_forward = width * inner + inner + inner * width + width
    blocks = config.num_hidden_layers * (attention + feed_forward + 2 * norm)
    return rows * width + norm + blocks + width * width + width


@each_check
def test_bert_keeps_the_contract_of_encoders(check):
    check(encoder_of(TINY))


@pytest.mark.parametrize("activation", ["relu", "gelu", "gelu_new", "swish"])
def test_the_whole_encoder_is_the_paper_in_numpy(activation):
    encoder = oracles.randomize(build_encoder(dataclasses.replace(TINY, hidden_act=activation)))
    batch = batch_of(TINY)
    batch["position_ids"] = np.random.default_rng(9).permuted(
        np.tile(np.arange(7, dtype="int32"), (3, 1)), axis=1
    )
    got = encoder(batch, return_intermediates=True)
    for row in range(3):
        want = oracles.bert(
            encoder,
            batch["input_ids"][row],
            batch["attention_mask"][row],
            batch["token_type_ids"][row],
            batch["position_ids"][row],
        )
        for name in ("hidden_states", "attentions"):
            for ours, theirs in zip(got[name], want[name], strict=True):
                np.testing.assert_allclose(ours[row], theirs, atol=1e-5)
        np.testing.assert_allclose(got["pooled_output"][row], want["pooled_output"], atol=1e-5)


@pytest.mark.parametrize(
    "config", [SIZES["bert-tiny"], SIZES["bert-mini"], TINY], ids=["tiny", "mini", "odd"]
)
def test_counting_by_shape_is_counting(config):
    assert build_encoder(config).count_params() == counted(config)


@pytest.mark.parametrize("name", SIZES)
def test_published_sizes_have_their_published_number_of_parameters(name):
    config = SIZES[name]
    known = PUBLISHED | OTHERS
    if name in known:
        assert counted(config) == known[name]
    if name not in OTHERS:
        assert config.num_attention_heads * 64 == config.hidden_size
        assert config.intermediate_size == 4 * config.hidden_size
    assert (config.max_position_embeddings, config.type_vocab_size) == (512, 2)


def test_all_published_sizes_are_there():
    compact = {
        f"bert_uncased_L-{layers}_H-{width}_A-{width // 64}"
        for layers in (2, 4, 6, 8, 10, 12)
        for width in (128, 256, 512, 768)
    }
    assert set(SIZES) == set(PUBLISHED) | set(OTHERS) | compact
    pairs = {"bert-tiny": "L-2_H-128_A-2", "bert-medium": "L-8_H-512_A-8"}
    assert all(SIZES[name] == SIZES[f"bert_uncased_{size}"] for name, size in pairs.items())


def test_an_encoder_is_built_from_a_size_or_a_config():
    encoder = build_encoder("bert-tiny", num_hidden_layers=1, vocab_size=30)
    assert type(encoder) is Encoder and len(encoder.blocks) == 1
    assert build_encoder(TINY).config == TINY
    assert encoder.family is FAMILIES["bert"] and encoder.family.config is BertConfig


@pytest.mark.parametrize(
    ("name", "hint"),
    [("bert-tinny", "did you mean bert-tiny"), ("word2vec", "there are"), ("", "there are")],
)
def test_a_size_nobody_published_gets_the_nearest_name(name, hint):
    with pytest.raises(InputError, match=hint) as caught:
        build_encoder(name)
    assert "\n" not in str(caught.value)


def test_a_config_of_no_family_is_refused():
    with pytest.raises(InputError, match="config: a dict"):
        build_encoder({"hidden_size": 8})
    with pytest.raises(InputError, match="config: .* wanted a config of bert"):
        build_encoder(dataclasses.make_dataclass("Odd", [("a", int)])(1))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_act": "gelu_nwe"}, "hidden_act: 'gelu_nwe'.*nearest: gelu_new"),
        ({"hidden_act": None}, "hidden_act: None"),
        ({"num_attention_heads": 5}, "hidden_size: 12 .* num_attention_heads: 5"),
        ({"num_hidden_layers": 0}, "num_hidden_layers: 0, wanted 1 or more"),
        ({"vocab_size": -1}, "vocab_size: -1, wanted 1 or more"),
        ({"vocab_size": 30.5}, "vocab_size: 30.5, wanted a whole number"),
        ({"vocab_size": True}, "vocab_size: True, wanted a whole number"),
        ({"hidden_dropout_prob": 1.0}, "hidden_dropout_prob: 1.0, wanted a share"),
        ({"hidden_dropout_prob": float("nan")}, "hidden_dropout_prob: nan, wanted a share"),
        ({"attention_probs_dropout_prob": -0.1}, "attention_probs_dropout_prob: -0.1"),
        ({"classifier_dropout": "0.1"}, "classifier_dropout: '0.1'"),
        ({"layer_norm_eps": "1e-12"}, "layer_norm_eps: '1e-12', wanted a number"),
        ({"layer_norm_eps": -1e-12}, "layer_norm_eps: -1e-12, wanted a number"),
        ({"initializer_range": None}, "initializer_range: None, wanted a number"),
    ],
)
def test_a_value_no_bert_can_have_is_named(changes, message):
    with pytest.raises(InputError, match=message) as caught:
        dataclasses.replace(TINY, **changes)
    assert "\n" not in str(caught.value)


def test_almost_everything_may_be_dropped():
    config = dataclasses.replace(TINY, hidden_dropout_prob=0.9999999)
    outputs = build_encoder(config)(batch_of(TINY), training=True)
    assert np.isfinite(outputs["sequence_output"]).all()
