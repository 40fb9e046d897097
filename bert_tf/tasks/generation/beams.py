"""Beam search with a length penalty: transformers 5, generation/utils.py, `_beam_search`.

Of each row `num_beams` unfinished texts are kept, and `num_beams` finished ones. A step takes the
2 * num_beams best of all continuations, so that as many unfinished ones are left when the best of
them end.
"""

from bert_tf.tasks.generation.loop import shapes_of

_NEVER = -1e9


def beam_search(loop, ids_BL, mask_BL, logits_BV, cache):
    """The finished text with the highest score of each row.

    A score is a text's log-probability divided by its length to the power of `length_penalty`.

    Args:
      loop: Loop; ids_BL, mask_BL: the prompts.
      logits_BV, cache: what its `step` gave of them.
    Returns:
      int32 [B, n], n the longest of these texts.
    """
    import tensorflow as tf

    settings, beams = loop.settings, loop.settings.num_beams
    most, rows, vocab_size = settings.max_new_tokens, tf.shape(ids_BL)[0], logits_BV.shape[-1]

    def repeat(x):
        """Rows as B * beams, the unfinished texts of a row one after the other."""
        return tf.repeat(x, beams, axis=0)

    nothing = tf.fill([rows, beams, most], loop.words.pad)
    first_1K = tf.constant([[0.0] + [_NEVER] * (beams - 1)])
    state = {
        "number": tf.constant(0),
        "running": nothing,
        "running_scores": tf.tile(first_1K, [rows, 1]),
        "sequences": nothing,
        "scores": tf.fill([rows, beams], _NEVER),
        "finished": tf.zeros([rows, beams], tf.bool),
        "lengths": tf.zeros([rows, beams], tf.int32),
        "hopeful": tf.ones([rows, 1], tf.bool),
        "ended": tf.zeros([rows, 2 * beams], tf.bool),
        "mask": repeat(mask_BL),
        "logits": repeat(logits_BV),
        "seen": repeat(loop.seen(ids_BL, mask_BL, vocab_size)),
        "text": tf.fill([rows * beams], ""),
        "cache": tf.nest.map_structure(repeat, cache),
    }

    def go_on(state):
        open_beams = tf.constant(True)
        if settings.early_stopping is True:
            open_beams = ~tf.reduce_all(state["finished"])
        can_go_on = ~tf.reduce_all(state["ended"])
        return tf.reduce_any(state["hopeful"]) & open_beams & can_go_on

    def body(state):
        return (_advanced(loop, state),)

    shapes = shapes_of(state, growing=("mask",))
    done = tf.while_loop(
        go_on, body, (state,), (shapes,), parallel_iterations=1, maximum_iterations=most
    )[0]
    return done["sequences"][:, 0, : tf.reduce_max(done["lengths"][:, 0])]


def _advanced(loop, state):
    """The state behind one more word."""
    import tensorflow as tf

    settings, beams, number = loop.settings, loop.settings.num_beams, state["number"]
    rows = tf.shape(state["running"])[0]
    # The best continuations, [B, 2K].
    log_probs_XV = loop.scores(tf.nn.log_softmax(state["logits"]), state["seen"])
    vocab_size = log_probs_XV.shape[-1]
    sums = tf.reshape(log_probs_XV, [rows, beams, vocab_size]) + state["running_scores"][..., None]
    best, places = tf.math.top_k(tf.reshape(sums, [rows, beams * vocab_size]), 2 * beams)
    parents, words = places // vocab_size, places % vocab_size
    sequences = _set(_of(state["running"], parents), number, words)
    texts = _of(tf.reshape(state["text"], [rows, beams]), parents)
    texts = loop.longer(texts, words)
    ended = loop.is_last(words, texts) | (number + 1 >= settings.max_new_tokens)

    # Those that go on, [B, K].
    going_on = best + tf.cast(ended, tf.float32) * _NEVER
    running_scores, chosen = tf.math.top_k(going_on, beams)
    finished = _finished(loop, state, best, sequences, ended)
    word_X, parent_BK = tf.reshape(_of(words, chosen), [-1]), _of(parents, chosen)
    parent_X = tf.reshape(parent_BK + tf.range(rows)[:, None] * beams, [-1])
    mask_XT = tf.concat([state["mask"], tf.ones([rows * beams, 1], tf.int32)], axis=1)
    cache = tf.nest.map_structure(lambda x: tf.gather(x, parent_X), state["cache"])
    logits_XV, cache = loop.next(word_X, mask_XT, cache)
    seen_XV = loop.also(tf.gather(state["seen"], parent_X), word_X)
    text_X = tf.reshape(_of(texts, chosen), [-1])
    hopeful = _hopeful(settings, state["hopeful"], running_scores, finished, number + 1)
    return {
        "number": number + 1,
        "running": _of(sequences, chosen),
        "running_scores": running_scores,
        **finished,
        "hopeful": hopeful,
        "ended": ended,
        "mask": mask_XT,
        "logits": logits_XV,
        "seen": seen_XV,
        "text": text_X,
        "cache": cache,
    }


def _finished(loop, state, best, sequences, ended):
    """The best finished texts so far, with those of the K best continuations that just ended."""
    import tensorflow as tf

    settings, beams, number = loop.settings, loop.settings.num_beams, state["number"]
    among_best = ended & (tf.range(2 * beams) < beams)
    length = tf.cast(number + 1, tf.float32)
    scores = best / length**settings.length_penalty
    if settings.early_stopping is True:
        full = tf.reduce_all(state["finished"], axis=1, keepdims=True)
        scores += tf.cast(full, tf.float32) * _NEVER
    scores += tf.cast(~state["hopeful"], tf.float32) * _NEVER
    scores += tf.cast(~among_best, tf.float32) * _NEVER
    scores, chosen = tf.math.top_k(tf.concat([state["scores"], scores], axis=1), beams)
    new_lengths = tf.fill(tf.shape(ended), number + 1)
    return {
        "sequences": _of(tf.concat([state["sequences"], sequences], axis=1), chosen),
        "scores": scores,
        "finished": _of(tf.concat([state["finished"], among_best], axis=1), chosen),
        "lengths": _of(tf.concat([state["lengths"], new_lengths], axis=1), chosen),
    }


def _hopeful(settings, before_B1, running_scores, finished, length):
    """Whether an unfinished text of a row may yet be better than its worst finished one."""
    import tensorflow as tf

    best_length = length
    if settings.early_stopping == "never" and settings.length_penalty > 0:
        best_length = settings.max_new_tokens
    best = running_scores[:, :1] / tf.cast(best_length, tf.float32) ** settings.length_penalty
    worst = tf.reduce_min(finished["scores"], axis=1, keepdims=True)
    worst = tf.where(finished["finished"], worst, _NEVER)
    return before_B1 & tf.reduce_any(best > worst, axis=1, keepdims=True)


def _of(values, places):
    """Of each row's entries those at some places: [B, n, ...], int [B, m] -> [B, m, ...]."""
    import tensorflow as tf

    return tf.gather(values, places, batch_dims=1)


def _set(sequences, number, words):
    """Sequences int32 [B, n, T] with words [B, n] at place `number`."""
    import tensorflow as tf

    here = tf.range(sequences.shape[-1]) == number
    return tf.where(here, words[..., None], sequences)
