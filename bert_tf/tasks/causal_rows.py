"""Texts as rows that are read from left to right: to learn from, and to be continued."""


def start_and_end(tokenizer):
    """The ids round a text.

    Args:
      tokenizer: Tokenizer.
    Returns:
      (int or None, int): what stands before it, such as [CLS], if there is such a token, and what
      ends it, such as [SEP] or <|endoftext|>.
    """
    pieces = tokenizer.pieces
    end = pieces.ids.get(getattr(pieces.settings, "eos_token", None), tokenizer.sep_id)
    return tokenizer.cls_id, end


def rows_of(texts, targets, tokenizer, settings):
    """Rows to learn from; a text that is too long loses its end, a source its beginning.

    Args:
      texts: string [N].
      targets: string [N], of which alone the words are to be predicted: then each stands behind its
        source and an end; or None.
      tokenizer, settings: as in `TaskModel.features`.
    Returns:
      (inputs, labels): dict of int32 [N, L] `input_ids` and `attention_mask`; int32 [N, L], the
      word that follows each position, -100 where none is to be predicted.
    """
    import tensorflow as tf

    most = settings["max_length"]
    rows = _marked(_pieces(texts, tokenizer, settings), tokenizer, with_end=True)
    told = tf.ones_like(rows)
    if targets is None:
        rows, told = rows[:, :most], told[:, :most]
    else:
        answers = _with_end(_pieces(targets, tokenizer, settings), tokenizer)
        told = tf.concat([told * 0, tf.ones_like(answers)], axis=1)[:, -most:]
        rows = tf.concat([rows, answers], axis=1)[:, -most:]
    length = most if settings["padding"] == "max_length" else None
    ids_NL, mask_NL, told_NL = (
        each.to_tensor(shape=[None, length]) for each in (rows, tf.ones_like(rows), told)
    )
    following_NL, is_told_NL = (_shifted(each) for each in (ids_NL, told_NL))
    labels_NL = tf.where(is_told_NL > 0, following_NL, -100)
    return {"input_ids": ids_NL, "attention_mask": mask_NL}, labels_NL


def targets_of(targets, tokenizer, settings):
    """Targets as a decoder reads them, from a start on, and what follows; one that is too long
    loses its end.

    Args:
      targets: string [N].
      tokenizer, settings: as in `TaskModel.features`.
    Returns:
      (inputs, labels): as `rows_of`.
    """
    import tensorflow as tf

    most = settings["max_length"]
    start, end = start_and_end(tokenizer)
    pieces = _pieces(targets, tokenizer, settings)
    begin = tf.fill([pieces.nrows(), 1], end if start is None else start)
    read = tf.concat([begin, pieces], axis=1)[:, :most]
    told = _with_end(pieces, tokenizer)[:, :most]
    length = most if settings["padding"] == "max_length" else None
    ids_NT, mask_NT = (x.to_tensor(shape=[None, length]) for x in (read, tf.ones_like(read)))
    labels_NT = told.to_tensor(-100, shape=[None, length])
    return {"input_ids": ids_NT, "attention_mask": mask_NT}, labels_NT


def prompts_of(texts, tokenizer, settings, most, with_end=False):
    """Texts to be continued, padded on the left; one that is too long loses its beginning.

    Args:
      texts: string [N].
      tokenizer, settings: as in `TaskModel.features`.
      most: int, tokens of the longest row.
      with_end: bool, whether they are sources, behind which their target is to come.
    Returns:
      int32 [N, L] ids and mask.
    """
    import tensorflow as tf

    rows = _marked(_pieces(texts, tokenizer, settings), tokenizer, with_end)
    # A text begins as it does behind another one.
    _, end = start_and_end(tokenizer)
    empty_N = tf.cast(rows.row_lengths() == 0, tf.int64)
    lead = tf.RaggedTensor.from_row_lengths(tf.fill([tf.reduce_sum(empty_N)], end), empty_N)
    return on_the_right(tf.concat([lead, rows], axis=1)[:, -most:])


def on_the_right(rows):
    """Ragged int32 [N, (tokens)] -> int32 [N, L] ids and mask, padded on the left."""
    import tensorflow as tf

    ids_NL = rows.to_tensor()
    length = tf.shape(ids_NL)[1]
    spare_N1 = (length - tf.cast(rows.row_lengths(), tf.int32))[:, None]
    places_NL = tf.range(length) - spare_N1
    mask_NL = tf.cast(places_NL >= 0, tf.int32)
    return tf.gather(ids_NL, tf.maximum(places_NL, 0), batch_dims=1) * mask_NL, mask_NL


def _pieces(texts, tokenizer, settings):
    """Ragged int32 [N, (pieces)], without special tokens round them."""
    special = settings.get("special_tokens_in_text", False)
    return tokenizer.pieces(texts, special_tokens_in_text=special)[0]


def _marked(rows, tokenizer, with_end):
    import tensorflow as tf

    start, _ = start_and_end(tokenizer)
    if start is not None:
        rows = tf.concat([tf.fill([rows.nrows(), 1], start), rows], axis=1)
    return _with_end(rows, tokenizer) if with_end else rows


def _with_end(rows, tokenizer):
    import tensorflow as tf

    _, end = start_and_end(tokenizer)
    return tf.concat([rows, tf.fill([rows.nrows(), 1], end)], axis=1)


def _shifted(x_NL):
    """What stands one place further, 0 at the last one."""
    import tensorflow as tf

    return tf.pad(x_NL[:, 1:], [[0, 0], [0, 1]])
