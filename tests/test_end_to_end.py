"""The way of a user, through `main(argv)`: fine-tune, again, evaluate, predict, export, ask."""

import json

import keras
import numpy as np
import pytest
import yaml

from bert_tf import build_encoder, load_export
from bert_tf.cli import main
from tests import tiny

COLOURS = {"warm": ("good", "film", "actor"), "cold": ("bad", "story", "end")}


def rows(count, seed):
    """Texts of two kinds, told apart by the words they hold, in turns."""
    numbers = np.random.default_rng(seed)
    for number in range(count):
        label = list(COLOURS)[number % 2]
        words = [
            *numbers.choice(COLOURS[label], 2),
            *numbers.choice(["the", "a", "not", "very"], 3),
        ]
        yield {"sentence": " ".join(numbers.permutation(words)), "tone": label}


def write(path, entries):
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return str(path)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with an untrained model, two files and a configuration."""
    home = tmp_path_factory.mktemp("home")
    keras.utils.set_random_seed(1)
    encoder = build_encoder(
        tiny.config(num_hidden_layers=1, max_position_embeddings=24, initializer_range=0.2)
    )
    encoder.save_pretrained(str(home / "encoder"), tiny.tokenizer(home / "vocabulary"))
    config = {
        "model": {"path": str(home / "encoder")},
        "data": {
            "train": write(home / "train.jsonl", rows(80, 1)),
            "validation": 0.2,
            "text": "sentence",
            "label": "tone",
            "max_length": 12,
        },
        "train": {"batch_size": 16, "epochs": 16, "learning_rate": 0.02, "evaluate_every": 100},
    }
    write(home / "test.jsonl", rows(40, 2))
    (home / "config.yaml").write_text(yaml.safe_dump(config))
    return home


def command(capsys, *argv, code=0):
    """What a command printed on standard output; it must end with this code."""
    capsys.readouterr()
    found = main(list(argv))
    told = capsys.readouterr()
    assert found == code, told.err
    assert "Traceback" not in told.err
    return told.out if code == 0 else told.err


def test_the_whole_way(home, capsys):
    finetune = ["finetune", f"--config={home / 'config.yaml'}", f"--workdir={home / 'run'}"]
    told = command(capsys, *finetune, "--set", "train.epochs=15")
    assert "validation: " in told and "accuracy" in told
    # The same command again says so and ends; another configuration is refused by name.
    assert command(capsys, *finetune, "--set", "train.epochs=15") == told
    told = command(capsys, *finetune, "--set", "train.epochs=14", code=2)
    assert "train.epochs (15 there, 14 now)" in told and told.count("\n") == 1

    model, test = home / "run" / "model", home / "test.jsonl"
    figures = json.loads(command(capsys, "evaluate", f"--model={model}", f"--data={test}"))
    assert figures["rows"] == 40 and figures["accuracy"] >= 0.9

    texts = [entry["sentence"] for entry in rows(40, 2)]
    (home / "in.txt").write_text("\n".join(texts) + "\n")
    out = home / "answers.jsonl"
    command(capsys, "predict", f"--model={model}", f"--input={home / 'in.txt'}", f"--output={out}")
    answers = [json.loads(line) for line in out.read_text().splitlines()]
    assert [answer["text"] for answer in answers] == texts
    right = [answer["label"] == entry["tone"] for answer, entry in zip(answers, rows(40, 2))]  # noqa: B905
    assert np.mean(right) == pytest.approx(figures["accuracy"])

    version = command(capsys, "export", f"--model={model}", f"--output={home / 'serving'}")
    assert version == f"{home / 'serving' / '1'}\n"
    asked = load_export(home / "serving")(texts)
    assert asked["label"].tolist() == [answer["label"] for answer in answers]
    np.testing.assert_allclose(
        asked["probabilities"], [answer["probabilities"] for answer in answers], atol=1e-5
    )


@pytest.mark.parametrize(
    ("change", "code", "parts"),
    [
        ("train.epoch=3", 2, ["train.epoch", "train.epochs"]),
        ("data.label=tune", 1, ["train.jsonl, line 1", "did you mean 'tone'?"]),
        ("data.max_length=25", 2, ["data.max_length: 25", "24 positions"]),
    ],
)
def test_a_mistake_is_one_line_and_its_correction_may_use_the_workdir(
    home, tmp_path, capsys, change, code, parts
):
    argv = ["finetune", f"--config={home / 'config.yaml'}", f"--workdir={tmp_path / 'run'}"]
    told = command(capsys, *argv, "--set", change, code=code)
    line = told.splitlines()[-1]
    assert line.startswith("bert-tf finetune: ") and all(part in line for part in parts), told
    assert not (tmp_path / "run" / "model").exists()
    told = command(capsys, *argv, "--set", "model.path=elsewhere", code=1)
    assert "elsewhere" in told.splitlines()[-1]
