"""Texts in pictures: East Asian characters have a font, or one line says that they are boxes."""

import types

import matplotlib
import pytest
from matplotlib import font_manager

from bert_tf.training.lettering import lettering, plain


@pytest.fixture(params=[(), ("SimHei", "Noto Sans CJK SC")])
def fonts(request, monkeypatch):
    """The fonts of a machine, beside the usual one."""
    there = [types.SimpleNamespace(name=name) for name in ("DejaVu Sans", *request.param)]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", there)
    return request.param


@pytest.mark.parametrize("text, path", [("财经", "a.png"), ("财经", "a.svg"), ("Größe", "a.png")])
def test_characters_without_a_font_are_told_of_once_and_others_have_theirs(
    fonts, caplog, text, path
):
    before = matplotlib.rcParams["font.family"]
    with lettering(["a", "", text], path):
        family = matplotlib.rcParams["font.family"]
    assert matplotlib.rcParams["font.family"] == before
    assert family == ["DejaVu Sans", *sorted(fonts)]
    boxes = "a.png: no font with its characters is installed, such as Noto Sans CJK SC"
    assert caplog.messages == ([boxes] if (text, path, fonts) == ("财经", "a.png", ()) else [])


def test_a_dollar_begins_no_formula():
    assert plain("$a$ b") == r"\$a\$ b"
