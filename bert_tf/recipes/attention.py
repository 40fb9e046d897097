"""Pictures of what the words of a target read of their source."""

import math
import os

from absl import logging

from bert_tf.atomic import new_file
from bert_tf.errors import InputError
from bert_tf.recipes.depths import check_picture

# Rows that a picture shows.
ROWS = 6
# Fonts with Chinese characters beside the usual one, of which a machine may have some.
_FONTS = ["DejaVu Sans", "Noto Sans CJK SC", "Source Han Sans SC", "WenQuanYi Micro Hei"]
_FONTS += ["Microsoft YaHei", "PingFang SC", "SimHei", "Arial Unicode MS"]


def draw_attention(model, tokenizer, sources, path):
    """Draws the attention of a model to texts while it writes.

    Args:
      model: a task model with `attention`, such as Seq2Seq.
      tokenizer: Tokenizer.
      sources: list of str, of which the first ROWS are shown.
      path: str, the picture, ending in .png, .pdf or .svg; in the last words stay text, which any
        viewer with the characters shows.
    Raises:
      ConfigError: the picture has another ending.
      InputError: the model has no attention to a source, or the picture cannot be written.
    """
    check_picture(path)
    ending = os.path.splitext(path)[1]
    if not hasattr(model, "attention"):
        raise InputError(f"a {type(model).__name__}, which attends to no source")
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = model.attention(list(sources[:ROWS]), tokenizer=tokenizer)
    columns = min(3, len(rows))
    with matplotlib.rc_context({"font.family": _fonts(ending), "svg.fonttype": "none"}):
        size = (4.5 * columns, 4.5 * math.ceil(len(rows) / columns))
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        grid = figure.subplots(math.ceil(len(rows) / columns), columns, squeeze=False).ravel()
        for axes, row in zip(grid, rows, strict=False):
            axes.imshow(row["attention"], cmap="Blues", vmin=0, vmax=1, aspect="auto")
            for axis, names in ((axes.xaxis, row["source"]), (axes.yaxis, row["target"])):
                axis.set_ticks(range(len(names)), [name.replace("$", r"\$") for name in names])
            axes.tick_params(axis="x", rotation=90)
            axes.set(xlabel="source", ylabel="target")
        for axes in grid[len(rows) :]:
            axes.set_axis_off()
        with new_file(path, "wb") as file:
            figure.savefig(file, dpi=100, format=ending[1:])


def _fonts(ending):
    """The fonts of this machine among those with many characters."""
    from matplotlib import font_manager

    there = {font.name for font in font_manager.fontManager.ttflist}
    found = [name for name in _FONTS if name in there]
    if len(found) < 2 and ending != ".svg":
        logging.warning(
            "no font with Chinese characters is installed, such as %s; .svg needs none", _FONTS[1]
        )
    return found or ["sans-serif"]
