"""Cloze questions, from JSON lines by way of records into pretraining, figures and its model."""

import json
import os

import numpy as np
import pytest

from bert_tf import Tokenizer, cli, load_task
from bert_tf import config as configs
from bert_tf.config import PretrainConfig
from bert_tf.errors import ConfigError
from bert_tf.pretraining_data.records.manifest import Manifest
from bert_tf.recipes.pretrain import pretrain
from tests import tiny

from .corpus import SIZES, refused

# A word of the text tells what belongs into the blank; one answer has several pieces.
ANSWERS = {"good": "film", "bad": "story", "very": "actor", "not": "tea"}
OTHERS = ("the", "is", "one", "two", "three")
FLAGS = "--masking=dynamic --max_length=32 --sentence_objective=none --processes=1".split()


def rows(count, seed, most):
    """Texts with a blank and up to so many candidates, half of them as lists of words."""
    numbers = np.random.default_rng(seed)
    for number in range(count):
        cue = str(numbers.choice([*ANSWERS]))
        answer = ANSWERS[cue]
        wrong = [each for each in ANSWERS.values() if each != answer]
        candidates = [answer, *numbers.permutation(wrong)[: numbers.integers(1, most)]]
        words = [cue, cue, "[MASK]", *numbers.choice(OTHERS, numbers.integers(4, 8))]
        words = list(map(str, numbers.permutation(words)))
        yield {
            "text": words if number % 2 else " ".join(words),
            "animal": {
                "candidates": list(map(str, numbers.permutation(candidates))),
                "answer": answer if number % 10 else None,
            },
            "cue": cue,
        }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """JSON lines to train on and to hold out, and a vocabulary."""
    folder = tmp_path_factory.mktemp("cloze")
    tiny.tokenizer(folder / "vocabulary")
    for part, asked in {"train": (400, 0, 4), "dev": (150, 1, 3)}.items():
        lines = "".join(json.dumps(row) + "\n" for row in rows(*asked))
        (folder / f"{part}.jsonl").write_text(lines)
    return folder


def records(folder, part, *flags, labels=("animal",)):
    """The folder of records of a part, str; made by the command."""
    output = str(folder / "-".join([part, *labels, *flags]))
    source = [f"--input={folder / part}.jsonl", f"--tokenizer={folder / 'vocabulary'}"]
    labels = [f"--label={name}" for name in labels]
    if not os.path.exists(output):
        assert cli.main(["records", *source, f"--output={output}", *FLAGS, *labels, *flags]) == 0
    return output


def config_of(folder, *overrides, steps=1, labels=("animal",), validation="dev"):
    source = {
        "records": records(folder, "train", labels=labels),
        "validation": records(folder, validation, labels=labels),
    }
    values = {
        "model": {
            "family": "bert",
            "changes": SIZES | {"initializer_range": 0.2},
            "tokenizer": str(folder / "vocabulary"),
        },
        "phases": [source],
        "train": {"batch_size": 16, "steps": steps, "learning_rate": 0.01},
    }
    path = folder / "run.yaml"
    path.write_text(json.dumps(values))
    return configs.load(PretrainConfig, str(path), overrides)


def test_the_manifest_tells_how_much_room_questions_have(folder, capsys):
    manifest = Manifest.read(records(folder, "train", "--shards=1"))
    assert manifest.labels == {"animal": {"of": "cloze", "candidates": 4, "pieces": 3}}
    lengths = {name: manifest.features[name][0] for name in manifest.features if "animal" in name}
    assert lengths == {"animal": 1, "animal_blank": 32, "animal_candidates": 12}
    asked = manifest.counts["labelled_animal"]
    told = f"animal: {asked:,} questions, up to 4 candidates each"
    assert told in capsys.readouterr().out and manifest.counts["labelled_animal"] > 300


@pytest.mark.slow
def test_two_processes_write_the_bytes_that_one_writes(folder):
    one = records(folder, "train", "--shards=2")
    two = records(folder, "train", "--shards=2", "--processes=2")
    assert Manifest.read(one) == Manifest.read(two)


@pytest.mark.slow  # its parts: pretraining_data/test_cloze_batches.py
@pytest.mark.parametrize("packing", ["false", pytest.param("true", marks=pytest.mark.slow)])
def test_questions_are_learned_and_answered_by_the_model_that_was_saved(folder, tmp_path, packing):
    overrides = ["masking.probability=0.05", f"phases.1.packing={packing}"]
    config = config_of(folder, *overrides, labels=("animal", "cue"), steps=150)
    figures = pretrain(config, str(tmp_path))["phase_1"]["validation"]
    # Of two or three candidates by chance at most half are right.
    assert figures["animal_accuracy"] > 0.8
    total = figures["masked_lm"] + figures["animal"] + figures["cue"]
    assert figures["loss"] == pytest.approx(total, rel=1e-5)
    model = load_task(str(tmp_path / "model"))
    assert model.extra_labels == {
        "animal": {"of": "cloze", "num_labels": 4},
        "cue": {"of": "sentence", "num_labels": 4, "names": sorted(ANSWERS)},
    }
    tokenizer = Tokenizer.from_pretrained(tmp_path / "model")
    texts = [f"one {cue} the [MASK] {cue} is two" for cue in ANSWERS]
    inputs = dict(tokenizer(texts, special_tokens_in_text=True))
    ids = tokenizer.pieces(list(ANSWERS.values()))[0].to_tensor(-1).numpy()
    inputs["animal_positions"] = np.full(4, 4)
    inputs["animal_candidates"] = np.tile(ids, (4, 1, 1))
    right = model(inputs)["animal_logits"].numpy().argmax(axis=1) == np.arange(4)
    assert right.sum() >= 3


@pytest.mark.slow
def test_questions_can_be_left_aside_and_told(folder, tmp_path):
    config = config_of(folder, "objective.extra_labels={}")
    assert "animal" not in pretrain(config, str(tmp_path / "aside"))["phase_1"]["validation"]
    told = "objective.extra_labels={animal: {of: cloze, num_labels: 9}}"
    figures = pretrain(config_of(folder, told), str(tmp_path / "told"))["phase_1"]["validation"]
    assert "animal_accuracy" in figures
    model = load_task(str(tmp_path / "told" / "model"))
    assert model.extra_labels["animal"]["num_labels"] == 9


@pytest.mark.parametrize(
    "label, parts",
    [
        ("animal: {of: sentence, num_labels: 4}", ["is of a sentence, wanted of a cloze"]),
        ("cue: {of: cloze, num_labels: 4}", ["is of a cloze, wanted of a sentence"]),
        ("animal: {of: cloze, num_labels: 3}", ["num_labels is 3", "4 candidates"]),
        ("tree: {of: cloze, num_labels: 3}", ["extra_labels.tree", "which has none"]),
    ],
)
def test_what_the_records_do_not_ask_is_refused(folder, tmp_path, label, parts):
    overrides = [f"objective.extra_labels={{{label}}}"]
    config = config_of(folder, *overrides, labels=("animal", "cue"))
    refused(ConfigError, lambda: pretrain(config, str(tmp_path)), *parts)
