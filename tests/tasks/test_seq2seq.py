"""An encoder before a decoder: what each reads, what is written, and where a decoder begins."""

import json

import numpy as np
import oracles
import pytest
import tensorflow as tf

from bert_tf import (
    BertConfig,
    CausalLM,
    ConfigError,
    Gpt2Config,
    InputError,
    MaskedLM,
    Seq2Seq,
    TransformerConfig,
    build_encoder,
    load_encoder,
    load_task,
)
from bert_tf.layers import Context
from bert_tf.tasks.generation import generation_of
from bert_tf.tasks.generation.asking import words_of
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


def vaswani(**changes):
    """The encoder of Vaswani et al. 2017, small."""
    sizes = dict(vocab_size=len(tiny.vocabulary()), hidden_size=16, max_position_embeddings=32)
    sizes |= dict(num_hidden_layers=1, type_vocab_size=0, hidden_act="relu")
    choices = dict(position_embedding="sinusoidal", word_embedding="scaled")
    return build_encoder(TransformerConfig(**tiny.sizes(**sizes), **choices | changes))


def transformer(**options):
    given = dict(share_embeddings=True, label_smoothing=0.1) | options
    return oracles.randomize(Seq2Seq(vaswani(), {"model_type": "transformer"}, **given))


def two_berts():
    """A model of two BERTs; the second, with its head for words, had been trained alone."""
    decoder = oracles.randomize(MaskedLM(build_encoder(tiny.config(num_hidden_layers=1))), seed=4)
    return Seq2Seq(oracles.randomize(build_encoder(tiny.config(num_hidden_layers=1))), decoder)


KINDS = {"gpt2": made, "transformer": transformer, "two BERTs": two_berts}


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


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("gpt2", {}),
        ("gpt2", {"num_beams": 2}),
        *(pytest.param(kind, {}, marks=pytest.mark.slow) for kind in KINDS if kind != "gpt2"),
    ],
)
def test_what_it_writes_is_what_it_writes_without_a_cache_and_alone(tokenizer, kind, settings):
    model, texts = KINDS[kind](), ["a bad film", "good", ""]
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


@pytest.mark.parametrize("kind", KINDS)
def test_word_by_word_a_decoder_computes_what_it_computes_at_once(kind):
    model = KINDS[kind]()
    memory = model({name: INPUTS[name] for name in ("input_ids", "attention_mask")})
    ids = INPUTS["decoder_input_ids"]
    told = {"memory": memory, "memory_mask": INPUTS["attention_mask"]}
    want, cache = model.writer({"input_ids": ids, **told})["sequence_output"], ()
    for place in range(ids.shape[1]):
        read = {"input_ids": ids[:, place : place + 1], **(told if not cache else {})}
        read["attention_mask"] = np.ones((2, place + 1), "int32")
        read["position_ids"] = np.full((2, 1), place)
        outputs = model.writer(read, cache=cache)
        cache = outputs["cache"]
        got = outputs["sequence_output"][:, 0]
        np.testing.assert_allclose(got, want[:, place], atol=1e-5)


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
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["model_type"] == "encoder-decoder"
    assert (config["decoder_start_token_id"], config["eos_token_id"]) == (CLS, SEP)


@pytest.mark.parametrize(
    ("kind", "decoder", "told"),
    [
        (InputError, {"model_type": "albert"}, "model_type: 'albert', wanted one of bert, gpt2"),
        (InputError, {"model_type": ["gpt2"]}, r"model_type: \['gpt2'\], wanted one of"),
        (InputError, {"model_type": "bert", "parts_of": "albert"}, "embedding_size: None, wanted"),
        (ConfigError, {"layers": 3}, "layers: no field of Gpt2Config"),
        (InputError, {"vocab_size": 9}, "decoder: vocab_size: 9, wanted"),
    ],
)
def test_a_decoder_that_cannot_be_is_one_line(kind, decoder, told):
    with pytest.raises(kind, match=told) as caught:
        made(decoder)
    assert "\n" not in str(caught.value)


def test_the_transformer_s_decoder_is_section_3_in_numpy():
    model = transformer()
    config, block = model.writer.config, model.writer.blocks[0]
    inputs = {name: x[:1] for name, x in INPUTS.items()}
    ids, table = (
        inputs["decoder_input_ids"][0],
        oracles.get(model, "writer.embeddings.word_embeddings"),
    )
    angles = np.arange(4)[:, None] / 10000 ** (np.arange(0, 16, 2) / 16)
    places = np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(4, 16)
    memory = np.asarray(model.encoder(inputs)["sequence_output"][0], np.float64)
    x = table[ids] * 4 + places
    epsilon = config.layer_norm_eps
    read = oracles.multi_head(block.attention, x, np.tril(np.ones((4, 4), bool)), 2)[0]
    x = oracles.norm(block, "attention_norm", x + read, epsilon)
    query = oracles.linear(block, "cross_attention.query", x)
    key, value = np.split(oracles.linear(block, "cross_attention.key_value", memory), 2, axis=1)
    parts = (np.split(part, 2, axis=1) for part in (query, key, value))
    heads = [oracles.attention(*one, np.ones((4, 5), bool))[0] for one in zip(*parts, strict=True)]
    read = oracles.linear(block, "cross_attention.projection", np.concatenate(heads, axis=1))
    x = oracles.norm(block, "cross_norm", x + read, epsilon)
    read = oracles.feed_forward(block.feed_forward, x, "relu")
    x = oracles.norm(block, "feed_forward_norm", x + read, epsilon)
    np.testing.assert_allclose(model(inputs)[0], x @ table.T, atol=2e-4)


def test_one_table_serves_source_target_and_output(tmp_path):
    model = transformer()
    assert model.writer.embeddings is model.encoder.embeddings
    apart = transformer(share_embeddings=None)
    table = len(tiny.vocabulary()) * 16
    assert apart.count_params() == model.count_params() + table
    assert len(apart.weights) == len(model.weights) + 1
    model.save_pretrained(str(tmp_path))
    back = load_task(tmp_path)
    assert back.writer.embeddings is back.encoder.embeddings and back.share_embeddings
    np.testing.assert_array_equal(back(INPUTS), model(INPUTS))
    with pytest.raises(InputError, match="decoder: max_position_embeddings: 9, wanted 32"):
        decoder = {"model_type": "transformer", "max_position_embeddings": 9}
        Seq2Seq(vaswani(), decoder, share_embeddings=True)


def test_smoothed_labels_are_a_loss_beside_the_targets_own():
    plain, smooth = transformer(label_smoothing=None), transformer()
    labels = np.array([[9, 8, 7, 3], [6, 3, -100, -100]], "int32")
    logits = smooth(INPUTS)
    log_probs = np.log(oracles.softmax(np.asarray(logits, np.float64)))
    real, words = labels >= 0, np.maximum(labels, 0)
    nll = -np.take_along_axis(log_probs, words[..., None], axis=2)[..., 0][real].sum()
    uniform = -log_probs.mean(axis=-1)[real].sum()
    terms = smooth.loss_terms(logits, labels)
    np.testing.assert_allclose(terms["seq2seq"], (nll, 6), rtol=1e-5)
    np.testing.assert_allclose(terms["uniform"], (uniform, 6), rtol=1e-5)
    assert [smooth.factor(name) for name in smooth.loss_names] == [0.9, 0.1]
    assert set(plain.loss_terms(logits, labels)) == {"seq2seq"}
    with pytest.raises(InputError, match="label_smoothing: 1.5, wanted a share between 0 and 1"):
        transformer(label_smoothing=1.5)


def test_a_decoder_may_begin_with_a_bert_and_its_head():
    source = oracles.randomize(MaskedLM(build_encoder(tiny.config(num_hidden_layers=1))), seed=4)
    model = Seq2Seq(build_encoder(tiny.config(num_hidden_layers=1)), source)
    assert model.writer.config.is_decoder and model.writer.pooler is None
    for ours, theirs in (
        ("writer.blocks.0.attention.qkv.kernel", "encoder.blocks.0.attention.qkv.kernel"),
        ("writer.embeddings.token_type_embeddings", "encoder.embeddings.token_type_embeddings"),
        ("next_word_head.norm.gamma", "masked_lm_head.norm.gamma"),
        ("next_word_head.output_bias", "masked_lm_head.output_bias"),
    ):
        np.testing.assert_array_equal(oracles.get(model, ours), oracles.get(source, theirs))
    # What is read last is what a BERT says where nothing comes behind.
    ids = INPUTS["decoder_input_ids"]
    alone = model.writer({"input_ids": ids})["sequence_output"]
    first = source.encoder({"input_ids": ids[:, :1]})["sequence_output"]
    np.testing.assert_allclose(alone[:, :1], first, atol=1e-5)
    with pytest.raises(InputError, match="the decoder is a model with its own"):
        Seq2Seq(build_encoder(tiny.config(num_hidden_layers=1)), source, share_embeddings=True)


def test_attention_to_the_source_comes_on_request():
    for model in (made(), transformer()):
        memory = model({name: INPUTS[name] for name in ("input_ids", "attention_mask")})
        read = {"input_ids": INPUTS["decoder_input_ids"], "memory": memory}
        read["memory_mask"] = INPUTS["attention_mask"]
        outputs = model.writer(read, return_intermediates=True)
        (own,), (cross,) = outputs["attentions"], outputs["cross_attentions"]
        assert own.shape[2:] == (4, 4) and cross.shape[2:] == (4, 5)
        np.testing.assert_allclose(np.sum(cross, axis=-1), 1, atol=1e-5)
        assert not np.any(np.asarray(cross)[1, :, :, 3:])
        same = model.writer(read)["sequence_output"]
        np.testing.assert_allclose(outputs["sequence_output"], same, atol=1e-6)


def test_ids_are_written_from_where_the_tokenizer_or_the_config_says(tokenizer):
    model = transformer()
    with pytest.raises(InputError, match="tokenizer: None, and the decoder.s config has no bos"):
        model.generate([[2, 9, 3]], max_new_tokens=3)
    told = model.generate([[2, 9, 3]], tokenizer, max_new_tokens=3)
    assert len(told[0]) == 3 or told[0][-1] == SEP
    decoder = {"model_type": "transformer", "bos_token_id": CLS, "eos_token_id": SEP}
    by_config = Seq2Seq(vaswani(), decoder)
    words = [words_of(by_config, each, generation_of({})) for each in (None, tokenizer)]
    assert [(each.start, each.end) for each in words] == [(CLS, SEP)] * 2


def test_a_bert_becomes_a_decoder_by_a_choice_alone():
    config = BertConfig(**tiny.sizes())
    encoder = build_encoder(config, is_decoder=True)
    assert encoder.config.model_type == "transformer" and encoder.pooler is None
    ids = np.array([[3, 4, 5, 6]])
    later = np.array([[3, 4, 9, 9]])
    one, other = (np.asarray(encoder({"input_ids": x})["sequence_output"]) for x in (ids, later))
    np.testing.assert_allclose(one[:, :2], other[:, :2], atol=1e-6)
    CausalLM(encoder)
    with pytest.raises(InputError, match="which reads from left to right"):
        MaskedLM(encoder)
    for changes, told in (
        ({"add_cross_attention": True}, "add_cross_attention: true, wanted is_decoder: true"),
        ({"word_embedding": "sum"}, "word_embedding: 'sum', wanted one of normed, scaled"),
    ):
        with pytest.raises(InputError, match=told):
            build_encoder(config, **changes)


def test_two_berts_are_kept_as_transformers_has_them_in_one(tmp_path):
    model = two_berts()
    model.save_pretrained(str(tmp_path))
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["architectures"] == ["EncoderDecoderModel"]
    assert config["decoder"]["model_type"] == "bert" and config["decoder"]["is_decoder"]
    assert not {"parts_of", "norm", "word_embedding"} & set(config["decoder"])
    back = load_task(tmp_path)
    np.testing.assert_array_equal(back(INPUTS), model(INPUTS))
    assert back.decoder == model.decoder
    one, other = (
        each.embeddings.word_embeddings for each in (load_encoder(tmp_path), model.encoder)
    )
    np.testing.assert_array_equal(one, other)
    for part, changes, told in (
        ("decoder", None, "decoder: None, wanted a config"),
        ("decoder", {"model_type": "albert"}, "decoder.model_type: 'albert', wanted one of bert"),
        ("decoder", {"hidden_size": 10**8}, "hidden_size: 100000000, but"),
        ("decoder", {"cross_attention_hidden_size": 9}, "decoder.cross_attention_hidden_size: 9"),
        ("encoder", {"model_type": "word2vec"}, "encoder.model_type: 'word2vec', wanted one of"),
    ):
        wrong = None if changes is None else {**config[part], **changes}
        (tmp_path / "config.json").write_text(json.dumps({**config, part: wrong}))
        with pytest.raises(InputError, match=told):
            load_task(tmp_path)


def test_sizes_of_a_decoder_are_those_of_its_tensors(tmp_path):
    model = transformer()
    model.save_pretrained(str(tmp_path))
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["model_type"] == "bert_tf"
    config["bert_tf"]["decoder"]["intermediate_size"] = 10**8
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="intermediate_size: 100000000, but"):
        load_task(tmp_path)


def test_what_a_target_read_is_told_by_its_tokens(tokenizer):
    model = transformer()
    (row,) = model.attention(["a bad film"], ["the end"], tokenizer)
    assert row["source"] == ["[CLS]", "a", "bad", "film", "[SEP]"]
    assert row["target"] == ["the", "end", "[SEP]"]
    assert row["attention"].shape == (3, 5)
    np.testing.assert_allclose(row["attention"].sum(axis=1), 1, atol=1e-5)
    with pytest.raises(InputError, match="tokenizer: None"):
        model.attention(["a bad film"], ["the end"])
