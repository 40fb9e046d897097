"""Fine-tuning from files to a model directory: what it learns, keeps, refuses and survives."""

import dataclasses
import errno
import json
import os
import signal

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file

from bert_tf import (
    BertConfig,
    SequenceClassifier,
    TokenClassifier,
    Tokenizer,
    atomic,
    build_encoder,
    load_task,
)
from bert_tf.config import DataSection, FinetuneConfig, ModelSection, TrainSection
from bert_tf.data import read_table
from bert_tf.errors import ConfigError, InputError
from bert_tf.recipes import finetune as recipe
from bert_tf.recipes.classes import label_counts
from bert_tf.recipes.evaluate import evaluate
from bert_tf.recipes.finetune import finetune
from bert_tf.recipes.interruption import Interrupted
from tests import tiny


def sentences(count, seed):
    """Sentences of toy words, and whether "good" is among them; else "bad" is."""
    numbers = np.random.default_rng(seed)
    for number in range(count):
        words = list(numbers.choice(tiny.WORDS[2:], numbers.integers(1, 7)))
        words.insert(numbers.integers(len(words) + 1), ("bad", "good")[number % 2])
        yield " ".join(words), bool(number % 2)


def write(path, rows, header=("text", "label")):
    lines = ["\t".join(map(str, row)) for row in [header, *rows]]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files of an untrained model and of a task it can learn."""
    folder = tmp_path_factory.mktemp("files")
    keras.utils.set_random_seed(1)
    encoder = build_encoder(tiny.config(num_hidden_layers=1, initializer_range=0.2))
    encoder.save_pretrained(str(folder / "encoder"), tiny.tokenizer(folder / "vocabulary"))
    for seed, (part, count) in enumerate({"train": 96, "dev": 32, "test": 32}.items()):
        rows = [(text, "yes" if good else "no") for text, good in sentences(count, seed)]
        write(folder / f"{part}.tsv", rows)
    return folder


def config_of(folder, model=None, data=None, **train):
    defaults = {
        "batch_size": 16,
        "steps": 60,
        "learning_rate": 0.02,
        "evaluate_every": 30,
        "checkpoint_every": 10,
    }
    return FinetuneConfig(
        model=ModelSection(**{"path": str(folder / "encoder"), **(model or {})}),
        data=DataSection(
            **{
                "train": str(folder / "train.tsv"),
                "validation": str(folder / "dev.tsv"),
                "test": str(folder / "test.tsv"),
                "max_length": 16,
                **(data or {}),
            }
        ),
        train=TrainSection(**defaults | train),
    )


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    """A finished run: its workdir and its results."""
    workdir = tmp_path_factory.mktemp("runs") / "whole"
    return workdir, finetune(config_of(folder), str(workdir))


def refused(kind, call, *parts):
    with pytest.raises(kind) as caught:
        call()
    message = str(caught.value)
    assert type(caught.value) is kind and "\n" not in message
    assert all(str(part) in message for part in parts), message


def test_it_learns(run):
    _, results = run
    assert results["steps"] == 60 and results["best_step"] in (30, 60)
    assert results["validation"]["accuracy"] >= 0.9 and results["test"]["accuracy"] >= 0.9
    assert results["validation"]["rows"] == results["test"]["rows"] == 32


@pytest.mark.parametrize(
    "labels, counts",
    [
        (["b", "a", "b", "c", "b", "a"], {"b": 3, "a": 2, "c": 1}),
        (["b", "a|b", "b|c", "b"], {"b": 4, "a": 1, "c": 1}),
        (["0.5", "1.5"], None),
    ],
)
def test_the_labels_are_counted_the_frequent_ones_first(tmp_path, labels, counts):
    path = write(tmp_path / "rows.tsv", [("good", label) for label in labels])
    kinds = {"text": "text", "label": "label"}
    found = label_counts(read_table(path, kinds, kinds))
    assert counts is found is None or list(found.items()) == list(counts.items())


PACKED = {"batch_size": 4, "steps": 30, "evaluate_every": 15}


@pytest.fixture(scope="module")
def packed(folder, tmp_path_factory):
    """A whole run on packed rows: its workdir, its results."""
    workdir = tmp_path_factory.mktemp("packed") / "whole"
    config = config_of(folder, data={"packing": True, "max_length": 24}, **PACKED)
    return workdir, finetune(config, str(workdir))


def test_it_learns_from_packed_rows(packed):
    results = packed[1]
    assert results["validation"]["accuracy"] >= 0.9 and results["test"]["accuracy"] >= 0.9


@pytest.mark.slow
def test_a_stop_on_packed_rows_changes_no_bit(folder, packed, tmp_path, monkeypatch):
    config = config_of(folder, data={"packing": True, "max_length": 24}, **PACKED)
    measure = recipe.evaluate

    def interrupt(*arguments):
        os.kill(os.getpid(), signal.SIGTERM)
        return measure(*arguments)

    monkeypatch.setattr(recipe, "evaluate", interrupt)
    with pytest.raises(Interrupted, match="saved at step 16 of 30"):
        finetune(config, str(tmp_path))
    monkeypatch.undo()
    finetune(config, str(tmp_path))
    ends = [load_file(folder / "model/model.safetensors") for folder in (packed[0], tmp_path)]
    for name, weight in ends[0].items():
        np.testing.assert_array_equal(weight, ends[1][name])


def test_the_workdir_holds_what_is_promised_and_no_leftovers(run):
    workdir, results = run
    there = {path.name for path in workdir.iterdir()}
    wanted = "config.yaml data.json metrics.json metrics.jsonl curves.png model checkpoints events"
    assert there == {*wanted.split(), "confusion.png"}
    assert json.loads((workdir / "metrics.json").read_text()) == results
    assert (workdir / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_the_model_knows_its_labels_and_columns_and_answers_as_measured(run, folder):
    workdir, results = run
    model = load_task(workdir / "model")
    assert model.label_names == ["no", "yes"]
    assert model.data_settings == {
        "text": "text",
        "text_pair": None,
        "label": "label",
        "max_length": 16,
    }
    measured = evaluate(str(workdir / "model"), str(folder / "test.tsv"))
    assert measured["accuracy"] == results["test"]["accuracy"]
    assert measured["confusion_matrix"] == results["test"]["confusion_matrix"]
    tokenizer = Tokenizer.from_pretrained(workdir / "model")
    logits = model(tokenizer(["the film is good", "a bad actor"])).numpy()
    assert logits.argmax(1).tolist() == [1, 0]


def test_a_finished_run_answers_again_and_touches_nothing(run, folder):
    workdir, results = run
    before = {path: path.stat().st_mtime_ns for path in workdir.rglob("*")}
    assert finetune(config_of(folder), str(workdir)) == results
    assert {path: path.stat().st_mtime_ns for path in workdir.rglob("*")} == before


def test_another_configuration_is_refused_with_the_keys_that_differ(run, folder):
    workdir, _ = run
    other = config_of(folder, learning_rate=0.03, data={"max_length": 12})
    refused(
        ConfigError,
        lambda: finetune(other, str(workdir)),
        workdir,
        "train.learning_rate (0.02 there, 0.03 now)",
        "data.max_length (16 there, 12 now)",
    )


@pytest.mark.slow  # old/test_old_runs.py, training/test_loop.py
def test_an_interrupted_run_ends_with_the_same_bits(run, folder, tmp_path, monkeypatch):
    workdir, results = run
    config, measure = config_of(folder), recipe.evaluate

    def interrupt(*arguments):
        os.kill(os.getpid(), signal.SIGTERM)
        return measure(*arguments)

    monkeypatch.setattr(recipe, "evaluate", interrupt)
    with pytest.raises(Interrupted, match="saved at step 31 of 60"):
        finetune(config, str(tmp_path / "run"))
    monkeypatch.undo()
    assert not (tmp_path / "run" / "metrics.json").exists()
    again = finetune(config, str(tmp_path / "run"))
    assert {**again, "seconds": 0} == {**results, "seconds": 0}
    ours, theirs = (
        load_file(place / "model" / "model.safetensors") for place in (tmp_path / "run", workdir)
    )
    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.slow  # files that appear whole: test_atomic.py
def test_a_disk_that_fills_up_at_the_end_loses_nothing(folder, tmp_path, monkeypatch, caplog):
    rows, run = tmp_path / "train.tsv", tmp_path / "run"
    rows.write_bytes((folder / "train.tsv").read_bytes())
    config = config_of(folder, data={"train": str(rows)}, steps=2, freeze="encoder")

    def full(path):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(atomic, "sync_tree", full)
    refused(InputError, lambda: finetune(config, str(run)), "No space left")
    assert not (run / "model").exists() and not (run / "metrics.json").exists()
    monkeypatch.undo()
    # Meanwhile the rows change, and another process is at work there.
    rows.write_bytes(rows.read_bytes() + b"a good film\tyes\n")
    with atomic.locked(str(run)):
        refused(InputError, lambda: finetune(config, str(run)), f"{run}: in use by")
    assert "changed since" not in caplog.text
    assert finetune(config, str(run))["steps"] == 2
    assert caplog.text.count(f"{rows}: changed since the run") == 1
    assert not list(run.rglob("*.tmp")) and not (run / ".lock").exists()
    # And the encoder, which was frozen, is saved as it came.
    before = load_file(folder / "encoder" / "model.safetensors")
    after = load_file(run / "model" / "model.safetensors")
    for name, values in before.items():
        np.testing.assert_array_equal(after[f"bert.{name}"], values)
    assert after["classifier.bias"].any()


@pytest.mark.slow
def test_pairs_with_ratings_and_a_share_set_aside(folder, tmp_path):
    rows = [(a, b, 1.5 * x - y) for (a, x), (b, y) in zip(sentences(24, 5), sentences(24, 6))]  # noqa: B905
    path = write(tmp_path / "rated.tsv", rows, ("one", "other", "score"))
    columns = {"text": "one", "text_pair": "other", "label": "score"}
    data = {"train": path, "validation": 0.25, "test": None, **columns}
    model = {"pooling": "mean", "head_layers": (8,)}
    results = finetune(config_of(folder, model, data, steps=2, freeze=1), str(tmp_path / "run"))
    assert "test" not in results and results["validation"]["rows"] == 6
    assert {"pearson", "spearman", "mean_squared_error"} <= set(results["validation"])
    back = load_task(tmp_path / "run" / "model")
    assert (back.problem_type, back.pooling, back.head_layers) == (
        "regression",
        "mean",
        [[8, "tanh"]],
    )
    assert back.data_settings == {**columns, "max_length": 16}


@pytest.mark.slow
def test_several_labels_in_low_precision_with_accumulation(folder, tmp_path):
    rows = [(text, "yes|sure" if good else "no") for text, good in sentences(24, 7)]
    path = write(tmp_path / "several.tsv", rows)
    data = {"train": path, "validation": path, "test": None}
    train = {"steps": 2, "accumulate": 2, "precision": "mixed_bfloat16"}
    config = config_of(folder, None, data, class_weights="balanced", **train)
    figures = finetune(config, str(tmp_path / "run"))["validation"]
    assert {"f1_micro", "f1_macro", "exact_match", "f1_macro_tuned"} <= set(figures)
    model = load_task(tmp_path / "run" / "model")
    assert model.label_names == ["no", "sure", "yes"]
    assert model.thresholds == figures["best_thresholds"]


THREE = [("good", "a"), ("bad", "b"), ("film", "c"), ("story", "a")]


@pytest.mark.parametrize(
    ("kind", "changes", "parts"),
    [
        (InputError, {"model": {"path": "absent"}}, ["absent"]),
        (ConfigError, {"model": {"changes": {"hidden": 3}}}, ["hidden", "nearest"]),
        (InputError, {"data": {"train": "absent.tsv"}}, ["absent.tsv", "cannot be read"]),
        (InputError, {"data": {"validation": "odd.tsv"}}, ["odd.tsv, line 2", "'maybe'", "yes"]),
        (InputError, {"data": {"train": "same.tsv"}}, ["same.tsv", "'yes' in every row"]),
        (ConfigError, {"data": {"max_length": 33}}, ["data.max_length: 33", "32 positions"]),
        (ConfigError, {"train": {"freeze": 2}}, ["train.freeze: 2", "has 1"]),
        (ConfigError, {"train": {"best_metric": "acuracy"}}, ["did you mean accuracy?"]),
        (
            ConfigError,
            {"train": {"best_metric": "f1"}, "data": {"train": "3.tsv", "validation": "3.tsv"}},
            ["train.best_metric is f1", "f1_macro"],
        ),
        (ConfigError, {"train": {"class_weights": {"odd": 2.0}}}, ["no label 'odd'; there are"]),
        (
            ConfigError,
            {"model": {"options": {"pooling": "x"}}},
            ["model.options.pooling: 'x', wan"],
        ),
        (ConfigError, {"model": {"head_layers": (0,)}}, ["model.head_layers: width 0, wanted"]),
        (ConfigError, {"train": {"warmup": 61.0}}, ["train.warmup: 61 steps", "has 60"]),
        (InputError, {"model": {"path": "model.zip"}}, ["model.zip"]),
        (
            ConfigError,
            {"model": {"options": {"label_names": ["yes", "no"]}}},
            ["model.options.label_names: ['yes', 'no'], wanted none", "['no', 'yes']"],
        ),
        (
            ConfigError,
            {"model": {"options": {"problem_type": "regression"}}},
            ["model.options.problem_type: 'regression', wanted none"],
        ),
        (ConfigError, {"model": {"options": {"num_labels": 5}}}, ["model.options.num_labels: 5"]),
        (
            ConfigError,
            {"model": {"changes": {"hidden_size": 7}}},
            ["model.changes.hidden_size: 7 does not divide"],
        ),
        (
            ConfigError,
            {"model": {"changes": {"keep_layers": [5]}}},
            ["model.changes.keep_layers: [5]"],
        ),
        (ConfigError, {"data": {"scheme": "BIOES"}}, ["data.scheme is 'BIOES'", "has no tags"]),
        (ConfigError, {"data": {"strict_tags": True}}, ["data.strict_tags is True"]),
        (ConfigError, {"data": {"overlap": 2}}, ["data.overlap is 2 and data.windows null"]),
        (
            ConfigError,
            {"data": {"overlap": 13, "windows": 2}},
            ["data.overlap is 13, wanted at most", "half of data.max_length"],
        ),
    ],
)
def test_what_cannot_work_is_one_line_and_the_workdir_stays_free(
    folder, tmp_path, monkeypatch, kind, changes, parts
):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "odd.tsv", [("good", "maybe")])
    write(tmp_path / "same.tsv", [("good", "yes"), ("bad", "yes")])
    write(tmp_path / "3.tsv", THREE)
    (tmp_path / "model.zip").write_bytes(b"PK\x03\x04 cut off")
    data = {"test": None, **changes.get("data", {})}
    config = config_of(folder, changes.get("model"), data, **changes.get("train", {}))
    refused(kind, lambda: finetune(config, str(tmp_path / "run")), *parts)
    assert not (tmp_path / "run" / "checkpoints").exists()
    # Whoever corrects the mistake may use the workdir: it holds no run.
    assert recipe.open_workdir(str(tmp_path / "run"), config_of(folder)) is None


def test_labels_are_ignored_of_tasks_that_have_one_a_row(folder):
    config = config_of(folder, None, {"ignore_labels": ("-",)})
    recipe.require_able(config, SequenceClassifier)
    config = dataclasses.replace(config, task="token_classification")
    told = "data.ignore_labels is ['-'], and task token_classification has none a row"
    refused(ConfigError, lambda: recipe.require_able(config, TokenClassifier), told)


def test_a_workdir_that_is_a_file_is_one_line(folder, tmp_path):
    (tmp_path / "run").write_text("mine")
    refused(InputError, lambda: finetune(config_of(folder), str(tmp_path / "run")), "run")
    assert (tmp_path / "run").read_text() == "mine"


def test_a_vocabulary_larger_than_the_weights_is_one_line(folder, tmp_path):
    encoder = build_encoder(
        dataclasses.replace(load_task_config(folder), vocab_size=len(tiny.vocabulary()) - 1)
    )
    encoder.save_pretrained(str(tmp_path / "m"), tiny.tokenizer(tmp_path / "v"))
    config = config_of(folder, {"path": str(tmp_path / "m")})
    refused(InputError, lambda: finetune(config, str(tmp_path / "run")), "vocab")


def load_task_config(folder):
    return BertConfig.from_dict(json.loads((folder / "encoder" / "config.json").read_text()))


def test_the_monitored_metric_has_a_default_and_a_direction():
    model, five = tiny.classifier(), tiny.classifier(label_names="abcde")
    rating = tiny.classifier(label_names=("LABEL_0",), problem_type="regression")
    assert recipe.monitor_of(None, model) == ("accuracy", True)
    assert recipe.monitor_of(None, rating) == ("pearson", True)
    assert recipe.monitor_of("mean_squared_error", rating) == ("mean_squared_error", False)
    assert recipe.monitor_of("loss", model) == ("loss", False)
    with pytest.raises(ConfigError, match="train.best_metric is acuracy.*did you mean accuracy"):
        recipe.monitor_of("acuracy", model)
    with pytest.raises(ConfigError, match="train.best_metric is f1, wanted one of accuracy"):
        recipe.monitor_of("f1", five)  # of the positive class, of which five have none
