"""Intermediate tasks: what the last one begins with, what goes on after a stop, what is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file

from bert_tf.config import FinetuneConfig, from_dict, load, to_dict, to_yaml
from bert_tf.errors import ConfigError, InputError
from bert_tf.recipes.finetune import finetune
from bert_tf.recipes.finetune_after import finetune_after
from tests import tiny
from tests.recipes.test_finetune import sentences


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("after")
    tiny.save(folder / "model")
    texts = list(sentences(48, 0))
    for name, labels in (("kind", ("no", "yes")), ("size", (0.5, 2.5))):
        rows = "".join(f"{text}\t{labels[good]}\n" for text, good in texts)
        (folder / f"{name}.tsv").write_text(f"text\tlabel\n{rows}")
    return folder


def config_of(folder, **changes):
    values = {
        "model": {"path": f"{folder}/model"},
        "intermediate": [
            {
                "data": {"train": f"{folder}/size.tsv", "max_length": 12},
                "head": {"problem_type": "regression"},
                "steps": 4,
                "learning_rate": 0.02,
            }
        ],
        "data": {"train": f"{folder}/kind.tsv", "max_length": 12},
        "train": {"batch_size": 8, "steps": 3, "best_metric": "f1", "learning_rate": 0.01},
    }
    return from_dict(FinetuneConfig, values | changes)


@pytest.mark.slow  # two trainings and a third beside them
def test_the_last_task_is_as_if_it_were_given_the_model_of_the_one_before(folder, caplog):
    config, workdir = config_of(folder), folder / "run"
    with caplog.at_level("WARNING", "absl"):
        results = finetune_after(config, str(workdir))
    assert "is gone" not in caplog.text  # the checkpoints of intermediate tasks are not its own
    first = json.loads((workdir / "intermediate_1/metrics.json").read_text())
    assert first["steps"] == 4 and "pearson" in first["validation"] and results["steps"] == 3
    alone = config.after(f"{workdir}/intermediate_1/model")
    finetune(alone, str(folder / "alone"))
    one, same = (load_file(folder / x / "model/model.safetensors") for x in ("run", "alone"))
    for name, tensor in one.items():
        np.testing.assert_array_equal(tensor, same[name])
    assert finetune_after(config, str(workdir)) == results  # finished: nothing is done again
    with pytest.raises(ConfigError, match=r"intermediate.1.steps \(4 there, 5 now\)"):
        changed = to_dict(config)
        changed["intermediate"][0]["steps"] = 5
        finetune_after(from_dict(FinetuneConfig, changed), str(workdir))


def test_a_model_goes_from_task_to_task(folder, monkeypatch):
    begun = []

    def seen(config, workdir, start=None):
        begun.append((config.model.path, start, config.train, config.data.train, workdir))

    monkeypatch.setattr("bert_tf.recipes.finetune_after.finetune", seen)
    section = to_dict(config_of(folder))["intermediate"][0]
    other = {**section, "steps": None, "epochs": 2, "learning_rate": None}
    config = config_of(folder, intermediate=[section, other])
    config = replace(config, train=replace(config.train, freeze="encoder"))
    finetune_after(config, str(folder / "new"))
    first, second, last = begun
    assert first[0] == f"{folder}/model" and second[0] == f"{folder}/new/intermediate_1/model"
    assert last[1] == f"{folder}/new/intermediate_2/model" and last[4] == f"{folder}/new"
    assert first[2].steps == 4 and first[2].learning_rate == 0.02 and first[2].best_metric is None
    # The encoder is all that goes on from an intermediate task, so it learns there.
    assert first[2].freeze is second[2].freeze is None and last[2].freeze == "encoder"
    assert second[2].steps is None and second[2].epochs == 2 and second[2].learning_rate == 0.01
    assert last[2].best_metric == "f1" and first[3].endswith("size.tsv")


def test_a_configuration_without_such_tasks_is_written_and_read_again(folder, tmp_path):
    for config in (config_of(folder, intermediate=[]), config_of(folder)):
        (tmp_path / "config.yaml").write_text(to_yaml(config))
        assert load(FinetuneConfig, str(tmp_path / "config.yaml")) == config
    (tmp_path / "tests.yaml").write_text("model: {path: a}\ndata: {train: b, test_columns: {a: b}}")
    with pytest.raises(ConfigError, match="data.test is None, wanted a file with data.test_col"):
        load(FinetuneConfig, str(tmp_path / "tests.yaml"))


@pytest.mark.parametrize(
    "changes, told",
    [
        ({"few_shot": {"pairs": 2}}, "intermediate is given and few_shot.pairs 2"),
        ({"distribution": {"strategy": "multi_worker"}}, "distribution.strategy multi_worker"),
        ({"intermediate": [{"task": "x"}]}, "intermediate.1.data.train is missing"),
        ({"intermediate": 3}, "intermediate is 3, wanted a list of sections"),
    ],
)
def test_what_goes_with_no_intermediate_task_is_refused(folder, changes, told):
    with pytest.raises(ConfigError) as caught:
        config_of(folder, **changes)
    assert told in str(caught.value)


def test_what_is_wrong_with_one_begins_with_its_number(folder, tmp_path):
    section = {"data": {"train": f"{folder}/kind.tsv", "max_length": 999}}
    with pytest.raises(ConfigError, match="intermediate.1: data.max_length: 999"):
        finetune_after(config_of(folder, intermediate=[section]), str(tmp_path / "run"))
    section = {"data": {"train": f"{folder}/none.tsv"}}
    with pytest.raises(InputError, match="intermediate.1: .*none.tsv"):
        finetune_after(config_of(folder, intermediate=[section]), str(tmp_path / "run"))
    with pytest.raises(ConfigError, match="intermediate.1.task is 'sequence', wanted"):
        section = {"task": "sequence", **section}
        finetune_after(config_of(folder, intermediate=[section]), str(tmp_path / "run"))
