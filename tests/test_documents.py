"""What documents and scripts beside the package name exists; the examples of README.md run."""

import ast
import collections
import dataclasses
import importlib
import json
import pathlib
import re
import shutil

import pytest

import bert_tf
from bert_tf.cli import VERBS
from bert_tf.config import DistillConfig, FinetuneConfig, PretrainConfig, PruneConfig
from tests import tiny
from tests.pretraining_data import toy_records

ROOT = pathlib.Path(__file__).parent.parent
READMES = ("README.md", "README.zh-CN.md")
ROWS = [("good film , good actor .", "good"), ("a bad story .", "bad"), ("not good .", "bad")] * 12


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name):
    """The Python examples of a file, list of str."""
    return re.findall(r"```python\n(.*?)```", read(name), re.DOTALL)


def python_in(path):
    """The Python of a file, list of str."""
    if path.suffix == ".ipynb":
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    return blocks(path.name) if path.suffix == ".md" else [path.read_text(encoding="utf-8")]


@pytest.mark.parametrize(
    "path",
    [
        *(ROOT / name for name in READMES),
        *sorted(ROOT.glob("benchmarks/*.py")),
        *sorted(ROOT.glob("notebooks/*.ipynb")),
    ],
    ids=lambda path: path.name,
)
def test_what_is_imported_and_called_of_the_package_is_there(path):
    for example in python_in(path):
        for node in ast.walk(ast.parse(example)):
            if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "bert_tf":
                module = importlib.import_module(node.module)
                assert all(hasattr(module, alias.name) for alias in node.names), node.module
            elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "bert_tf":
                assert node.attr in bert_tf.__all__


def test_both_languages_show_the_same_calls():
    calls = [[re.findall(r"\w+(?=\()", example) for example in blocks(name)] for name in READMES]
    assert calls[0] == calls[1]


@pytest.mark.parametrize("name", [*READMES, "CONTRIBUTING.md"])
def test_every_verb_and_every_setting_that_is_named_exists(name):
    sections = collections.defaultdict(set)
    for config in (FinetuneConfig, PretrainConfig, DistillConfig, PruneConfig):
        for field in dataclasses.fields(config):
            if dataclasses.is_dataclass(field.type) and field.name != "model":
                sections[field.name] |= {each.name for each in dataclasses.fields(field.type)}
    text = re.sub(r"\b[\w/]+\.(py|json|yaml)\b", "", read(name))  # files are no settings
    for section, key in re.findall(rf"(?:`|--set )({'|'.join(sections)})\.([a-z_]+)", text):
        assert key in sections[section], f"{section}.{key}"
    assert set(re.findall(r"bert-tf ([a-z]+)", text)) <= set(VERBS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What the examples read, under the names they have there."""
    folder = tmp_path_factory.mktemp("readme")
    tiny.save(folder / "quickstart" / "pretrained", layers=2)
    (folder / "quickstart" / "data").mkdir()
    for part in ("train", "validation"):
        lines = (json.dumps({"text": text, "label": label}) + "\n" for text, label in ROWS)
        (folder / "quickstart" / "data" / f"{part}.jsonl").write_text("".join(lines))
    tokenizer = tiny.tokenizer(folder / "mini" / "vocab")
    toy_records.write(folder / "mini" / "records", tokenizer)
    deep = bert_tf.BertConfig(tokenizer.vocab_size, 16, 7, 2, 32)
    bert_tf.build_encoder(deep).save_pretrained(str(folder / "deep"), tokenizer)
    bert_tf.convert(str(folder / "deep"), str(folder / "google"), "google")
    shutil.make_archive(str(folder / "uncased_L-12_H-768_A-12"), "zip", folder / "google")
    return folder


@pytest.mark.slow  # it trains twice and exports once
def test_the_examples_run_one_after_the_other(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    examples = blocks("README.md")
    assert len(examples) == 4
    for example in examples:
        exec(example.replace("steps_per_epoch=2000", "steps_per_epoch=2"), {})
    said = capsys.readouterr().out
    assert "Not bad at all." in said and "'word'" in said and "(1, 5, 16) 7" in said
    for name in ("serving/sentiment/1", "sentiment-google", "bert-lower-half", "mini/model"):
        assert (folder / name).is_dir()
