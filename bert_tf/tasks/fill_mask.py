"""What models of masked words answer: words for each [MASK] of a text, or which choice fits it."""

from bert_tf.errors import InputError
from bert_tf.tasks import cloze_scoring
from bert_tf.tasks.answers import plain
from bert_tf.tasks.features import Column, tokenized

COLUMNS = {"text": Column("text"), "choices": Column("texts", optional=True)}


def features(cells, tokenizer, settings):
    """Token ids of texts in which [MASK] is one token, and where it stands.

    Args:
      cells: dict of `text` string [N]; with `choices` see `cloze_scoring.features`.
      tokenizer, settings: as in `TaskModel.features`.
    Returns:
      (inputs, None). inputs: those of the encoder; `masked_positions` int32 [N, M], the places of
      each row's masks, filled up with others to the largest number M in a row; `masks` int32 [N],
      how many there are; `tokens` int32 [N], the tokens of each text before it was cut.
    """
    import tensorflow as tf

    if "choices" in cells:
        return cloze_scoring.features(cells, tokenizer, settings)
    tokenizer.require_mask("words to fill in")
    settings = {**settings, "special_tokens_in_text": True}
    whole = tokenized(
        cells["text"], None, tokenizer, {**settings, "max_length": _ENDLESS, "padding": "longest"}
    )
    inputs = tokenized(cells["text"], None, tokenizer, settings)
    masked = inputs["input_ids"] == tokenizer.mask_id
    masks = tf.math.count_nonzero(masked, axis=1, dtype=tf.int32)
    first = tf.argsort(tf.cast(~masked, tf.int32), axis=1, stable=True)
    positions = first[:, : tf.reduce_max(masks)]
    tokens = tf.math.count_nonzero(whole["attention_mask"], axis=1, dtype=tf.int32)
    limit = tf.fill(tf.shape(tokens), settings["max_length"])
    return {
        **inputs,
        "masked_positions": positions,
        "masks": masks,
        "tokens": tokens,
        "limit": limit,
    }, None


# A tokenizer is asked for rows this long to see how long a text is.
_ENDLESS = 10**6


def answer(logits, inputs, cells, tokenizer, top):
    """The likeliest entries of the vocabulary for each [MASK].

    Args:
      logits: float32 [N, M, V], at `masked_positions`.
      inputs: what `features` gave; cells: as there, with `choices` see `cloze_scoring.answer`.
      tokenizer: Tokenizer; the model may have more rows than it has entries, as padding.
      top: int, how many words for each mask.
    Returns:
      dict: `token` string and `probability` float32 [N, M, top], the likeliest first, "" and 0
      beyond a row's masks; `tokens` and `limit` int32 [N], the length of the text before it was cut
      and the longest that is not.
    """
    import tensorflow as tf

    if "choices" in cells:
        return cloze_scoring.answer(logits, inputs, cells, tokenizer)
    entries = tokenizer.vocabulary
    values, ids = tf.math.top_k(
        tf.nn.log_softmax(logits[..., : len(entries)]), min(top, len(entries))
    )
    there = tf.sequence_mask(inputs["masks"], tf.shape(values)[1])[:, :, None]
    there = tf.broadcast_to(there, tf.shape(values))
    tokens = tf.gather(tf.constant(entries), ids)
    return {
        "token": tf.where(there, tokens, tf.fill(tf.shape(tokens), "")),
        "probability": tf.where(there, tf.exp(values), tf.zeros_like(values)),
        "tokens": inputs["tokens"],
        "limit": inputs["limit"],
    }


def record(answer):
    """`masks`: for each [MASK] a list of {"word", "probability"}, the likeliest first.

    Raises:
      InputError: the text has no [MASK], or is longer than the model's rows.
    """
    if "choice" in answer:
        return cloze_scoring.record(answer)
    if answer["tokens"] > answer["limit"]:
        raise InputError(f"{answer['tokens']} tokens, the model takes {answer['limit']}")
    masks = [
        [
            {"word": plain(word), "probability": plain(share)}
            for word, share in zip(words, shares, strict=True)
        ]
        for words, shares in zip(answer["token"], answer["probability"], strict=True)
        if plain(words[0])
    ]
    if not masks:
        raise InputError("holds no mask token, such as [MASK]")
    return {"masks": masks}
