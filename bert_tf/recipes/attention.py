"""Pictures of what the words of a target read of their source."""

import math
import os

from bert_tf.atomic import new_file
from bert_tf.errors import InputError
from bert_tf.recipes.depths import check_picture
from bert_tf.training.lettering import lettering, plain

# Rows that a picture shows.
ROWS = 6


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
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = model.attention(list(sources[:ROWS]), tokenizer=tokenizer)
    columns = min(3, len(rows))
    words = [word for row in rows for side in ("source", "target") for word in row[side]]
    with lettering(words, path):
        size = (4.5 * columns, 4.5 * math.ceil(len(rows) / columns))
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        grid = figure.subplots(math.ceil(len(rows) / columns), columns, squeeze=False).ravel()
        for axes, row in zip(grid, rows, strict=False):
            axes.imshow(row["attention"], cmap="Blues", vmin=0, vmax=1, aspect="auto")
            for axis, names in ((axes.xaxis, row["source"]), (axes.yaxis, row["target"])):
                axis.set_ticks(range(len(names)), [*map(plain, names)])
            axes.tick_params(axis="x", rotation=90)
            axes.set(xlabel="source", ylabel="target")
        for axes in grid[len(rows) :]:
            axes.set_axis_off()
        with new_file(path, "wb") as file:
            figure.savefig(file, dpi=100, format=ending[1:])
