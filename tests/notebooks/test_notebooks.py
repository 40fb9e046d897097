"""Every notebook runs from its first cell to its last, at toy size, and shows what it promises."""

import json
import pathlib

import nbformat
import pytest
from nbclient import NotebookClient

from tests import tiny

FOLDER = pathlib.Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
WORDS = {"good": ("good film", "a very good actor"), "bad": ("bad film", "the end is bad")}


@pytest.fixture
def folder(tmp_path):
    """A model and data where the parameters below expect them, and a place to run in."""
    tiny.save(tmp_path / "model", layers=2)
    rows = [
        {"text": f"{text} , {n}", "label": k} for k in WORDS for text in WORDS[k] for n in "123"
    ]
    for part in ("train", "validation", "test"):
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / f"{part}.jsonl").write_text(lines)
    (tmp_path / "notebooks").mkdir()
    return tmp_path


TOY = """
MODEL, DATA, OUTPUT = "../model", "../data", "../output"
EPOCHS, BATCH_SIZE, MAX_LENGTH, LEARNING_RATE, SEED = 2, 4, 16, 1e-3, 1
"""


@pytest.mark.slow  # what it calls is looked at by test_documents.py
def test_finetune_notebook_runs_at_toy_size(folder, monkeypatch):
    monkeypatch.delenv("MPLBACKEND", raising=False)  # the kernel has its own: pictures in place
    notebook = executed(FOLDER / "01_finetune.ipynb", TOY, folder / "notebooks")
    assert pictures(notebook) == 2
    answers = texts(notebook)[-1].splitlines()
    assert len(answers) == 3 and all(line.split()[0] in WORDS for line in answers)
    assert (folder / "output" / "export" / "1" / "saved_model.pb").exists()
    assert (folder / "output" / "model" / "model.safetensors").exists()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_outputs_that_are_committed_are_whole(path):
    notebook = nbformat.read(path, 4)
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1)), "not run once from top to bottom"
    assert pictures(notebook) >= 1
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            assert output.output_type != "error" and output.get("name") != "stderr"
    assert "/home/" not in path.read_text() and "site-packages" not in path.read_text()
    assert path.stat().st_size < 300_000


def executed(path, parameters, folder):
    """The notebook run in `folder`, with these parameters after those of its own."""
    notebook = nbformat.read(path, 4)
    tags = [cell.metadata.get("tags", []) for cell in notebook.cells]
    place = tags.index(["parameters"]) + 1
    notebook.cells.insert(place, nbformat.v4.new_code_cell(parameters))
    resources = {"metadata": {"path": str(folder)}}
    return NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources=resources
    ).execute()


def outputs(notebook):
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def pictures(notebook):
    return sum("image/png" in output.get("data", {}) for output in outputs(notebook))


def texts(notebook):
    return [output.text for output in outputs(notebook) if output.get("name") == "stdout"]
