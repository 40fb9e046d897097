"""What a model scores with fewer and fewer of its layers, and a picture of it."""

import os

from absl import logging

from bert_tf.atomic import new_file
from bert_tf.loading.cutting import kept_layers_of_task
from bert_tf.recipes.output_files import check_picture
from bert_tf.training.evaluation import evaluate, first_figure


def spread_layers(depth, count):
    """So many of `depth` layers, evenly, the last one among them (Fan et al. 2020, section 3.3:
    every other one of those that stay); list of int, from 0."""
    return [(place + 1) * depth // count - 1 for place in range(count)]


def measure_depths(model, batches, table):
    """The figures of a task model with 1, 2, ... and all of its layers, nothing trained again.

    Of a model that was trained with LayerDrop (`model.changes: {layer_drop_rate: 0.2}`) those of
    many depths are of use.

    Args:
      model: TaskModel. batches, table: as in `training.evaluation.evaluate`.
    Returns:
      list of dicts `layers`, a list of int, and the figures.
    Raises:
      InputError: the layers of its family cannot be taken alone.
    """
    depth, found = len(model.encoder.blocks), []
    for count in range(1, depth + 1):
        layers = spread_layers(depth, count)
        cut = kept_layers_of_task(model, layers) if count < depth else model
        figures = evaluate(cut, batches, table)
        logging.info("%d of %d layers: %s %.4f", count, depth, *first_figure(model, figures))
        found.append({"layers": layers, **figures})
    return found


def draw_depths(model, found, path):
    """Draws the model's main figure against the number of layers, as `measure_depths` found it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    check_picture(path)
    name, _ = first_figure(model, found[-1])
    figure = Figure(figsize=(6, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    counts = [len(each["layers"]) for each in found]
    axes.plot(counts, [each[name] for each in found], marker="o")
    axes.set(xlabel="layers", ylabel=name, xticks=counts)
    axes.grid(alpha=0.3)
    with new_file(path, "wb") as file:
        figure.savefig(file, dpi=120, format=os.path.splitext(path)[1][1:])
