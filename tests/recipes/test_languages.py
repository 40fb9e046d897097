"""The language of each row, from a column of the table to an export."""

import json
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_tf import (
    ExtractiveQA,
    InputError,
    SentenceEncoder,
    TokenClassifier,
    Tokenizer,
    build_encoder,
    export_saved_model,
    load_export,
    load_task,
    read_dataset,
)
from bert_tf.config import FewShotSection
from bert_tf.errors import ConfigError
from bert_tf.export import answer_with
from bert_tf.export.engines.ids import input_names
from bert_tf.export.warmup import sample_columns
from bert_tf.recipes.evaluate import evaluate
from bert_tf.recipes.finetune import finetune
from bert_tf.recipes.predict import predict
from bert_tf.tasks import SequenceClassifier
from bert_tf.tasks.features import features_of
from tests import tiny
from tests.recipes.test_finetune import config_of, refused, sentences, write

LANGUAGES = {"zh": 1, "en": 0}
HEADER = ("text", "lang", "label", "other")
DATA = {"languages": LANGUAGES, "columns": {"language": "lang"}, "test": None}


def rows(count, seed):
    """Texts of which the language alone tells the label, and another language in a fourth cell."""
    for number, (text, _) in enumerate(sentences(count, seed)):
        language = ("en", "zh")[number % 3 == 0]
        yield text, language, "yes" if language == "zh" else "no", {"en": "zh"}.get(language, "en")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("languages")
    keras.utils.set_random_seed(1)
    config = tiny.config(num_hidden_layers=1, initializer_range=0.2)
    encoder = build_encoder(config, num_languages=2)
    encoder.save_pretrained(str(folder / "encoder"), tiny.tokenizer(folder / "vocabulary"))
    for seed, (part, count) in enumerate({"train": 96, "dev": 24}.items()):
        write(folder / f"{part}.tsv", rows(count, seed), HEADER)
    return folder


@pytest.fixture(scope="module")
def model(folder):
    """The directory of a classifier that was trained on it."""
    config = config_of(folder, data=DATA, steps=40, evaluate_every=40)
    assert finetune(config, str(folder / "run"))["validation"]["accuracy"] == 1
    return folder / "run" / "model"


def test_what_is_learned_of_languages_stays_with_the_model(folder, model):
    dev = str(folder / "dev.tsv")
    assert load_task(model).data_settings["languages"] == LANGUAGES
    assert evaluate(str(model), dev)["accuracy"] == 1
    assert evaluate(str(model), dev, language="other")["accuracy"] == 0


def test_predict_reads_the_language_and_names_the_line_of_an_unknown_one(model, tmp_path):
    asked = write(tmp_path / "in.tsv", [("good film", "zh"), ("good film", "en")], HEADER[:2])
    predict(str(model), asked, str(tmp_path / "out.jsonl"))
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [answer["label"] for answer in found] == ["yes", "no"]
    asked = write(tmp_path / "in.tsv", [("good", "zh"), ("a long story", "fr")], HEADER[:2])
    predicted = lambda: predict(str(model), asked, str(tmp_path / "out.jsonl"))  # noqa: E731
    refused(InputError, predicted, f"{asked}, line 3: language 'fr', wanted zh or en")


def test_a_program_of_texts_takes_languages_beside_them(model):
    ask = answer_with(load_task(model), Tokenizer.from_pretrained(model))
    assert ask.columns == ("text", "language") and ask.settings["languages"] == LANGUAGES
    assert ask(["bad", "bad"], ["en", "zh"])["label"].tolist() == ["no", "yes"]
    assert ask([], [])["label"].shape == (0,)
    with pytest.raises(tf.errors.InvalidArgumentError, match="language: wanted zh or en"):
        ask(["bad"], ["fr"])
    samples = sample_columns(ask.settings, SequenceClassifier.columns)[1]
    assert set(samples) == set(LANGUAGES) and len(samples) > 2


@pytest.mark.slow  # the program is the one above
def test_an_export_takes_languages(model, tmp_path):
    export_saved_model(load_task(model), Tokenizer.from_pretrained(model), tmp_path)
    assert load_export(tmp_path)(["bad", "bad"], ["en", "zh"])["label"].tolist() == ["no", "yes"]


def test_every_token_of_a_text_and_of_its_windows_has_the_language(folder):
    tokenizer = Tokenizer.from_pretrained(folder / "encoder")
    given = dict(columns={"language": "lang"}, languages=LANGUAGES, max_length=8)
    for further, rank in (({}, 2), ({"windows": 2}, 3)):
        dataset = read_dataset(folder / "dev.tsv", tokenizer, **given, **further)
        inputs, labels = next(iter(dataset))
        ids = inputs["language_ids"].numpy()
        assert ids.shape == inputs["input_ids"].shape and ids.ndim == rank
        yes = dataset.label_names.index("yes")
        assert ((labels.numpy() == yes) == ids.reshape(len(ids), -1).T).all()


def test_a_sentence_s_vector_depends_on_its_language(folder):
    tokenizer = Tokenizer.from_pretrained(folder / "encoder")
    model = SentenceEncoder(build_encoder(tiny.config(initializer_range=0.5), num_languages=2))
    settings = {"max_length": 8, "languages": LANGUAGES}
    cells = {"text": tf.constant(["good film"] * 3), "language": tf.constant(["en", "zh", "en"])}
    inputs, _ = features_of(model, tokenizer, settings, padding="longest")(cells)
    one, other, again = model(inputs).numpy()[:, 0]
    np.testing.assert_allclose(one, again, atol=1e-6)
    assert np.abs(one - other).max() > 0.05


def test_every_window_of_a_text_has_the_language_of_its_row(folder, tmp_path):
    tokenizer = Tokenizer.from_pretrained(folder / "encoder")
    texts = {"zh": "good film and a bad story " * 3 + ".", "en": "one actor"}
    answers = {"question": "two", "answers": []}
    rows = [{**answers, "context": text, "language": name} for name, text in texts.items()]
    (tmp_path / "qa.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    given = dict(task="question_answering", languages=LANGUAGES, max_length=12, batch_size=64)
    inputs, _ = next(iter(read_dataset(tmp_path / "qa.jsonl", tokenizer, **given)))
    ids, told = inputs["input_ids"].numpy(), inputs["language_ids"].numpy()
    film = (ids == tokenizer.vocabulary.index("one")).any(axis=1)
    assert len(ids) > 3 and film.sum() == 1 and (told == np.where(film, 0, 1)[:, None]).all()
    settings = {"max_length": 12, "languages": LANGUAGES}
    for task, names in ((ExtractiveQA, ("question", "context")), (TokenClassifier, ("text",))):
        cells = {name: tf.constant([*texts.values()]) for name in (*names, "language")}
        cells["language"] = tf.constant([*texts])
        inputs, _ = features_of(task, tokenizer, settings, padding="longest")(cells)
        numbers, told = inputs["rows"].numpy(), inputs["language_ids"].numpy()
        assert len(numbers) > 3 and (told == np.where(numbers == 0, 1, 0)[:, None]).all()


@pytest.mark.slow  # the windows' languages are seen above
@pytest.mark.parametrize(
    "task, columns, score",
    [
        (ExtractiveQA, 2, lambda answer: answer["score"]),
        (TokenClassifier, 1, lambda answer: answer["spans"][-1]["score"]),
    ],
)
def test_what_is_answered_of_long_texts_depends_on_their_language(folder, task, columns, score):
    tokenizer = Tokenizer.from_pretrained(folder / "encoder")
    model = task(build_encoder(tiny.config(initializer_range=0.5), num_languages=2))
    model.data_settings = {"max_length": 12, "languages": LANGUAGES, "language": "language"}
    ask = answer_with(model, tokenizer)
    assert ask.columns[-1] == "language"
    asked = [["good film and a bad story " * 3] * 3] * columns
    one, other, again = (score(x) for x in ask.records(*asked, ["en", "zh", "en"]))
    assert one == pytest.approx(again, abs=1e-6) and abs(one - other) > 1e-4


@pytest.mark.parametrize(
    "changes, parts",
    [
        ({"languages": {"en": 0, "zh": 2}}, ["data.languages.zh: 2, the model has languages 0"]),
        ({"languages": {"en": "0"}}, ["data.languages: {'en': '0'}, wanted names of languages"]),
        ({"languages": {False: 0}}, ["data.languages: {False: 0}, wanted names of languages"]),
        ({"languages": {}}, ["data.languages: {}, wanted names of languages"]),
    ],
)
def test_numbers_that_no_vector_has_are_refused(folder, tmp_path, changes, parts):
    config = config_of(folder, data={**DATA, **changes})
    refused(ConfigError, lambda: finetune(config, str(tmp_path / "run")), *parts)


def test_languages_without_vectors_an_unknown_one_and_pairs_of_few_texts_are_refused(
    folder, tmp_path
):
    plain = build_encoder(tiny.config(num_hidden_layers=1))
    plain.save_pretrained(str(tmp_path / "plain"), tiny.tokenizer(tmp_path / "vocabulary"))
    config = config_of(folder, {"path": str(tmp_path / "plain")}, DATA)
    said = "and the model has no vectors of languages"
    refused(ConfigError, lambda: finetune(config, str(tmp_path / "run")), "data.languages:", said)
    odd = write(tmp_path / "odd.tsv", [("good", "en", "no"), ("bad", "de", "no")], HEADER[:3])
    config = config_of(folder, data={**DATA, "train": odd})
    said = f"{odd}, line 3: language 'de', wanted zh or en"
    refused(InputError, lambda: finetune(config, str(tmp_path / "run")), said)
    few = dict(few_shot=FewShotSection(pairs=2))
    replaced = lambda: type(config)(config.model, config.data, **few)  # noqa: E731
    refused(ConfigError, replaced, "few_shot.pairs is 2 and data.languages")


def test_engines_that_get_ids_alone_are_refused():
    told = types.SimpleNamespace(data_settings={"languages": LANGUAGES})
    refused(InputError, lambda: input_names(told), "language: an engine that gets ids alone")
