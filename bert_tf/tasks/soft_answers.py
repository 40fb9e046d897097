"""What a task's answers are before anybody decides: a student learns them of its teacher."""

import typing

# Problem type -> the kind of its answers.
KINDS = {
    "single_label_classification": "choice",
    "multi_label_classification": "several",
    "regression": "number",
}


class SoftAnswer(typing.NamedTuple):
    """One of the answers of a batch.

    Attributes:
      kind: "choice", logits of which one is right; "several", logits that each stand for
        themselves; or "number".
      values: float32 [B, ..., K]; of "number" [B, K], each for itself.
      there: bool [B, ...] without the K, where there is an answer; None: everywhere.
      of_tokens: bool, whether it depends on how the texts are cut into tokens: no teacher with
        another vocabulary can tell it.
    """

    kind: str
    values: object
    there: object = None
    of_tokens: bool = False


def mask_of(inputs):
    """Where a row [B, L] has tokens, bool [B, L]."""
    mask = inputs.get("attention_mask")
    return inputs["input_ids"] >= 0 if mask is None else mask > 0


def masked_places(inputs):
    """Where words are to be predicted, bool [B, P] or, without `masked_positions`, [B, L]."""
    positions = inputs.get("masked_positions")
    # No word is masked at 0, which fills up rows that have fewer.
    return mask_of(inputs) if positions is None else positions > 0
