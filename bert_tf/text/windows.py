"""Texts longer than a model reads, cut into windows that overlap, in the graph."""

import tensorflow as tf

from bert_tf.text.template import Cut


def counts(tokenizer, special_tokens_in_text, max_length, overlap, *texts):
    """How many windows each row has, int64 [N]; arguments as `rows`."""
    return _pieces(tokenizer, special_tokens_in_text, max_length, overlap, *texts)[-1]["windows"]


def rows(tokenizer, fixed, special_tokens_in_text, max_length, overlap, *tensors):
    """The windows of texts as inputs of an encoder.

    Args:
      tokenizer: Tokenizer.
      fixed: bool; rows of `max_length` tokens, not of the longest one's.
      special_tokens_in_text: bool, as in `Tokenizer.__call__`.
      max_length, overlap: int64 scalars, see `cut`.
      tensors: int64 [N], the one window wanted of each row, if one is wanted; the texts, string
        [N]; of pairs the second ones.
    Returns:
      dict of tensors, see `assemble`.
    """
    number = tensors[0] if tensors[0].dtype == tf.int64 else None
    texts = tensors if number is None else tensors[1:]
    with tf.device("CPU"):  # there are no kernels for strings elsewhere
        parts = _pieces(tokenizer, special_tokens_in_text, max_length, overlap, *texts)
        length = max_length if fixed else None
        return assemble(*parts, number, tokenizer.template, tokenizer.pad_id, length)


def _pieces(tokenizer, special, max_length, overlap, texts, pairs=None):
    """Ids, offsets, the first texts' ids and how each row is cut, as `assemble` takes them."""
    ids, offsets = tokenizer.pieces(texts if pairs is None else pairs, special, True)
    question = None if pairs is None else tokenizer.pieces(texts, special)[0]
    first = None if question is None else question.row_lengths()
    how = cut(first, ids.row_lengths(), max_length, overlap, tokenizer.template)
    return ids, offsets, question, how


def cut(first, second, max_length, overlap, template):
    """How each row is cut.

    A window has all of the first text of a pair, at most half of `max_length`, and as much of the
    text that is cut as there is room for.

    Args:
      first: int64 [N], pieces of the text that every window has; None for single texts.
      second: int64 [N], pieces of the text that is cut.
      max_length: int64 scalar, tokens of a window.
      overlap: int64 scalar, pieces that a window shares with the next; at most half of its room.
      template: `template.Template`.
    Returns:
      dict of int64 [N]: `first`, how many pieces of the first text are kept; `room` and `shared`,
      how many pieces a window has and shares with the next; `windows`, how many there are, 1 at
      least.
    """
    if first is None:
        kept = tf.zeros_like(second)
        room = tf.fill(tf.shape(second), max_length - template.added(1))
    else:
        kept = tf.minimum(first, max_length // 2)
        room = max_length - template.added(2) - kept
    shared = tf.minimum(overlap, room // 2)
    further = -(-tf.maximum(second - room, 0) // (room - shared))
    return {"first": kept, "room": room, "shared": shared, "windows": 1 + further}


def assemble(ids, offsets, question, how, number, template, pad, length):
    """The windows of texts as inputs of an encoder.

    Args:
      ids, offsets: int32 ragged [N, (pieces)] and [N, (pieces), 2], of the texts that are cut.
      question: int32 ragged [N, (pieces)], the first texts of pairs, or None.
      how: dict, what `cut` gave.
      number: int [N], the one window wanted of each row, or None for all.
      template: `template.Template`. pad: int, the id of padding.
      length: int64 scalar, the tokens of a row, or None for the longest.
    Returns:
      dict of int32 tensors for W windows: `input_ids`, `attention_mask`, `token_type_ids`,
      `offsets` [W, L, 2]; `rows` [W], the text each window is of; `owned` [W, L], 1 where a
      piece is this window's rather than its neighbour's: each piece of a text is owned once, by
      the window in which it has more text round it.
    """
    counts = how["windows"]
    if number is None:
        rows = tf.repeat(tf.range(tf.size(counts)), counts)
        number = tf.range(tf.size(rows, tf.int64)) - tf.gather(tf.cumsum(counts) - counts, rows)
    else:
        rows, number = tf.range(tf.size(counts)), tf.cast(number, tf.int64)
    room, shared, windows, kept = (
        tf.gather(how[name], rows) for name in ("room", "shared", "windows", "first")
    )
    begin = number * (room - shared)
    size = tf.clip_by_value(tf.gather(ids.row_lengths(), rows) - begin, 0, room)
    from_piece = tf.gather(ids.row_starts(), rows) + begin
    texts = [Cut(ids.flat_values, offsets.flat_values, from_piece, size)]
    if question is not None:
        asked = tf.gather(question.row_starts(), rows)
        texts = [Cut(question.flat_values, None, asked, kept), *texts]
    width = tf.reduce_max(size + kept + template.added(len(texts))) if length is None else length
    place = tf.range(tf.cast(width, tf.int64))[None]
    start = (kept + template.before_last(len(texts)))[:, None]
    half = (shared // 2)[:, None]
    low = tf.where(number[:, None] > 0, half, 0)
    last = number[:, None] == windows[:, None] - 1
    high = tf.where(last, size[:, None], (room - shared)[:, None] + half)
    owned = (place - start >= low) & (place - start < high)
    return {
        **template.assemble(texts, pad, width),
        "owned": tf.cast(owned, tf.int32),
        "rows": rows,
    }
