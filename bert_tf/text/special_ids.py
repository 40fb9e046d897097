"""The ids of special tokens by what they are for, whatever a tokenizer calls them."""

from bert_tf.errors import InputError


def row_ends(tokenizer):
    """What begins and what ends a row of pretraining: [CLS] and [SEP]; of a tokenizer without them
    the tokens that begin and end a text, GPT-2's <|endoftext|> both.

    Args:
      tokenizer: Tokenizer.
    Returns:
      (int, int), ids.
    Raises:
      InputError: it has no such tokens.
    """
    settings, ids = tokenizer.pieces.settings, tokenizer.pieces.ids
    bos, eos = (ids.get(getattr(settings, name, None)) for name in ("bos_token", "eos_token"))
    start = next((x for x in (tokenizer.cls_id, bos, eos) if x is not None), None)
    end = next((x for x in (tokenizer.sep_id, eos, bos) if x is not None), None)
    if start is None:
        raise InputError(
            f"{settings.source}: has no token that begins a text, wanted [CLS] and [SEP], or one "
            "of the beginning and one of the end"
        )
    return start, end
