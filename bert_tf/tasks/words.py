"""The words of a text, and where they begin among its tokens, in TensorFlow operations."""


def words_of(texts):
    """The words of texts, string ragged [N, (words)], and the texts with one space between them."""
    import tensorflow as tf

    words = tf.strings.split(texts)
    return words, tf.strings.reduce_join(words, axis=-1, separator=" ")


def word_starts(words, offsets, mask):
    """The first token of each word.

    Args:
      words: string ragged [N, (words)], of texts in which one space stands between them.
      offsets: int32 [N, L, 2], of the tokens; mask: int32 [N, L], 0 is padding.
    Returns:
      int32 [N, L], 0 for a word without pieces and beyond the last word, and int32 [N], the number
      of the last word that has a piece: words after it were cut off.
    """
    import tensorflow as tf

    lengths = tf.strings.length(words, unit="UTF8_CHAR")
    ends = tf.cumsum(lengths.to_tensor(-1) + 1, axis=1)  # where the next word begins
    begin, end = offsets[:, :, 0], offsets[:, :, 1]
    real = (end > begin) & (mask > 0)
    ends = tf.where(tf.sequence_mask(words.row_lengths(), tf.shape(ends)[1]), ends, ends.dtype.max)
    word = tf.searchsorted(ends, begin, side="right")
    before = tf.pad(tf.where(real, word, -1)[:, :-1], [[0, 0], [1, 0]], constant_values=-1)
    first = real & (word != before)
    rows, places = tf.unstack(tf.where(first), axis=1)
    width = tf.shape(mask, tf.int64)[1]
    numbers = tf.cast(tf.boolean_mask(word, first), tf.int64)
    inside = numbers < width
    where = tf.boolean_mask(tf.stack([rows, numbers], axis=1), inside)
    places = tf.boolean_mask(tf.cast(places, tf.int32), inside)
    starts = tf.tensor_scatter_nd_max(tf.zeros_like(mask), where, places)
    last = tf.reduce_max(tf.where(real, word, -1), axis=1) + 1
    return starts, tf.minimum(last, tf.cast(width, tf.int32))


def fit(values, width):
    """int [N, W] as int [N, width], -1 where it is wider."""
    import tensorflow as tf

    missing = tf.maximum(width - tf.shape(values)[1], 0)
    return tf.pad(values, [[0, 0], [0, missing]], constant_values=-1)[:, :width]
