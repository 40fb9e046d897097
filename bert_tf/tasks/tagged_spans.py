"""Spans of texts by the tags of their words, in TensorFlow."""

from bert_tf.tags import ROLES


def by_text(outputs, inputs, texts):
    """What windows say of their own words, text by text.

    Args:
      outputs: float32 [W, L, K], the scores of the tags.
      inputs: dict with `owned`, `offsets` and `rows`, see `word_labels.word_inputs`.
      texts: string [N].
    Returns:
      (float32 [N, T, K]; int32 [N, T, 2], the words' places; bool [N, T], where there is a word).
      T is 1 more than the most words.
    """
    import tensorflow as tf

    owned = inputs["owned"] > 0
    counts = tf.math.unsorted_segment_sum(
        tf.reduce_sum(inputs["owned"], axis=1), inputs["rows"], tf.size(texts)
    )
    dense = []
    for values in (outputs, inputs["offsets"]):
        ragged = tf.RaggedTensor.from_row_lengths(tf.boolean_mask(values, owned), counts)
        values = ragged.to_tensor()
        dense.append(tf.pad(values, [[0, 0], [0, 1], [0, 0]]))
    return *dense, tf.sequence_mask(counts, tf.shape(dense[0])[1])


def spans_of_words(tags, probabilities, places, there, texts, known):
    """The spans that words' tags mean: see `tags.spans_of`, whose rule this is.

    Args:
      tags: int32 [N, T]. probabilities: float32 [N, T], of these tags.
      places: int32 [N, T, 2]. there: bool [N, T], False in the last place of each row.
      texts: string [N].
      known: tags.TagSet.
    Returns:
      dict of [N, S]: `label`, `text` string; `score` float32, the mean of the probabilities of a
      span's words; `start`, `end` int32; "", 0 and -1 where a row has fewer spans.
    """
    import tensorflow as tf

    role = tf.where(there, tf.gather(tf.constant(known.roles), tags), ROLES["O"])
    label = tf.gather(tf.constant(known.labels_of), tags)
    opened = (role == ROLES["B"]) | (role == ROLES["I"])
    inner = (role == ROLES["I"]) | (role == ROLES["E"])
    goes_on = opened[:, :-1] & inner[:, 1:] & (label[:, :-1] == label[:, 1:])
    inside = role != ROLES["O"]
    begins = inside & ~tf.pad(goes_on, [[0, 0], [1, 0]])
    ends = inside & ~tf.pad(goes_on, [[0, 0], [0, 1]])
    start = tf.ragged.boolean_mask(places[..., 0], begins)
    end = tf.ragged.boolean_mask(places[..., 1], ends)
    rows, first, behind = start.value_rowids(), start.flat_values, end.flat_values
    # Spans are numbered through all rows, in their order.
    number = tf.cumsum(tf.reshape(tf.cast(begins, tf.int32), [-1])) - 1
    segments = tf.where(tf.reshape(inside, [-1]), number, -1)
    flat = tf.reshape(probabilities, [-1])
    score = tf.math.unsorted_segment_mean(flat, segments, tf.size(first))
    names = tf.gather(tf.constant([*known.labels, ""]), tf.boolean_mask(label, begins))
    text = tf.strings.substr(tf.gather(texts, rows), first, behind - first, unit="UTF8_CHAR")
    found = {"label": names, "text": text, "score": score, "start": first, "end": behind}
    unused = {"label": "", "text": "", "score": 0.0, "start": -1, "end": -1}
    return {
        name: start.with_flat_values(values).to_tensor(unused[name])
        for name, values in found.items()
    }
