"""Shallower models: some of the layers of an encoder, or of a task's."""

import dataclasses

from bert_tf.encoders import Encoder
from bert_tf.errors import InputError, shown


def kept_layers(encoder, layers):
    """A shallower encoder of some of an encoder's layers, its weights copied.

    Of one that was trained with LayerDrop it is a good encoder as it is (Fan et al. 2020,
    arXiv 1909.11556, section 3.3); of any other it is a beginning (Sanh et al. 2019, section 3).

    Args:
      encoder: Encoder.
      layers: list of int, the layers that stay, from 0, in rising order.
    Returns:
      Encoder, with parts of its own.
    Raises:
      InputError: there is no such layer, or one cannot stand where it would.
    """
    depth, several = len(encoder.blocks), isinstance(layers, list | tuple) and len(layers) > 0
    whole = several and all(isinstance(x, int) and not isinstance(x, bool) for x in layers)
    if not whole or sorted({*layers}) != list(layers) or layers[0] < 0 or layers[-1] >= depth:
        raise InputError(
            f"keep_layers: {shown(layers)}, wanted numbers of layers from 0 to {depth - 1} in "
            "rising order"
        )
    if encoder.groups is not None and sum(map(len, encoder.groups)) > 1:
        raise InputError(
            f"keep_layers: {shown(layers)}, and the layers of this {encoder.config.model_type} "
            "share weights in groups, which would be others"
        )
    config = dataclasses.replace(encoder.config, num_hidden_layers=len(layers))
    pooled = encoder.pooler is not None
    cut = Encoder(config, encoder.family, pooler=pooled, dtype=encoder.dtype_policy)
    for place, layer in enumerate(layers):
        old, new = encoder.blocks[layer], cut.blocks[place]
        if _made(old) != _made(new):
            raise InputError(
                f"keep_layers: {shown(layers)}, and layer {layer} of this "
                f"{encoder.config.model_type} is of another make than its layer {place}, where it "
                "would stand"
            )
        new.set_weights(old.get_weights())
    copy_around(encoder, cut, without=("mix",))
    if cut.mix is not None:  # of the embeddings and of every layer that stays
        scores, gamma = encoder.mix.get_weights()
        cut.mix.set_weights([scores[[0, *(layer + 1 for layer in layers)]], gamma])
    return cut


def copy_around(encoder, other, without=()):
    """Gives an encoder the weights that another one has besides its blocks, but for some parts."""
    for name in ("embeddings", "embeddings_projection", "positions", "final_norm", "mix", "pooler"):
        if getattr(other, name) is not None and name not in without:
            getattr(other, name).set_weights(getattr(encoder, name).get_weights())


def kept_layers_of_task(model, layers):
    """The same of a task model: its head over a shallower encoder; arguments as `kept_layers`.

    Raises:
      InputError: also where another model stands beside it, such as ELECTRA's generator.
    """
    if model.companions or model.parts is not None:
        name = type(model).__name__
        raise InputError(f"keep_layers: {shown(layers)}, and a {name} has more than one encoder")
    return task_over(kept_layers(model.encoder, layers), model)


def task_over(encoder, model):
    """The task model over another encoder, its head and what it knows of its data copied.

    Raises:
      InputError: its head is of other sizes there.
    """
    arguments = {name: getattr(model, name) for name in model.arguments}
    other = type(model)(encoder, **arguments)
    if not copy_head(model, other):
        raise InputError(f"the head of a {type(model).__name__} is of other sizes there")
    other.data_settings = dict(model.data_settings)
    return other


def copy_head(source, target):
    """Gives a task model the weights that another one has besides its encoder.

    Returns:
      bool, whether they fit; if not nothing was copied.
    """
    old, new = _head(source), _head(target)
    if [tuple(x.shape) for x in old] != [tuple(x.shape) for x in new]:
        return False
    for variable, value in zip(new, old, strict=True):
        variable.assign(value)
    return True


def _head(model):
    """The weights of a task model besides those of its encoder; not its streaming means."""
    known = {id(x) for x in (*model.encoder.weights, *_of_metrics(model))}
    return [x for x in model.weights if id(x) not in known]


def _of_metrics(model):
    return [x for metric in model.metrics for x in metric.variables]


def _made(block):
    """How a block is made: the classes of it and its parts, their sizes and plain settings."""
    plain = (bool, int, float, str, type(None))
    shapes = [tuple(x.shape) for x in block.weights]
    parts = [block, *(x for x in vars(block).values() if hasattr(x, "weights"))]
    settings = [
        (type(part).__name__, name, value)
        for part in parts
        for name, value in vars(part).items()
        if isinstance(value, plain) and not name.startswith("_") and name != "name"
    ]
    return shapes, sorted(map(repr, settings))
