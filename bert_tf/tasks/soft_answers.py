"""What a task's answers are before anybody decides: a student learns them of its teacher."""

import typing

from bert_tf.errors import InputError

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
        themselves; "number"; or "vector", of any length.
      values: float32 [B, ..., K]; of "number" [B, K], each for itself.
      there: bool [B, ...] without the K, where there is an answer; None: everywhere, an answer of
        the row as a whole, whatever its tokens are.
    """

    kind: str
    values: object
    there: object = None


def soft_answers(model, outputs, inputs):
    """The SoftAnswers of a task model, a list.

    Args:
      model: TaskModel with a method of this name.
      outputs, inputs: what `call` returned, and was given.
    Raises:
      InputError: a task that has none.
    """
    if not hasattr(model, "soft_answers"):
        raise InputError(
            f"a {type(model).__name__} has no answers that a student could learn: wanted no "
            "distillation.losses.logits"
        )
    return model.soft_answers(outputs, inputs)


def mask_of(inputs):
    """Where a row [B, L] has tokens, bool [B, L]."""
    mask = inputs.get("attention_mask")
    return inputs["input_ids"] >= 0 if mask is None else mask > 0
