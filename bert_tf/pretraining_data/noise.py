"""Noise in what a model reads: tokens inserted, deleted and replaced at random.

What it has to say of them is not touched: special tokens and the positions to predict stay, and
positions follow their tokens. As in masking, (seed, row) alone decide.
"""

import tensorflow as tf

from bert_tf.pretraining_data import random_numbers

# Streams of `random_numbers` that masking does not use.
_KEPT, _REPLACEMENT, _INSERTED, _INSERTION, _ORDER = range(16, 21)


def add_noise(
    tokens, noise, vocabulary, seed, rows=None, positions=None, weights=None, most=None, fill=None
):
    """Insert, delete and replace tokens.

    Args:
      tokens: dict of [B, L] tensors, a value for each token: int32 input_ids, attention_mask (0 or
        1), and whatever has to move with them. An inserted token takes the other values of the
        token it is put before.
      noise: config.Noise.
      vocabulary: masking.MaskingVocabulary.
      seed: integer [2], such as the run's seed and the step.
      rows: integer [B], what tells the rows apart under the seed; None: their place, 0, 1, ...
      positions, weights: int32 and float32 [B, P], tokens that stay as they are where the weight is
        above 0; None for no such tokens.
      most: int32 [B], the tokens a row may have in the end, not fewer than it has; None: L. As many
        insertions are made as there is room for, drawn from all.
      fill: dict of name -> what stands in padding, where that is not 0; None for none.
    Returns:
      (tokens, positions): like the arguments; a position follows its token.
    """
    input_ids, fill = tokens["input_ids"], fill or {}
    height, width = tf.shape(input_ids)[0], tf.shape(input_ids)[1]
    keys = random_numbers.row_keys(seed, tf.range(height) if rows is None else rows)
    places = tf.range(width)
    real = tokens["attention_mask"] > 0
    ordinary = real & ~tf.gather(vocabulary.is_special, input_ids)
    if positions is not None:
        ordinary &= ~_at(positions, weights, height, width)

    fate = random_numbers.uniform(keys, places, _KEPT)
    kept = real & ~(ordinary & (fate < noise.deletion))
    replaced = kept & ordinary & (fate < noise.deletion + noise.replacement)
    before = ordinary & (random_numbers.uniform(keys, places, _INSERTED) < noise.insertion)
    room = (width if most is None else most) - tf.math.count_nonzero(kept, 1, dtype=tf.int32)
    before = _first(before, room, random_numbers.priorities(keys, places, _ORDER))

    replacements, count = vocabulary.replacement_ids, len(vocabulary.replacement_ids)
    other = tf.gather(replacements, random_numbers.below(count, keys, places, _REPLACEMENT))
    new = tf.gather(replacements, random_numbers.below(count, keys, places, _INSERTION))
    tokens = {**tokens, "input_ids": tf.where(replaced, other, input_ids)}
    # Where each token will be; the one inserted before it will be just to its left.
    kept_at = tf.cumsum(tf.cast(kept, tf.int32), axis=1, exclusive=True)
    kept_at += tf.cumsum(tf.cast(before, tf.int32), axis=1)
    source, is_new = _sources(kept, before, kept_at)
    moved = {}
    for name, values in tokens.items():
        values = tf.gather(values, tf.maximum(source, 0), batch_dims=1)
        if name == "input_ids":
            inserted = tf.gather(new, tf.maximum(source, 0), batch_dims=1)
            values = tf.where(is_new, inserted, values)
        moved[name] = tf.where(source >= 0, values, tf.cast(fill.get(name, 0), values.dtype))
    if positions is not None:
        followed = tf.gather(kept_at, positions, batch_dims=1)
        positions = tf.where(weights > 0, followed, positions)
    return moved, positions


def _at(positions, weights, height, width):
    """bool [B, L], true at the positions whose weight is above 0."""
    cells = tf.range(height)[:, None] * width + positions
    chosen = tf.cast(weights > 0, tf.int32)
    count = tf.math.unsorted_segment_sum(
        tf.reshape(chosen, [-1]), tf.reshape(cells, [-1]), height * width
    )
    return tf.reshape(count > 0, [height, width])


def _first(candidates, room, order):
    """The candidates, bool [B, L], that stand highest in order, int32; room, int32 [B], of them."""
    width = tf.shape(candidates)[1]
    ranked = tf.math.top_k(tf.where(candidates, order, -1), k=width).values
    last = tf.clip_by_value(room - 1, 0, width - 1)
    lowest = tf.gather(ranked, last[:, None], batch_dims=1)
    return candidates & (order >= lowest) & (room > 0)[:, None]


def _sources(kept, before, kept_at):
    """For each cell of the new rows: int32 [B, L], the column that its token comes from, -1 for
    padding; and bool [B, L], whether it is the token inserted before that column."""
    height, width = tf.shape(kept)[0], tf.shape(kept)[1]
    first, nowhere = tf.range(height)[:, None] * width, height * width
    cells = tf.stack(
        [tf.where(kept, first + kept_at, nowhere), tf.where(before, first + kept_at - 1, nowhere)]
    )
    # Odd numbers for tokens kept, even ones for tokens inserted, 0 for neither.
    codes = tf.stack([2 * tf.range(width) + 1, 2 * tf.range(width) + 2])[:, None]
    codes = tf.broadcast_to(codes, [2, height, width])
    found = tf.scatter_nd(tf.reshape(cells, [-1, 1]), tf.reshape(codes, [-1]), [height * width + 1])
    found = tf.reshape(found[:-1], [height, width])
    return (found - 1) // 2, (found > 0) & (found % 2 == 0)
