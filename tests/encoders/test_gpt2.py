"""GPT-2: the contract of an encoder, the formulas, the published sizes, decoding with a cache."""

import dataclasses

import numpy as np
import oracles
import pytest
from contract import batch_of, each_check, encoder_of

from bert_tf import CausalLM, Gpt2Config, InputError, MaskedLM, SequenceClassifier, build_encoder
from bert_tf.encoders import FAMILIES, BertConfig
from bert_tf.encoders.gpt2 import SIZES
from bert_tf.layers import new_key

TINY = Gpt2Config(
    vocab_size=23,
    hidden_size=12,
    num_hidden_layers=2,
    num_attention_heads=3,
    intermediate_size=20,
    max_position_embeddings=16,
)
# Hugging Face hub, `gpt2` and so on; the output matrix is that of the words.
PUBLISHED = {
    "gpt2": 124_439_808,
    "gpt2-medium": 354_823_168,
    "gpt2-large": 774_030_080,
    "gpt2-xl": 1_557_611_200,
    "distilgpt2": 81_912_576,
}


def counted(config):
    """How many parameters the shapes come to; nothing is built."""
    width, inner = config.hidden_size, config.intermediate_size
    rows = config.vocab_size + config.max_position_embeddings
    block = 4 * (width * width + width) + 2 * width * inner + inner + width + 4 * width
    return rows * width + config.num_hidden_layers * block + 2 * width


def in_numpy(encoder, ids):
    """One row of tokens through GPT-2 (openai/gpt-2, model.py)."""
    config, length = encoder.config, len(ids)
    heads, epsilon = config.num_attention_heads, config.layer_norm_eps
    before = np.tril(np.ones((length, length), bool))
    x = oracles.get(encoder, "embeddings.word_embeddings")[ids]
    x = x + oracles.get(encoder, "embeddings.position_embeddings")[:length]
    for number, block in enumerate(encoder.blocks, start=1):
        parts = oracles.linear(
            block, "attention.qkv", oracles.norm(block, "attention_norm", x, epsilon)
        )
        attended = []
        for query, key, value in zip(
            *(np.split(part, heads, axis=1) for part in np.split(parts, 3, axis=1)), strict=True
        ):
            scores = query @ key.T
            scores /= np.sqrt(query.shape[1]) if config.scale_attn_weights else 1
            scores /= number if config.scale_attn_by_inverse_layer_idx else 1
            attended.append(oracles.softmax(np.where(before, scores, -np.inf)) @ value)
        x = x + oracles.linear(block, "attention.projection", np.concatenate(attended, axis=1))
        inner = oracles.norm(block, "feed_forward_norm", x, epsilon)
        x = x + oracles.feed_forward(block.feed_forward, inner, config.hidden_act)
    return oracles.norm(encoder, "final_norm", x, epsilon)


@each_check
def test_gpt2_keeps_the_contract_of_encoders(check):
    check(encoder_of(TINY))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"scale_attn_weights": False},
        {"scale_attn_by_inverse_layer_idx": True, "reorder_and_upcast_attn": True},
        {"hidden_act": "relu"},
    ],
)
def test_it_computes_the_published_formulas(changes):
    encoder = encoder_of(dataclasses.replace(TINY, **changes))
    batch = batch_of(encoder.config)
    got = np.asarray(encoder(batch)["sequence_output"])
    for row, length in enumerate((5, 3, 4)):
        want = in_numpy(encoder, batch["input_ids"][row, :length])
        np.testing.assert_allclose(got[row, :length], want, atol=2e-5)


def test_upcast_scores_are_those_of_float32_in_low_precision():
    config = dataclasses.replace(TINY, reorder_and_upcast_attn=True)
    low = build_encoder(config, dtype="mixed_bfloat16")
    plain = build_encoder(TINY, dtype="mixed_bfloat16")
    for encoder in (low, plain):
        oracles.randomize(encoder)
    probs = [x(batch_of(TINY), return_intermediates=True)["attentions"][0] for x in (low, plain)]
    assert 1e-6 < np.abs(probs[0] - probs[1]).max() < 0.3


@pytest.mark.parametrize("steps", [(1,) * 7, (4, 1, 2)], ids=["one by one", "prompt first"])
def test_with_a_cache_it_computes_what_it_computes_without(steps):
    encoder, batch = encoder_of(TINY), batch_of(TINY)
    # Padding on the left: the last token of a prompt stands where the next one is to come.
    ids, mask = (batch[name][:, ::-1] for name in ("input_ids", "attention_mask"))
    places = np.maximum(np.cumsum(mask, axis=1) - 1, 0).astype("int32")
    inputs = {"input_ids": ids, "attention_mask": mask, "position_ids": places}
    want, cache, done = np.asarray(encoder(inputs)["sequence_output"]), (), 0
    for new in steps:
        part = {name: x[:, done : done + new] for name, x in inputs.items()}
        part["attention_mask"] = mask[:, : done + new]
        outputs = encoder(part, cache=cache)
        cache = outputs["cache"]
        got = np.asarray(outputs["sequence_output"])
        real = mask[:, done : done + new] > 0
        np.testing.assert_allclose(got[real], want[:, done : done + new][real], atol=1e-5)
        done += new
    assert {x.shape for pair in cache for x in pair} == {(3, 3, 7, 4)}


def test_counting_by_shape_is_counting():
    assert build_encoder(TINY).count_params() == counted(TINY)


@pytest.mark.parametrize("name", SIZES)
def test_published_sizes_have_their_published_number_of_parameters(name):
    assert set(SIZES) == set(PUBLISHED) and Gpt2Config() == SIZES["gpt2"]
    config = SIZES[name]
    assert counted(config) == PUBLISHED[name]
    assert config.num_attention_heads * 64 == config.hidden_size
    assert (config.hidden_act, config.layer_norm_eps) == ("gelu_new", 1e-5)
    assert (config.max_position_embeddings, config.eos_token_id) == (1024, 50256)


def test_kernels_before_a_sum_begin_smaller():
    encoder = build_encoder(TINY, hidden_size=96, intermediate_size=300, num_hidden_layers=8)
    block = encoder.blocks[0]
    usual = np.std(np.concatenate([block.attention.qkv.kernel.numpy().ravel()]))
    for kernel in (block.attention.projection.kernel, block.feed_forward.contract.kernel):
        assert np.std(kernel.numpy()) == pytest.approx(usual / 4, rel=0.05)


def test_sentences_are_classified_by_their_last_real_token_without_a_bias():
    model = oracles.randomize(SequenceClassifier(build_encoder(TINY), 3))
    batch = batch_of(TINY)
    sequence = np.asarray(model.encoder(batch)["sequence_output"], np.float64)
    last = sequence[np.arange(3), [4, 2, 3]]
    assert model.head.projection.bias is None
    want = last @ oracles.get(model, "head.projection.kernel")
    np.testing.assert_allclose(model(batch), want, atol=2e-5)


def test_a_language_model_reads_from_left_to_right_and_no_other_family_does():
    assert build_encoder("gpt2", vocab_size=9, num_hidden_layers=1).family is FAMILIES["gpt2"]
    with pytest.raises(InputError, match="a bert, whose tokens attend to later ones"):
        CausalLM(build_encoder(BertConfig(**{x: getattr(TINY, x) for x in _SIZES})))
    with pytest.raises(InputError, match="a gpt2, which reads from left to right.*CausalLM"):
        MaskedLM(build_encoder(TINY))


_SIZES = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads")


def test_a_model_without_tied_words_has_an_output_matrix_of_its_own():
    tied, free = (
        oracles.randomize(CausalLM(build_encoder(TINY, tie_word_embeddings=tie)))
        for tie in (True, False)
    )
    batch = batch_of(TINY)
    assert len(free.weights) == len(tied.weights) + 1
    for model, path in (
        (tied, "encoder.embeddings.word_embeddings"),
        (free, "next_word_head.output_embeddings"),
    ):
        sequence = np.asarray(model.encoder(batch)["sequence_output"], np.float64)
        want = sequence @ oracles.get(model, path).T
        np.testing.assert_allclose(model(batch), want, atol=5e-5)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"scale_attn_weights": 1}, "scale_attn_weights: 1, wanted true or false"),
        ({"embedding_dropout_prob": 1.5}, "embedding_dropout_prob: 1.5, wanted a share"),
        ({"type_vocab_size": 2}, "type_vocab_size: 2, GPT-2 has no token types"),
        ({"eos_token_id": -1}, "eos_token_id: -1, wanted 0 or more"),
    ],
)
def test_a_value_that_no_gpt2_can_have_is_one_line(changes, told):
    with pytest.raises(InputError, match=told):
        dataclasses.replace(TINY, **changes)


def test_dropout_of_the_embeddings_has_a_rate_of_its_own():
    still = dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    batch, key = batch_of(TINY), new_key(1, 2)
    for rate in (0.0, 0.5):
        encoder = encoder_of(dataclasses.replace(TINY, **still, embedding_dropout_prob=rate))
        plain, dropped = (
            np.asarray(encoder(batch, training=training, key=key)["sequence_output"])
            for training in (False, True)
        )
        assert np.array_equal(plain, dropped) == (rate == 0)
