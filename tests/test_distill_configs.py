"""Every configuration of distillation that is shipped loads, and its head comment says how to run
it."""

import pathlib

import pytest

from bert_tf.compression.loss_settings import settings_of
from bert_tf.config import DistillConfig, PruneConfig, load

FOLDER = pathlib.Path(__file__).parents[1] / "configs" / "distill"
FILES = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_loads_and_says_its_command(file):
    config = load(DistillConfig, str(file))
    assert settings_of(config.distillation.losses)
    head = file.read_text(encoding="utf-8").split("\nmodel:")[0]
    assert all(line.startswith("#") for line in head.splitlines())
    assert f"bert-tf distill --config=configs/distill/{file.name} --workdir=" in head


@pytest.mark.parametrize("file", sorted(FOLDER.parent.glob("prune/*.yaml")), ids=lambda x: x.stem)
def test_one_of_pruning_loads_and_says_its_command(file):
    load(PruneConfig, str(file))
    head = file.read_text(encoding="utf-8").split("\nmodel:")[0]
    assert all(line.startswith("#") for line in head.splitlines())
    assert f"bert-tf prune --config=configs/prune/{file.name} --workdir=" in head
