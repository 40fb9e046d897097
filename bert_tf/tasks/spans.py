"""The best spans of texts by the scores of their first and last tokens, over all their windows."""

from keras import ops

from bert_tf.layers import LOWEST


def token_positions(offsets, start, end):
    """The tokens that answers begin and end with, in TensorFlow.

    Args:
      offsets: int32 [W, L, 2], see `text.windows.assemble`.
      start, end: int32 [W, 1], the answer's first character and the one behind its last; -1 where
        there is none.
    Returns:
      dict of int32 [W], `start_positions` and `end_positions`; 0 where a window does not hold all
      of the answer.
    """
    import tensorflow as tf

    text = offsets[:, :, 1] > 0
    touched = text & (offsets[:, :, 1] > start) & (offsets[:, :, 0] < end)
    begins = tf.reduce_min(tf.where(text, offsets[:, :, 0], tf.int32.max), axis=1) <= start[:, 0]
    reaches = tf.reduce_max(offsets[:, :, 1], axis=1) >= end[:, 0]
    whole = begins & reaches & tf.reduce_any(touched, axis=1)
    touched = tf.cast(touched, tf.int32)
    first = tf.argmax(touched, axis=1, output_type=tf.int32)
    last = first + tf.reduce_sum(touched, axis=1) - 1
    return {
        "start_positions": tf.where(whole, first, 0),
        "end_positions": tf.where(whole, last, 0),
    }


def span_scores(outputs, inputs, longest):
    """The score of every span of at most so many tokens: that of its first plus that of its last.

    Where windows overlap, a span counts in one of them alone, the one that owns its middle token:
    both ends have text round them there. A span of more tokens than the windows share may have no
    window that holds it.

    Args:
      outputs: dict of float32 [W, L], `start_logits` and `end_logits`.
      inputs: dict of int32, `offsets` [W, L, 2] and `owned` [W, L], see `text.windows.assemble`.
      longest: int, A.
    Returns:
      float32 [W, L, A]: of the span of a + 1 tokens from token l on; LOWEST where there is none.
    """
    text_WL = inputs["offsets"][:, :, 1] > 0  # not of the question, not special, no padding
    length = ops.shape(text_WL)[1]
    first, beyond = ops.arange(length)[:, None], ops.arange(longest)[None]

    def at(values_WL, places_LA):
        """values [W, L] at places [L, A], 0 behind the row's end."""
        return ops.take(ops.pad(values_WL, ((0, 0), (0, longest))), places_LA, axis=1)

    last_WLA = at(ops.cast(text_WL, "int32"), first + beyond) > 0
    owned_WLA = at(inputs["owned"], first + beyond // 2) > 0
    there_WLA = text_WL[:, :, None] & last_WLA & owned_WLA
    scores_WLA = outputs["start_logits"][:, :, None] + at(outputs["end_logits"], first + beyond)
    return ops.where(there_WLA, scores_WLA, LOWEST)


def best_span(scores_WLA, offsets):
    """The best span of each window.

    Args:
      scores_WLA: what `span_scores` gave.
      offsets: int32 [W, L, 2].
    Returns:
      (score float32 [W], its first character int32 [W], the one behind its last int32 [W]).
    """
    shape = ops.shape(scores_WLA)
    flat = ops.reshape(scores_WLA, (shape[0], shape[1] * shape[2]))
    place = ops.argmax(flat, axis=-1)
    first, last = place // shape[2], place // shape[2] + place % shape[2]
    last = ops.minimum(last, shape[1] - 1)
    starts, ends = (
        ops.take_along_axis(offsets[:, :, side], token[:, None], axis=1)[:, 0]
        for side, token in ((0, first), (1, last))
    )
    return ops.max(flat, axis=-1), starts, ends


def merged(scores_WLA, offsets, rows, count, top, nothing_W=None):
    """The best spans of each text over its windows, in TensorFlow.

    Args:
      scores_WLA, offsets: as in `best_span`.
      rows: int32 [W], the text each window is of, ascending.
      count: int32 scalar, N, the texts; each has a window.
      top: int, how many spans.
      nothing_W: float32 [W], the score of there being no span; of a text its lowest one counts.
        None: there always is one.
    Returns:
      dict: `starts`, `ends` int32 [N, top], -1 where a text has fewer spans; `scores` float32
      [N, top], probabilities, the first the highest: exp(score) over the sum of it over all spans
      and, if it may be, nothing; `nothing` float32 [N], the probability of that, and `odds`, its
      score less the best span's.
    """
    import tensorflow as tf

    shape = tf.shape(scores_WLA)
    flat = tf.reshape(scores_WLA, [shape[0], shape[1] * shape[2]])
    values, places = tf.math.top_k(flat, tf.minimum(top, shape[1] * shape[2]))
    first = places // shape[2]
    last = tf.minimum(first + places % shape[2], shape[1] - 1)
    starts = tf.gather(offsets[:, :, 0], first, batch_dims=1)
    ends = tf.gather(offsets[:, :, 1], last, batch_dims=1)

    def by_text(found, filling):
        """[W, k] of windows as [N, windows * k + top] of texts."""
        several = tf.RaggedTensor.from_value_rowids(found, rows, nrows=tf.cast(count, rows.dtype))
        several = several.to_tensor(filling)
        several = tf.reshape(several, [count, tf.shape(several)[1] * tf.shape(found)[1]])
        return tf.pad(several, [[0, 0], [0, top]], constant_values=filling)

    values, places = tf.math.top_k(by_text(values, LOWEST), top)
    there = values > LOWEST / 2
    starts, ends = (
        tf.where(there, tf.gather(by_text(x, -1), places, batch_dims=1), -1) for x in (starts, ends)
    )
    highest = values[:, 0]
    if nothing_W is not None:
        nothing = tf.math.unsorted_segment_min(nothing_W, rows, count)
        highest = tf.maximum(highest, nothing)
    each = tf.where(flat > LOWEST / 2, tf.exp(flat - tf.gather(highest, rows)[:, None]), 0.0)
    total = tf.math.unsorted_segment_sum(tf.reduce_sum(each, axis=-1), rows, count)
    found = {"starts": starts, "ends": ends}
    if nothing_W is not None:
        alone = tf.exp(nothing - highest)
        total += alone
        found |= {"nothing": alone / total, "odds": nothing - values[:, 0]}
    likely = tf.exp(values - highest[:, None])
    return {**found, "scores": tf.where(there, tf.math.divide_no_nan(likely, total[:, None]), 0.0)}
