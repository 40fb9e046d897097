"""Texts longer than a model reads, cut into windows that overlap, in the graph."""

import tensorflow as tf

from bert_tf.text import sequences


def cut(first, second, max_length, overlap, template):
    """How each row is cut.

    A window has all of the first text of a pair, at most half of `max_length`, and as much of the
    text that is cut as there is room for.

    Args:
      first: int64 [N], pieces of the text that every window has; None for single texts.
      second: int64 [N], pieces of the text that is cut.
      max_length: int, tokens of a window.
      overlap: int, pieces that a window shares with the next one; at most half of its room.
      template: `template.Template`.
    Returns:
      dict of int64 [N]: `first`, how many pieces of the first text are kept; `room` and `shared`,
      how many pieces a window has and shares with the next; `windows`, how many there are, 1 at
      least.
    """
    if first is None:
        kept = tf.zeros_like(second)
        room = tf.fill(tf.shape(second), tf.constant(max_length - template.added(1), tf.int64))
    else:
        kept = tf.minimum(first, max_length // 2)
        room = max_length - template.added(2) - kept
    shared = tf.minimum(tf.constant(overlap, tf.int64), room // 2)
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
      length: int, the tokens of a row, or None for the longest.
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
    places = tf.ragged.range(from_piece, from_piece + size)
    parts = [tf.gather(ids.flat_values, places.flat_values)]
    parts = [places.with_flat_values(parts[0])]
    spans = [places.with_flat_values(tf.gather(offsets.flat_values, places.flat_values))]
    if question is not None:
        asked = tf.gather(sequences.trim(question, how["first"]), rows)
        nothing = asked.with_flat_values(tf.zeros([tf.size(asked.flat_values), 2], tf.int32))
        parts, spans = [asked, *parts], [nothing, *spans]
    texts = len(parts)
    used = size + kept + template.added(texts)
    width = tf.reduce_max(used) if length is None else length
    place = tf.range(tf.cast(width, tf.int64))[None]
    start = (kept + template.before_last(texts))[:, None]
    inside = place < used[:, None]
    half = (shared // 2)[:, None]
    low = tf.where(number[:, None] > 0, half, 0)
    last = number[:, None] == windows[:, None] - 1
    high = tf.where(last, size[:, None], (room - shared)[:, None] + half)
    owned = (place - start >= low) & (place - start < high)
    lengths = [size] if question is None else [kept, size]
    return {
        "input_ids": template.assemble(parts, pad, width),
        "attention_mask": tf.cast(inside, tf.int32),
        "token_type_ids": template.types(lengths, place, inside),
        "offsets": template.assemble(spans, 0, width, special=[0, 0]),
        "owned": tf.cast(owned, tf.int32),
        "rows": rows,
    }
