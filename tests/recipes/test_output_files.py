"""Places of files that are to be written: what is refused before anything is computed."""

import os

import pytest

from bert_tf import ConfigError
from bert_tf.recipes.output_files import check_output_files, check_output_folder, check_picture


def test_places_that_can_be_written_pass(tmp_path, monkeypatch):
    (tmp_path / "there.json").write_text("{}")
    (tmp_path / "link.json").symlink_to(tmp_path / "there.json")
    (tmp_path / "gone.json").symlink_to(tmp_path / "nothing.json")
    monkeypatch.chdir(tmp_path)
    check_output_files(output=None, depths="new.png", attention=tmp_path / "there.json")
    check_output_files(output="link.json", na_probs="gone.json")
    check_output_files(output="/dev/null", na_probs="/dev/null")


def test_places_that_cannot_be_written_are_one_line(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match=rf"--output: .*x.json: there is no folder {tmp_path}/no"):
        check_output_files(output=tmp_path / "no" / "x.json")
    with pytest.raises(ConfigError, match="--depths: .* is a folder, wanted a file"):
        check_output_files(output=None, depths=tmp_path)
    (tmp_path / "link.png").symlink_to(tmp_path / "x.json")
    both = "--output and --depths are both .*link.png, wanted different files"
    with pytest.raises(ConfigError, match=both):
        check_output_files(output=tmp_path / "x.json", depths=tmp_path / "link.png")
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    with pytest.raises(ConfigError, match=f"--output: .*: {tmp_path} may not be written to"):
        check_output_files(output=tmp_path / "x.json")


def test_a_folder_that_cannot_be_made_is_told_by_what_stands_there(tmp_path, monkeypatch):
    check_output_folder(tmp_path)
    check_output_folder(tmp_path / "not" / "yet")
    (tmp_path / "file").write_text("mine")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ConfigError, match=f"--output: {place}: {tmp_path}/file is no folder"):
            check_output_folder(place)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ConfigError, match=f"--target: .*: {tmp_path} may not be written to"):
        check_output_folder(tmp_path / "new", "target")


def test_a_name_that_tells_no_kind_of_picture_is_refused():
    check_picture("a.svg")
    with pytest.raises(ConfigError, match="a.gif: wanted a name that ends in .png, .pdf or .svg"):
        check_picture("a.gif")
