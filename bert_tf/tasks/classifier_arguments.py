"""The arguments of classifiers: what they must be, how they are kept, and the head they make."""

from bert_tf.errors import InputError, shown
from bert_tf.layers import ACTIVATIONS_OF_HEADS, ProjectionHead, truncated_normal

POOLINGS = ("cls", "mean", "max", "last", "weighted")
# How the vectors of a text's windows are made one.
WINDOW_POOLINGS = ("mean", "max")
PROBLEM_TYPES = ("single_label_classification", "multi_label_classification", "regression")


def check_labels(num_labels, label_names, problem_type):
    """Raises InputError where the arguments about labels do not go together."""
    if not _is_count(num_labels):
        raise InputError(f"num_labels: {shown(num_labels)}, wanted a whole number of 1 or more")
    check_names(num_labels, label_names)
    if problem_type is not None and problem_type not in PROBLEM_TYPES:
        raise InputError(
            f"problem_type: {shown(problem_type)}, wanted one of {', '.join(PROBLEM_TYPES)}"
        )
    if problem_type == "single_label_classification" and num_labels < 2:
        raise InputError("num_labels: 1, wanted 2 or more for single_label_classification")


def check_names(num_labels, label_names):
    """Raises InputError unless there is a name of its own for each label, or None."""
    if label_names is not None and len(label_names) != num_labels:
        raise InputError(f"label_names: {len(label_names)} names for num_labels: {num_labels}")
    if label_names is not None and len(set(label_names)) < num_labels:
        twice = next(name for name in label_names if list(label_names).count(name) > 1)
        raise InputError(f"label_names: {shown(twice)} twice, wanted a name for each label")


def check_choice(name, value, known):
    """Raises InputError unless an argument's value is None or one of those that are known."""
    if value is not None and value not in known:
        wanted = ", ".join(map(str, known))
        raise InputError(f"{name}: {shown(value)}, wanted one of {wanted}")


def encoder_for(encoder, pooling, published):
    """The encoder with what a pooling reads of it; None: as the family published it.

    Args:
      encoder: Encoder.
      pooling: one of POOLINGS, or None.
      published: str, the family's own.

    Raises:
      InputError: there is no such pooling, or the encoder has no pooler and is to have one.
    """
    check_choice("pooling", pooling, POOLINGS)
    if (pooling or published) != "pooler":
        return encoder.without_pooler()
    if encoder.pooler is None:
        known = ", ".join(POOLINGS)
        raise InputError(f"pooling: None, wanted one of {known}: the encoder has no pooler")
    return encoder


def head_of(encoder, num_labels, hidden, use_bias=True, rate=None):
    """A ProjectionHead with the dropout and the first weights that the encoder's config tells.

    `rate`: float, the dropout that the family published this head with; None: the config's.
    """
    config = encoder.config
    rate = config.classifier_dropout if rate is None else rate
    head = ProjectionHead(
        num_labels,
        hidden,
        config.hidden_dropout_prob if rate is None else rate,
        truncated_normal(config.initializer_range),
        use_bias,
        dtype=encoder.dtype_policy,
    )
    head.build((None, config.hidden_size))
    return head


def layers_of(head_layers):
    """The dense layers before a projection, a list of [width, activation].

    Raises:
      InputError: `head_layers` is no list, or a layer is not width or (width, activation).
    """
    if not isinstance(head_layers, list | tuple):
        raise InputError(f"head_layers: {shown(head_layers)}, wanted a list of widths")
    return [_layer(layer) for layer in head_layers]


def thresholds_of(thresholds, num_labels, problem_type):
    """The probabilities from which on labels are given, a list of a float for each; None for None.

    Raises:
      InputError: they are not between 0 and 1, not as many as the labels, or a row has one label.
    """
    if thresholds is None:
        return None
    if problem_type != "multi_label_classification":
        raise InputError(f"thresholds: {shown(thresholds)}, and problem_type is {problem_type}")
    each = [thresholds] * num_labels if _is_share(thresholds) else thresholds
    if not isinstance(each, list | tuple) or not all(map(_is_share, each)):
        raise InputError(f"thresholds: {shown(thresholds)}, wanted numbers between 0 and 1")
    if len(each) != num_labels:
        raise InputError(f"thresholds: {len(each)} numbers for num_labels: {num_labels}")
    return [float(threshold) for threshold in each]


def as_lists(value):
    """A value with lists for tuples, as JSON gives it back."""
    return [as_lists(each) for each in value] if isinstance(value, tuple | list) else value


def _is_count(number):
    return isinstance(number, int) and not isinstance(number, bool) and number >= 1


def _is_share(number):
    return isinstance(number, int | float) and not isinstance(number, bool) and 0 < number < 1


def _layer(layer):
    paired = isinstance(layer, list | tuple) and len(layer) == 2
    width, activation = layer if paired else (layer, "tanh")
    if not _is_count(width):
        raise InputError(f"head_layers: width {shown(width)}, wanted a whole number of 1 or more")
    if not isinstance(activation, str) or activation not in ACTIVATIONS_OF_HEADS:
        known = ", ".join(ACTIVATIONS_OF_HEADS)
        raise InputError(f"head_layers: activation {shown(activation)}, wanted one of {known}")
    return [width, activation]
