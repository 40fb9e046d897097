"""Cloze questions scored by a masked LM: each choice under as many masks as it has pieces."""

import numpy as np
import oracles
import pytest

from bert_tf import InputError, MaskedLM, build_encoder, pipeline
from bert_tf.export import answer_with
from tests import tiny

TEXTS = ["the [MASK] is good", "a ____ film .", "[MASK]"]
CHOICES = [["film", "badly", "end"], ["very bad", "good"], ["two", "three", "one"]]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return tiny.tokenizer(tmp_path_factory.mktemp("vocabulary") / "t")


@pytest.fixture(scope="module")
def model():
    model = MaskedLM(build_encoder(tiny.config(num_hidden_layers=1)))
    oracles.randomize(model)
    model.data_settings = {"max_length": 12, "choices": "choices"}
    return model


@pytest.fixture(scope="module")
def ask(model, tokenizer):
    return answer_with(model, tokenizer)


def test_a_choice_is_scored_by_the_mean_of_its_pieces_under_their_masks(ask, model, tokenizer):
    got = ask(TEXTS, CHOICES)
    for row, (text, choices) in enumerate(zip(TEXTS, CHOICES, strict=True)):
        scores = []
        for choice in choices:
            pieces = tokenizer([choice])["input_ids"].numpy()[0, 1:-1]
            masked = text.replace("____", "[MASK]").replace("[MASK]", "[MASK] " * len(pieces))
            inputs = tokenizer([masked], special_tokens_in_text=True)
            places = np.flatnonzero(inputs["input_ids"].numpy()[0] == tokenizer.mask_id)
            logits = model({k: v for k, v in inputs.items()}).numpy()[0, places]
            logits = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
            scores.append(np.mean([logits[n, piece] for n, piece in enumerate(pieces)]))
        np.testing.assert_allclose(got["logits"][row, : len(choices)], scores, atol=1e-5)
        assert got["choice"][row] == np.argmax(scores)
        assert got["answer"][row] == choices[np.argmax(scores)]
        shares = np.exp(scores) / np.exp(scores).sum()
        np.testing.assert_allclose(got["probabilities"][row, : len(choices)], shares, atol=1e-5)
        assert (got["probabilities"][row, len(choices) :] == 0).all()


def test_a_text_without_a_blank_or_with_two_or_one_that_is_cut_off_is_refused(ask):
    assert ask.records(TEXTS, CHOICES)[1].keys() == {"choice", "answer", "probabilities"}
    for text in ("a film", "[MASK] [MASK]", "a ___ ___", "good " * 12 + "[MASK]"):
        with pytest.raises(InputError, match="wanted one blank"):
            ask.records([text], [["good", "bad"]])
    with pytest.raises(InputError, match="choices are all empty"):
        ask.records(["a [MASK]"], [["", ""]])


def test_a_directory_answers_texts_alone_and_texts_with_choices(ask, model, tokenizer, tmp_path):
    saved = MaskedLM(model.encoder)
    saved.masked_lm_head.set_weights(model.masked_lm_head.get_weights())
    saved.save_pretrained(tmp_path / "m", tokenizer)
    found = pipeline(str(tmp_path / "m"))
    assert found(TEXTS, CHOICES) == ask.records(TEXTS, CHOICES)
    assert found(TEXTS[:1])[0].keys() == {"masks"}
    with pytest.raises(InputError, match="takes text, got 3 lists"):
        found(TEXTS, TEXTS, CHOICES)


def test_without_choices_the_model_fills_its_masks_as_ever(model, tokenizer):
    model = MaskedLM(model.encoder)
    model.data_settings = {"max_length": 12}
    ask = answer_with(model, tokenizer)
    assert ask.columns == ("text",) and len(ask.records(TEXTS[:1])[0]["masks"]) == 1
