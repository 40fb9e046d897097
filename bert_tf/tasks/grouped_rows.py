"""Several rows of tokens for one row of a table: choices of a question, windows of a text."""

from keras import ops

# What an encoder reads of a row, [B, G, ...] where a row of the table has G rows of tokens.
_OF_ROWS = ("input_ids", "attention_mask", "token_type_ids", "position_ids", "embedding_shift")


def as_rows(inputs):
    """Grouped inputs as rows of an encoder.

    Args:
      inputs: dict of int32 [B, G, L], see the encoder; other tensors are left out.
    Returns:
      dict of int32 [B * G, L].
    """
    rows = {}
    for name in _OF_ROWS:
        if inputs.get(name) is not None:
            shape = ops.shape(inputs[name])
            rows[name] = ops.reshape(inputs[name], (shape[0] * shape[1], *shape[2:]))
    return rows


def as_groups(values, inputs):
    """What was computed of each row, [B * G, ...], as [B, G, ...]; `inputs` as in `as_rows`."""
    shape = ops.shape(inputs["input_ids"])
    return ops.reshape(values, (shape[0], shape[1], *ops.shape(values)[1:]))


def present(inputs):
    """Which rows of a group there are, bool [B, G]; those that are padding alone are not."""
    mask = inputs.get("attention_mask")
    mask = ops.ones_like(inputs["input_ids"]) if mask is None else mask
    return ops.any(mask > 0, axis=-1)
