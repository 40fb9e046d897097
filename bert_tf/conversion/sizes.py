"""The sizes in a config against those the tensors have, before anything is built.

A model is built as large as its config says: a wrong number there would take all memory, or
minutes, before the first tensor is compared.
"""

import re
from typing import NamedTuple

from absl import logging

from bert_tf.conversion.table import TRANSPOSED
from bert_tf.errors import InputError, shown


class Size(NamedTuple):
    """What the tensors of a file tell of one key of its config.

    Attributes:
      value: int, or None where the file lacks the tensor, or it has too few axes.
      evidence: str, the tensor and its shape, for messages.
    """

    value: int | None
    evidence: str


def sizes_of(sizes, rows, tensors, root=""):
    """The sizes of an encoder, read off the tensors of a file.

    Args:
      sizes: dict of config key to (our path, axis or letter), as in `Family`. An int is an axis of
        our tensor at that path, which files may hold transposed; a letter counts the layers that
        `{letter}` stands for.
      rows: iterable of Row; a key whose path none of them has is left out.
      tensors: dict of name to StoredTensor, under the names of the rows.
      root: str, stands before the paths, with a dot behind it.

    Returns:
      dict of config key to Size.
    """
    by_path = {row.ours: row for row in rows}
    found = {}
    for key, (path, axis) in sizes.items():
        if root + path in by_path:
            found[key] = _size(by_path[root + path], axis, tensors)
    return found


def _size(row, axis, tensors):
    template = row.names[0]
    pattern = re.compile(re.sub(r"\\\{(\w)\\\}", r"(?P<\1>\\d+)", re.escape(template)))
    found = [match for name in tensors if (match := pattern.fullmatch(name))]
    if isinstance(axis, str):
        count = len({match[axis] for match in found})
        numbered = template.replace("{" + axis + "}", "N")
        return Size(count, f"there are {count} of {numbered}")
    if not found:
        return Size(None, f"there is no {template}")
    shape = tensors[found[0].string].shape
    axis = len(shape) - 1 - axis if row.transform is TRANSPOSED else axis
    value = shape[axis] if 0 <= axis < len(shape) else None
    return Size(value, f"{found[0].string} is {list(shape)}")


def config_of(found, head_width):
    """The config that goes with the sizes of a file, where there is none.

    Args:
      found: dict of config key to Size, from `sizes_of`.
      head_width: int, the width of each attention head, which no shape tells.
    Returns:
      dict of config key to int; without what the tensors do not tell.
    """
    config = {key: size.value for key, size in found.items() if size.value is not None}
    width = config.get("hidden_size", head_width)
    return config | {"num_attention_heads": max(1, width // head_width)}


def check_sizes(config, found, config_file, weights_file):
    """Refuses a config whose sizes are not those of the tensors.

    Args:
      config: a config of any family, its sizes as attributes.
      found: dict of config key to Size, from `sizes_of`.
      config_file, weights_file: Path, for the message.
    Raises:
      InputError: one line with every such key, its value, and the tensor that has another size.
    """
    found, rows = dict(found), found.get("position_rows")
    if rows and rows.value is not None and getattr(config, "position_rows", None) is None:
        # As published DeBERTas have them: left from their pretraining.
        logging.warning("%s: no places are added, %s is left aside", config_file, rows.evidence)
        del found["position_rows"]
    wrong = [
        f"{key}: {shown(getattr(config, key, None))}, but {size.evidence}"
        for key, size in found.items()
        # A table that is not there has no rows.
        if (size.value or 0) != (getattr(config, key, None) or 0)
        # Positions that are computed stand in no file.
        and (key != "max_position_embeddings" or _learns_positions(config))
    ]
    if wrong:
        raise InputError(f"{config_file}: does not fit {weights_file}: {'; '.join(wrong)}")


def check_own_heads(options, tensors, config_file, weights_file):
    """Refuses the widths of heads in our own format that are not those of the tensors.

    Args:
      options: dict, `bert_tf` in config.json.
      tensors: dict of name to StoredTensor.
      config_file, weights_file: Path, for the message.
    Raises:
      InputError: a dense layer or a label's head has another width, or is not in the file.
    """
    layers, labels = options.get("head_layers"), options.get("extra_labels")
    widths = {}
    for place, layer in enumerate(layers if isinstance(layers, list) else []):
        width = layer[0] if isinstance(layer, list) and layer else layer
        widths[f"head.hidden.{place}.bias"] = ("head_layers", width)
    labels = list(labels.values()) if isinstance(labels, dict) else []
    # The candidates of a cloze question are scored by the head for masked words.
    projected = [each for each in labels if isinstance(each, dict) and each.get("of") != "cloze"]
    for place, label in enumerate(projected):
        name = f"label_heads.{place}.projection.bias"
        widths[name] = ("extra_labels", label.get("num_labels"))
    for name, (key, width) in widths.items():
        there = f"is {list(tensors[name].shape)}" if name in tensors else "is not there"
        if there != f"is {[width]}":
            raise InputError(
                f"{config_file}: bert_tf.{key}: a width of {shown(width)}, but {name} in "
                f"{weights_file} {there}"
            )


def _learns_positions(config):
    return getattr(config, "position_embedding", "learned") == "learned"
