"""Pretraining a decoder behind its encoder, and what is made of both afterwards."""

import json

import keras
import numpy as np
import oracles
import pytest
import tensorflow as tf

from bert_tf import Seq2Seq, Tokenizer, load_task
from bert_tf.compression_sections import DistillationSection
from bert_tf.config import (
    DataSection,
    Denoising,
    DistillConfig,
    FinetuneConfig,
    ModelSection,
    TrainSection,
)
from bert_tf.errors import ConfigError, InputError
from bert_tf.pretraining_data.hidden import hide, known_of
from bert_tf.recipes import finetune as finetuning
from bert_tf.recipes.distill_start import make_student
from bert_tf.recipes.predict import predict
from bert_tf.recipes.pretrain import pretrain
from bert_tf.recipes.pretrain_start import start_model

from .corpus import config_of, corpus, refused

OBJECTIVE = ["objective.words=denoising"]
FRESH = ["model.family=transformer", "model.changes.position_embedding=sinusoidal"]
UNSHARED = "model.options={share_embeddings: false}"
OPTIONS = "model.options={decoder: {model_type: transformer}, share_embeddings: true}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return corpus(tmp_path_factory.mktemp("corpus"))


def denoising(folder, *overrides, **settings):
    return config_of(folder, *OBJECTIVE, *overrides, objective="none", **settings)


def started(folder, *overrides):
    config = denoising(folder, *overrides)
    return start_model(config, Tokenizer.from_pretrained(str(folder / "vocabulary")), "none")


@pytest.fixture(scope="module")
def path(folder):
    """The directory of a model that pretraining could have left."""
    model = oracles.randomize(started(folder, *FRESH, OPTIONS))
    model.save_pretrained(folder / "model", Tokenizer.from_pretrained(str(folder / "vocabulary")))
    return str(folder / "model")


def test_the_loss_of_noised_rows_falls(folder):
    model = started(folder, *FRESH, OPTIONS)
    tokenizer = Tokenizer.from_pretrained(str(folder / "vocabulary"))
    lines = [x for x in (folder / "train.txt").read_text().splitlines() if x][:24]
    rows = {name: x.numpy() for name, x in tokenizer(lines, max_length=24).items()}
    given = rows["input_ids"], rows["attention_mask"], Denoising()
    known, losses = known_of("denoising", tokenizer, None, None), []
    optimizer = keras.optimizers.Adam(0.02)
    for step in range(8):
        inputs = hide("denoising", *given, known, (1, step))
        labels = {name: inputs.pop(name) for name in ("masked_ids", "masked_weights")}
        with tf.GradientTape() as tape:
            total, weight = model.loss_terms(model(inputs), labels)["seq2seq"]
            losses.append(total / weight)
        assert float(weight) == rows["attention_mask"][:, 1:].sum()
        optimizer.apply(
            tape.gradient(losses[-1], model.trainable_variables), model.trainable_variables
        )
    assert losses[-1] < losses[0] - 1


def finetune_config(path, table, **options):
    columns = {"text": "source", "columns": {"target": "target"}}
    data = DataSection(train=table, validation=table, max_length=8, **columns)
    train = TrainSection(batch_size=4, steps=2, learning_rate=1e-9)
    section = ModelSection(path=path, options=options)
    return FinetuneConfig(model=section, task="seq2seq", data=data, train=train)


@pytest.fixture(scope="module")
def table(folder):
    rows = [f"{word}\t{word} {word}" for word in ("good", "bad", "film", "story")]
    (folder / "pairs.tsv").write_text("\n".join(["source\ttarget", *rows]) + "\n")
    return str(folder / "pairs.tsv")


def begun(path, table, **options):
    config = finetune_config(path, table, **options)
    tables = finetuning.read_tables(config, Seq2Seq)
    return finetuning._model(config, Seq2Seq, tables["train"], Tokenizer.from_pretrained(path))


def test_fine_tuning_goes_on_with_the_decoder_unless_it_is_told_another(path, table):
    source, model = load_task(path), begun(path, table, label_smoothing=0.1)
    assert model.share_embeddings and model.label_smoothing == 0.1
    assert model.writer.embeddings is model.encoder.embeddings
    ours, theirs = ({x.path: x for x in m.trainable_variables} for m in (model, source))
    assert len(ours) == len(theirs)
    ids = {name: np.array([[2, 9, 11, 3]], "int32") for name in ("input_ids", "decoder_input_ids")}
    np.testing.assert_array_equal(model(ids), source(ids))
    other = begun(path, table, decoder={"num_hidden_layers": 2})
    assert other.writer.config.model_type == "gpt2" and other.share_embeddings is None


def test_a_student_begins_with_the_decoder_of_its_files(path, table):
    plain = finetune_config(path, table)
    given = dict(task="seq2seq", data=plain.data, train=plain.train)
    section = DistillationSection(teacher=(path,))
    config = DistillConfig(model=plain.model, distillation=section, **given)
    tables = finetuning.read_tables(plain, Seq2Seq)
    model = make_student(config, Seq2Seq, tables["train"], Tokenizer.from_pretrained(path))
    ids = {name: np.array([[2, 9, 11, 3]], "int32") for name in ("input_ids", "decoder_input_ids")}
    np.testing.assert_array_equal(model(ids), load_task(path)(ids))


def test_pretraining_goes_on_with_a_decoder_and_begins_one_behind_an_encoder(path, folder, caplog):
    source, model = load_task(path), started(folder, f"model.path={path}", "model.changes={}")
    assert "decoder" not in caplog.text and model.writer.embeddings is model.encoder.embeddings
    for ours, theirs in zip(model.weights, source.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    other = started(
        folder, f"model.path={path}", "model.changes={}", OPTIONS.replace("true", "null")
    )
    assert "decoder" not in caplog.text
    assert other.writer.embeddings is not other.encoder.embeddings
    source.encoder.save_pretrained(str(folder / "encoder"), source.tokenizer)
    started(folder, f"model.path={folder / 'encoder'}", "model.changes={}")
    assert "encoder: holds no decoder; initialized at random" in caplog.text


@pytest.mark.parametrize(
    "kind, overrides, parts",
    [
        (ConfigError, ["model.options={decodr: {}}"], ["model.options.decodr", "nearest: decoder"]),
        (ConfigError, ["model.options={decoder: {model_type: elmo}}"], ["model.options: decoder"]),
        (ConfigError, ["objective.loss_factors={masked_lm: 2}"], ["no such loss", "seq2seq"]),
        (InputError, ["model.family=null", "model.path=PATH", UNSHARED], ["PATH", "does not fit"]),
    ],
)
def test_a_beginning_that_cannot_be_is_one_line(path, folder, kind, overrides, parts):
    overrides = [x.replace("PATH", path) for x in [*FRESH[:1], *overrides]]
    changes = ["model.changes={}"] if "model.family=null" in overrides else []
    parts = [part.replace("PATH", path) for part in parts]
    refused(kind, lambda: started(folder, *overrides, *changes), *parts)


def test_rows_of_two_segments_and_a_decoder_of_few_positions_are_refused(folder, tmp_path):
    pair = config_of(folder, *OBJECTIVE, "model.family=bert")
    refused(ConfigError, lambda: pretrain(pair, str(tmp_path)), "two segments, and denoising reads")
    short = "model.options={decoder: {max_position_embeddings: 20}}"
    config = denoising(folder, "model.family=bert", short)
    refused(ConfigError, lambda: pretrain(config, str(tmp_path)), "24 tokens", "20 positions")


@pytest.mark.slow  # its parts are tried above
def test_a_run_learns_and_its_model_writes_and_is_fine_tuned(folder, table, tmp_path):
    config = denoising(folder, *FRESH, OPTIONS, "train.evaluate_every=10", steps=200)
    figures = pretrain(config, str(tmp_path / "run"))["phase_1"]["validation"]
    lines = (tmp_path / "run" / "phase_1" / "metrics.jsonl").read_text().splitlines()
    measured = [x for x in map(json.loads, lines) if x["part"] == "validation"]
    assert figures["loss"] < measured[0]["loss"] - 0.2
    assert figures["perplexity"] == np.exp(figures["seq2seq"])
    path = str(tmp_path / "run" / "model")
    model = load_task(path)
    assert model.data_settings == {"max_length": 24, "special_tokens_in_text": True}
    (tmp_path / "in.txt").write_text("the film [MASK] good .\n")
    predict(path, str(tmp_path / "in.txt"), str(tmp_path / "out.jsonl"))
    written = json.loads((tmp_path / "out.jsonl").read_text())["generated"]
    assert written == model.generate(["the film [MASK] good ."])[0]
    finetuning.finetune(finetune_config(path, table), str(tmp_path / "tuned"))
    tuned = load_task(tmp_path / "tuned" / "model")
    for ours, theirs in zip(tuned.weights, model.weights, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert tuned.data_settings["max_length"] == 8
