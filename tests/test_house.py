"""The proof of the house: a task and a family nobody here knows, put into the tables alone, train,
save, load, export and predict through the commands."""

import json

import contract
import numpy as np
import pytest
import tensorflow as tf

from bert_tf import (
    build_encoder,
    cli,
    conversion,
    encoders,
    load_encoder,
    load_task,
    pipeline,
    read_dataset,
)
from bert_tf.outlines import OUTLINES, Outline
from bert_tf.tasks import TASKS
from tests import tiny, toy_family
from tests.toy_task import DocumentClassifier


@pytest.fixture(scope="module")
def toy_task():
    patch = pytest.MonkeyPatch()
    patch.setitem(TASKS, "document_classification", DocumentClassifier)
    outline = Outline(DocumentClassifier.columns, DocumentClassifier.arguments)
    patch.setitem(OUTLINES, "document_classification", outline)
    yield "document_classification"
    patch.undo()


def documents(count):
    """Rows of one to four sentences; good ones and bad ones."""
    numbers = np.random.default_rng(3)
    for row in range(count):
        kind = "good" if row % 2 else "bad"
        words = [kind, *numbers.choice(tiny.WORDS[4:12], 3)]
        sentences = [" ".join(numbers.permutation(words)) for _ in range(1 + row % 4)]
        yield {"lines": sentences, "label": kind}


@pytest.fixture(scope="module")
def trained(toy_task, tmp_path_factory):
    """A workdir of `bert-tf finetune` with the toy task, and the folder of its files."""
    folder = tmp_path_factory.mktemp("house")
    tiny.classifier().encoder.save_pretrained(
        str(folder / "encoder"), tiny.tokenizer(folder / "vocabulary")
    )
    for name, count in (("train", 48), ("dev", 10)):
        lines = [json.dumps(row) for row in documents(count)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "config.yaml").write_text(f"""
task: {toy_task}
model: {{path: {folder}/encoder, options: {{temperature: 2.0}}}}
data: {{train: {folder}/train.jsonl, validation: {folder}/dev.jsonl, max_length: 12,
  columns: {{sentences: lines}}}}
train: {{batch_size: 8, epochs: 2, learning_rate: 1.0e-3}}
""")
    argv = [f"--config={folder}/config.yaml", f"--workdir={folder}/run"]
    assert cli.main(["finetune", *argv]) == 0
    return folder


def lines_of(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_a_task_of_its_own_trains_and_is_measured_through_the_commands(trained, capsys):
    results = json.loads((trained / "run" / "metrics.json").read_text())
    assert 0 <= results["validation"]["accuracy"] <= 1 and results["steps"] == 12
    argv = [f"--model={trained}/run/model", f"--data={trained}/dev.jsonl"]
    assert cli.main(["evaluate", *argv]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again == pytest.approx(results["validation"])


def test_it_is_saved_with_its_arguments_and_loaded_bit_for_bit(trained, tmp_path):
    model = load_task(trained / "run" / "model")
    assert type(model) is DocumentClassifier and model.temperature == 2.0
    assert model.label_names == ["bad", "good"]
    assert model.data_settings["sentences"] == "lines" and model.data_settings["max_length"] == 12
    config = json.loads((trained / "run/model/config.json").read_text())
    assert config["model_type"] == "bert_tf"  # no other package may take it for a BERT
    model.save_pretrained(str(tmp_path))
    back = load_task(tmp_path)
    for one, other in zip(model.weights, back.weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow  # the contract asks the same
def test_model_export_and_python_give_the_same_answers(trained, tmp_path):
    assert cli.main(["export", f"--model={trained}/run/model", f"--output={tmp_path}/export"]) == 0
    answers = {}
    for name, place in (("model", f"{trained}/run/model"), ("export", f"{tmp_path}/export")):
        argv = [f"--input={trained}/dev.jsonl", f"--output={tmp_path}/{name}.jsonl"]
        assert cli.main(["predict", f"--model={place}", *argv]) == 0
        answers[name] = lines_of(tmp_path / f"{name}.jsonl")
    rows = [row["lines"] for row in documents(10)]
    assert [answer["sentences"] for answer in answers["model"]] == rows
    answers["python"] = pipeline(f"{trained}/run/model")(rows)
    for name in ("export", "python"):
        for one, other in zip(answers["model"], answers[name], strict=True):
            assert one["label"] == other["label"]
            count = len(one["sentences"])
            np.testing.assert_allclose(one["scores"][:count], other["scores"][:count], atol=1e-5)


def test_it_trains_under_fit_with_the_same_features(trained, toy_task):
    model = load_task(trained / "run" / "model")
    dataset = read_dataset(
        trained / "train.jsonl",
        tiny.tokenizer(trained / "vocabulary"),
        batch_size=8,
        max_length=12,
        shuffle_seed=1,
        task=toy_task,
        columns={"sentences": "lines"},
    )
    assert dataset.label_names == ("bad", "good")
    inputs, labels = next(iter(dataset))
    assert inputs["input_ids"].shape[0] == 8 and inputs["input_ids"].shape.rank == 3
    longest = tf.reduce_max(tf.math.count_nonzero(inputs["attention_mask"], axis=-1))
    assert inputs["input_ids"].shape[2] == longest and labels.shape == (8,)
    model.compile("sgd")
    history = model.fit(dataset, epochs=1, verbose=0).history
    assert np.isfinite(history["loss"]).all() and set(history) >= {"loss", "accuracy"}


@pytest.mark.parametrize(
    ("sets", "told"),
    [
        ("model.options.temperatur=1", ["model.options.temperatur", "temperature"]),
        ("model.pooling=mean", ["model.pooling", "no such argument"]),
        ("data.columns={sentence: lines}", ["data.columns.sentence", "nearest: sentences"]),
        ("data.text_pair=other", ["text_pair: 'other'", "reads sentences, label"]),
        ("data.packing=true", ["data.packing", "no packed rows"]),
        ("task=document", ["task is 'document'", "document_classification"]),
    ],
)
def test_what_the_task_does_not_have_is_one_line(trained, tmp_path, capsys, sets, told):
    argv = [f"--config={trained}/config.yaml", f"--workdir={tmp_path}/run", f"--set={sets}"]
    assert cli.main(["finetune", *argv]) == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert all(part in line for part in told), line


def test_a_cell_of_another_kind_is_named_with_its_line(trained, tmp_path, capsys):
    rows = [{"lines": ["good"]}, {"lines": "bad"}]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, rows)))
    argv = [f"--model={trained}/run/model", f"--input={tmp_path}/in.jsonl"]
    assert cli.main(["predict", *argv]) == 1
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert "in.jsonl, line 2: key 'lines' is 'bad', wanted a list of strings" in line


@pytest.fixture(scope="module")
def toy_family_there():
    patch = pytest.MonkeyPatch()
    patch.setitem(encoders.FAMILIES, "meannet", toy_family.FAMILY)
    patch.setitem(conversion.FAMILIES, "meannet", toy_family.FILES)
    yield
    patch.undo()


MEANNET = toy_family.MeanConfig(
    vocab_size=len(tiny.vocabulary()),
    hidden_size=16,
    num_hidden_layers=2,
    intermediate_size=32,
    max_position_embeddings=32,
)


@contract.each_check
def test_a_family_of_its_own_is_an_encoder_in_every_respect(toy_family_there, check):
    check(contract.encoder_of(MEANNET))


@pytest.fixture(scope="module")
def trained_family(toy_family_there, tmp_path_factory):
    """The folder of a workdir of `bert-tf finetune` with the toy family."""
    tmp_path = tmp_path_factory.mktemp("family")
    encoder = build_encoder(MEANNET)
    encoder.save_pretrained(str(tmp_path / "start"), tiny.tokenizer(tmp_path / "vocabulary"))
    rows = "".join(f"{'good' if row % 2 else 'bad'} film\t{row % 2}\n" for row in range(32))
    (tmp_path / "rows.tsv").write_text("text\tlabel\n" + rows)
    (tmp_path / "config.yaml").write_text(f"""
model: {{path: {tmp_path}/start}}
data: {{train: {tmp_path}/rows.tsv, max_length: 12, validation: 0.25}}
train: {{batch_size: 8, epochs: 2, learning_rate: 1.0e-2, freeze: 1}}
""")
    argv = [f"--config={tmp_path}/config.yaml", f"--workdir={tmp_path}/run"]
    assert cli.main(["finetune", *argv]) == 0
    return tmp_path


def test_a_family_of_its_own_is_trained_and_loaded_through_the_commands(trained_family):
    tmp_path = trained_family
    config = json.loads((tmp_path / "run/model/config.json").read_text())
    assert config["model_type"] == "meannet"
    assert config["architectures"] == ["MeanNetForSequenceClassification"]
    model = load_task(tmp_path / "run/model")
    assert model.encoder.config == MEANNET and model.head.hidden[0].width == 8
    assert load_encoder(tmp_path / "run/model", num_hidden_layers=1).config.num_hidden_layers == 1
    converted = [f"--source={tmp_path}/run/model", f"--target={tmp_path}/google"]
    assert cli.main(["convert", *converted, "--format=google"]) == 1


@pytest.mark.slow  # exports know no family: the contracts ask them of a BERT
def test_a_family_of_its_own_answers_from_its_export(trained_family):
    tmp_path = trained_family
    export = [f"--model={tmp_path}/run/model", f"--output={tmp_path}/export"]
    assert cli.main(["export", *export]) == 0
    (tmp_path / "in.txt").write_text("good film\nbad film\n")
    found = []
    for place in ("run/model", "export"):
        argv = [f"--model={tmp_path}/{place}", f"--input={tmp_path}/in.txt"]
        assert cli.main(["predict", *argv, f"--output={tmp_path}/out.jsonl"]) == 0
        found.append(lines_of(tmp_path / "out.jsonl"))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one["probabilities"], other["probabilities"], atol=1e-5)
