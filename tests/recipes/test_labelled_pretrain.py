"""Labels beside a text, from JSON lines by way of records into pretraining and its figures."""

import json
import os

import numpy as np
import pytest

from bert_tf import cli, load_task
from bert_tf import config as configs
from bert_tf.config import PretrainConfig
from bert_tf.errors import ConfigError
from bert_tf.pretraining_data.records.manifest import Manifest
from bert_tf.recipes.pretrain import pretrain
from tests import tiny

from .corpus import SIZES, refused

NOUNS = ("film", "story", "actor", "end")
# Weights far enough apart to learn from the first step on.
WIDE = {"initializer_range": 0.2}
OTHERS = ("the", "is", "very", "one", "two")
FLAGS = "--field=tokens --masking=dynamic --max_length=24 --processes=1".split()


def rows(count, seed, moods=("bad", "good")):
    """Texts whose nouns are tagged, with the mood that some words of them tell."""
    numbers = np.random.default_rng(seed)
    for _ in range(count):
        mood = str(numbers.choice(moods))
        words = [
            *map(str, numbers.choice([*NOUNS, *OTHERS], numbers.integers(4, 9))),
            mood,
            mood,
            mood,
        ]
        tags = ["noun" if word in NOUNS else "other" for word in words]
        yield {"tokens": words, "tags": tags, "mood": mood}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """JSON lines to train on and to hold out, and a vocabulary."""
    folder = tmp_path_factory.mktemp("labelled")
    tiny.tokenizer(folder / "vocabulary")
    parts = {"train": (300, 0), "dev": (60, 1), "one_mood": (60, 2, ("good", "not"))}
    parts["three"] = (60, 3, ("bad", "good", "not"))
    for part, asked in parts.items():
        (folder / f"{part}.jsonl").write_text(
            "".join(json.dumps(row) + "\n" for row in rows(*asked))
        )
    return folder


def records(folder, part, *flags, objective="none", name=None):
    """The folder of records of a part, str; made by the command."""
    output = str(folder / (name or "-".join([part, objective, *flags])))
    source = [f"--input={folder / part}.jsonl", f"--tokenizer={folder / 'vocabulary'}"]
    flags = [*FLAGS, f"--sentence_objective={objective}", "--label=tags", "--label=mood", *flags]
    if not os.path.exists(output):
        assert cli.main(["records", *source, f"--output={output}", *flags]) == 0
    return output


def config_of(folder, *overrides, train="train", validation="dev", objective="none", steps=1):
    source = {
        "records": records(folder, train, objective=objective),
        "validation": records(folder, validation, objective=objective),
    }
    values = {
        "model": {
            "family": "bert",
            "changes": SIZES | WIDE,
            "tokenizer": str(folder / "vocabulary"),
        },
        "phases": [source],
        "train": {"batch_size": 16, "steps": steps, "learning_rate": 0.01},
    }
    path = folder / "run.yaml"
    path.write_text(json.dumps(values))
    return configs.load(PretrainConfig, str(path), overrides)


def test_the_manifest_numbers_the_classes(folder, capsys):
    manifest = Manifest.read(records(folder, "train", name="told"))
    assert manifest.labels == {
        "tags": {"of": "token", "names": ["noun", "other"]},
        "mood": {"of": "sentence", "names": ["bad", "good"]},
    }
    assert manifest.features["tags"] == (24, "int64") and manifest.features["mood"] == (1, "int64")
    assert f"mood: 2 classes, {manifest.counts['records']:,} labels" in capsys.readouterr().out


@pytest.mark.slow
def test_two_processes_write_the_bytes_that_one_writes(folder):
    one = records(folder, "train", "--shards=2", name="one")
    two = records(folder, "train", "--shards=2", "--processes=2", name="two")
    assert Manifest.read(one) == Manifest.read(two)


def test_records_with_and_without_labels_are_not_mixed(folder, capsys):
    output = records(folder, "dev", name="mixed")
    source = [f"--input={folder / 'dev'}.jsonl", f"--tokenizer={folder / 'vocabulary'}"]
    flags = [*FLAGS, "--sentence_objective=none", "--label=mood", f"--output={output}"]
    assert cli.main(["records", *source, *flags]) == 2
    assert "reading.labels.tags" in capsys.readouterr().err


@pytest.mark.slow  # batches: pretraining_data/test_batches.py; losses: tasks/test_pretraining.py
@pytest.mark.parametrize("packing", ["false", "true"])
def test_labels_are_learned_beside_masked_words_and_measured(folder, tmp_path, packing):
    config = config_of(folder, f"phases.1.packing={packing}", steps=60)
    figures = pretrain(config, str(tmp_path))["phase_1"]["validation"]
    # The tag of a masked word can only be guessed.
    assert figures["tags_accuracy"] > 0.85 and figures["mood_accuracy"] > 0.85
    total = figures["masked_lm"] + figures["tags"] + figures["mood"]
    assert figures["loss"] == pytest.approx(total, rel=1e-5)
    model = load_task(str(tmp_path / "model"))
    assert model.extra_labels == {
        "tags": {"of": "token", "num_labels": 2, "names": ["noun", "other"]},
        "mood": {"of": "sentence", "num_labels": 2, "names": ["bad", "good"]},
    }


@pytest.mark.slow
def test_labels_join_an_objective_over_sentences(folder, tmp_path):
    config = config_of(folder, objective="sentence_order", validation="train")
    figures = pretrain(config, str(tmp_path))["phase_1"]["validation"]
    assert {"sentence_accuracy", "mood_accuracy", "tags_accuracy"} <= set(figures)


@pytest.mark.slow
def test_labels_can_be_left_aside(folder, tmp_path):
    config = config_of(folder, "objective.extra_labels={}")
    assert "mood" not in pretrain(config, str(tmp_path))["phase_1"]["validation"]


@pytest.mark.slow
@pytest.mark.parametrize("count, names", [(2, {"names": ["bad", "good"]}), (3, {})])
def test_told_labels_have_their_names_from_records_of_as_many_classes(
    folder, tmp_path, count, names
):
    mood = {"of": "sentence", "num_labels": count}
    config = config_of(folder, f"objective.extra_labels={json.dumps({'mood': mood})}")
    pretrain(config, str(tmp_path))
    assert load_task(str(tmp_path / "model")).extra_labels == {"mood": mood | names}


def test_other_classes_in_what_is_held_out_are_refused(folder, tmp_path):
    config = config_of(folder, validation="one_mood")
    refused(
        ConfigError,
        lambda: pretrain(config, str(tmp_path)),
        "one_mood-none: label 'mood' is not as in",
        "--label=mood=A,B,...",
    )


def test_fewer_classes_than_the_records_have_are_refused(folder, tmp_path):
    classes = "objective.extra_labels={mood: {of: sentence, num_labels: 2}}"
    config = config_of(folder, classes, train="three", validation="three")
    refused(ConfigError, lambda: pretrain(config, str(tmp_path)), "num_labels is 2", "3 classes")


@pytest.mark.parametrize("flag", ["", "=a,b", "x=a,a", "x=a,,b", "mood"])
def test_a_label_flag_that_cannot_be_meant_is_one_line(folder, capsys, flag):
    source = [f"--input={folder / 'dev'}.jsonl", f"--tokenizer={folder / 'vocabulary'}"]
    flags = [*FLAGS, f"--output={folder / 'odd'}", "--label=mood", f"--label={flag}"]
    assert cli.main(["records", *source, *flags]) == 2
    assert f"--label={flag}: wanted NAME or NAME=" in capsys.readouterr().err
