"""MobileBERT: the contract of an encoder, the paper in numpy with every option, its size."""

import dataclasses

import contract
import numpy as np
import oracles
import pytest
from contract import CHECKS, batch_of, encoder_of, near, real

from bert_tf import InputError, MaskedLM, MobileBertConfig, build_encoder, load_encoder, load_task
from bert_tf.encoders.mobilebert import SIZES

TINY = MobileBertConfig(
    vocab_size=23,
    embedding_size=6,
    hidden_size=12,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=14,
    intra_bottleneck_size=8,
    num_feedforward_networks=3,
    max_position_embeddings=16,
    hidden_dropout_prob=0.1,
    layer_norm_eps=1e-6,
)
ALONE = dataclasses.replace(TINY, trigram_input=False)
# What a neighbour changes: with trigrams the last token of a text reads the padding behind it.
OF_NEIGHBOURS = (contract.more_padding_changes_nothing, contract.packed_equals_unpacked)
OPTIONS = {
    "published": {},
    "without_trigrams": {"trigram_input": False},
    "nothing_to_transform": {"trigram_input": False, "embedding_size": 12},
    "layer_norm": {"normalization_type": "layer_norm"},
    "narrow_values": {"use_bottleneck_attention": True},
    "one_bottleneck": {"use_bottleneck_attention": True, "key_query_shared_bottleneck": False},
    "no_bottleneck_of_queries": {"key_query_shared_bottleneck": False, "intra_bottleneck_size": 12},
    "no_bottleneck": {"use_bottleneck": False, "normalization_type": "layer_norm"},
    "one_feed_forward": {"num_feedforward_networks": 1, "hidden_act": "gelu_new"},
    "first_token": {"classifier_activation": False},
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_mobilebert_keeps_the_contract_of_encoders(check):
    check(encoder_of(ALONE if check in OF_NEIGHBOURS else TINY))


def normalized(layer, path, x, config, epsilon=None):
    if config.normalization_type == "no_norm":
        return x * oracles.get(layer, f"{path}.gamma") + oracles.get(layer, f"{path}.beta")
    return oracles.norm(layer, path, x, config.layer_norm_eps if epsilon is None else epsilon)


def embedded(encoder, ids, types):
    config = encoder.config
    words = oracles.get(encoder, "embeddings.word_embeddings")[ids]
    if config.trigram_input:
        none = np.zeros_like(words[:1])
        after, before = np.concatenate([words[1:], none]), np.concatenate([none, words[:-1]])
        words = np.concatenate([after, words, before], axis=1)
    x = words
    if config.trigram_input or config.embedding_size != config.hidden_size:
        x = oracles.linear(encoder, "embeddings.transformation", words)
    x = x + oracles.get(encoder, "embeddings.position_embeddings")[: len(ids)]
    x = x + oracles.get(encoder, "embeddings.token_type_embeddings")[types]
    return normalized(encoder, "embeddings.norm", x, config, 1e-5)


def block(layer, x, seen, config):
    """One block by the paper's figure 1 and transformers' `MobileBertLayer`."""

    def bottleneck(path, x):
        return normalized(layer, f"{path}.norm", oracles.linear(layer, f"{path}.dense", x), config)

    inner = bottleneck("narrow", x) if config.use_bottleneck else x
    of_queries = of_values = x
    if config.use_bottleneck and config.use_bottleneck_attention:
        of_queries = of_values = inner
    elif config.use_bottleneck and config.key_query_shared_bottleneck:
        of_queries = bottleneck("narrow_queries", x)
    query, key = np.split(oracles.linear(layer, "attention.query_key", of_queries), 2, axis=1)
    value = oracles.linear(layer, "attention.value", of_values)
    heads = [np.split(part, config.num_attention_heads, axis=1) for part in (query, key, value)]
    attended = [oracles.attention(*one, seen)[0] for one in zip(*heads, strict=True)]
    attended = oracles.linear(layer, "attention.projection", np.concatenate(attended, axis=1))
    inner = normalized(layer, "attention_norm", inner + attended, config)
    for number, part in enumerate([*layer.feed_forwards, layer.feed_forward]):
        epsilon = 1e-5 if number == len(layer.feed_forwards) else None
        fed_forward = oracles.feed_forward(part, inner, config.hidden_act)
        inner = normalized(part, "norm", inner + fed_forward, config, epsilon)
    if not config.use_bottleneck:
        return inner
    return normalized(layer, "widen.norm", oracles.linear(layer, "widen.dense", inner) + x, config)


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_is_the_paper_in_numpy_and_comes_back_from_files(name, tmp_path):
    config = dataclasses.replace(TINY, **OPTIONS[name])
    encoder = oracles.randomize(build_encoder(config))
    batch = batch_of(config)
    got = encoder(batch, return_intermediates=True)
    for row in range(3):
        seen = batch["attention_mask"][row][:, None] == batch["attention_mask"][row][None]
        x = embedded(encoder, batch["input_ids"][row], batch["token_type_ids"][row])
        states = [x]
        for layer in encoder.blocks:
            states.append(block(layer, states[-1], seen, config))
        for ours, want in zip(got["hidden_states"], states, strict=True):
            near(ours[row], want, 5e-5)
        first = states[-1][0]
        if config.classifier_activation:
            first = np.tanh(oracles.linear(encoder, "pooler.dense", first))
        near(got["pooled_output"][row], first, 5e-5)
    encoder.save_pretrained(str(tmp_path))
    back = load_encoder(tmp_path)
    assert back.config == config
    for ours, theirs in zip(encoder.weights, back.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_with_trigrams_padding_behind_the_first_changes_nothing():
    encoder, batch = encoder_of(TINY), batch_of(TINY, padding=1)
    wide = {name: np.pad(values, ((0, 0), (0, 5))) for name, values in batch.items()}
    near(real(encoder, batch), real(encoder, wide))


def test_with_trigrams_a_packed_example_reads_none_of_the_others():
    encoder, batch = encoder_of(TINY), batch_of(TINY)
    lengths = contract.LENGTHS
    rows = [{n: x[row, :length] for n, x in batch.items()} for row, length in enumerate(lengths)]
    packed = {name: np.concatenate([row[name] for row in rows])[None] for name in rows[0]}
    packed["attention_mask"] = np.repeat([1, 2, 3], lengths)[None].astype("int32")
    packed["position_ids"] = np.concatenate([np.arange(n) for n in lengths])[None].astype("int32")
    packed = {name: np.pad(values, ((0, 0), (0, 2))) for name, values in packed.items()}
    near(real(encoder, packed), real(encoder, batch))


def test_the_masked_lm_head_s_matrix_is_the_words_table_and_columns_of_its_own(tmp_path):
    model = oracles.randomize(MaskedLM(build_encoder(TINY)))
    batch = batch_of(TINY)
    x = np.asarray(model.encoder(batch)["sequence_output"], np.float64)
    x = np.maximum(oracles.linear(model, "masked_lm_head.dense", x), 0)
    x = oracles.norm(model, "masked_lm_head.norm", x, 1e-6)
    table = oracles.get(model, "encoder.embeddings.word_embeddings")
    want = x[..., :6] @ table.T + x[..., 6:] @ oracles.get(model, "masked_lm_head.output_columns")
    near(model(batch), want + oracles.get(model, "masked_lm_head.output_bias"), 5e-5)
    model.save_pretrained(str(tmp_path))
    np.testing.assert_array_equal(load_task(tmp_path)(batch), model(batch))


def counted(config):
    """How many parameters the shapes of a published model come to; nothing is built."""
    narrow, wide, words = config.intra_bottleneck_size, config.hidden_size, config.embedding_size
    inner = config.intermediate_size

    def linear(rows, columns):
        return rows * columns + columns

    tables = config.vocab_size * words + (config.max_position_embeddings + 2) * wide
    embeddings = tables + linear(3 * words, wide) + 2 * wide
    bottlenecks = 2 * (linear(wide, narrow) + 2 * narrow) + linear(narrow, wide) + 2 * wide
    attention = 3 * linear(narrow, narrow) + linear(wide, narrow) + 2 * narrow
    feed_forward = linear(narrow, inner) + linear(inner, narrow) + 2 * narrow
    block = bottlenecks + attention + config.num_feedforward_networks * feed_forward
    return embeddings + config.num_hidden_layers * block + linear(wide, wide)


def test_the_published_size_has_its_published_number_of_parameters():
    assert build_encoder(TINY).count_params() == counted(TINY)
    assert set(SIZES) == {"mobilebert-uncased"} and SIZES["mobilebert-uncased"].hidden_act == "relu"
    # As transformers' `MobileBertModel` has; the paper's table 1 says 25.3 million.
    assert counted(SIZES["mobilebert-uncased"]) == 24_844_544


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"intra_bottleneck_size": 9}, "intra_bottleneck_size: 9 does not divide into num_att"),
        ({"use_bottleneck": False, "num_attention_heads": 5}, "hidden_size: 12 does not divide"),
        ({"normalization_type": "no_nrom"}, "normalization_type: 'no_nrom', .*nearest: no_norm"),
        ({"key_query_shared_bottleneck": False}, "key_query_shared_bottleneck: false, wanted true"),
        ({"num_feedforward_networks": 0}, "num_feedforward_networks: 0, wanted 1 or more"),
        ({"num_feedforward_networks": 10**9}, "num_feedforward_networks: .* wanted at most 100"),
        ({"embedding_size": 13}, "embedding_size: 13, wanted at most hidden_size: 12"),
        ({"pad_token_id": 23}, "pad_token_id: 23, wanted an id below vocab_size: 23"),
        ({"trigram_input": "yes"}, "trigram_input: 'yes', wanted true or false"),
    ],
)
def test_a_value_no_mobilebert_can_have_is_named(changes, message):
    with pytest.raises(InputError, match=message) as caught:
        dataclasses.replace(TINY, **changes)
    assert "\n" not in str(caught.value)
