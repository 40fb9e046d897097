"""Texts beyond the model's positions: windows whose vectors are pooled, in training and answers."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from bert_tf import (
    ConfigError,
    InputError,
    SentenceEncoder,
    SequenceClassifier,
    load_task,
    read_dataset,
)
from bert_tf.config import DataSection, FinetuneConfig, ModelSection, TrainSection
from bert_tf.export import answer_with
from bert_tf.recipes.finetune import finetune
from tests import tiny

slow = functools.partial(pytest.param, marks=pytest.mark.slow)

LONG = " ".join(["good film , very bad story ."] * 5)
TEXTS = [LONG, "the end", LONG[:60], ""]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return tiny.tokenizer(tmp_path_factory.mktemp("vocabulary") / "t")


def windows_of(text, tokenizer, length, overlap):
    """What each window has of a text, by plain Python: ids [windows, length]."""
    ids = tokenizer([text], max_length=999)["input_ids"].numpy()[0, 1:-1]
    room, found, start = length - 2, [], 0
    while True:
        part = [tokenizer.cls_id, *ids[start : start + room], tokenizer.sep_id]
        found.append(part + [tokenizer.pad_id] * (length - len(part)))
        if start + room >= len(ids):
            return np.array(found, "int32")
        start += room - overlap


@pytest.mark.parametrize("how", [None, slow("max")])
def test_the_logits_are_those_of_the_pooled_vectors_of_all_windows(tokenizer, how):
    model = tiny.classifier()
    encoder, head = model.encoder, model.head
    model = SequenceClassifier(encoder, 2, ["bad", "good"], window_pooling=how)
    model.head.set_weights(head.get_weights())
    model.data_settings = {"max_length": 10, "windows": 9, "overlap": 3}
    logits = answer_with(model, tokenizer)(TEXTS)["logits"]
    for text, got in zip(TEXTS, logits, strict=True):
        ids = windows_of(text, tokenizer, 10, 3)
        inputs = {"input_ids": ids, "attention_mask": (ids != tokenizer.pad_id).astype("int32")}
        vectors = encoder(inputs)["pooled_output"].numpy()
        pooled = vectors.max(axis=0) if how == "max" else vectors.mean(axis=0)
        np.testing.assert_allclose(got, model.head(pooled[None])[0], atol=2e-5)


def test_windows_beyond_the_most_are_cut_off_and_batches_have_no_more_than_their_rows(
    tokenizer, tmp_path
):
    (tmp_path / "a.tsv").write_text(
        "text\tlabel\n" + "".join(f"{text}\t{n % 2}\n" for n, text in enumerate(TEXTS[:3] * 3))
    )
    given = dict(batch_size=3, max_length=10, windows=4)
    dataset = read_dataset(tmp_path / "a.tsv", tokenizer, **given)
    shapes = [tuple(inputs["input_ids"].shape) for inputs, _ in dataset]
    assert shapes == [(3, 1, 4), (3, 3, 10), (3, 4, 10)]
    for inputs, _ in dataset:
        used = tf.reduce_any(inputs["attention_mask"] > 0, axis=-1)
        assert bool(tf.reduce_all(used))  # here all rows of a batch are of one text


@pytest.mark.parametrize("how", [slow(None), "max"])
def test_a_long_text_s_embedding_is_that_of_its_windows_pooled_before_the_dense_layer(
    tokenizer, how, tmp_path
):
    encoder = tiny.classifier().encoder
    model = SentenceEncoder(encoder, dense=(5, "tanh"), window_pooling=how)
    model.data_settings = {"max_length": 10, "windows": 9, "overlap": 3}
    model.save_pretrained(tmp_path / "m", tokenizer)
    vectors = answer_with(load_task(tmp_path / "m"), tokenizer)(TEXTS)["embedding"]
    for text, got in zip(TEXTS, vectors, strict=True):
        ids = windows_of(text, tokenizer, 10, 3)
        mask = (ids != tokenizer.pad_id).astype("float32")[:, :, None]
        tokens = encoder({"input_ids": ids, "attention_mask": mask[:, :, 0].astype("int32")})
        each = (tokens["sequence_output"].numpy() * mask).sum(axis=1) / mask.sum(axis=1)
        pooled = each.max(axis=0) if how == "max" else each.mean(axis=0)
        wanted = np.tanh(model.head(pooled[None])[0])
        np.testing.assert_allclose(got, wanted / np.linalg.norm(wanted), atol=2e-5)


def test_batches_of_long_pairs_have_the_windows_of_their_longest_text_and_the_loss_counts_all(
    tokenizer, tmp_path
):
    rows = [f"{LONG[:30]}\t{LONG[:90]}\n", f"the end\t{LONG[:40]}\n", "the end\tgood\n"]
    (tmp_path / "a.tsv").write_text("text\ttext_pair\n" + "".join(x * 2 for x in rows))
    given = dict(batch_size=2, max_length=10, windows=8, task="sentence_embedding")
    dataset = read_dataset(tmp_path / "a.tsv", tokenizer, text_pair="text_pair", **given)
    model = SentenceEncoder(tiny.classifier().encoder, objective="multiple_negatives")
    shapes = []
    for inputs, labels in dataset:
        shapes.append(tuple(inputs["input_ids"].shape))
        outputs = model(inputs)
        assert outputs.shape == (2, 2, model.width)
        total, weight = model.loss_terms(outputs, labels)["embedding"]
        assert np.isfinite(float(total)) and float(weight) > 0
    assert shapes == [(2, 2, 4, 10), (2, 2, 2, 10), (2, 2, 1, 4)]


@pytest.mark.slow  # its parts are tried above
def test_a_classifier_of_long_texts_trains_and_answers_from_its_directory(tmp_path):
    tiny.save(tmp_path / "start")
    rows = "".join(f"{LONG} {word}\t{word}\n" for word in ("good", "bad") * 8)
    (tmp_path / "a.tsv").write_text("text\tlabel\n" + rows)
    config = FinetuneConfig(
        model=ModelSection(path=str(tmp_path / "start"), options={"window_pooling": "max"}),
        data=DataSection(train=str(tmp_path / "a.tsv"), max_length=12, windows=6, overlap=2),
        train=TrainSection(steps=2, batch_size=4),
    )
    finetune(config, str(tmp_path / "run"))
    model = load_task(tmp_path / "run/model")
    assert model.window_pooling == "max"
    assert {"windows": 6, "overlap": 2, "max_length": 12}.items() <= model.data_settings.items()


def test_windows_are_refused_where_nothing_would_pool_them(tokenizer, tmp_path):
    data = dict(train=str(tmp_path / "a.jsonl"), windows=4)
    for changes, message in (
        (dict(task="multiple_choice", data=DataSection(**data)), "reads one text a row"),
        (dict(data=DataSection(**data, packing=True)), "data.windows and data.packing"),
    ):
        config = FinetuneConfig(model=ModelSection(path="x"), **changes)
        (tmp_path / "a.jsonl").write_text('{"text": "a", "label": 1}\n')
        with pytest.raises(ConfigError, match=message):
            finetune(config, str(tmp_path / "run"))
    with pytest.raises(InputError, match="window_pooling: 'cls', wanted one of mean, max"):
        SequenceClassifier(tiny.classifier().encoder, window_pooling="cls")
