"""Every pretraining configuration that is shipped loads, and trains a step at toy size through the
command, on records that the commands in its head comment make."""

import json
import pathlib
import shlex

import pytest

from bert_tf import BertConfig, build_encoder, cli
from bert_tf.config import PretrainConfig, load
from tests import tiny
from tests.recipes.corpus import SIZES, corpus

FOLDER = pathlib.Path(__file__).parents[1] / "configs" / "pretrain"
FILES = sorted(FOLDER.glob("*.yaml"))
NAMED = set(
    "bert roberta_style albert electra_small chinese_whole_word mini domain gpt2_small "
    "infilling denoising denoising_mini distilbert tinybert_general word2vec elmo".split()
)
# What the toy corpus, in English and without jieba, has to have otherwise.
OTHERWISE = {"max_length": "24", "shards": "1", "processes": "1", "layout": "lines"}
# Of families without some of a BERT's parts.
SIZES_OF = {
    "word2vec": {"hidden_size": 16},
    "elmo": {"hidden_size": 16, "intermediate_size": 8},
}
NOT_HERE = ("language", "segmenter")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = corpus(tmp_path_factory.mktemp("corpus"))
    encoder = build_encoder(BertConfig(vocab_size=len(tiny.vocabulary()), **SIZES))
    encoder.save_pretrained(str(folder / "model"), tiny.tokenizer(folder / "vocabulary"))
    return folder


def head_of(file):
    return file.read_text(encoding="utf-8").split("\nmodel:")[0]


def commands(file, verb):
    """The flags of the commands of a verb in a head comment, list of dict."""
    text = head_of(file).replace("\\\n#", "")
    lines = [line.strip("# ") for line in text.splitlines()]
    found = [shlex.split(line)[2:] for line in lines if line.startswith(f"bert-tf {verb} ")]
    return [dict(flag.removeprefix("--").partition("=")[::2] for flag in flags) for flags in found]


def test_there_is_one_for_each_way_of_pretraining():
    assert {file.stem for file in FILES} == NAMED


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_its_head_comment_gives_the_commands_in_the_order_they_are_run(file):
    assert all(line.startswith("#") for line in head_of(file).splitlines())
    config = load(PretrainConfig, str(file))
    (command,) = commands(file, "pretrain")
    assert command["config"] == f"configs/pretrain/{file.name}"
    made = {flags["output"] for flags in commands(file, "records")}
    for phase in config.phases:
        assert phase.records in made
        assert not isinstance(phase.validation, str) or phase.validation in made
    for flags in commands(file, "vocab"):
        assert config.model.tokenizer == flags["output"]


@pytest.mark.slow  # they are of parts, each of which recipes/ tries by itself
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_trains_a_step(file, folder, tmp_path):
    config, outputs = load(PretrainConfig, str(file)), {}
    for flags in commands(file, "records"):
        part = "dev" if "held_out" in flags["input"] else "train"
        output = outputs[flags["output"]] = str(tmp_path / flags["output"])
        flags |= OTHERWISE | {"input": str(folder / f"{part}.txt"), "output": output}
        flags |= {"tokenizer": str(folder / "vocabulary")}
        argv = [f"--{name}={value}" for name, value in flags.items() if name not in NOT_HERE]
        assert cli.main(["records", *argv]) == 0
    changes = {"train.batch_size": 4, "train.accumulate": 1, "train.warmup": 0}
    changes |= {f"phases.{n}.steps": 1 for n in range(1, len(config.phases) + 1)}
    for number, phase in enumerate(config.phases, 1):
        changes[f"phases.{number}.records"] = outputs[phase.records]
        changes[f"phases.{number}.validation"] = outputs.get(phase.validation, 0.1)
    if config.model.path is None:
        changes["model.tokenizer"] = folder / "vocabulary"
        changes["model.changes"] = json.dumps(SIZES_OF.get(file.stem, SIZES))
    else:
        changes["model.path"] = folder / "model"
    if config.distillation.teacher is not None:
        changes["distillation.teacher"] = folder / "model"
        if config.model.path is not None:
            changes |= {"model.changes": "{}", "distillation.losses": "{cosine: 1}"}
    if config.model.options:
        changes["model.options.generation"] = "{max_new_tokens: 8}"
    if config.model.generator:
        changes["model.generator"] = json.dumps({"hidden_size": 8, "intermediate_size": 16})
    overrides = [f"--set={key}={value}" for key, value in changes.items()]
    workdir = tmp_path / "run"
    assert cli.main(["pretrain", f"--config={file}", f"--workdir={workdir}", *overrides]) == 0
    results = json.loads((workdir / "metrics.json").read_text())
    assert len(results) == len(config.phases)
    assert all(phase["steps"] == 1 and phase["skipped"] == 0 for phase in results.values())
    assert (workdir / "model" / "model.safetensors").exists()
