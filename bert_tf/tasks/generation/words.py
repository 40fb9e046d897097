"""One word a row and step."""

from bert_tf.layers import draw, new_key
from bert_tf.tasks.generation.loop import shapes_of


def one_by_one(loop, ids_BL, mask_BL, logits_BV, cache):
    """The likeliest word each time, or one that is drawn.

    Args:
      loop: Loop; ids_BL, mask_BL: the prompts.
      logits_BV, cache: what its `step` gave of them.
    Returns:
      int32 [B, n], n the length of the longest text.
    """
    import tensorflow as tf

    rows, vocab_size = tf.shape(ids_BL)[0], logits_BV.shape[-1]
    state = {
        "number": tf.constant(0),
        "new": tf.zeros([rows, 0], tf.int32),
        "done": tf.zeros([rows], tf.bool),
        "mask": mask_BL,
        "logits": logits_BV,
        "seen": loop.seen(ids_BL, mask_BL, vocab_size),
        "text": tf.fill([rows], ""),
        "cache": cache,
    }

    def go_on(state):
        return (state["number"] < loop.settings.max_new_tokens) & ~tf.reduce_all(state["done"])

    def body(state):
        scores_BV = loop.scores(state["logits"], state["seen"])
        word_B = _chosen(scores_BV, loop.settings, loop.first_draw + state["number"])
        word_B = tf.where(state["done"], loop.words.pad, word_B)
        text_B = loop.longer(state["text"], word_B)
        mask_BT = tf.concat([state["mask"], tf.ones([rows, 1], tf.int32)], axis=1)
        logits_BV, cache = loop.next(word_B, mask_BT, state["cache"])
        new = {
            "number": state["number"] + 1,
            "new": tf.concat([state["new"], word_B[:, None]], axis=1),
            "done": state["done"] | loop.is_last(word_B, text_B),
            "mask": mask_BT,
            "logits": logits_BV,
            "seen": loop.also(state["seen"], word_B),
            "text": text_B,
            "cache": cache,
        }
        return (new,)

    shapes = shapes_of(state, growing=("new", "mask"))
    return tf.while_loop(go_on, body, (state,), (shapes,), parallel_iterations=1)[0]["new"]


def _chosen(scores_BV, settings, number):
    """The words that follow, int32 [B]."""
    import tensorflow as tf

    if not settings.do_sample:
        return tf.argmax(scores_BV, axis=-1, output_type=tf.int32)
    scores_BV = scores_BV / settings.temperature
    if settings.top_k is not None:
        best_BK, _ = tf.math.top_k(scores_BV, min(settings.top_k, scores_BV.shape[-1]))
        scores_BV = tf.where(scores_BV < best_BK[:, -1:], tf.float32.min, scores_BV)
    if settings.top_p is not None:
        sorted_BV = tf.sort(scores_BV, direction="DESCENDING")
        before_BV = tf.cumsum(tf.nn.softmax(sorted_BV), axis=-1, exclusive=True)
        kept_BV = tf.where(before_BV < settings.top_p, sorted_BV, sorted_BV[:, :1])
        least_B1 = tf.reduce_min(kept_BV, axis=-1, keepdims=True)
        scores_BV = tf.where(scores_BV < least_B1, tf.float32.min, scores_BV)
    return draw(scores_BV, new_key(settings.seed, number))
