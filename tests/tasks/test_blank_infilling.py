"""Blanks that are filled word by word: the rows, what is kept between words, what is refused."""

import json

import keras
import numpy as np
import oracles
import pytest
import tensorflow as tf

from bert_tf import (
    BlankInfilling,
    ConfigError,
    DebertaV2Config,
    InputError,
    build_encoder,
    load_task,
)
from bert_tf.config import Masking
from bert_tf.pretraining_data import blanks
from bert_tf.pretraining_data.hidden import hide
from bert_tf.pretraining_data.masking import MaskingVocabulary
from bert_tf.recipes.predict import predict
from bert_tf.tasks.blank_infilling import SPAN_PLACES
from tests import tiny

PAD, CLS, SEP, MASK = 0, 2, 3, 4
TEXTS = ["the [MASK] is not very [MASK] .", "a good ___", "[MASK]", "good [MASK] bad [MASK] [MASK]"]
FILLED_TO = 4


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return tiny.tokenizer(tmp_path_factory.mktemp("vocabulary"))


@pytest.fixture(scope="module")
def model(tokenizer):
    sizes = dict(type_vocab_size=SPAN_PLACES, num_hidden_layers=1, initializer_range=0.6)
    encoder = build_encoder(tiny.config(**sizes))
    made = oracles.randomize(BlankInfilling(encoder, {"max_new_tokens": FILLED_TO}))
    made.data_settings = {"max_length": 20}
    rows = [ids_of(tokenizer, text) for text in TEXTS]
    for bias in range(0, 100, 4):  # until some spans end and others do not
        made.masked_lm_head.output_bias.assign(np.eye(len(tiny.vocabulary()))[SEP] * bias)
        lengths = {len(span) for ids in rows for span in told(made, ids)}
        if len(lengths) > 1 and min(lengths) < FILLED_TO:
            return made
    raise AssertionError(lengths)


def text_of(tokenizer, ids):
    there = tf.ones([1, len(ids)], tf.bool)
    return tokenizer.joined(tf.constant([ids], tf.int32), there)[0].numpy().decode().strip()


def ids_of(tokenizer, text):
    text = text.replace("___", "[MASK]")
    return tokenizer([text], special_tokens_in_text=True)["input_ids"][0].numpy().tolist()


def row_of(ids, spans):
    """The row of a text with masks and of the spans of its first blanks, told one after the other,
    as the paper has it; dict of lists."""
    places = [place for place, id in enumerate(ids) if id == MASK]
    row = {"input_ids": list(ids), "position_ids": list(range(len(ids)))}
    row |= {"token_type_ids": [0] * len(ids), "reading_order": [0] * len(ids)}
    for place, span in zip(places, spans, strict=False):
        for number, id in enumerate([CLS, *span]):
            row["input_ids"].append(id)
            row["position_ids"].append(place)
            row["token_type_ids"].append(min(number + 1, 31))
            row["reading_order"].append(row["reading_order"][-1] + 1)
    return row


def told(model, ids):
    """The spans of a text's blanks, by whole rows that are alone and read anew for each word."""
    spans = []
    for _ in range(ids.count(MASK)):
        spans.append([])
        while len(spans[-1]) < FILLED_TO:
            inputs = {name: np.array([x], "int32") for name, x in row_of(ids, spans).items()}
            word = int(np.argmax(model(inputs)[0, -1]))
            if word == SEP:
                break
            spans[-1].append(word)
    return spans


def test_the_rows_are_those_of_training():
    assert SPAN_PLACES == blanks.SPAN_PLACES
    ids = np.array([[CLS, 10, 11, 12, 13, SEP, PAD]], "int32")
    masked = {"masked_positions": np.array([[2, 3]]), "masked_weights": np.ones((1, 2), "float32")}
    known = MaskingVocabulary(MASK, None, None, None, CLS, SEP)
    made = blanks.blank_rows(ids, (ids > 0).astype("int32"), masked, known, (1, 2))
    for name, values in row_of([CLS, 10, MASK, 13, SEP], [[11, 12]]).items():
        assert made[name][0].numpy().tolist() == values, name


def test_what_is_kept_between_words_changes_none_and_no_row_depends_on_others(model, tokenizer):
    filled = model.generate(TEXTS, tokenizer)
    for text, found in zip(TEXTS, filled, strict=True):
        parts = text.replace("___", "[MASK]").split("[MASK]")
        spans = told(model, ids_of(tokenizer, text))
        words = [*(text_of(tokenizer, span) for span in spans), ""]
        assert found == "".join(part + word for part, word in zip(parts, words, strict=True))
    assert model.generate([], tokenizer) == []


def test_words_are_drawn_anew_in_each_blank(model, tokenizer):
    drawn = dict(do_sample=True, temperature=50.0, max_new_tokens=6)
    (one,), (again,) = (model.generate(["the [MASK] : [MASK]"], tokenizer, **drawn) for _ in "12")
    first, second = one.removeprefix("the ").split(" : ", 1)
    assert one == again and first != second


@pytest.mark.slow  # one word at a time goes the same way
def test_beams_of_a_row_are_of_its_own_blank(model, tokenizer):
    beams = dict(num_beams=3, max_new_tokens=3)
    together = model.generate(TEXTS[:3], tokenizer, **beams)
    assert together == [model.generate([x], tokenizer, **beams)[0] for x in TEXTS[:3]]


def test_saved_it_answers_by_predict(model, tokenizer, tmp_path):
    model.save_pretrained(tmp_path / "model", tokenizer)
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["architectures"] == ["BertForMaskedLM"]
    back = load_task(tmp_path / "model")
    assert type(back) is BlankInfilling and back.generation == {"max_new_tokens": FILLED_TO}
    (tmp_path / "in.txt").write_text("\n".join(TEXTS) + "\n")
    files = str(tmp_path / "in.txt"), str(tmp_path / "out.jsonl")
    predict(str(tmp_path / "model"), *files)
    found = [json.loads(x) for x in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [x["generated"] for x in found] == model.generate(TEXTS, tokenizer)
    assert [len(x["blanks"]) for x in found] == [2, 1, 1, 3] and found[1]["text"] == TEXTS[1]
    with pytest.raises(ConfigError, match="predicts neither masked nor next words"):
        predict(str(tmp_path / "model"), *files, perplexity=True)


def test_bad_texts_and_encoders_are_refused(model, tokenizer):
    for texts, said in (
        (["good [MASK]", "good"], r"texts\[1\]: holds no blank, \[MASK\] or ___"),
        (["good " * 20 + "[MASK]"], r"texts\[0\]: 23 tokens, the model takes 20"),
        ([[1, 2]], r"texts\[0\]: \[1, 2\], wanted a str"),
    ):
        with pytest.raises(InputError, match=said):
            model.generate(texts, tokenizer)
    with pytest.raises(InputError, match="tokenizer: None"):
        model.generate(["[MASK]"])
    with pytest.raises(InputError, match="holds no blank"):
        BlankInfilling.record({"tokens": 3, "limit": 9, "masks": 0})
    with pytest.raises(InputError, match="type_vocab_size: 2, wanted 32"):
        BlankInfilling(build_encoder(tiny.config()))
    sizes = tiny.sizes(vocab_size=len(tiny.vocabulary()), type_vocab_size=SPAN_PLACES)
    other = BlankInfilling(build_encoder(DebertaV2Config(**sizes)))
    with pytest.raises(InputError, match="a deberta-v2 keeps no keys and values of earlier words"):
        other.generate(["[MASK]"], tokenizer, max_new_tokens=2)


@pytest.mark.slow
def test_it_learns_to_fill_blanks(tokenizer):
    keras.utils.set_random_seed(1)
    texts = ["a very good film .", "the actor was not bad !", "one two three , begin"]
    batch = tokenizer(texts, max_length=16)
    ids, mask = batch["input_ids"], batch["attention_mask"]
    known, masking = MaskingVocabulary.of(tokenizer), Masking(probability=0.5, unit="span")
    model = BlankInfilling(build_encoder(tiny.config(type_vocab_size=SPAN_PLACES)))
    model.compile(keras.optimizers.Adam(3e-3))

    def step_of(step):
        made = hide("blank_infilling", ids, mask, masking, known, (1, step))
        labels = {name: made.pop(name) for name in ("masked_ids", "masked_weights")}
        return made, labels

    model.fit(tf.data.Dataset.range(1500).map(step_of), epochs=1, verbose=0)
    asked = ["a [MASK]", "the actor [MASK]", "one two [MASK]"]
    want = ["a very good film.", "the actor was not bad!", "one two three, begin"]
    assert model.generate(asked, tokenizer) == want
