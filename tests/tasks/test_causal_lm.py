"""Language models: the rows they learn from, and texts that they continue."""

import json

import numpy as np
import oracles
import pytest
import tensorflow as tf

from bert_tf import CausalLM, Gpt2Config, InputError, build_encoder, load_task
from bert_tf.tasks.causal_rows import prompts_of, rows_of
from bert_tf.tasks.generation import Generation, Words, generate
from bert_tf.tasks.generation.words import _chosen
from tests import tiny
from tests.tasks import generated, make_generated

CLS, SEP = 2, 3


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return tiny.tokenizer(tmp_path_factory.mktemp("vocabulary"))


def ids_of(tokenizer, text):
    return tokenizer.pieces([text])[0].to_list()[0]


def language_model(**options):
    sizes = tiny.sizes(
        num_hidden_layers=1,
        vocab_size=len(tiny.vocabulary()),
        hidden_size=16,
        max_position_embeddings=32,
    )
    return oracles.randomize(CausalLM(build_encoder(Gpt2Config(**sizes)), **options))


def test_rows_of_plain_text_tell_each_next_word(tokenizer):
    inputs, labels = rows_of(
        tf.constant(["a bad film", "good"]),
        None,
        tokenizer,
        {"max_length": 8, "padding": "longest"},
    )
    words = ids_of(tokenizer, "a bad film")
    assert inputs["input_ids"][0].numpy().tolist() == [CLS, *words, SEP]
    assert labels[0].numpy().tolist() == [*words, SEP, -100]
    assert inputs["attention_mask"].numpy().tolist() == [[1] * 5, [1, 1, 1, 0, 0]]
    assert labels[1].numpy().tolist() == [*ids_of(tokenizer, "good"), SEP, -100, -100, -100]


def test_of_a_source_and_its_target_the_target_alone_is_to_be_told(tokenizer):
    rows = tf.constant(["a bad film", "good"]), tf.constant(["not good", "bad"])
    inputs, labels = rows_of(*rows, tokenizer, {"max_length": 12, "padding": "max_length"})
    source, target = (ids_of(tokenizer, text) for text in ("a bad film", "not good"))
    told = labels[0].numpy().tolist()
    assert inputs["input_ids"].shape == (2, 12)
    assert inputs["input_ids"][0].numpy().tolist()[:8] == [CLS, *source, SEP, *target, SEP]
    assert told == [-100] * 4 + [*target, SEP] + [-100] * 5
    # What is too long loses the beginning of its source.
    short, told = rows_of(*rows, tokenizer, {"max_length": 5, "padding": "longest"})
    assert short["input_ids"][0].numpy().tolist() == [source[-1], SEP, *target, SEP]
    assert told[0].numpy().tolist() == [-100, *target, SEP, -100]


def test_prompts_stand_on_the_right_and_lose_their_beginning(tokenizer):
    texts, settings = tf.constant(["a bad film", ""]), {"max_length": 12}
    ids, mask = prompts_of(texts, tokenizer, settings, 12)
    words = ids_of(tokenizer, "a bad film")
    assert ids.numpy().tolist() == [[CLS, *words], [0, 0, 0, CLS]]
    assert mask.numpy().tolist() == [[1] * 4, [0, 0, 0, 1]]
    ids, _ = prompts_of(texts, tokenizer, settings, 3, with_end=True)
    assert ids.numpy().tolist() == [[*words[1:], SEP], [0, CLS, SEP]]


@pytest.mark.parametrize("name", ["greedy", "beams, early", "beams, repetition"])
def test_it_generates_what_transformers_generates(name):
    kept, settings = json.loads(generated.FILE.read_text()), generated.CASES[name]
    # Some reach an end, and some the last step.
    lengths = {len(row) for rows in kept.values() for row in rows}
    assert min(lengths) < max(lengths) == generated.LENGTH
    got = generated.model().generate(generated.PROMPTS, max_new_tokens=generated.LENGTH, **settings)
    assert got == kept[name]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(7, 13))
def test_it_generates_what_transformers_generates_whatever_the_weights(seed):
    pytest.importorskip("transformers")
    model = generated.model(seed=seed)
    for settings in generated.CASES.values():
        got = model.generate(generated.PROMPTS, max_new_tokens=generated.LENGTH, **settings)
        assert got == make_generated.theirs(model, generated.PROMPTS, **settings)


def test_with_its_cache_it_generates_what_it_generates_without_over_200_words():
    model, prompt = generated.model(40, 256, 7), [5, 9, 2]
    got, row = model.generate([prompt], max_new_tokens=200)[0], list(prompt)
    for _ in got:
        whole = np.array([row + [0] * (256 - len(row))], "int32")
        row.append(int(np.argmax(model.forward({"input_ids": whole})[0, len(row) - 1])))
    assert row[3:] == got and len(got) == 200


def test_a_row_is_continued_as_it_is_alone(tokenizer):
    model, texts = language_model(), ["good", "a bad film is", ""]
    together = model.generate(texts, tokenizer, max_new_tokens=8)
    assert [model.generate([text], tokenizer, max_new_tokens=8)[0] for text in texts] == together
    ids = [[CLS, *ids_of(tokenizer, text)] for text in texts]
    told = model.generate(ids, tokenizer, max_new_tokens=8)
    # The beginning of a text is no middle of a word, of a continuation it may be.
    assert [tokenizer.decode(row).removeprefix("##") for row in told] == together


def test_a_text_ends_before_a_stop(tokenizer):
    model = language_model()
    texts = ["good", "a bad film is"]
    whole = model.generate(texts, tokenizer, max_new_tokens=12)
    stop = (whole[0][3:6], "no such text (.*")
    cut = model.generate(texts, tokenizer, max_new_tokens=12, stop=stop)
    assert cut == [text.split(stop[0])[0] for text in whole] and len(cut[0]) <= 3
    ids = model.generate(
        [[CLS, *ids_of(tokenizer, "good")]], tokenizer, max_new_tokens=12, stop=stop
    )
    assert len(ids[0]) < 12


SCORES = np.log(np.array([[0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4]], "float32"))


@pytest.mark.parametrize(
    ("settings", "shares"),
    [
        ({}, [0.4, 0.3, 0.2, 0.1]),
        ({"temperature": 0.5}, [0.16 / 0.3, 0.09 / 0.3, 0.04 / 0.3, 0.01 / 0.3]),
        ({"top_k": 2}, [4 / 7, 3 / 7, 0, 0]),
        ({"top_p": 0.75}, [4 / 9, 3 / 9, 2 / 9, 0]),
        ({"top_p": 0.1}, [1, 0, 0, 0]),
        ({"top_k": 3, "top_p": 0.7}, [4 / 7, 3 / 7, 0, 0]),
    ],
)
def test_words_are_drawn_as_often_as_they_should_be(settings, shares):
    settings = Generation(do_sample=True, seed=3, **settings)
    scores = tf.constant(np.repeat(SCORES, 4000, axis=0))
    drawn = _chosen(scores, settings, 0).numpy()
    for rows, want in ((drawn[:4000], shares), (3 - drawn[4000:], shares)):
        got = np.bincount(rows, minlength=4) / 4000
        np.testing.assert_allclose(got, want, atol=0.03)
        assert ((got > 0) == (np.array(want) > 0)).all()


def test_draws_are_a_function_of_seed_step_and_row():
    settings = dict(do_sample=True, max_new_tokens=9)
    model, prompts = generated.model(), [[5, 9], [5, 9], [4]]
    first = model.generate(prompts, seed=1, **settings)
    assert first == model.generate(prompts, seed=1, **settings) and first[0] != first[1]
    assert first != model.generate(prompts, seed=2, **settings)
    assert first[:2] == model.generate(prompts[:2], seed=1, **settings)


def test_rows_of_the_table_that_are_no_words_are_never_chosen():
    def step(ids, mask, places, cache):
        return tf.tile([[0.0, 1.0, 0.5, 9.0]], [tf.shape(ids)[0], 1]), ()

    ids = tf.constant([[1], [2]])
    for beams in (1, 2):
        settings = Generation(max_new_tokens=3, num_beams=beams)
        got = generate(step, ids, tf.ones_like(ids), settings, Words(None, 0, 3))
        assert got.numpy().tolist() == [[1, 1, 1]] * 2


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"max_new_token": 3}, "no setting 'max_new_token' (nearest: max_new_tokens)"),
        ({"max_new_tokens": 40}, "max_new_tokens: 40, and the model has 32 positions"),
        ({"temperature": 0}, "temperature: 0, wanted above 0"),
        ({"top_k": 0}, "top_k: 0, wanted a whole number from 1"),
        ({"num_beams": 10**11}, "num_beams: 100000000000, wanted a whole number from 1 to 1024"),
        ({"seed": 10**20}, "seed: 100000000000000000000, wanted a whole number from 0 to 922337"),
        ({"top_k": 2**40}, "top_k: 1099511627776, wanted a whole number from 1 to 2147483647"),
        ({"top_p": 1.5}, "top_p: 1.5, wanted above 0, at most 1"),
        ({"temperature": 0.5}, "temperature: 0.5, and do_sample is false"),
        ({"do_sample": True, "num_beams": 2}, "do_sample: true, wanted false"),
        ({"early_stopping": "soon"}, "early_stopping: 'soon', wanted true, false or never"),
        ({"stop": "end"}, "stop: 'end', wanted a list of texts"),
        ({"stop": ["."]}, "tokenizer: None, wanted that of the model"),
    ],
)
def test_what_cannot_be_asked_is_one_line(settings, told):
    with pytest.raises(InputError) as caught:
        generated.model().generate([[1]], **settings)
    assert told in str(caught.value) and "\n" not in str(caught.value)


def test_a_prompt_that_is_empty_or_too_long_is_one_line():
    model = generated.model()
    with pytest.raises(InputError, match=r"prompts\[1\]: 0 ids, wanted 1 to 28"):
        model.generate([[1], []], max_new_tokens=4)
    with pytest.raises(InputError, match=r"prompts\[0\]: 29 ids, wanted 1 to 28"):
        model.generate([[1] * 29], max_new_tokens=4)
    with pytest.raises(InputError, match="generation: no setting 'beams'"):
        CausalLM(model.encoder, generation={"beams": 3})
    assert model.generate([]) == []


def test_a_loaded_model_knows_its_tokenizer_and_how_it_continues(tokenizer, tmp_path):
    model = language_model(generation={"max_new_tokens": 3})
    model.save_pretrained(str(tmp_path), tokenizer)
    back = load_task(tmp_path)
    assert back.generation == model.generation
    assert back.generate(["a bad"]) == model.generate(["a bad"], tokenizer)
    saved = json.loads((tmp_path / "config.json").read_text())
    assert saved["architectures"] == ["GPT2LMHeadModel"]
