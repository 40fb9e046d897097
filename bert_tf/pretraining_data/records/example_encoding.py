"""Arrays as serialized tf.train.Example messages, all rows of a feature at once.

Each octet that some row may need is a column of one table; the octets that a row really has are
picked out in the end. It takes a tenth of the time of building the messages one by one.

Source: the encoding page of the protocol buffers' documentation; tensorflow/core/example/
example.proto and feature.proto.
"""

import typing

import numpy as np

# Tags of the protocol buffer wire format: (number of the field << 3) | 2, "length-delimited".
# Example.features, Features.feature and the keys, and the values of a list, are all fields 1.
_FIRST_FIELD, _VALUE, _FLOATS, _INTEGERS = 0x0A, 0x12, 0x12, 0x1A


def encode(arrays, features):
    """Rows of arrays as serialized tf.train.Example messages, all rows at once.

    Args:
      arrays: dict of name -> int or float [N, length].
      features: as `features_of` gives.
    Returns:
      list of N bytes.
    Raises:
      ValueError: an array is not of its feature's length.
    Source: the encoding page of the protocol buffers' documentation; tensorflow/core/example/
      example.proto and feature.proto.
    """
    entries = []
    for name, (length, kind) in features.items():
        values = np.asarray(arrays[name])
        if values.ndim != 2 or values.shape[1] != length:
            raise ValueError(f"{name} has shape {values.shape}, wanted [rows, {length}]")
        packed, tag = (_varints, _INTEGERS) if kind == "int64" else (_floats, _FLOATS)
        feature = _Field(tag, [_Field(_FIRST_FIELD, [packed(values)])])
        key = np.frombuffer(name.encode(), np.uint8)[None].repeat(len(values), 0)
        entries.append(
            _Field(_FIRST_FIELD, [_Field(_FIRST_FIELD, [_all(key)]), _Field(_VALUE, [feature])])
        )
    example = _Field(_FIRST_FIELD, entries)
    octets = np.concatenate([octets for octets, _ in example.parts], axis=1)
    kept = np.concatenate([kept for _, kept in example.parts], axis=1)
    ends = np.cumsum(example.sizes).tolist()
    message = octets[kept].tobytes()
    return [message[start:end] for start, end in zip([0, *ends], ends, strict=False)]


class _Octets(typing.NamedTuple):
    """Columns of a table of octets with a row for each record.

    octets: uint8 [N, K]. kept: bool [N, K], those that the record has; the others are room that a
    longer number in another row needs.
    """

    octets: np.ndarray
    kept: np.ndarray


class _Field:
    """A length-delimited field of each record: its tag, how long it is, what it holds.

    Args:
      tag: int below 128.
      content: list of _Octets and _Fields.
    Attributes:
      parts: list of _Octets. sizes: int [N], octets of each record.
    """

    def __init__(self, tag, content):
        parts, sizes = [], 0
        for each in content:
            if isinstance(each, _Field):
                parts += each.parts
                sizes = sizes + each.sizes
            else:
                parts.append(each)
                sizes = sizes + np.count_nonzero(each.kept, axis=1)
        length = _varints(sizes[:, None])
        tags = np.full((len(sizes), 1), tag, np.uint8)
        self.parts = [_all(tags), length, *parts]
        self.sizes = sizes + 1 + np.count_nonzero(length.kept, axis=1)


def _all(octets):
    return _Octets(octets, np.ones(octets.shape, bool))


def _varints(values):
    """int [N, K] in the variable-length encoding: seven bits an octet, the lowest first."""
    values = values.astype(np.int64).view(np.uint64)  # a negative number takes ten octets
    width = max(1, -(-int(values.max(initial=0)).bit_length() // 7))
    if width == 1:
        return _all(values.astype(np.uint8))
    values = values.astype(np.uint32) if width <= 4 else values  # twice as fast
    octets = np.empty((*values.shape, width), np.uint8)
    kept = np.empty((*values.shape, width), bool)
    for place in range(width):
        kept[..., place] = values > 0 if place else True
        octets[..., place] = (values & 0x7F) | ((values > 0x7F) * np.uint8(0x80))
        values = values >> 7
    shape = (len(values), -1)
    return _Octets(octets.reshape(shape), kept.reshape(shape))


def _floats(values):
    """float [N, K] as four octets each, the lowest first."""
    return _all(np.ascontiguousarray(values, "<f4").view(np.uint8))
