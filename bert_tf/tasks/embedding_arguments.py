"""What a sentence encoder is told, and the figures that its tables are measured by."""

from bert_tf.errors import InputError, shown
from bert_tf.layers import ACTIVATIONS_OF_HEADS

ACTIVATIONS = {name: ACTIVATIONS_OF_HEADS[name] for name in ("tanh", "relu", "gelu")}
ACTIVATIONS["identity"] = lambda x: x
# Figures of pairs with scores, of pairs without, and of categories.
_RATED, _RETRIEVAL = ("spearman", "pearson"), ("mrr@10", "ndcg@10", "recall@1", "recall@10")
_CLASSES = ("nearest_accuracy",)
FIGURES = (*_RETRIEVAL, *_RATED, *_CLASSES)


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


def figures_of(table, objective):
    """The figures that the rows of a Table are measured by, tuple of str; of single texts without
    categories there are none, and InputError where the objective has no loss of such either."""
    columns = {*table.kinds, table.label}
    pairs = _RATED if "score" in columns else _RETRIEVAL
    found = (_CLASSES if "category" in columns else ()) + (pairs if "text_pair" in columns else ())
    if not found and objective != "simcse":
        said = f"single texts say nothing of objective {objective}"
        raise InputError(f"{table.name}: {said}, wanted data.text_pair or data.columns.category")
    return found


def monitors_of(objective, figures):
    """What may rank models: those of a table's figures that the objective is for, then the others
    and the loss."""
    first = {"cosent": _RATED, "cosine": _RATED, "supervised_contrastive": _CLASSES}
    first |= {"simcse": ("loss",)}
    measured = (*figures, "loss")
    names = (*first.get(objective, _RETRIEVAL), *measured)
    return tuple(dict.fromkeys(name for name in names if name in measured))
