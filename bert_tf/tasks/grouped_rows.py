"""Several rows of tokens for one row of a table: choices of a question, windows of a text."""

from keras import ops

from bert_tf.tasks.features import window_settings

# What an encoder reads of a row, [B, G, ...] where a row of the table has G rows of tokens.
_OF_ROWS = (
    *("input_ids", "attention_mask", "token_type_ids", "position_ids"),
    *("embedding_shift", "language_ids"),
)


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
    if inputs.get("real_places") is not None:  # counted through all rows, as they follow each other
        rows["real_places"] = inputs["real_places"]
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


def text_windows(texts, text_pairs, tokenizer, settings):
    """Texts of any length as the inputs of an encoder, several rows for a long one; in TensorFlow.

    Args:
      texts, text_pairs: string [N], see Tokenizer.windows.
      tokenizer, settings: as in `features.features_of`, with `windows` int, how many a text has at
        most: what is beyond them is cut off; and perhaps `overlap` int, the tokens that two share,
        a quarter of `max_length` otherwise.
    Returns:
      dict of int32 [N, G, L], G the windows of the longest text; a window that a text lacks is
      padding.
    """
    import tensorflow as tf

    given = window_settings(settings)
    found = tokenizer.windows(texts, text_pairs, padding=settings["padding"], **given)
    rows, inputs = found["rows"], {}
    for name in ("input_ids", "attention_mask", "token_type_ids"):
        groups = tf.RaggedTensor.from_value_rowids(found[name], rows, tf.size(texts))
        padding = tokenizer.pad_id if name == "input_ids" else 0
        inputs[name] = groups.to_tensor(padding)[:, : settings["windows"]]
    return inputs
