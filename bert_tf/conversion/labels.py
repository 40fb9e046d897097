"""The labels of a classifier: how many its projection has, and what the config calls them."""

from absl import logging

from bert_tf.conversion.table import canonical_names
from bert_tf.errors import InputError, shown


def labels(contents):
    """The arguments about labels that the task in the files was made with.

    The tensors say how many labels there are. Files of transformers before 3 often hold two stale
    names, LABEL_0 and LABEL_1, for any number of labels.

    Args:
      contents: Contents with a task whose head is a projection to the labels.
    Returns:
      dict: `num_labels` int; `label_names` list of str, or None where the config has none for so
      many, of which one warning tells; `problem_type` str or None.
    Raises:
      InputError: the projection is missing, or the names have the wrong type.
    """
    config, names = contents.config, _names(contents)
    (name, axes, axis), tensors = _projection(contents)
    if name is None:
        return _given(contents, names)
    tensor = tensors.get(name)
    if tensor is None or len(tensor.shape) != axes:
        there = "is not there" if tensor is None else f"is {list(tensor.shape)}"
        wanted = "a number" if axes == 1 else "a matrix with a vector"
        raise InputError(f"{contents.weights_file}: {name} {there}, wanted {wanted} for each label")
    count = tensor.shape[axis]
    said = len(names) if names else config.get("num_labels")
    if said is not None and said != count:
        logging.warning(
            "%s: %s says %s labels, but %s in %s is %s: they are called LABEL_0 to LABEL_%d",
            contents.config_file,
            "id2label" if names else "num_labels",
            shown(said),
            name,
            contents.weights_file.name,
            list(tensor.shape),
            count - 1,
        )
        names = None
    return {"num_labels": count, "label_names": names, "problem_type": config.get("problem_type")}


def _projection(contents):
    """The projection's bias or, where it has none, its kernel: (name, how many axes it has, that of
    the labels), the name None where the head has no such part; and the tensors."""
    bias, kernel = "head.projection.bias", "head.projection.kernel"
    layout, task, tensors = contents.layout, contents.task, contents.tensors
    if task not in layout.heads:  # our own format: every tensor bears its path
        names, axis = {path: path for path in (bias, kernel) if path in tensors}, 1
    else:
        table, axis = layout.task_table(task), 0
        names = {row.ours: row.names[0] for row in table.rows}
        tensors = canonical_names(table, tensors, contents.weights_file)
    if bias in names:
        return (names[bias], 1, 0), tensors
    return (names.get(kernel), 2, axis), tensors


def _given(contents, names):
    """The arguments as the config alone has them, of a head of our own format."""
    config = contents.config
    count = len(names) if names else config.get("num_labels")
    shapes = [tensor.shape for tensor in contents.tensors.values()]
    if isinstance(count, int) and not any(count in shape for shape in shapes):
        raise InputError(
            f"{contents.config_file}: {'id2label' if names else 'num_labels'}: {shown(count)} "
            f"labels, but no tensor of {contents.weights_file} has as many entries along an axis"
        )
    return {"num_labels": count, "label_names": names, "problem_type": config.get("problem_type")}


def _names(contents):
    """`id2label` of the config as a list of str; None where there is none."""
    named = contents.config.get("id2label")
    if named is None:
        return None
    numbers = [str(number) for number in range(len(named))] if isinstance(named, dict) else []
    if not numbers or set(named) != set(numbers):
        raise InputError(f"{contents.config_file}: id2label: wanted the keys 0, 1, 2, ...")
    for number in numbers:
        if not _is_name(named[number]):
            raise InputError(
                f"{contents.config_file}: id2label: {number}: {shown(named[number])}, wanted a name"
            )
    return [str(named[number]) for number in numbers]


def _is_name(value):
    """Whether a value can name a label; half of a surrogate pair is no text of any file."""
    if isinstance(value, str):
        return not any("\ud800" <= character <= "\udfff" for character in value)
    return isinstance(value, int | float) and not isinstance(value, bool)
