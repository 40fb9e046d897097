"""Heads, neurons and layers that matter least, taken out: a model that is really smaller."""

import dataclasses
import typing

import keras
import numpy as np
import tensorflow as tf

from bert_tf.encoders import build_encoder
from bert_tf.encoders.watching import watched
from bert_tf.errors import InputError
from bert_tf.layers import MultiHeadAttention
from bert_tf.layers.linear import updated
from bert_tf.loading.cutting import copy_around, kept_layers_of_task, task_over
from bert_tf.training import step


class Importance(typing.NamedTuple):
    """How much the loss of a row depends on the parts of one block.

    Attributes:
      heads: float64 [N], None where the block has no such heads.
      neurons: list of float64 [M], of each of its feed-forward layers.
      whole: float, how much larger the loss is without it; None: nobody asked.
    """

    heads: np.ndarray | None
    neurons: list
    whole: float | None


class Kept(typing.NamedTuple):
    """What stays of an encoder.

    Attributes:
      layers: list of int.
      heads: for each of these, and for each of its feed-forward layers in `neurons`, a list of
        int; None: all.
    """

    layers: list
    heads: list | None
    neurons: list | None


def require_prunable(model, layers=None, heads=None, neurons=None):
    """Raises InputError as `choose` and `pruned` would, without looking at any row.

    Args:
      model: TaskModel.
      layers, heads, neurons: as in `choose`.
    """
    _, places = _blocks_and_places(model)
    widths = [[heads or linear.kernel.shape[0] for heads, linear in each] for each in places]
    alike = [
        _named(each, [np.zeros(width) for width in some], 0.0)
        for each, some in zip(places, widths, strict=True)
    ]
    _require_heads_can_go(model.encoder.config, heads)
    choose(alike, len(model.encoder.blocks), layers, heads, neurons)


def importance(model, batches, layers=False):
    """What each head, neuron and block of a task model does for the loss of some rows.

    The mean over rows of |dL/dm|, m a factor, 1, of what a head gives (Michel et al. 2019, arXiv
    1905.10650, eq. 2) or of a neuron, where it is |sum w dL/dw| over the weights behind it, the
    first-order Taylor term (Molchanov et al. 2017, arXiv 1611.06440, eq. 8). A whole block is too
    much for a slope: of it the loss without it is told.

    Args:
      model: TaskModel.
      batches: iterable of (inputs, labels).
      layers: bool, whether the loss without each block is sought, too.
    Returns:
      list of Importance, a block each; blocks that share their weights have one.
    Raises:
      InputError: its blocks have neither such heads nor feed-forward layers.
    """
    blocks, places = _blocks_and_places(model)
    alone = layers and 1 < len(blocks) == len(model.encoder.blocks)
    sums, rows, higher = [0.0] * len(blocks), 0, np.zeros(len(blocks))
    for batch in batches:
        slopes = _slopes(model, [linear for each in places for _, linear in each], batch)
        slopes = iter([np.asarray(x, np.float64) for x in slopes])
        for number, each in enumerate(places):
            of_block = []
            for heads, _ in each:
                x = next(slopes)
                of_block.append(x if heads is None else x.reshape(len(x), heads, -1).sum(-1))
            found = [np.abs(x).sum(0) for x in of_block]
            before = sums[number]
            sums[number] = found if isinstance(before, float) else [*map(np.add, before, found)]
        rows += len(x)
        if alone:
            whole = float(_loss(model, batch))
            for number in range(len(blocks)):
                with watched(model.encoder, blocks[:number] + blocks[number + 1 :]):
                    higher[number] += float(_loss(model, batch)) - whole
    wholes = (higher / rows).tolist() if alone else [None] * len(blocks)
    every = zip(places, sums, wholes, strict=True)
    return [_named(each, [x / rows for x in found], whole) for each, found, whole in every]


def _blocks_and_places(model):
    """The blocks of a model, each once, and the `_places` of each."""
    blocks = list({id(block): block for block in model.encoder.blocks}.values())
    places = [_places(block) for block in blocks]
    if any(linear.kernel is None for each in places for _, linear in each):
        raise InputError("its layers are factorized, wanted a model that is not")
    if not any(places):
        raise InputError(f"layers of a {model.encoder.config.model_type} have no heads or neurons")
    return blocks, places


def _named(places, parts, whole):
    of_heads = [x for (heads, _), x in zip(places, parts, strict=True) if heads is not None]
    neurons = [x for (heads, _), x in zip(places, parts, strict=True) if heads is None]
    return Importance(of_heads[0] if of_heads else None, neurons, whole)


def _places(block):
    """The layers behind heads and neurons, list of (how many heads or None, Linear)."""
    attention = getattr(block, "attention", None)
    found = []
    if isinstance(attention, MultiHeadAttention):
        found.append((attention.num_heads, attention.projection))
    return found + [(None, layer.contract) for layer in _feed_forwards(block)]


def _feed_forwards(block):
    """The feed-forward layers of a block, list."""
    layers = [x for y in vars(block).values() for x in (y if isinstance(y, list) else [y])]
    found = [x for x in layers if isinstance(x, keras.layers.Layer) and hasattr(x, "contract")]
    return list({id(x): x for x in found}.values())


def _slopes(model, linears, batch):
    """dL/dm of each row and column of what linear layers read: list of float32 [rows, width]."""
    rows = len(tf.nest.flatten(batch[0])[0])
    factors = [tf.ones((rows, linear.kernel.shape[0])) for linear in linears]
    pairs = list(zip(linears, factors, strict=True))
    with tf.GradientTape() as tape:
        tape.watch(factors)
        with updated({id(linear): _factored(linear, factor) for linear, factor in pairs}):
            loss = _loss(model, batch)
    slopes = tape.gradient(loss, factors, unconnected_gradients="zero")
    return [tf.convert_to_tensor(slope) for slope in slopes]


def _loss(model, batch):
    """The loss of a batch, as many times as it has rows, float32 scalar."""
    inputs, labels, weight = step.unpack(batch[:2])
    labels = model.complete_labels(inputs, labels)
    outputs = model(inputs, training=False)
    terms = step.loss_terms(model, inputs, outputs, labels, weight)
    sums = {name: total for name, (total, _) in terms.items()}
    weights = step.loss_weights(model, labels, weight)
    return step.total_loss(model, sums, weights) * len(tf.nest.flatten(inputs)[0])


def _factored(linear, factor):
    """What is added to a linear layer's product where its inputs have factors, [rows, width]."""

    def update(x):
        each = tf.repeat(factor, tf.shape(x)[0] // len(factor), axis=0)
        return tf.matmul(x * tf.cast(each - 1, x.dtype), tf.cast(linear.kernel, x.dtype))

    return update


def choose(found, depth, layers=None, heads=None, neurons=None):
    """What stays, the most important ones.

    Args:
      found: list of Importance, of each block; empty where layers are listed and nothing else goes.
      depth: int, the layers there are.
      layers: int, how many; or list of int, which; None: all.
      heads, neurons: int, how many in each layer; None: all.
    Returns:
      Kept.
    Raises:
      InputError: there are not so many, or none is to stay.
    """
    shared = 0 < len(found) < depth
    if isinstance(layers, int):
        _require(layers, depth, "layers", "the encoder has")
        alike = shared or layers == depth
        layers = list(range(layers)) if alike else _best([x.whole for x in found], layers)
    layers = list(range(depth)) if layers is None else list(layers)
    if sorted({*layers} & {*range(depth)}) != layers:
        raise InputError(f"layers: {layers}, wanted numbers from 0 to {depth - 1} in rising order")
    some = found if shared or not found else [found[place] for place in layers]
    kept_heads = kept_neurons = None
    if heads is not None:
        if any(each.heads is None for each in some):
            raise InputError(f"heads: {heads}, and not every layer has such heads")
        _require(heads, min(len(each.heads) for each in some), "heads", "a layer has")
        kept_heads = [_best(each.heads, heads) for each in some]
    if neurons is not None:
        if any(not each.neurons for each in some):
            raise InputError(f"neurons: {neurons}, and not every layer has such neurons")
        most = min(len(x) for each in some for x in each.neurons)
        _require(neurons, most, "neurons", "a layer has")
        kept_neurons = [[_best(x, neurons) for x in each.neurons] for each in some]
    return Kept(layers, kept_heads, kept_neurons)


def _require(count, most, name, whose):
    if count > most:
        raise InputError(f"{name}: {count}, wanted at most {most}, which {whose}")
    if count < 1:
        raise InputError(f"{name}: {count}, wanted 1 to {most}, which {whose}")


def _best(values, count):
    """The places of the largest values, in rising order, list of int."""
    return np.sort(np.argsort(-np.asarray(values), kind="stable")[:count]).tolist()


def pruned(model, kept):
    """A task model of what stays of another one, its weights copied.

    Args:
      model: TaskModel.
      kept: Kept.
    Returns:
      TaskModel.
    Raises:
      InputError: there is no such layer, or a config of its family cannot say so.
    """
    depth = len(model.encoder.blocks)
    if kept.layers != list(range(depth)):
        model = kept_layers_of_task(model, kept.layers)
    if kept.heads is None and kept.neurons is None:
        return model
    encoder, changes = model.encoder, {}
    if kept.heads is not None:
        _require_heads_can_go(encoder.config, len(kept.heads[0]))
        width = encoder.config.head_width
        changes |= {"num_attention_heads": len(kept.heads[0]), "attention_head_size": width}
    if kept.neurons is not None:
        changes["intermediate_size"] = len(kept.neurons[0][0])
    config = dataclasses.replace(encoder.config, **changes)
    pooled, policy = encoder.pooler is not None, encoder.dtype_policy
    smaller = build_encoder(config, pooler=pooled, dtype=policy)
    copy_around(encoder, smaller)
    pairs = {id(old): (old, new) for old, new in zip(encoder.blocks, smaller.blocks, strict=True)}
    for number, (old, new) in enumerate(pairs.values()):
        heads = kept.heads and kept.heads[number]
        arrays = _cut(old, heads, kept.neurons and kept.neurons[number])
        new.set_weights([arrays.get(id(x), x) for x in old.weights])
    return task_over(smaller, model)


def _require_heads_can_go(config, heads):
    if heads is not None and "attention_head_size" not in config.own_sizes:
        raise InputError(
            f"heads: {heads}, and all heads of a {config.model_type} together are as wide as it "
            "is: none can go"
        )


def _cut(block, heads, neurons):
    """The weights of a block that become smaller: dict of id of the old one -> array."""
    found = {}
    if heads is not None:
        attention = block.attention
        shape = (3, attention.num_heads, -1)
        found |= _columns(attention.qkv, shape, heads)
        last = np.asarray(attention.projection.kernel)
        by_head = last.reshape(attention.num_heads, -1, last.shape[1])
        found[id(attention.projection.kernel)] = by_head[heads].reshape(-1, last.shape[1])
    for layer, some in zip(_feed_forwards(block), neurons or (), strict=neurons is not None):
        # Of a gated one each half has all neurons.
        inner = layer.contract.kernel.shape[0]
        found |= _columns(layer.expand, (layer.expand.width // inner, inner, 1), some)
        found[id(layer.contract.kernel)] = np.asarray(layer.contract.kernel)[some]
    return found


def _columns(linear, shape, some):
    """Some columns of a linear layer, which are [parts, heads, width] each: dict as `_cut`."""
    kernel = np.asarray(linear.kernel)
    kept = kernel.reshape(len(kernel), *shape)[:, :, some].reshape(len(kernel), -1)
    found = {id(linear.kernel): kept}
    if linear.bias is not None:
        found[id(linear.bias)] = np.asarray(linear.bias).reshape(shape)[:, some].reshape(-1)
    return found
