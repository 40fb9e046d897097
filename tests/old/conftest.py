"""The folder where old runs are tried."""

import pathlib
import shutil

import pytest


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """A copy of runs/, which is the working directory too: configurations name files from there."""
    folder = tmp_path / "runs"
    shutil.copytree(pathlib.Path(__file__).parent / "runs", folder)
    monkeypatch.chdir(folder)
    return folder
