"""An encoder before a decoder: what each reads, what is written, and where a decoder begins."""

import json

import numpy as np
import oracles
import pytest
import tensorflow as tf

from bert_tf import (
    CausalLM,
    ConfigError,
    Gpt2Config,
    InputError,
    Seq2Seq,
    build_encoder,
    load_task,
)
from bert_tf.layers import Context
from tests import tiny

CLS, SEP = 2, 3
SMALL = {"num_hidden_layers": 1, "hidden_size": 12, "num_attention_heads": 3}
INPUTS = {
    "input_ids": np.array([[2, 9, 11, 8, 3], [2, 7, 3, 0, 0]], "int32"),
    "attention_mask": np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], "int32"),
    "decoder_input_ids": np.array([[2, 12, 6, 10], [2, 5, 0, 0]], "int32"),
}


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return tiny.tokenizer(tmp_path_factory.mktemp("vocabulary"))


def made(decoder=SMALL, **options):
    encoder = build_encoder(tiny.config(num_hidden_layers=1))
    return oracles.randomize(Seq2Seq(encoder, decoder, **options))


def test_a_decoder_reads_its_source_and_the_words_before(tokenizer):
    model = made()
    want = model(INPUTS).numpy()
    later = {**INPUTS, "decoder_input_ids": INPUTS["decoder_input_ids"].copy()}
    later["decoder_input_ids"][0, 2] = 15
    moved = np.abs(model(later).numpy() - want).max(axis=-1) > 1e-6
    assert moved.tolist() == [[False, False, True, True], [False] * 4]
    source = {**INPUTS, "input_ids": INPUTS["input_ids"].copy()}
    source["input_ids"][:, 2] = 14
    assert (np.abs(model(source).numpy() - want).max(axis=-1) > 1e-6).all()
    source["input_ids"] = INPUTS["input_ids"].copy()
    source["input_ids"][1, 3:] = 17  # padding
    np.testing.assert_allclose(model(source), want, atol=1e-5)


def test_cross_attention_is_equation_1_in_numpy():
    model = made()
    block, numbers = model.writer.blocks[0], np.random.default_rng(3)
    x, memory = numbers.standard_normal((3, 12)), numbers.standard_normal((4, 12))
    there = np.array([[1, 1, 1, 0]])
    context = Context(1, 3, memory=memory[None].astype("float32"), memory_mask=there)
    got, probs = block.cross_attention(x.astype("float32"), context=context)
    query = oracles.linear(block, "cross_attention.query", x)
    key, value = np.split(oracles.linear(block, "cross_attention.key_value", memory[:3]), 2, axis=1)
    parts = (np.split(part, 3, axis=1) for part in (query, key, value))
    heads = [oracles.attention(*one, np.ones((3, 3), bool)) for one in zip(*parts, strict=True)]
    want = np.concatenate([head for head, _ in heads], axis=1)
    want = oracles.linear(block, "cross_attention.projection", want)
    np.testing.assert_allclose(got, want, atol=2e-5)
    np.testing.assert_allclose(probs[0, :, :, :3], np.stack([p for _, p in heads]), atol=1e-5)


def test_features_are_source_target_and_what_follows(tokenizer):
    cells = {"text": tf.constant(["a bad film", "good"]), "target": tf.constant(["not", "bad end"])}
    inputs, labels = Seq2Seq.features(cells, tokenizer, {"max_length": 8, "padding": "max_length"})
    words = [tokenizer.pieces([text])[0].to_list()[0] for text in ("not", "bad end")]
    assert inputs["input_ids"].shape == inputs["decoder_input_ids"].shape == (2, 8)
    read = inputs["decoder_input_ids"].numpy()
    assert read[0].tolist() == [CLS, *words[0]] + [0] * (7 - len(words[0]))
    assert labels[1].numpy().tolist()[: len(words[1]) + 1] == [*words[1], SEP]
    assert np.sum(labels.numpy() >= 0) == np.sum(inputs["decoder_attention_mask"])
    short, told = Seq2Seq.features(cells, tokenizer, {"max_length": 2, "padding": "longest"})
    assert short["decoder_input_ids"][1].numpy().tolist() == [CLS, words[1][0]]
    assert told[1].numpy().tolist() == words[1][:2]


@pytest.mark.parametrize("settings", [{}, {"num_beams": 2}], ids=["greedy", "beams"])
def test_what_it_writes_is_what_it_writes_without_a_cache_and_alone(tokenizer, settings):
    model, texts = made(), ["a bad film", "good", ""]
    together = model.generate(texts, tokenizer, max_new_tokens=6, **settings)
    assert model.generate(texts[:1], tokenizer, max_new_tokens=6, **settings) == together[:1]
    ids = [tokenizer([text])["input_ids"][0].numpy().tolist() for text in texts]
    assert model.generate(texts[1:2], tokenizer, max_new_tokens=6, **settings) == together[1:2]
    if settings:
        return
    for row, text in zip(ids, together, strict=True):
        written = [CLS]
        for _ in range(6):
            inputs = {"input_ids": np.array([row]), "decoder_input_ids": np.array([written])}
            word = int(np.argmax(model(inputs)[0, -1, : tokenizer.vocab_size]))
            written.append(word)
            if word == SEP:
                break
        said = tokenizer.joined(np.array([written[1:]]), np.array(written[1:])[None] != SEP)
        assert said.numpy()[0].decode() == text


def test_a_decoder_may_begin_with_the_weights_of_a_language_model(tmp_path, tokenizer):
    sizes = tiny.sizes(vocab_size=len(tiny.vocabulary()), max_position_embeddings=20)
    writer = oracles.randomize(CausalLM(build_encoder(Gpt2Config(**sizes))))
    model = Seq2Seq(build_encoder(tiny.config()), writer.encoder)
    assert model.writer.config.max_position_embeddings == 20
    # Without a memory it is the language model.
    ids = {"input_ids": INPUTS["decoder_input_ids"]}
    np.testing.assert_allclose(
        model.writer(ids)["sequence_output"], writer.encoder(ids)["sequence_output"], atol=1e-6
    )
    model.save_pretrained(str(tmp_path), tokenizer)
    back = load_task(tmp_path)
    np.testing.assert_array_equal(back(INPUTS), model(INPUTS))
    assert back.tokenizer.fingerprint == tokenizer.fingerprint
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == "bert_tf"


@pytest.mark.parametrize(
    ("kind", "decoder", "told"),
    [
        (InputError, {"model_type": "bert"}, "decoder: model_type: 'bert', wanted one of gpt2"),
        (ConfigError, {"layers": 3}, "layers: no field of Gpt2Config"),
        (InputError, {"vocab_size": 9}, "decoder: vocab_size: 9, wanted"),
    ],
)
def test_a_decoder_that_cannot_be_is_one_line(kind, decoder, told):
    with pytest.raises(kind, match=told) as caught:
        made(decoder)
    assert "\n" not in str(caught.value)
