"""Texts of users in pictures: any characters, and none that mean something to matplotlib."""

import contextlib
import warnings

from absl import logging

# Fonts with Chinese characters beside the usual one, of which a machine may have some.
_FONTS = ["DejaVu Sans", "Noto Sans CJK SC", "Source Han Sans SC", "WenQuanYi Micro Hei"]
_FONTS += ["Microsoft YaHei", "PingFang SC", "SimHei", "Arial Unicode MS"]
# The first character of those that the usual font has not: East Asian ones.
_EAST_ASIAN = "\u2e80"


@contextlib.contextmanager
def lettering(texts, path):
    """Fonts of matplotlib that show some texts, while a picture is drawn and saved.

    In .svg they stay text, which any viewer with the characters shows. Elsewhere a warning says
    that East Asian characters are boxes, where this machine has no font with them.

    Args:
      texts: iterable of str.
      path: str, the picture.
    """
    import matplotlib
    from matplotlib import font_manager

    there = {font.name for font in font_manager.fontManager.ttflist}
    found = [name for name in _FONTS if name in there]
    drawn = not path.endswith(".svg")
    if drawn and len(found) < 2 and any(max(text, default="") >= _EAST_ASIAN for text in texts):
        logging.warning("%s: no font with its characters is installed, such as %s", path, _FONTS[1])
    settings = {"font.family": found or ["sans-serif"], "svg.fonttype": "none"}
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # one a character, said above
        yield


def plain(text):
    """A text as matplotlib shows it, to which "$" would begin a formula."""
    return text.replace("$", r"\$")
