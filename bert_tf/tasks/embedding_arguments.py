"""What a sentence encoder is told: the layer behind its pooling, the sizes of its vectors."""

from bert_tf.errors import InputError, shown
from bert_tf.layers import ACTIVATIONS_OF_HEADS

ACTIVATIONS = {name: ACTIVATIONS_OF_HEADS[name] for name in ("tanh", "relu", "gelu")}
ACTIVATIONS["identity"] = lambda x: x


def layer_of(dense):
    """The argument `dense` as [width, activation]; InputError where it is none."""
    if not isinstance(dense, list | tuple) or len(dense) != 2:
        raise InputError(f"dense: {shown(dense)}, wanted a width and an activation")
    width, activation = dense
    if not isinstance(width, int) or isinstance(width, bool) or width < 1:
        raise InputError(f"dense: width {shown(width)}, wanted a whole number of 1 or more")
    if not isinstance(activation, str) or activation not in ACTIVATIONS:
        known = ", ".join(ACTIVATIONS)
        raise InputError(f"dense: activation {shown(activation)}, wanted one of {known}")
    return [width, activation]


def sizes_of(sizes, width):
    """The argument `matryoshka` as a list; InputError where it is none."""
    listed = isinstance(sizes, list | tuple) and len(sizes) > 0
    if not listed or not all(isinstance(x, int) and 0 < x <= width for x in sizes):
        raise InputError(f"matryoshka: {shown(sizes)}, wanted a list of sizes up to {width}")
    return list(sizes)
