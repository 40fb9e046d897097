"""Every block of MIGRATION.md that says `# here` runs, on files as the old homes left them."""

import pathlib
import re
import shutil

import numpy as np
import pytest

import bert_tf
from bert_tf import MaskedLM, SequenceClassifier, build_encoder, convert
from tests import tiny
from tests.conversion import hub_model
from tests.conversion.test_transformers_h5 import as_h5

PAGE = (pathlib.Path(__file__).parent.parent / "MIGRATION.md").read_text(encoding="utf-8")
HUB = "bert_en_uncased_L-12_H-768_A-12"
IDS = np.array([[2, 7, 9, 3]], "int32")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """What the page names: encoder, classifier, google, and a SavedModel."""
    monkeypatch.chdir(tmp_path)
    model = tiny.save(tmp_path / "classifier", layers=2)
    model.encoder.save_pretrained("encoder")
    for name in ("classifier", "encoder"):
        shutil.copy(tmp_path / "classifier" / "tokenizer" / "vocab.txt", tmp_path / name)
        as_h5(tmp_path / name)
        (tmp_path / name / "model.safetensors").unlink()
    shutil.rmtree(tmp_path / "classifier" / "tokenizer")
    words = MaskedLM(build_encoder(tiny.config(), pooler=False))
    words.save_pretrained("words", tiny.tokenizer(tmp_path / "words"))
    convert("words", "google", "google")
    hub_model.make(tmp_path, pooler=True, max_position_embeddings=32)
    (tmp_path / "model").rename(HUB)
    return tmp_path


BLOCKS = re.findall(r"```python\n# here\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_names_what_there_is():
    assert len(BLOCKS) == 5
    for block in BLOCKS:
        compile(block, "MIGRATION.md", "exec")
        for name in re.findall(r"bert_tf\.(\w+)", block):
            assert name in bert_tf.__all__, name


@pytest.mark.slow  # it exports
def test_the_blocks_of_the_page_run(folder):
    names = {"input_ids": IDS, "mask": np.ones_like(IDS)}
    after = []
    for block in BLOCKS:
        exec(block, names)
        after.append(dict(names))
    first, second, third, fourth, fifth = after
    assert first["hidden"].shape == (1, 4, 16) and first["logits"].shape == (1, 2)
    assert (folder / "anew" / "model.safetensors").is_file()
    assert second["answer"]["label"].shape == (1,)
    assert third["vectors"].shape[-1] == 8
    assert isinstance(fourth["model"], SequenceClassifier)
    assert any("do_lower_case" in name for name in fourth["names"])
    assert isinstance(fifth["model"], MaskedLM) and fifth["inputs"]["input_ids"].shape[0] == 1
